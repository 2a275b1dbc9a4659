"""Single items that a person keeps from those who act for him."""

from uuid import UUID

from sqlalchemy import ColumnElement, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import SQLCoreOperations

from consent.models import HiddenItem, Purpose
from consent.refusals import HidingNotAllowed
from consent.service.askers import is_of_login, login_behind
from core import audit, clock
from core.actor import Actor, ActorKind
from core.ids import new_id
from health_card import service as health_card

# In the facts of an act on a part of an item, such as a series of a study: the item's id.
PART_OF = "part_of"


def hide_item(session: Session, actor: Actor, *, person_id: UUID, of: tuple[str, UUID]) -> None:
    """From the next request on nobody who acts for this person sees the item; hospitals that treat him still do.

    Hiding again changes nothing.

    :param person_id: whose item it is; the caller has found it among what the actor may see.
    :param of: kind (report or study) and id of the item.
    :raises HidingNotAllowed: the actor is somebody else, or under 14.
    """
    _check_may_hide(session, actor, person_id)
    hidden = insert(HiddenItem).values(
        id=new_id(),
        person_id=person_id,
        object_kind=of[0],
        object_id=of[1],
        hidden_by=actor.id,
        hidden_at=clock.now(),
    )
    changed = hidden.on_conflict_do_update(
        index_elements=["object_id"],
        set_={"hidden_by": hidden.excluded.hidden_by, "hidden_at": hidden.excluded.hidden_at, "shown_at": None},
        where=HiddenItem.shown_at.is_not(None),
    )
    if session.scalar(changed.returning(HiddenItem.id)):
        health_card.keep_notices_own(session, person_id=person_id, object_id=of[1], own_only=True)
        _record(session, actor, "consent.item.hidden", person_id, of)


def show_item(session: Session, actor: Actor, *, person_id: UUID, of: tuple[str, UUID]) -> None:
    """Undo ``hide_item``. Showing what is not hidden changes nothing.

    :raises HidingNotAllowed: the actor is somebody else, or under 14.
    """
    _check_may_hide(session, actor, person_id)
    shown = update(HiddenItem).where(HiddenItem.object_id == of[1], HiddenItem.shown_at.is_(None))
    if session.scalar(shown.values(shown_at=clock.now()).returning(HiddenItem.id)):
        health_card.keep_notices_own(session, person_id=person_id, object_id=of[1], own_only=False)
        _record(session, actor, "consent.item.shown", person_id, of)


def find_hidden(session: Session, *, object_ids: set[UUID]) -> set[UUID]:
    """Which of these their persons keep from those who act for them: then they are not told of them either."""
    hidden = select(HiddenItem.object_id).where(HiddenItem.object_id.in_(object_ids), HiddenItem.shown_at.is_(None))
    return set(session.scalars(hidden))


def is_not_hidden_from(actor: Actor, object_id: SQLCoreOperations[UUID]) -> ColumnElement[bool]:
    """Whether the actor may know of this item: not of one that a person hides from the login acting for him.

    Nor does who holds a share link: it may come from somebody from whom it is hidden.

    :param object_id: the column that names the item.
    """
    hidden = select(HiddenItem.id).where(HiddenItem.object_id == object_id, HiddenItem.shown_at.is_(None))
    if actor.kind is ActorKind.LINK:
        return ~hidden.exists()
    if not is_of_login(actor):
        return true()
    return ~hidden.where(HiddenItem.person_id.not_in(health_card.own_person_ids(login_behind(actor)))).exists()


def _check_may_hide(session: Session, actor: Actor, person_id: UUID) -> None:
    held = health_card.find_holding(session, actor, person_id)
    is_self = held is not None and held.is_self
    if not is_self or health_card.get_life_stage(session, person_id) is health_card.LifeStage.CHILD:
        raise HidingNotAllowed


def _record(session: Session, actor: Actor, action: str, person_id: UUID, of: tuple[str, UUID]) -> None:
    audit.record_act(session, actor, action, subject_id=person_id, of=of, purpose=Purpose.OWN)
