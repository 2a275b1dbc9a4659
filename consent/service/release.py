"""The one gate through which a person's records are seen: decided and recorded in one transaction."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import SQLCoreOperations

from accounts.apps import service as apps
from consent.models import Grant, Purpose
from consent.refusals import NothingShared
from consent.service import scoping
from consent.service.askers import is_of_login, login_behind
from consent.service.choosing import Granted, Need, Release, choose_grants, use_up
from consent.service.hiding import PART_OF, is_not_hidden_from
from consent.service.restricting import is_granted, is_not_restricted_for
from core import audit, statements
from core.actor import Actor, ActorKind
from health_card import service as health_card

# Of all records of the person, to the house as a whole. Asked at every scan, hence by hand.
ACCESS_UNTIL = statements.compose(
    """
SELECT max(alive.expires_at)
FROM grants alive JOIN persons same ON same.id = alive.person_id
WHERE same.root_id = (SELECT root_id FROM persons WHERE id = %(person_id)s) AND {to_house} AND {in_force}
""",
    to_house="alive.hospital_id = %(hospital_id)s AND alive.department IS NULL AND alive.staff_id IS NULL",
    in_force=scoping.IN_FORCE.format(grant="alive"),
)
# At every reading, hence by hand: what the person is to a login.
_HELD = statements.compose(
    "SELECT relation FROM ({held}) AS held WHERE id = %(person_id)s", held=health_card.HELD_RECORDS
)


_ITEM_KINDS = frozenset({"report", "study", "entry"})


def is_readable(
    actor: Actor, *, person_id: SQLCoreOperations[UUID], object_id: SQLCoreOperations[UUID]
) -> ColumnElement[bool]:
    """Whether the actor may see this report or study now, to be used inside the ``where`` of every query on records.

    :param person_id: the column that says whose it is.
    :param object_id: the column that names the report or study: it may be hidden from who acts for the person, be
        sensitive, or not be released yet.
    """
    is_known = and_(person_id.in_(readable_person_ids(actor)), is_known_to(actor, object_id))
    if is_of_login(actor):
        return is_known
    whole = health_card.same_persons(select(Grant.person_id).where(scoping.is_for(actor), scoping.is_whole()))
    return and_(is_known, or_(person_id.in_(whole), is_granted(actor, object_id)))


def is_known_to(actor: Actor, object_id: SQLCoreOperations[UUID]) -> ColumnElement[bool]:
    """Whether the actor may know that this item exists, given that he may see it but for what is special about it."""
    return and_(is_not_hidden_from(actor, object_id), is_not_restricted_for(actor, object_id))


def readable_person_ids(actor: Actor) -> Select[tuple[UUID]]:
    """The records of whose items the actor may see any now; each of these is still asked of ``is_readable``."""
    if actor.kind is ActorKind.PATIENT:
        return health_card.held_person_ids(actor)
    if actor.kind is ActorKind.APP:
        return _authorized_person_ids(actor)
    return health_card.same_persons(select(Grant.person_id).where(scoping.is_for(actor)))


def release(
    session: Session,
    actor: Actor,
    *,
    person_id: UUID,
    action: str,
    of: tuple[str, UUID] | None = None,
    shown: Collection[UUID] = (),
    facts: Mapping[str, Any] | None = None,
    fold_within: timedelta | None = None,
    need: Need | None = None,
) -> Release:
    """Decide whether the actor sees a person's records, and write the access row. Call it in the reading transaction.

    The row of each grant relied on is share-locked until that transaction ends, so a revoke is acknowledged only after
    every read that it did not stop. Where no single grant shows everything that is read, each one that is needed gets
    a row of its own; each row is a use of its grant.

    :param action: for example ``records.report.read``.
    :param of: kind and id of the thing read.
    :param shown: the items that are shown, where ``of`` is none itself, nor a part of one.
    :param facts: codes and counts only.
    :param fold_within: looking again at the same thing (``of``) under the same wording of the same grant within this
        time adds no second row. The decision itself is made anew at every call.
    :param need: what else the grants have to allow.
    :raises NothingShared: no grant in force shows this.
    :raises ViewOnly: what shows it does not let the actor take it away.
    """
    if is_of_login(actor):
        held = _find_own_release(session, actor, person_id)
        if held is None:
            raise NothingShared
        found = [Granted(held)]
    else:
        found = choose_grants(session, actor, person_id=person_id, items=_items_of(of, shown, facts), need=need)
    used = []
    for one in found:
        if not _record(session, actor, action, one.release, of=of, facts=facts, fold_within=fold_within):
            continue
        if one.is_limited and one.release.basis is not None:
            used.append(one.release.basis[0])
    if used:
        use_up(session, used)
    return found[0].release


def record_reading(
    session: Session,
    actor: Actor,
    *,
    person_id: UUID,
    relation: str,
    action: str,
    of: tuple[str, UUID] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write the access row of what a statement with ``gate_of`` has given to a login; ``release`` does for a hospital.

    :param relation: what the person is to the login, as ``readable`` said.
    """
    purpose = _purpose_of(health_card.Relation(relation))
    audit.record_act(session, actor, action, subject_id=person_id, of=of, purpose=purpose, facts=facts)


def find_access_until(session: Session, actor: Actor, *, person_id: UUID) -> datetime | None:
    """Until when the actor may see anything of the person's records; None when he may not."""
    mine = Grant.person_id.in_(health_card.same_person_ids(person_id)), scoping.is_for(actor)
    return session.scalar(select(func.max(Grant.expires_at)).where(*mine))


def _record(
    session: Session,
    actor: Actor,
    action: str,
    by: Release,
    *,
    of: tuple[str, UUID] | None,
    facts: Mapping[str, Any] | None,
    fold_within: timedelta | None,
) -> bool:
    """Write the access row; returns whether it was written and did not fold into an earlier one."""
    if fold_within is None or of is None:
        audit.record_act(
            session,
            actor,
            action,
            subject_id=by.person_id,
            of=of,
            purpose=by.purpose,
            basis=by.basis,
            facts=facts,
        )
        return True
    return audit.record_act_once(
        session,
        actor,
        action,
        within=fold_within,
        subject_id=by.person_id,
        of=of,
        purpose=by.purpose,
        basis=by.basis,
        facts=facts,
    )


def _items_of(of: tuple[str, UUID] | None, shown: Collection[UUID], facts: Mapping[str, Any] | None) -> list[UUID]:
    if shown or of is None:
        return list(dict.fromkeys(shown))
    if facts and PART_OF in facts:
        return [UUID(facts[PART_OF])]
    return [of[1]] if of[0] in _ITEM_KINDS else []


def _find_own_release(session: Session, actor: Actor, person_id: UUID) -> Release | None:
    if actor.kind is ActorKind.PATIENT:
        held = statements.run(session, _HELD, health_card.holder_values(actor) | {"person_id": person_id})
        return Release(person_id, _purpose_of(health_card.Relation(held[0])), None) if held else None
    return _find_app_release(session, actor, person_id)


def _find_app_release(session: Session, actor: Actor, person_id: UUID) -> Release | None:
    if apps.lock_authorization(session, actor) is None or actor.session_id is None:
        return None
    theirs = _authorized_person_ids(actor).subquery()
    if session.scalar(select(theirs.c.id).where(theirs.c.id == person_id)) is None:
        return None
    return Release(person_id, Purpose.APP, (actor.session_id, 1))


def _authorized_person_ids(actor: Actor) -> Select[tuple[UUID]]:
    """What a login let an app read, as long as it may decide that: about itself, a child under 14, or a ward."""
    confided = health_card.confided_person_ids(login_behind(actor)).subquery()
    authorized = health_card.same_persons(apps.authorized_person_ids(actor)).subquery()
    return select(authorized.c.id).where(authorized.c.id.in_(select(confided.c.id)))


def _purpose_of(relation: health_card.Relation) -> Purpose:
    if relation is health_card.Relation.SELF:
        return Purpose.OWN
    return Purpose.GUARDIAN if relation in health_card.GUARDIAN_RELATIONS else Purpose.FAMILY
