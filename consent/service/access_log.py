"""Who looked: the audit trail as the patient reads it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Uuid, cast, func, select, tuple_
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent.service.hiding import PART_OF
from consent.service.release import is_known_to
from core.actor import Actor, ActorKind
from core.audit import AuditEntry
from health_card import service as health_card

PAGE = 50
# Somebody else's phone that registered, or acts for, the same person: never to be read as "I myself".
_OTHER_LOGIN = "另一个微信登录"
_SELF, _GUARDIAN, _FAMILY = "本人", "监护人", "家人"


@dataclass(frozen=True)
class AccessRow:
    """One act on a person's data: whose, who, which hospital, what, why, by which consent.

    :ivar person_name: masked.
    :ivar staff_id: who it was, of a hospital's staff.
    :ivar is_me: the actor's own login did it.
    """

    id: UUID
    at: datetime
    person_id: UUID
    person_name: str
    action: str
    who_kind: str
    who: str
    staff_id: UUID | None
    is_me: bool
    hospital_name: str | None
    object_kind: str | None
    object_id: UUID | None
    purpose: str | None
    grant_id: UUID | None
    grant_version: int | None


def list_access(
    session: Session,
    actor: Actor,
    *,
    before: UUID | None = None,
    person_id: UUID | None = None,
    row_id: UUID | None = None,
) -> list[AccessRow]:
    """What was done with the data of the persons whom the actor may act for, newest first.

    What was done with an item that the actor may not know of (hidden, sensitive, not released yet) is not in it.

    :param before: the id of the last row of the page before.
    :param person_id: of this one only.
    :param row_id: this row only.
    """
    item_id = func.coalesce(cast(AuditEntry.facts[PART_OF].astext, Uuid), AuditEntry.object_id)
    mine = select(AuditEntry).where(
        AuditEntry.subject_id.in_(health_card.held_person_ids(actor)), is_known_to(actor, item_id)
    )
    if person_id is not None:
        mine = mine.where(AuditEntry.subject_id.in_(health_card.same_person_ids(person_id)))
    if row_id is not None:
        mine = mine.where(AuditEntry.id == row_id)
    if before is not None:
        last = select(AuditEntry.at, AuditEntry.id).where(AuditEntry.id == before).subquery()
        mine = mine.where(tuple_(AuditEntry.at, AuditEntry.id) < select(last.c.at, last.c.id).scalar_subquery())
    newest_first = mine.order_by(AuditEntry.at.desc(), AuditEntry.id.desc()).limit(PAGE)
    return _show(session, actor, session.scalars(newest_first).all())


def _show(session: Session, actor: Actor, entries: Sequence[AuditEntry]) -> list[AccessRow]:
    names = accounts.describe_actors(session, {(entry.actor_kind, entry.actor_id) for entry in entries})
    hospitals = accounts.list_hospitals(session, {entry.hospital_id for entry in entries if entry.hospital_id})
    persons = {entry.subject_id for entry in entries if entry.subject_id}
    person_names = {id_: health_card.get_demographics(session, id_).name for id_ in persons}
    logins = {entry.actor_id for entry in entries if entry.actor_kind == ActorKind.PATIENT}
    relations = health_card.list_relations(session, logins, persons)
    return [
        AccessRow(
            id=entry.id,
            at=entry.at,
            person_id=entry.subject_id,
            person_name=person_names[entry.subject_id],
            action=entry.action,
            who_kind=entry.actor_kind,
            who=_describe_login(entry, actor, relations)
            if entry.actor_kind == ActorKind.PATIENT
            else names.get(entry.actor_id, ""),
            staff_id=entry.actor_id if entry.actor_kind == ActorKind.STAFF and entry.hospital_id else None,
            is_me=entry.actor_id == actor.id,
            hospital_name=hospitals[entry.hospital_id].name if entry.hospital_id else None,
            object_kind=entry.object_kind,
            object_id=entry.object_id,
            purpose=entry.purpose,
            grant_id=entry.basis_id,
            grant_version=entry.basis_version,
        )
        for entry in entries
        if entry.subject_id
    ]


def _describe_login(entry: AuditEntry, actor: Actor, relations: dict[tuple[UUID, UUID], health_card.Relation]) -> str:
    assert entry.subject_id is not None
    relation = relations.get((entry.actor_id, entry.subject_id))
    if relation in health_card.GUARDIAN_RELATIONS:
        return _GUARDIAN
    if relation is health_card.Relation.SELF and entry.actor_id == actor.id:
        return _SELF
    return _OTHER_LOGIN if relation in (None, health_card.Relation.SELF) else _FAMILY
