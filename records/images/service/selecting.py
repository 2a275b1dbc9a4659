"""Key object selections: which images of a study somebody has pointed out, and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from records.images.models import Instance, KeyImage, KeySelection, Series, Study


@dataclass(frozen=True)
class Pointed:
    """One image that a selection points out. ``frames``: which of them, all when there are none."""

    study_instance_uid: str
    sop_instance_uid: str
    frames: tuple[int, ...] = ()


@dataclass(frozen=True)
class SelectionView:
    """A key object selection of a study.

    :ivar is_rejection: its images were chosen not to be used.
    :ivar images: those that it points out in the study, in its order.
    :ivar elsewhere: how many it points out in other studies, which it changes nothing about.
    :ivar missing: how many it points out in this study that are not here.
    """

    sop_instance_uid: str
    title: str
    description: str | None
    is_rejection: bool
    images: tuple[Pointed, ...]
    elsewhere: int
    missing: int


def keep_selection(
    session: Session,
    instance_id: UUID,
    *,
    title: str,
    description: str | None,
    is_rejection: bool,
    images: Sequence[Pointed],
) -> None:
    """Keep what a selection says; said twice, the first stays. Of one that points nothing out nothing is kept."""
    if not images:
        return
    said = {"title": title, "description": description, "is_rejection": is_rejection}
    added = insert(KeySelection).values(instance_id=instance_id, **said).on_conflict_do_nothing()
    if session.scalar(added.returning(KeySelection.instance_id)) is None:
        return
    rows = [
        {"instance_id": instance_id, "position": position, **vars(one), "frames": list(one.frames)}
        for position, one in enumerate(images, 1)
    ]
    session.execute(insert(KeyImage), rows)


def list_selections(session: Session, study: Study, present: Iterable[str]) -> list[SelectionView]:
    """The selections that are instances of a study, in the order of their arrival. The caller has decided about it.

    A selection of another study says nothing of this one, nor of whose it is.

    :param present: SOPInstanceUIDs of the instances of the study.
    """
    found = session.execute(
        select(KeySelection, Instance.sop_instance_uid, KeyImage)
        .join(Instance, Instance.id == KeySelection.instance_id)
        .join(Series, Series.id == Instance.series_id)
        .join(KeyImage, KeyImage.instance_id == KeySelection.instance_id)
        .where(Series.study_id == study.id)
        .order_by(KeySelection.instance_id, KeyImage.position)
    ).tuples()
    pointed: dict[UUID, tuple[KeySelection, str, list[Pointed]]] = {}
    for selection, sop_uid, image in found:
        of_it = pointed.setdefault(selection.instance_id, (selection, sop_uid, []))[2]
        of_it.append(Pointed(image.study_instance_uid, image.sop_instance_uid, tuple(image.frames)))
    here = set(present)
    return [_view(selection, sop_uid, images, study, here) for selection, sop_uid, images in pointed.values()]


def _view(selection: KeySelection, sop_uid: str, images: list[Pointed], study: Study, here: set[str]) -> SelectionView:
    own = [image for image in images if image.study_instance_uid == study.study_instance_uid]
    shown = tuple(image for image in own if image.sop_instance_uid in here)
    return SelectionView(
        sop_instance_uid=sop_uid,
        title=selection.title,
        description=selection.description,
        is_rejection=selection.is_rejection,
        images=shown,
        elsewhere=len(images) - len(own),
        missing=len(own) - len(shown),
    )
