"""Hospitals, their terminals and the ports their messages arrive at."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from accounts.models import Hospital, MllpEndpoint, Terminal
from accounts.refusals import HospitalCodeTaken, TerminalUnknown
from accounts.roles import MLLP_PERMISSIONS
from core import audit, clock
from core.actor import Actor, ActorKind


@dataclass(frozen=True)
class HospitalCard:
    """What may be shown of a hospital to anybody."""

    id: UUID
    code: str
    name: str


@dataclass(frozen=True)
class TerminalCard:
    """Which place a terminal is."""

    id: UUID
    code: str
    hospital_id: UUID


def register_hospital(session: Session, actor: Actor, *, code: str, name: str, level: int) -> UUID:
    """Admit a hospital to the platform.

    :param level: 1 to 3, the national grade.
    :raises HospitalCodeTaken: the code is in use.
    """
    if session.scalar(select(Hospital.id).filter_by(code=code)):
        raise HospitalCodeTaken
    hospital = Hospital(code=code, name=name, level=level, created_at=clock.now())
    session.add(hospital)
    session.flush()
    audit.record_act(session, actor, "accounts.hospital.registered", of=("hospital", hospital.id))
    return hospital.id


def enrol_terminal(session: Session, actor: Actor, *, hospital_id: UUID, code: str, kind: str) -> UUID:
    """Enrol a window or kiosk. ``kind``: 01 manned window, 02 kiosk, 99 other."""
    terminal = Terminal(hospital_id=hospital_id, code=code, kind=kind)
    session.add(terminal)
    session.flush()
    audit.record_act(session, actor, "accounts.terminal.enrolled", of=("terminal", terminal.id))
    return terminal.id


def check_terminal(session: Session, actor: Actor, *, code: str) -> UUID:
    """The id of an enrolled terminal of the actor's own hospital.

    :raises TerminalUnknown: not enrolled there, or switched off.
    """
    found = session.scalar(
        select(Terminal.id).where(
            Terminal.hospital_id == actor.house_id, Terminal.code == code, Terminal.is_enabled.is_(True)
        )
    )
    if found is None:
        raise TerminalUnknown
    return found


def get_terminal(session: Session, terminal_id: UUID) -> TerminalCard:
    """One terminal of any hospital by its id; asking for one that is not there is a mistake of ours."""
    terminal = session.get_one(Terminal, terminal_id)
    return TerminalCard(terminal.id, terminal.code, terminal.hospital_id)


def list_terminals(session: Session, actor: Actor) -> list[str]:
    """The codes of the terminals that may be chosen at the actor's hospital, in order."""
    mine = select(Terminal.code).where(Terminal.hospital_id == actor.house_id, Terminal.is_enabled.is_(True))
    return list(session.scalars(mine.order_by(Terminal.kind, Terminal.code)))


def open_mllp_port(session: Session, actor: Actor, *, hospital_id: UUID, port: int) -> None:
    """Give a hospital a port of its own for HL7 v2 messages."""
    session.merge(MllpEndpoint(hospital_id=hospital_id, port=port, is_enabled=True))
    audit.record_act(session, actor, "accounts.mllp_port.opened", of=("hospital", hospital_id), facts={"port": port})


def list_mllp_ports(session: Session) -> dict[int, UUID]:
    """The ports to listen on now, and whose they are."""
    return {row.port: row.hospital_id for row in session.execute(_open_ports())}


def identify_mllp_port(session: Session, port: int) -> Actor | None:
    """Who speaks at this port, if it is open: the hospital's HL7 v2 interface. The port is the proof.

    Its actor id is its row's, which is the hospital's: one endpoint a hospital.
    """
    row = session.execute(_open_ports().where(MllpEndpoint.port == port)).one_or_none()
    if row is None:
        return None
    return Actor(ActorKind.MACHINE, row.hospital_id, MLLP_PERMISSIONS, hospital_id=row.hospital_id)


def get_hospital(session: Session, hospital_id: UUID) -> HospitalCard:
    """One hospital by its id; asking for one that is not there is a mistake of ours."""
    return list_hospitals(session, {hospital_id})[hospital_id]


def find_hospitals_by_code(session: Session, codes: list[str]) -> list[HospitalCard]:
    """The hospitals of these organisation codes that are admitted."""
    rows = session.execute(select(Hospital.id, Hospital.code, Hospital.name).where(Hospital.code.in_(codes)))
    return [HospitalCard(*row) for row in rows]


def list_hospitals(session: Session, ids: set[UUID]) -> dict[UUID, HospitalCard]:
    """The hospitals of these ids, for showing names beside what they did."""
    rows = session.execute(select(Hospital.id, Hospital.code, Hospital.name).where(Hospital.id.in_(ids)))
    return {row.id: HospitalCard(*row) for row in rows}


def _open_ports() -> Select[tuple[int, UUID]]:
    return (
        select(MllpEndpoint.port, MllpEndpoint.hospital_id)
        .join(Hospital, Hospital.id == MllpEndpoint.hospital_id)
        .where(MllpEndpoint.is_enabled.is_(True), Hospital.is_enabled.is_(True))
    )
