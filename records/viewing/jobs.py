"""First looks are made here, when an image arrives that is slow to decode."""

from typing import Any
from uuid import UUID

from core import db, storage
from core.dispatch import Handler
from records.images import render
from records.images.slow import ARRIVED_TOPIC
from records.refusals import ImageNotDecodable
from records.viewing import first_looks


def make_first_look(payload: dict[str, Any]) -> None:
    """``instance_id``: decode it once, for all who will look; again: nothing."""
    instance_id = UUID(payload["instance_id"])
    with db.snapshot() as session:
        file = first_looks.find_unmade(session, instance_id)
    if file is None:
        return
    sizes, look = [], first_looks.look_of(file.view)
    with storage.Staging() as staging:
        staged = staging.new_file()
        for frame in range(1, min(file.view.frames, first_looks.MOST_FRAMES) + 1):
            try:
                picture = render.render_instance(file, frame=frame, look=look)
            except ImageNotDecodable:
                # Who asks for it is told why; nothing can be kept of it, or of what follows.
                break
            staged.write(picture)
            sizes.append(len(picture))
        if not sizes:
            return
        staged.finish()
        with db.transaction() as session:
            first_looks.keep_look(session, instance_id=instance_id, file=file, staged=staged, sizes=sizes)


HANDLERS: dict[str, Handler] = {ARRIVED_TOPIC: make_first_look}
