"""Deleting a person's record: what goes, what is kept by law, what has to be settled first; and who has to agree."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from accounts.apps import service as apps
from consent.rights.models import OPEN, DeletionRequest, DeletionState, RefusedReason
from consent.rights.refusals import (
    DeletionBlocked,
    DeletionCooling,
    DeletionNotFound,
    DeletionNotYours,
    DeletionOver,
    DeletionUnderWay,
    SecondPersonNeeded,
)
from consent.rights.retention import RULES, Hold, HoldCode, Rule, begin_of_keeping, keep_since
from consent.service.grants import end_grants_of_person
from core import audit, clock
from core.actor import SYSTEM, Actor
from health_card import service as health_card
from health_card.service import NoticeKind

__all__ = ["Hold", "HoldCode", "Rule", "begin_of_keeping", "keep_since"]

PAGE = 50
_REASON = "person_erased"

# What packages above us know of a person that keeps something or stands in the way, and what they end with him.
AskHolds = Callable[[Session, UUID], Iterable[Hold]]
EndAll = Callable[[Session, UUID], None]
_askers: Sequence[AskHolds] = ()
_endings: Sequence[EndAll] = ()

# What goes when a record is deleted, whatever is kept.
GOES = ("identity", "contact", "certificates", "cards", "logins", "grants", "apps", "patient_numbers", "exports")


def install(*, holds: Sequence[AskHolds], endings: Sequence[EndAll]) -> None:
    """Take over, once at the process's start, what the packages above have to say."""
    global _askers, _endings
    _askers, _endings = tuple(holds), tuple(endings)


@dataclass(frozen=True)
class Plan:
    """What deleting would do now. ``goes``: codes; with any in ``blocked`` nothing is done."""

    person_id: UUID
    goes: Sequence[str]
    kept: list[Hold]
    blocked: list[Hold]


@dataclass(frozen=True)
class DeletionView:
    """A request. ``person_name``: masked. ``plan``: as of now, while it is open."""

    id: UUID
    person_id: UUID
    person_name: str
    state: str
    asked_at: datetime
    cooling_until: datetime
    is_cooling: bool
    checked_at: datetime | None
    ended_at: datetime | None
    refused_reason: str | None
    kept: dict[str, str | None]
    plan: Plan | None
    is_mine_to_approve: bool


def list_rules() -> list[Rule]:
    """What is kept how long, and what stands in the way of deleting."""
    return list(RULES.values())


def get_plan(session: Session, actor: Actor, *, person_id: UUID) -> Plan:
    """What deleting would do now.

    :raises DeletionNotYours: somebody else decides that.
    """
    _check_decides(session, actor, person_id)
    return _plan(session, person_id)


def ask_for_deletion(session: Session, actor: Actor, *, person_id: UUID, cooling_days: int) -> DeletionView:
    """Ask that a record be deleted. Until the cooling-off is over nobody acts on it, and all who act for him are told.

    :raises DeletionNotYours: somebody else decides that.
    :raises DeletionUnderWay: it was asked before.
    :raises DeletionBlocked: something has to be settled first.
    """
    _check_decides(session, actor, person_id)
    root_id = health_card.lock_root_id(session, person_id)
    if session.scalar(select(DeletionRequest.id).where(_of(root_id), DeletionRequest.state.in_(OPEN))) is not None:
        raise DeletionUnderWay
    _check_unblocked(session, root_id)
    now = clock.now()
    request = DeletionRequest(
        person_id=root_id, asked_by=actor.id, asked_at=now, cooling_until=now + timedelta(days=cooling_days)
    )
    session.add(request)
    session.flush()
    _record(session, actor, "consent.deletion.asked", request)
    _tell(session, request, NoticeKind.DELETION_ASKED)
    return _show(session, actor, request)


def withdraw_deletion(session: Session, actor: Actor, *, request_id: UUID) -> DeletionView:
    """Take the wish back, at any time before it was done.

    :raises DeletionNotFound: none of a person for whom the actor decides.
    :raises DeletionOver: it is over.
    """
    mine = DeletionRequest.person_id.in_(health_card.confided_person_ids(actor))
    request = session.scalars(
        select(DeletionRequest).where(DeletionRequest.id == request_id, mine).with_for_update()
    ).one_or_none()
    if request is None:
        raise DeletionNotFound
    _end(session, actor, request, DeletionState.WITHDRAWN)
    return _show(session, actor, request)


def list_own_deletions(session: Session, actor: Actor) -> list[DeletionView]:
    """The requests about the persons for whom the actor decides, newest first."""
    mine = DeletionRequest.person_id.in_(health_card.confided_person_ids(actor))
    found = session.scalars(select(DeletionRequest).where(mine).order_by(DeletionRequest.id.desc()).limit(PAGE))
    return [_show(session, actor, request) for request in found.all()]


def list_deletions(
    session: Session, actor: Actor, *, is_open: bool | None = None, before: UUID | None = None
) -> list[DeletionView]:
    """All requests, newest first, for who decides about them at the platform.

    :param before: the id of the last one of the page before.
    """
    asked = select(DeletionRequest)
    if is_open is not None:
        states = DeletionRequest.state.in_(OPEN)
        asked = asked.where(states if is_open else ~states)
    if before is not None:
        asked = asked.where(DeletionRequest.id < before)
    found = session.scalars(asked.order_by(DeletionRequest.id.desc()).limit(PAGE)).all()
    audit.record_act(session, actor, "consent.deletion.listed", facts={"lines": len(found)})
    return [_show(session, actor, request) for request in found]


def check_deletion(session: Session, actor: Actor, *, request_id: UUID) -> None:
    """The first of two agrees: the wish is the person's, the cooling-off is over, nothing stands in the way.

    :raises DeletionNotFound, DeletionOver, DeletionCooling, DeletionBlocked: it is not so.
    """
    request = _lock(session, request_id, DeletionState.ASKED)
    if clock.now() < request.cooling_until:
        raise DeletionCooling
    _check_unblocked(session, request.person_id)
    request.state, request.checked_by, request.checked_at = DeletionState.CHECKED.value, actor.id, clock.now()
    _record(session, actor, "consent.deletion.checked", request)


def approve_deletion(session: Session, actor: Actor, *, request_id: UUID) -> None:
    """The second of two agrees, and it is done: nothing that names the person can be read any more.

    :raises DeletionNotFound, DeletionOver, DeletionBlocked: it is not so.
    :raises SecondPersonNeeded: the same one has checked it.
    """
    request = _lock(session, request_id, DeletionState.CHECKED)
    if request.checked_by == actor.id:
        raise SecondPersonNeeded
    person_id = health_card.lock_root_id(session, request.person_id)
    kept = _check_unblocked(session, person_id).kept
    _record(session, actor, "consent.deletion.approved", request)
    records = health_card.same_person_ids(person_id)
    # First the cards, which a scan locks: one that is under way has opened its grant before these are ended.
    health_card.erase_person(session, SYSTEM, person_id=person_id)
    end_grants_of_person(session, SYSTEM, person_id=person_id)
    apps.end_authorizations_of_persons(session, SYSTEM, person_ids=records, reason=_REASON)
    for end in _endings:
        end(session, person_id)
    request.state, request.approved_by, request.ended_at = DeletionState.DONE.value, actor.id, clock.now()
    request.kept = {hold.code.value: hold.until.isoformat() if hold.until else None for hold in kept}


def refuse_deletion(session: Session, actor: Actor, *, request_id: UUID, reason: RefusedReason) -> None:
    """The platform does not delete, and the person is told.

    :raises DeletionNotFound, DeletionOver: it is not open.
    """
    request = _lock(session, request_id, *OPEN)
    request.refused_reason = reason.value
    _end(session, actor, request, DeletionState.REFUSED)
    _tell(session, request, NoticeKind.DELETION_REFUSED)


def _check_decides(session: Session, actor: Actor, person_id: UUID) -> None:
    confided = health_card.confided_person_ids(actor).subquery()
    if session.scalar(select(confided.c.id).where(confided.c.id == person_id)) is None:
        raise DeletionNotYours


def _plan(session: Session, person_id: UUID) -> Plan:
    holds = [hold for ask in (_ask_below, *_askers) for hold in ask(session, person_id)]
    kept = [hold for hold in holds if not hold.rule.blocks]
    return Plan(person_id, GOES, kept, [hold for hold in holds if hold.rule.blocks])


def _ask_below(session: Session, person_id: UUID) -> Iterable[Hold]:
    if health_card.has_dependents(session, person_id):
        yield Hold(HoldCode.DEPENDENTS)
    if health_card.has_open_match(session, person_id):
        yield Hold(HoldCode.MATCH_OPEN)
    yield keep_since(HoldCode.ACCESS_LOG, clock.in_city(clock.now()).date())


def _check_unblocked(session: Session, person_id: UUID) -> Plan:
    plan = _plan(session, person_id)
    if plan.blocked:
        raise DeletionBlocked([hold.code.value for hold in plan.blocked])
    return plan


def _of(person_id: UUID) -> ColumnElement[bool]:
    return DeletionRequest.person_id.in_(health_card.same_person_ids(person_id))


def _lock(session: Session, request_id: UUID, *states: DeletionState) -> DeletionRequest:
    request = session.scalars(
        select(DeletionRequest).where(DeletionRequest.id == request_id).with_for_update()
    ).one_or_none()
    if request is None:
        raise DeletionNotFound
    if request.state not in states:
        raise DeletionOver
    return request


def _end(session: Session, actor: Actor, request: DeletionRequest, state: DeletionState) -> None:
    if request.state not in OPEN:
        raise DeletionOver
    request.state, request.ended_at = state.value, clock.now()
    _record(session, actor, f"consent.deletion.{state.value}", request)


def _record(session: Session, actor: Actor, action: str, request: DeletionRequest) -> None:
    audit.record_act(session, actor, action, subject_id=request.person_id, of=("deletion_request", request.id))


def _tell(session: Session, request: DeletionRequest, kind: NoticeKind) -> None:
    of, key = ("deletion_request", request.id), f"{kind}:{request.id}"
    health_card.tell_person(session, person_id=request.person_id, kind=kind, of=of, key=key)


def _show(session: Session, actor: Actor, request: DeletionRequest) -> DeletionView:
    is_open = request.state in OPEN
    return DeletionView(
        id=request.id,
        person_id=request.person_id,
        person_name=health_card.get_demographics(session, request.person_id).name,
        state=request.state,
        asked_at=request.asked_at,
        cooling_until=request.cooling_until,
        is_cooling=is_open and clock.now() < request.cooling_until,
        checked_at=request.checked_at,
        ended_at=request.ended_at,
        refused_reason=request.refused_reason,
        kept=request.kept or {},
        plan=_plan(session, request.person_id) if is_open else None,
        is_mine_to_approve=request.state == DeletionState.CHECKED and request.checked_by != actor.id,
    )
