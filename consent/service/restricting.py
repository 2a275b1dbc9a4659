"""Single items that are sensitive, or that a doctor reviews before the patient sees them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, any_, case, false, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.elements import SQLCoreOperations

from accounts.apps import service as apps
from consent.models import Grant, Purpose, RestrictedItem, Sensitivity
from consent.service import scoping
from consent.service.askers import is_of_login, login_behind
from core import audit, clock
from core.actor import Actor, ActorKind
from health_card import service as health_card

PAGE = 50
# Of a row ``special``: whether it keeps the item from a hospital, unless a grant names its kind.
KEPT_FROM_HOUSE = """
special.sensitivity IS NOT NULL AND special.disclosed_at IS NULL
    AND special.hospital_id IS DISTINCT FROM %(hospital_id)s
"""
# What is disclosed is so to the hospitals that treat him.
KEPT_FROM_LINK = "special.sensitivity IS NOT NULL"


@dataclass(frozen=True)
class Restriction:
    """What is decided about one item. ``is_held``: the patient does not see it now, and not before ``opens_at``."""

    object_id: UUID
    object_kind: str
    sensitivity: str | None
    is_held: bool
    opens_at: datetime | None
    restricted_at: datetime
    is_disclosed: bool


def restrict_item(
    session: Session,
    *,
    person_id: UUID,
    hospital_id: UUID,
    of: tuple[str, UUID],
    sensitivity: Sensitivity | None,
    is_held: bool,
    opens_at: datetime | None = None,
) -> None:
    """Say what is special about an item that is being filed. What is known of it already is only made stricter.

    Part of the act that files it, which is what is audited.

    :param hospital_id: the house that made it.
    :param of: kind (report, study, entry) and id of the item.
    :param opens_at: when a held item opens by itself; None: only by an act.
    """
    new = insert(RestrictedItem).values(
        object_id=of[1],
        object_kind=of[0],
        person_id=person_id,
        hospital_id=hospital_id,
        sensitivity=sensitivity,
        is_held=is_held,
        opens_at=opens_at,
        restricted_at=clock.now(),
    )
    known, added = RestrictedItem, new.excluded
    is_held_anew = and_(added.is_held, known.released_at.is_(None))
    session.execute(
        new.on_conflict_do_update(
            index_elements=["object_id"],
            set_={
                "sensitivity": func.coalesce(known.sensitivity, added.sensitivity),
                "is_held": or_(known.is_held, added.is_held),
                "opens_at": case((is_held_anew, added.opens_at), else_=known.opens_at),
            },
        )
    )


def release_held_item(session: Session, actor: Actor, *, object_id: UUID) -> bool:
    """The house that made an item lets its patient see it, from the next request on. Again: changes nothing.

    :returns: whether there is such an item of the actor's house that is, or was, held.
    """
    mine = RestrictedItem.object_id == object_id, RestrictedItem.hospital_id == actor.house_id, RestrictedItem.is_held
    found = session.scalars(select(RestrictedItem).where(*mine).with_for_update()).one_or_none()
    if found is None:
        return False
    if found.released_at is None:
        found.released_at, found.released_by = clock.now(), actor.id
        audit.record_act(
            session,
            actor,
            "records.item.released",
            subject_id=found.person_id,
            of=(found.object_kind, found.object_id),
            purpose=Purpose.TREATMENT,
        )
    return True


def list_held(session: Session, actor: Actor, *, before: UUID | None = None) -> list[Restriction]:
    """What the actor's house made and its patients do not see yet, newest first.

    :param before: the ``object_id`` of the last one of the page before.
    """
    at, id_ = RestrictedItem.restricted_at, RestrictedItem.object_id
    mine = select(RestrictedItem).where(
        RestrictedItem.hospital_id == actor.house_id, RestrictedItem.released_at.is_(None), _is_held_now()
    )
    if before is not None:
        last = select(at).where(id_ == before).scalar_subquery()
        mine = mine.where(or_(at < last, and_(at == last, id_ < before)))
    found = session.scalars(mine.order_by(at.desc(), id_.desc()).limit(PAGE))
    return [_view(item) for item in found]


def list_restrictions(session: Session, *, object_ids: set[UUID]) -> dict[UUID, Restriction]:
    """What is decided about these items, by id; nothing is said of those without restriction."""
    found = session.scalars(select(RestrictedItem).where(RestrictedItem.object_id.in_(object_ids)))
    return {item.object_id: _view(item) for item in found}


def disclose_item(session: Session, actor: Actor, *, person_id: UUID, object_id: UUID) -> None:
    """Let every hospital that treats the person see a sensitive item. One that is not sensitive stays as it is.

    :param person_id: whose item it is; the caller has found it among what the actor may see, and a sensitive one is
        seen by nobody else than who decides about it.
    """
    _mark(
        session,
        actor,
        person_id=person_id,
        object_id=object_id,
        disclosed_at=clock.now(),
        action="consent.item.disclosed",
    )


def withhold_item(session: Session, actor: Actor, *, person_id: UUID, object_id: UUID) -> None:
    """Undo ``disclose_item``."""
    _mark(session, actor, person_id=person_id, object_id=object_id, disclosed_at=None, action="consent.item.withheld")


def is_not_restricted_for(actor: Actor, object_id: SQLCoreOperations[UUID]) -> ColumnElement[bool]:
    """Whether the actor may know of this item, as far as its being sensitive or held decides.

    A held item is seen by nobody as the patient; a sensitive one by the patient himself, by who acts for a child under
    14 or an adult ward, by an app when one of these let it see such items, by the house that made it, and by others
    when it is disclosed or a grant names its kind. Who holds a share link sees of both what a grant names and the
    patient could see himself.

    :param object_id: the column that names the item.
    """
    if is_of_login(actor):
        confided: ColumnElement[bool] = RestrictedItem.person_id.in_(
            health_card.confided_person_ids(login_behind(actor))
        )
        if actor.kind is ActorKind.APP:
            told = health_card.same_persons(apps.authorized_person_ids(actor, sensitive=True))
            confided = and_(confided, RestrictedItem.person_id.in_(told))
        refused = or_(_is_held_now(), and_(RestrictedItem.sensitivity.is_not(None), ~confided))
    else:
        is_named = is_granted(actor, RestrictedItem.object_id, sensitivity=RestrictedItem.sensitivity)
        refused = and_(RestrictedItem.sensitivity.is_not(None), ~is_named)
        if actor.kind is ActorKind.LINK:
            refused = or_(_is_held_now(), refused)
        else:
            not_own = RestrictedItem.hospital_id != actor.hospital_id if actor.hospital_id else ~false()
            refused = and_(refused, RestrictedItem.disclosed_at.is_(None), not_own)
    return ~select(RestrictedItem.object_id).where(RestrictedItem.object_id == object_id, refused).exists()


def is_granted(
    actor: Actor, object_id: SQLCoreOperations[UUID], *, sensitivity: SQLCoreOperations[str | None] | None = None
) -> ColumnElement[bool]:
    """Whether a grant in force lets the actor see this item, by what it says about items.

    :param sensitivity: the column of the kind that the grant must name.
    """
    granted, thing = aliased(Grant), scoping.ITEMS.alias()
    owner, named = scoping.PERSONS.alias(), scoping.PERSONS.alias()
    joined = (
        thing.join(owner, owner.c.id == thing.c.person_id)
        .join(named, named.c.root_id == owner.c.root_id)
        .join(granted, granted.person_id == named.c.id)
    )
    found = (
        select(thing.c.object_id)
        .select_from(joined)
        .where(thing.c.object_id == object_id, scoping.is_for(actor, granted), scoping.covers(granted, thing))
    )
    return (found if sensitivity is None else found.where(sensitivity == any_(granted.sensitivities))).exists()


def is_released(session: Session, object_id: UUID) -> bool:
    """Whether the patient may know of this item by now: it was never held, has opened, or was released."""
    held = select(RestrictedItem.object_id).where(RestrictedItem.object_id == object_id, _is_held_now())
    return session.scalar(held) is None


def _is_held_now() -> ColumnElement[bool]:
    return and_(
        RestrictedItem.is_held,
        RestrictedItem.released_at.is_(None),
        or_(RestrictedItem.opens_at.is_(None), RestrictedItem.opens_at > clock.now()),
    )


def _mark(
    session: Session, actor: Actor, *, person_id: UUID, object_id: UUID, disclosed_at: datetime | None, action: str
) -> None:
    is_open = RestrictedItem.disclosed_at.is_not(None)
    changed = (
        update(RestrictedItem)
        .where(RestrictedItem.object_id == object_id, RestrictedItem.sensitivity.is_not(None))
        .where(~is_open if disclosed_at else is_open)
        .values(disclosed_at=disclosed_at)
    )
    kind = session.scalar(changed.returning(RestrictedItem.object_kind))
    if kind is not None:
        audit.record_act(session, actor, action, subject_id=person_id, of=(kind, object_id), purpose=Purpose.OWN)


def _view(item: RestrictedItem) -> Restriction:
    is_held = item.is_held and item.released_at is None and (item.opens_at is None or item.opens_at > clock.now())
    return Restriction(
        object_id=item.object_id,
        object_kind=item.object_kind,
        sensitivity=item.sensitivity,
        is_held=is_held,
        opens_at=item.opens_at,
        restricted_at=item.restricted_at,
        is_disclosed=item.disclosed_at is not None,
    )
