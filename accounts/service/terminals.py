"""Terminals: where codes are scanned, and what is said against them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts.models import Hospital, Terminal, TerminalFlag, TerminalKey
from accounts.refusals import FlagNotFound, TerminalCodeTaken, TerminalNotFound, TerminalUnknown
from accounts.service.branches import check_branch
from accounts.service.hospitals import load_hospital
from core import audit, clock, statements
from core.actor import Actor
from core.errors import RateExceeded

# Why a terminal is flagged that was locked.
REFUSED_CODES = "refused_codes"

# Asked at every scan, hence by hand.
_WORKING = (
    "SELECT id, locked_until FROM terminals WHERE hospital_id = %(hospital_id)s AND code = %(code)s AND is_enabled"
)


@dataclass(frozen=True)
class TerminalCard:
    """Which place a terminal is."""

    id: UUID
    code: str
    hospital_id: UUID


@dataclass(frozen=True)
class TerminalFile:
    """A terminal as the operator looks after it.

    :ivar branch_id: None: of the whole house.
    :ivar key_enrolled_at: since when it has the key that it has now; None: it has none.
    :ivar open_flags: how many flags wait to be cleared.
    """

    id: UUID
    hospital_id: UUID
    branch_id: UUID | None
    code: str
    kind: str
    is_enabled: bool
    key_enrolled_at: datetime | None
    open_flags: int


@dataclass(frozen=True)
class FlagFile:
    """Something that was said against a terminal and waits for the operator."""

    id: UUID
    terminal_id: UUID
    terminal_code: str
    hospital_id: UUID
    hospital_name: str
    reason: str
    flagged_at: datetime


def enrol_terminal(
    session: Session, actor: Actor, *, hospital_id: UUID, code: str, kind: str, branch_id: UUID | None = None
) -> UUID:
    """Enrol a window or kiosk. ``kind``: 01 manned window, 02 kiosk, 99 other.

    :raises HospitalNotFound: no such hospital.
    :raises BranchNotFound: it has no such branch.
    :raises TerminalCodeTaken: it has a terminal with this code.
    """
    load_hospital(session, hospital_id)
    check_branch(session, hospital_id, branch_id)
    terminal_id = session.scalar(
        insert(Terminal)
        .values(hospital_id=hospital_id, branch_id=branch_id, code=code, kind=kind)
        .on_conflict_do_nothing()
        .returning(Terminal.id)
    )
    if terminal_id is None:
        raise TerminalCodeTaken
    audit.record_act(session, actor, "accounts.terminal.enrolled", of=("terminal", terminal_id))
    return terminal_id


def change_terminal(
    session: Session, actor: Actor, terminal_id: UUID, *, branch_id: UUID | None, is_enabled: bool
) -> None:
    """Move a terminal to another branch, or switch it on or off. Its code stays: visits name it.

    :raises TerminalNotFound: no such terminal.
    :raises BranchNotFound: its hospital has no such branch.
    """
    terminal = load_terminal(session, terminal_id)
    check_branch(session, terminal.hospital_id, branch_id)
    terminal.branch_id, terminal.is_enabled = branch_id, is_enabled
    audit.record_act(
        session, actor, "accounts.terminal.changed", of=("terminal", terminal_id), facts={"is_enabled": is_enabled}
    )


def load_terminal(session: Session, terminal_id: UUID) -> Terminal:
    """The row, locked: its keys and enrolment codes change under this lock.

    :raises TerminalNotFound: no such terminal.
    """
    terminal = session.get(Terminal, terminal_id, with_for_update={"key_share": True})
    if terminal is None:
        raise TerminalNotFound
    return terminal


def check_terminal(session: Session, actor: Actor, *, code: str) -> UUID:
    """The id of an enrolled terminal of the actor's own hospital.

    :raises TerminalUnknown: not enrolled there, or switched off.
    :raises RateExceeded: too many codes were refused there.
    """
    found = statements.run(session, _WORKING, {"hospital_id": actor.house_id, "code": code})
    if found is None:
        raise TerminalUnknown
    terminal_id: UUID
    terminal_id, locked_until = found
    check_lock(locked_until)
    return terminal_id


def check_lock(locked_until: datetime | None) -> None:
    """:raises RateExceeded: the terminal is locked."""
    now = clock.now()
    if locked_until is not None and locked_until > now:
        raise RateExceeded(ceil((locked_until - now).total_seconds()))


def lock_terminal(session: Session, actor: Actor, *, code: str, seconds: int) -> None:
    """Too many codes were refused at a terminal of the actor's hospital: it reads none for so long, and the operator
    is told. Locking it twice at the same moment is once.
    """
    now = clock.now()
    locked = (
        update(Terminal)
        .where(Terminal.hospital_id == actor.house_id, Terminal.code == code)
        .where(Terminal.locked_until.is_(None) | (Terminal.locked_until <= now))
        .values(locked_until=now + timedelta(seconds=seconds))
    )
    terminal_id = session.scalar(locked.returning(Terminal.id))
    if terminal_id is None:
        return
    audit.record_act(
        session, actor, "accounts.terminal.locked", of=("terminal", terminal_id), facts={"seconds": seconds}
    )
    told = select(TerminalFlag.id).filter_by(terminal_id=terminal_id, reason=REFUSED_CODES, cleared_at=None)
    if session.scalar(told.limit(1)) is None:
        flag_terminal(session, actor, terminal_id, reason=REFUSED_CODES)


def get_terminal(session: Session, terminal_id: UUID) -> TerminalCard:
    """One terminal of any hospital by its id; asking for one that is not there is a mistake of ours."""
    terminal = session.get_one(Terminal, terminal_id)
    return TerminalCard(terminal.id, terminal.code, terminal.hospital_id)


def list_terminals(session: Session, actor: Actor) -> list[str]:
    """The codes of the terminals that may be chosen at the actor's hospital, in order."""
    mine = select(Terminal.code).where(Terminal.hospital_id == actor.house_id, Terminal.is_enabled.is_(True))
    return list(session.scalars(mine.order_by(Terminal.kind, Terminal.code)))


def list_terminal_files(session: Session, hospital_id: UUID) -> list[TerminalFile]:
    """A hospital's terminals, manned windows first."""
    question = _terminal_files().where(Terminal.hospital_id == hospital_id)
    return [TerminalFile(*row) for row in session.execute(question.order_by(Terminal.kind, Terminal.code))]


def get_terminal_file(session: Session, terminal_id: UUID) -> TerminalFile:
    """:raises TerminalNotFound: no such terminal."""
    row = session.execute(_terminal_files().where(Terminal.id == terminal_id)).one_or_none()
    if row is None:
        raise TerminalNotFound
    return TerminalFile(*row)


def flag_terminal(session: Session, actor: Actor, terminal_id: UUID, *, reason: str) -> UUID:
    """Say that something is wrong at a terminal, for the operator to look into. It goes on working until he decides.

    :param reason: a code, for example ``not_me``: a patient says that he was not there.
    :raises TerminalNotFound: no such terminal.
    """
    get_terminal_file(session, terminal_id)
    flag = TerminalFlag(terminal_id=terminal_id, reason=reason, flagged_at=clock.now())
    session.add(flag)
    session.flush()
    audit.record_act(
        session, actor, "accounts.terminal.flagged", of=("terminal", terminal_id), facts={"reason": reason}
    )
    return flag.id


def clear_flag(session: Session, actor: Actor, flag_id: UUID) -> None:
    """The operator has looked into it.

    :raises FlagNotFound: no such flag is open.
    """
    question = select(TerminalFlag).where(TerminalFlag.id == flag_id, TerminalFlag.cleared_at.is_(None))
    flag = session.scalars(question.with_for_update()).one_or_none()
    if flag is None:
        raise FlagNotFound
    flag.cleared_at, flag.cleared_by = clock.now(), actor.id
    audit.record_act(
        session,
        actor,
        "accounts.terminal.flag_cleared",
        of=("terminal", flag.terminal_id),
        facts={"reason": flag.reason},
    )


def list_open_flags(session: Session, *, limit: int = 200) -> list[FlagFile]:
    """What waits for the operator, oldest first."""
    rows = session.execute(
        select(
            TerminalFlag.id,
            Terminal.id,
            Terminal.code,
            Hospital.id,
            Hospital.name,
            TerminalFlag.reason,
            TerminalFlag.flagged_at,
        )
        .join(Terminal, Terminal.id == TerminalFlag.terminal_id)
        .join(Hospital, Hospital.id == Terminal.hospital_id)
        .where(TerminalFlag.cleared_at.is_(None))
        .order_by(TerminalFlag.flagged_at)
        .limit(limit)
    )
    return [FlagFile(*row) for row in rows]


def _terminal_files() -> Select[tuple[UUID, UUID, UUID | None, str, str, bool, datetime | None, int]]:
    open_flags = (
        select(func.count())
        .where(TerminalFlag.terminal_id == Terminal.id, TerminalFlag.cleared_at.is_(None))
        .correlate(Terminal)
        .scalar_subquery()
    )
    return select(
        Terminal.id,
        Terminal.hospital_id,
        Terminal.branch_id,
        Terminal.code,
        Terminal.kind,
        Terminal.is_enabled,
        TerminalKey.enrolled_at,
        open_flags,
    ).outerjoin(TerminalKey, (TerminalKey.terminal_id == Terminal.id) & TerminalKey.revoked_at.is_(None))
