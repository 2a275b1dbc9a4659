"""First looks that were made before anybody asked, of images that are slow to decode."""

from collections.abc import Sequence
from itertools import accumulate
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import clock, storage
from records.images.models import Instance, Series
from records.images.render import Look
from records.images.service import InstanceFile, InstanceView
from records.images.slow import FIRST_LOOK_PIXELS, is_large, is_slow
from records.viewing.models import FirstLook

# A film's first seconds; the others are made when they are asked for.
MOST_FRAMES = 60


def look_of(view: InstanceView) -> Look:
    """How an image is first looked at."""
    return Look(size=(FIRST_LOOK_PIXELS, FIRST_LOOK_PIXELS)) if is_large(view.rows, view.columns) else Look()


def find_unmade(session: Session, instance_id: UUID) -> InstanceFile | None:
    """The instance whose first look is still to be made. Nobody sees it by this."""
    asked = (
        select(Instance, Series.series_instance_uid)
        .join(Series, Series.id == Instance.series_id)
        .where(Instance.id == instance_id, ~select(FirstLook).filter_by(instance_id=instance_id).exists())
    )
    found = session.execute(asked).one_or_none()
    if found is None:
        return None
    one, series_uid = found
    view = InstanceView(**{name: getattr(one, name) for name in InstanceView.__dataclass_fields__})
    return InstanceFile(series_uid, view, one.sha256, one.size_bytes, one.storage_key, one.data_key)


def keep_look(
    session: Session, *, instance_id: UUID, file: InstanceFile, staged: storage.Staged, sizes: Sequence[int]
) -> None:
    """Keep what was made; made twice, the first stays."""
    session.execute(
        insert(FirstLook)
        .values(
            instance_id=instance_id,
            source_key=file.storage_key,
            sizes=list(sizes),
            storage_key=storage.keep(staged),
            data_key=staged.wrapped_key,
            made_at=clock.now(),
        )
        .on_conflict_do_nothing()
    )


def find_look(session: Session, file: InstanceFile, *, frame: int, look: Look) -> bytes | None:
    """The picture of a frame, when it was made before and this is how it is asked for.

    :param file: which the actor was just allowed to open.
    :raises FileDamaged: it is missing or altered.
    """
    view = file.view
    if look != look_of(view) or not is_slow(view.transfer_syntax_uid, view.rows, view.columns):
        return None
    made = session.scalars(select(FirstLook).filter_by(source_key=file.storage_key)).one_or_none()
    if made is None or frame > len(made.sizes):
        return None
    start = [0, *accumulate(made.sizes)][frame - 1]
    with storage.open_file(made.storage_key, made.data_key) as stream:
        stream.seek(start)
        return stream.read(made.sizes[frame - 1])
