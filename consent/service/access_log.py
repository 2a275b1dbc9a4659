"""Who looked: the audit trail as the patient reads it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Uuid, cast, func, or_, select, tuple_
from sqlalchemy.orm import Session

from accounts import service as accounts
from accounts.service import StaffName
from consent.log.words import ACTIONS, OTHER_ACTION, PURPOSES, WAYS
from consent.models import Grant, GrantVersion, ItemKind, Purpose, Sensitivity
from consent.scope import Scope
from consent.service.hiding import PART_OF
from consent.service.release import is_known_to
from consent.watching.models import KnownHouse
from core import clock, statements
from core.actor import Actor, ActorKind
from core.audit import AuditEntry
from health_card import service as health_card

PAGE = 50
# Somebody else's phone that registered, or acts for, the same person: never to be read as "I myself".
_OTHER_LOGIN = "另一个微信登录"
_SELF, _GUARDIAN, _FAMILY = "本人", "监护人", "家人"
_LINK_HOLDER = "持有分享链接的人"
_ITEMS = "SELECT object_id, kind, occurred_on FROM shareable_items WHERE object_id = ANY(%(ids)s)"
# What an act was done with: the item, where the thing touched is a part of one.
ITEM_ID = func.coalesce(cast(AuditEntry.facts[PART_OF].astext, Uuid), AuditEntry.object_id)


@dataclass(frozen=True)
class AccessRow:
    """One act on a person's data: whose, who, which hospital, what, why, by which consent.

    :ivar person_name: masked.
    :ivar what: the act in Chinese; ``why``: the purpose; ``how``: by which way it came to the right to look.
    :ivar staff_id: who it was, of a hospital's staff; ``who``: the name as far as the hospital tells it.
    :ivar role: doctor or registrar; ``department``: where he worked at that time, as the house calls it, and
        ``department_code`` the standard code of it.
    :ivar acted_by: guardian or family: a login that acted for the person.
    :ivar is_me: the actor's own login did it.
    :ivar is_first: the first look of this hospital at this record.
    :ivar item_kind: kind of what was looked at, and ``item_on`` its day; never what it says.
    :ivar grant_words: what the grant allowed in that version.
    """

    id: UUID
    at: datetime
    person_id: UUID
    person_name: str
    action: str
    what: str
    who_kind: str
    who: str
    staff_id: UUID | None
    role: str | None
    department_code: str | None
    department: str | None
    acted_by: str | None
    is_me: bool
    hospital_id: UUID | None
    hospital_name: str | None
    object_kind: str | None
    object_id: UUID | None
    item_kind: str | None
    item_on: date | None
    purpose: str | None
    why: str | None
    how: str | None
    is_first: bool
    grant_id: UUID | None
    grant_version: int | None
    grant_words: str | None


@dataclass(frozen=True)
class AccessFilter:
    """Which acts; all that is given must fit.

    :ivar person_id: of this one only, with what was merged into him.
    :ivar since: on this day of the city or later; ``until``: or before.
    :ivar is_unusual: only looks in an emergency and first looks of a hospital.
    """

    person_id: UUID | None = None
    hospital_id: UUID | None = None
    who_kind: str | None = None
    purpose: str | None = None
    since: date | None = None
    until: date | None = None
    is_unusual: bool = False


EVERYTHING = AccessFilter()


def list_access(
    session: Session,
    actor: Actor,
    *,
    before: UUID | None = None,
    row_id: UUID | None = None,
    wanted: AccessFilter = EVERYTHING,
    limit: int = PAGE,
) -> list[AccessRow]:
    """What was done with the data of the persons whom the actor may act for, newest first.

    What was done with an item that the actor may not know of (hidden, sensitive, not released yet) is not in it.

    :param before: the id of the last row of the page before.
    :param row_id: this row only.
    """
    mine = select(AuditEntry).where(*may_read(actor, wanted))
    if row_id is not None:
        mine = mine.where(AuditEntry.id == row_id)
    return show_page(session, actor, mine, before=before, limit=limit)


def show_page(
    session: Session, actor: Actor, mine: Select[tuple[AuditEntry]], *, before: UUID | None, limit: int
) -> list[AccessRow]:
    """A page of these, newest first, in words."""
    if before is not None:
        mine = mine.where(tuple_(AuditEntry.at, AuditEntry.id) < place_of(before))
    newest_first = mine.order_by(AuditEntry.at.desc(), AuditEntry.id.desc()).limit(limit)
    return describe(session, actor, session.scalars(newest_first).all())


def place_of(entry_id: UUID) -> Any:
    """Where an entry stands in the order of the log."""
    last = select(AuditEntry.at, AuditEntry.id).where(AuditEntry.id == entry_id).subquery()
    return select(last.c.at, last.c.id).scalar_subquery()


def may_read(actor: Actor, wanted: AccessFilter = EVERYTHING) -> list[ColumnElement[bool]]:
    """Which entries a login may read, and of these what it wants: for the ``where`` of every query on the log."""
    asked: list[ColumnElement[bool]] = [
        AuditEntry.subject_id.in_(health_card.held_person_ids(actor)),
        is_known_to(actor, ITEM_ID),
    ]
    if wanted.person_id is not None:
        asked.append(AuditEntry.subject_id.in_(health_card.same_person_ids(wanted.person_id)))
    if wanted.hospital_id is not None:
        asked.append(AuditEntry.hospital_id == wanted.hospital_id)
    if wanted.who_kind is not None:
        asked.append(AuditEntry.actor_kind == wanted.who_kind)
    if wanted.purpose is not None:
        asked.append(AuditEntry.purpose == wanted.purpose)
    start, end = clock.bounds_of_days(wanted.since, wanted.until)
    if start is not None:
        asked.append(AuditEntry.at >= start)
    if end is not None:
        asked.append(AuditEntry.at < end)
    if wanted.is_unusual:
        first = AuditEntry.id.in_(select(KnownHouse.entry_id))
        asked.append(or_(AuditEntry.purpose == Purpose.EMERGENCY, first))
    return asked


@dataclass(frozen=True)
class _Scene:
    """What has to be known to put entries in words; each asked for once, for all of them."""

    actor: Actor
    names: dict[UUID, str]
    staff: dict[UUID, StaffName]
    departments: dict[tuple[UUID, datetime], str]
    department_names: dict[UUID, dict[str, str]]
    hospitals: dict[UUID, accounts.HospitalCard]
    person_names: dict[UUID, str]
    relations: dict[tuple[UUID, UUID], health_card.Relation]
    items: dict[UUID, tuple[str, date]]
    grants: dict[tuple[UUID | None, int | None], tuple[str, str]]
    first: set[UUID]


def describe(session: Session, actor: Actor, entries: Sequence[AuditEntry]) -> list[AccessRow]:
    """Entries that the actor may read, in words and in their order."""
    staff = accounts.name_staff(session, {entry.actor_id for entry in entries if _is_of_house(entry)})
    persons = {entry.subject_id for entry in entries if entry.subject_id}
    logins = {entry.actor_id for entry in entries if entry.actor_kind == ActorKind.PATIENT}
    first = select(KnownHouse.entry_id).where(KnownHouse.entry_id.in_([entry.id for entry in entries]))
    looks = {(entry.actor_id, entry.at) for entry in entries if _is_of_house(entry)}
    scene = _Scene(
        actor=actor,
        names=accounts.describe_actors(session, {(entry.actor_kind, entry.actor_id) for entry in entries}),
        staff=staff,
        departments=accounts.find_departments(session, looks),
        department_names=accounts.name_departments(session, {one.hospital_id for one in staff.values()}),
        hospitals=accounts.list_hospitals(session, {entry.hospital_id for entry in entries if entry.hospital_id}),
        person_names={id_: health_card.get_demographics(session, id_).name for id_ in persons},
        relations=health_card.list_relations(session, logins, persons),
        items=list_items(session, {item for entry in entries if (item := item_of(entry))}),
        grants=_list_grants(session, {(entry.basis_id, entry.basis_version) for entry in entries if entry.basis_id}),
        first=set(session.scalars(first)),
    )
    return [_show(scene, entry, entry.subject_id) for entry in entries if entry.subject_id]


def _show(scene: _Scene, entry: AuditEntry, person_id: UUID) -> AccessRow:
    relation = scene.relations.get((entry.actor_id, person_id))
    member = scene.staff.get(entry.actor_id) if _is_of_house(entry) else None
    code = scene.departments.get((entry.actor_id, entry.at)) if member else None
    item_id = item_of(entry)
    kind, day = scene.items.get(item_id, (None, None)) if item_id else (None, None)
    opened_by, grant_words = scene.grants.get((entry.basis_id, entry.basis_version), (None, None))
    return AccessRow(
        id=entry.id,
        at=entry.at,
        person_id=person_id,
        person_name=scene.person_names[person_id],
        action=entry.action,
        what=ACTIONS.get(entry.action, OTHER_ACTION),
        who_kind=entry.actor_kind,
        who=_name(scene, entry, relation, member),
        staff_id=entry.actor_id if member else None,
        role=member.role if member else None,
        department_code=code,
        department=scene.department_names[member.hospital_id].get(code, code) if member and code else None,
        acted_by=_acted_by(entry, relation),
        is_me=entry.actor_id == scene.actor.id,
        hospital_id=entry.hospital_id,
        hospital_name=scene.hospitals[entry.hospital_id].name if entry.hospital_id else None,
        object_kind=entry.object_kind,
        object_id=entry.object_id,
        item_kind=kind,
        item_on=day,
        purpose=entry.purpose,
        why=PURPOSES[Purpose(entry.purpose)] if entry.purpose in set(Purpose) else None,
        how=WAYS.get(opened_by or entry.purpose or ""),
        is_first=entry.id in scene.first,
        grant_id=entry.basis_id,
        grant_version=entry.basis_version,
        grant_words=grant_words,
    )


def item_of(entry: AuditEntry) -> UUID | None:
    """The item that an act was done with, as ``ITEM_ID`` says it."""
    part_of = entry.facts.get(PART_OF)
    return UUID(part_of) if part_of else entry.object_id


def _is_of_house(entry: AuditEntry) -> bool:
    return entry.actor_kind == ActorKind.STAFF and entry.hospital_id is not None


def list_items(session: Session, ids: Collection[UUID]) -> dict[UUID, tuple[str, date]]:
    """Kind and day in the city of these reports, studies and entries."""
    rows = statements.list_rows(session, _ITEMS, {"ids": list(ids)}) if ids else []
    return {row[0]: (row[1], row[2]) for row in rows}


def _list_grants(
    session: Session, asked: Collection[tuple[UUID | None, int | None]]
) -> dict[tuple[UUID | None, int | None], tuple[str, str]]:
    """How each grant was opened, and what it said in that version."""
    found = session.execute(
        select(GrantVersion, Grant.opened_by)
        .join(Grant, Grant.id == GrantVersion.grant_id)
        .where(tuple_(GrantVersion.grant_id, GrantVersion.version).in_(list(asked)))
    )
    return {
        (said.grant_id, said.version): (opened_by, _describe_grant(said.said)) for said, opened_by in found.tuples()
    }


def _describe_grant(said: dict[str, Any]) -> str:
    scope = Scope(
        kinds=None if said["kinds"] is None else frozenset(map(ItemKind, said["kinds"])),
        sensitivities=frozenset(map(Sensitivity, said["sensitivities"])),
        visit_ids=_ids(said["visit_ids"]),
        item_ids=_ids(said["item_ids"]),
        since_on=_day(said["since_on"]),
        until_on=_day(said["until_on"]),
        may_download=said["may_download"],
    )
    until = clock.in_city(datetime.fromisoformat(said["expires_at"])).strftime("%Y-%m-%d %H:%M")
    return f"{PURPOSES[Purpose(said['purpose'])]}:{scope.describe()},有效至 {until}"


def _ids(said: list[str] | None) -> frozenset[UUID] | None:
    return None if said is None else frozenset(map(UUID, said))


def _day(said: str | None) -> date | None:
    return date.fromisoformat(said) if said else None


def _name(scene: _Scene, entry: AuditEntry, relation: health_card.Relation | None, member: StaffName | None) -> str:
    if member is not None:
        return member.name
    if entry.actor_kind == ActorKind.LINK:
        return _LINK_HOLDER
    if entry.actor_kind != ActorKind.PATIENT:
        return scene.names.get(entry.actor_id, "")
    if relation in health_card.GUARDIAN_RELATIONS:
        return _GUARDIAN
    if relation is health_card.Relation.SELF and entry.actor_id == scene.actor.id:
        return _SELF
    return _OTHER_LOGIN if relation in (None, health_card.Relation.SELF) else _FAMILY


def _acted_by(entry: AuditEntry, relation: health_card.Relation | None) -> str | None:
    """As the act itself says it; of an act without a purpose, what the login is to the person now."""
    if entry.actor_kind != ActorKind.PATIENT:
        return None
    if entry.purpose in {Purpose.GUARDIAN, Purpose.FAMILY}:
        return entry.purpose
    if entry.purpose == Purpose.OWN or relation in (None, health_card.Relation.SELF):
        return None
    return Purpose.GUARDIAN if relation in health_card.GUARDIAN_RELATIONS else Purpose.FAMILY
