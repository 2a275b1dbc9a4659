"""Hospitals: admitted, changed, switched off, found."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts.models import Hospital, StaffMember, StaffNaming
from accounts.refusals import HospitalCodeTaken, HospitalNotFound
from accounts.service.staff import end_staff_sessions
from core import audit, clock, statements
from core.actor import Actor

# What a hospital is called, inside a statement written by hand, which says which one.
HOSPITAL_NAME = "SELECT name FROM hospitals WHERE id = {0}"
# Asked at every scan of somebody whom a hospital has checked, hence by hand.
_HOSPITAL = "SELECT id, code, name FROM hospitals WHERE id = %(id)s"


@dataclass(frozen=True)
class HospitalCard:
    """What may be shown of a hospital to anybody."""

    id: UUID
    code: str
    name: str


@dataclass(frozen=True)
class HospitalFile:
    """A hospital as the operator looks after it. ``level``: 1 to 3, 0 not graded."""

    id: UUID
    code: str
    name: str
    level: int
    is_enabled: bool
    requires_terminal_keys: bool
    staff_naming: str
    created_at: datetime


def register_hospital(
    session: Session, actor: Actor, *, code: str, name: str, level: int, requires_terminal_keys: bool = False
) -> UUID:
    """Admit a hospital to the platform.

    :param level: 1 to 3, the national grade; 0 when it has none.
    :param requires_terminal_keys: whether its desks scan only from terminals with a key of their own.
    :raises HospitalCodeTaken: the code is in use.
    """
    hospital_id = session.scalar(
        insert(Hospital)
        .values(
            code=code, name=name, level=level, requires_terminal_keys=requires_terminal_keys, created_at=clock.now()
        )
        .on_conflict_do_nothing(index_elements=["code"])
        .returning(Hospital.id)
    )
    if hospital_id is None:
        raise HospitalCodeTaken
    audit.record_act(
        session,
        actor,
        "accounts.hospital.registered",
        of=("hospital", hospital_id),
        facts={"requires_terminal_keys": requires_terminal_keys},
    )
    return hospital_id


def change_hospital(
    session: Session,
    actor: Actor,
    hospital_id: UUID,
    *,
    name: str,
    level: int,
    is_enabled: bool,
    requires_terminal_keys: bool,
) -> None:
    """Put a hospital's facts in place of the earlier ones.

    Switching it off shuts its staff, its systems and its ports out from the next request on; the sessions of its staff
    end, so that switching it on again revives none of them.

    :raises HospitalNotFound: no such hospital.
    """
    hospital = load_hospital(session, hospital_id)
    if hospital.is_enabled and not is_enabled:
        end_staff_sessions(session, StaffMember.hospital_id == hospital_id)
    hospital.name, hospital.level = name, level
    hospital.is_enabled, hospital.requires_terminal_keys = is_enabled, requires_terminal_keys
    audit.record_act(
        session,
        actor,
        "accounts.hospital.changed",
        of=("hospital", hospital_id),
        facts={"level": level, "is_enabled": is_enabled, "requires_terminal_keys": requires_terminal_keys},
    )


def choose_staff_naming(session: Session, actor: Actor, hospital_id: UUID, *, naming: StaffNaming) -> None:
    """Say how patients are told who of a hospital's staff looked, from now on, of earlier looks too.

    :raises HospitalNotFound: no such hospital.
    """
    load_hospital(session, hospital_id).staff_naming = naming.value
    facts = {"staff_naming": naming.value}
    audit.record_act(session, actor, "accounts.hospital.naming_chosen", of=("hospital", hospital_id), facts=facts)


def get_hospital_file(session: Session, hospital_id: UUID) -> HospitalFile:
    """:raises HospitalNotFound: no such hospital."""
    hospital = session.get(Hospital, hospital_id)
    if hospital is None:
        raise HospitalNotFound
    return _file_of(hospital)


def find_hospital_id(session: Session, code: str) -> UUID:
    """:raises HospitalNotFound: no hospital with this organisation code."""
    hospital_id = session.scalar(select(Hospital.id).filter_by(code=code))
    if hospital_id is None:
        raise HospitalNotFound
    return hospital_id


def search_hospitals(session: Session, *, text: str = "", after: str = "", limit: int = 50) -> list[HospitalFile]:
    """A page of hospitals by code.

    :param text: part of the code or of the name; all of them when empty.
    :param after: the code where the page before ended.
    """
    question = select(Hospital).where(Hospital.code > after).order_by(Hospital.code).limit(limit)
    if text:
        question = question.where(
            Hospital.code.contains(text, autoescape=True) | Hospital.name.contains(text, autoescape=True)
        )
    return [_file_of(hospital) for hospital in session.scalars(question)]


def load_hospital(session: Session, hospital_id: UUID) -> Hospital:
    """The row, locked: whatever belongs to a hospital changes under this lock.

    :raises HospitalNotFound: no such hospital.
    """
    hospital = session.get(Hospital, hospital_id, with_for_update={"key_share": True})
    if hospital is None:
        raise HospitalNotFound
    return hospital


def get_hospital(session: Session, hospital_id: UUID) -> HospitalCard:
    """One hospital by its id; asking for one that is not there is a mistake of ours."""
    row = statements.run(session, _HOSPITAL, {"id": hospital_id})
    assert row is not None
    return HospitalCard(*row)


def find_hospitals_by_code(session: Session, codes: list[str]) -> list[HospitalCard]:
    """The hospitals of these organisation codes that are admitted."""
    rows = session.execute(select(Hospital.id, Hospital.code, Hospital.name).where(Hospital.code.in_(codes)))
    return [HospitalCard(*row) for row in rows]


def list_hospitals(session: Session, ids: set[UUID]) -> dict[UUID, HospitalCard]:
    """The hospitals of these ids, for showing names beside what they did."""
    asked = {"ids": list(ids)}
    rows = statements.list_rows(session, "SELECT id, code, name FROM hospitals WHERE id = ANY(%(ids)s)", asked)
    return {row[0]: HospitalCard(*row) for row in rows}


def _file_of(hospital: Hospital) -> HospitalFile:
    return HospitalFile(
        hospital.id,
        hospital.code,
        hospital.name,
        hospital.level,
        hospital.is_enabled,
        hospital.requires_terminal_keys,
        hospital.staff_naming,
        hospital.created_at,
    )
