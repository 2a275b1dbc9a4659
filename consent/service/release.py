"""The one gate through which a person's records are seen: decided and recorded in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import SQLCoreOperations

from accounts.apps import service as apps
from consent.models import Grant, Purpose
from consent.refusals import NothingShared
from consent.service.askers import login_behind
from consent.service.hiding import is_not_hidden_from
from consent.service.restricting import is_not_restricted_for
from core import audit, clock, statements
from core.actor import Actor, ActorKind
from health_card import service as health_card

# Of all records of the person. Asked at every scan, hence by hand; the condition is that of ``_in_force``.
ACCESS_UNTIL = """
SELECT max(alive.expires_at)
FROM grants alive JOIN persons same ON same.id = alive.person_id
WHERE same.root_id = (SELECT root_id FROM persons WHERE id = %(person_id)s) AND alive.hospital_id = %(hospital_id)s
    AND alive.revoked_at IS NULL AND alive.starts_at <= %(now)s AND alive.expires_at > %(now)s
"""
# At every reading, hence by hand: what the person is to a login, and the grant by which a hospital sees him.
_HELD = statements.compose(
    "SELECT relation FROM ({held}) AS held WHERE id = %(person_id)s", held=health_card.HELD_RECORDS
)
# With ``{0}`` in place of the person.
SHARED = statements.compose(
    """
SELECT id, version, purpose FROM grants
WHERE person_id IN ({same_person_ids}) AND hospital_id = %(hospital_id)s
    AND revoked_at IS NULL AND starts_at <= %(now)s AND expires_at > %(now)s
ORDER BY expires_at DESC LIMIT 1
FOR SHARE OF grants
""",
    same_person_ids=health_card.SAME_PERSON_IDS,
)
_SHARED = SHARED.format("%(person_id)s")


@dataclass(frozen=True)
class Release:
    """By which right the actor sees the person's records now.

    :ivar basis: grant id and version, or an app's authorization, which has one; None for one's own records and those
        of whom one acts for.
    """

    person_id: UUID
    purpose: str
    basis: tuple[UUID, int] | None


def is_readable(
    actor: Actor, *, person_id: SQLCoreOperations[UUID], object_id: SQLCoreOperations[UUID]
) -> ColumnElement[bool]:
    """Whether the actor may see this report or study now, to be used inside the ``where`` of every query on records.

    :param person_id: the column that says whose it is.
    :param object_id: the column that names the report or study: it may be hidden from who acts for the person, be
        sensitive, or not be released yet.
    """
    return and_(person_id.in_(readable_person_ids(actor)), is_known_to(actor, object_id))


def is_known_to(actor: Actor, object_id: SQLCoreOperations[UUID]) -> ColumnElement[bool]:
    """Whether the actor may know that this item exists, given that he may see its person's records."""
    return and_(is_not_hidden_from(actor, object_id), is_not_restricted_for(actor, object_id))


def readable_person_ids(actor: Actor) -> Select[tuple[UUID]]:
    """The records whose items the actor may see now; each of these items is still asked of ``is_known_to``."""
    if actor.kind is ActorKind.PATIENT:
        return health_card.held_person_ids(actor)
    if actor.kind is ActorKind.APP:
        return _authorized_person_ids(actor)
    return health_card.same_persons(select(Grant.person_id).where(*_in_force(actor)))


def release(
    session: Session,
    actor: Actor,
    *,
    person_id: UUID,
    action: str,
    of: tuple[str, UUID] | None = None,
    facts: Mapping[str, Any] | None = None,
    fold_within: timedelta | None = None,
) -> Release:
    """Decide whether the actor sees a person's records, and write the access row. Call it in the reading transaction.

    The grant's row is share-locked until that transaction ends, so a revoke is acknowledged only after every read
    that it did not stop.

    :param action: for example ``records.report.read``.
    :param facts: codes and counts only.
    :param fold_within: looking again at the same thing (``of``) under the same wording of the same grant within this
        time adds no second row. The decision itself is made anew at every call.
    :raises NothingShared: no grant in force.
    """
    allowed = _find_release(session, actor, person_id)
    if allowed is None:
        raise NothingShared
    if fold_within is not None and of is not None:
        audit.record_act_once(
            session,
            actor,
            action,
            within=fold_within,
            subject_id=person_id,
            of=of,
            purpose=allowed.purpose,
            basis=allowed.basis,
            facts=facts,
        )
        return allowed
    audit.record_act(
        session,
        actor,
        action,
        subject_id=person_id,
        of=of,
        purpose=allowed.purpose,
        basis=allowed.basis,
        facts=facts,
    )
    return allowed


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
    """Until when the actor's hospital may see the person's records; None when it may not."""
    asked = {"person_id": person_id, "hospital_id": actor.hospital_id, "now": clock.now()}
    row = statements.run(session, ACCESS_UNTIL, asked)
    return row[0] if row else None


def _find_release(session: Session, actor: Actor, person_id: UUID) -> Release | None:
    if actor.kind is ActorKind.PATIENT:
        held = statements.run(session, _HELD, health_card.holder_values(actor) | {"person_id": person_id})
        return Release(person_id, _purpose_of(health_card.Relation(held[0])), None) if held else None
    if actor.kind is ActorKind.APP:
        return _find_app_release(session, actor, person_id)
    asked = {"person_id": person_id, "hospital_id": actor.hospital_id, "now": clock.now()}
    grant = statements.run(session, _SHARED, asked)
    return Release(person_id, grant[2], (grant[0], grant[1])) if grant else None


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


def _in_force(actor: Actor) -> tuple[Any, ...]:
    now = clock.now()
    return (
        Grant.hospital_id == actor.hospital_id,
        Grant.revoked_at.is_(None),
        Grant.starts_at <= now,
        Grant.expires_at > now,
    )
