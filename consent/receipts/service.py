"""Asking hospitals, when a grant ends, what became of the copies that their systems took under it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent.receipts.models import Cause, ErasureReceipt, ErasureRequest, ErasureSweep, Outcome
from consent.receipts.refusals import ErasureRequestNotFound, ReceiptGiven, ReceiptInvalid
from consent.receipts.schemas import ErasureStatement
from core import audit, canonical_json, clock, statements
from core.actor import SYSTEM, Actor, ActorKind
from core.config import Config
from core.ids import new_id
from health_card import service as health_card
from health_card.service import NoticeKind

# A message for ever: it comes back every hour.
SWEEP_DUE = "consent.erasure_sweep_due"
RECEIPT_TYPE = "erasure-receipt+jws"
PAGE = 50
REMIND_EVERY = timedelta(days=7)
# A visit that was being closed then has committed by now, and with it the new end of its grant.
SETTLED_AFTER = timedelta(minutes=10)
_STEP = timedelta(hours=6)
_MOST_REMINDED = 500
_CLOCK_SKEW = timedelta(minutes=5)

# What the systems of hospitals read under grants that ended, since they were asked last. Staff look at pages; what a
# system reads, it has.
_COPIES = """
SELECT ended.id, ended.version, ended.person_id, ended.hospital_id, taken.copies, taken.last_at
FROM grants ended CROSS JOIN LATERAL (
    SELECT count(*) AS copies, max(look.at) AS last_at
    FROM audit_entries look
    WHERE look.subject_id IN ({same_person_ids}) AND look.at >= ended.starts_at
        AND look.basis_id = ended.id AND look.actor_kind = 'machine' AND look.action LIKE 'records.%%'
        AND look.at > coalesce(
            (SELECT max(asked.asked_at) FROM erasure_requests asked WHERE asked.grant_id = ended.id), '-infinity'
        )
) taken
WHERE {ended} AND ended.hospital_id IS NOT NULL AND taken.copies > 0
ORDER BY ended.id
"""
_SAME_PERSON_IDS = health_card.SAME_PERSON_IDS.format("ended.person_id")
_COPIES_OF_ONE = statements.compose(_COPIES, same_person_ids=_SAME_PERSON_IDS, ended="ended.id = %(grant_id)s")
_COPIES_OF_EXPIRED = statements.compose(
    _COPIES,
    same_person_ids=_SAME_PERSON_IDS,
    ended="ended.revoked_at IS NULL AND ended.expires_at > %(since)s AND ended.expires_at <= %(until)s",
)


class _Copied(NamedTuple):
    """What ``_COPIES`` finds."""

    grant_id: UUID
    version: int
    person_id: UUID
    hospital_id: UUID
    copies: int
    last_at: datetime


_life = timedelta(days=30)


def configure(config: Config) -> None:
    """Take over, once at the process's start, within how many days a hospital answers."""
    global _life
    _life = timedelta(days=config.erasure_days)


@dataclass(frozen=True)
class ReceiptView:
    """A receipt as it was given; ``signed_by``: the name of the hospital's system."""

    outcome: str
    erased: list[str]
    erased_at: datetime | None
    kept_reason: str | None
    kept_until: date | None
    received_at: datetime
    signed_by: str
    kid: str
    jws: str


@dataclass(frozen=True)
class ErasureView:
    """A request, and the receipt when there is one. ``person_name`` (masked) is told to the patient alone,
    ``patient_number`` to the hospital alone.
    """

    id: UUID
    grant_id: UUID
    grant_version: int
    person_id: UUID
    person_name: str | None
    patient_number: str | None
    hospital_name: str
    cause: str
    copies: int
    last_copied_at: datetime
    asked_at: datetime
    due_at: datetime
    is_overdue: bool
    reminders: int
    receipt: ReceiptView | None


def ask_of_revoked(session: Session, actor: Actor, *, grant_id: UUID) -> None:
    """Ask, in the transaction that revokes a grant, for a receipt of what was copied under it; of nothing, nothing.

    The grant's row is locked: no read under it is under way, and each one that was has its row in the log.
    """
    for copied in statements.list_rows(session, _COPIES_OF_ONE, {"grant_id": grant_id}):
        _ask(session, actor, Cause.REVOKED, copied)


def ask_of_expired(session: Session) -> bool:
    """As ``ask_of_revoked``, for grants that ran out since this was done last. Done again, it changes nothing.

    :returns: whether there is more to do: after a long pause it goes on in steps.
    """
    sweep = session.scalars(select(ErasureSweep).with_for_update()).one()
    newest = clock.now() - SETTLED_AFTER
    until = min(newest, sweep.swept_until + _STEP)
    if until <= sweep.swept_until:
        return False
    asked = {"since": sweep.swept_until, "until": until}
    for copied in statements.list_rows(session, _COPIES_OF_EXPIRED, asked):
        _ask(session, SYSTEM, Cause.EXPIRED, copied)
    sweep.swept_until = until
    return until < newest


def remind_overdue(session: Session) -> None:
    """Each week an answer is overdue counts as a reminder; the first time the patient is told."""
    now = clock.now()
    overdue = (
        select(ErasureRequest)
        .where(ErasureRequest.answered_at.is_(None), ErasureRequest.due_at <= now)
        .where(ErasureRequest.reminded_at.is_(None) | (ErasureRequest.reminded_at <= now - REMIND_EVERY))
        .order_by(ErasureRequest.due_at)
        .limit(_MOST_REMINDED)
        .with_for_update(skip_locked=True)
    )
    for request in session.scalars(overdue).all():
        request.reminders, request.reminded_at = request.reminders + 1, now
        _record(session, SYSTEM, "consent.erasure.reminded", request, {"reminders": request.reminders})
        health_card.tell_person(
            session,
            person_id=request.person_id,
            kind=NoticeKind.ERASURE_OVERDUE,
            hospital_id=request.hospital_id,
            of=("erasure_request", request.id),
            key=f"{NoticeKind.ERASURE_OVERDUE}:{request.id}",
        )


def answer_request(session: Session, actor: Actor, *, request_id: UUID, signed: str) -> ErasureView:
    """Take a hospital's receipt, signed by a key of the machine that brings it. The same receipt again changes nothing.

    :param signed: a JWS of type ``erasure-receipt+jws`` over the canonical JSON of an ``ErasureStatement``.
    :raises ErasureRequestNotFound: the machine's hospital was not asked for it.
    :raises ReceiptInvalid: signature, form or what it says does not hold; its detail says which.
    :raises ReceiptGiven: another receipt was given.
    """
    mine = select(ErasureRequest).where(ErasureRequest.id == request_id, ErasureRequest.hospital_id == actor.house_id)
    request = session.scalars(mine.with_for_update()).one_or_none()
    if request is None:
        raise ErasureRequestNotFound
    given = session.get(ErasureReceipt, request_id)
    if given is not None:
        if given.jws != signed:
            raise ReceiptGiven
        return _show_to_house(session, actor, [request])[0]
    try:
        proven = accounts.read_signed(session, actor, signed=signed, kind=RECEIPT_TYPE)
        said = _read_statement(proven.payload)
        _check_statement(request, said)
    except ValueError as error:
        raise ReceiptInvalid(f"{ReceiptInvalid.detail} Here: {error}.") from error
    request.answered_at = clock.now()
    session.add(
        ErasureReceipt(
            request_id=request_id,
            client_id=actor.id,
            kid=proven.kid,
            jws=signed,
            received_at=request.answered_at,
            **said.model_dump(include={"outcome", "erased", "erased_at", "kept_reason", "kept_until"}),
        )
    )
    session.flush()
    _record(session, actor, "consent.erasure.answered", request, {"outcome": said.outcome, "reason": said.kept_reason})
    return _show_to_house(session, actor, [request])[0]


def list_of_house(
    session: Session, actor: Actor, *, before: UUID | None = None, is_open: bool | None = None
) -> list[ErasureView]:
    """What the actor's hospital was asked, newest first.

    :param before: the id of the last one of the page before.
    """
    mine = _narrow(select(ErasureRequest).where(ErasureRequest.hospital_id == actor.house_id), before, is_open)
    found = _show_to_house(session, actor, session.scalars(mine).all())
    audit.record_act(session, actor, "consent.erasure.listed", facts={"lines": len(found)})
    return found


def list_own(
    session: Session, actor: Actor, *, before: UUID | None = None, grant_id: UUID | None = None
) -> list[ErasureView]:
    """What hospitals were asked for the persons whom the login may act for, and what they answered, newest first."""
    mine = select(ErasureRequest).where(ErasureRequest.person_id.in_(health_card.held_person_ids(actor)))
    if grant_id is not None:
        mine = mine.where(ErasureRequest.grant_id == grant_id)
    found = session.scalars(_narrow(mine, before, None)).all()
    names = {id_: health_card.get_demographics(session, id_).name for id_ in {each.person_id for each in found}}
    return _show(session, found, names=names, numbers={})


def list_all(
    session: Session, actor: Actor, *, before: UUID | None = None, is_open: bool | None = None
) -> list[ErasureView]:
    """Of all hospitals, for the operator: no names, no numbers."""
    found = session.scalars(_narrow(select(ErasureRequest), before, is_open)).all()
    audit.record_act(session, actor, "consent.erasure.overseen", facts={"lines": len(found)})
    return _show(session, found, names={}, numbers={})


def _narrow(
    asked: Select[tuple[ErasureRequest]], before: UUID | None, is_open: bool | None
) -> Select[tuple[ErasureRequest]]:
    if is_open is not None:
        answered = ErasureRequest.answered_at
        asked = asked.where(answered.is_(None) if is_open else answered.is_not(None))
    if before is not None:
        asked = asked.where(ErasureRequest.id < before)
    return asked.order_by(ErasureRequest.id.desc()).limit(PAGE)


def _ask(session: Session, actor: Actor, cause: Cause, row: Sequence[Any]) -> None:
    copied, now = _Copied(*row), clock.now()
    request = ErasureRequest(
        id=new_id(),
        grant_id=copied.grant_id,
        grant_version=copied.version,
        person_id=copied.person_id,
        hospital_id=copied.hospital_id,
        cause=cause.value,
        copies=copied.copies,
        last_copied_at=copied.last_at,
        asked_at=now,
        due_at=now + _life,
    )
    session.add(request)
    _record(session, actor, "consent.erasure.asked", request, {"cause": cause.value, "copies": copied.copies})


def _record(session: Session, actor: Actor, action: str, request: ErasureRequest, facts: dict[str, object]) -> None:
    audit.record_act(
        session,
        actor,
        action,
        subject_id=request.person_id,
        of=("erasure_request", request.id),
        basis=(request.grant_id, request.grant_version),
        facts=facts,
    )


def _read_statement(payload: bytes) -> ErasureStatement:
    """:raises ValueError: not the canonical JSON (RFC 8785) of a statement."""
    try:
        parsed = json.loads(payload)
        canonical = canonical_json.write(parsed)
        said = ErasureStatement.model_validate(parsed)
    except ValidationError as error:
        fields = sorted({str(found["loc"][0]) if found["loc"] else "payload" for found in error.errors()})
        raise ValueError(f"these fields of its payload are not as described: {', '.join(fields)}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError("its payload is not JSON") from error
    if canonical != payload:
        raise ValueError("its payload is not canonical JSON")
    return said


def _check_statement(request: ErasureRequest, said: ErasureStatement) -> None:
    """:raises ValueError: it is about another request, or says what cannot be."""
    if (said.request_id, said.grant_id, said.grant_version) != (request.id, request.grant_id, request.grant_version):
        raise ValueError("it names another request, grant or version")
    kept_all, kept_none = said.outcome is Outcome.KEPT, said.outcome is Outcome.ERASED
    if kept_all != (said.erased_at is None) or kept_all == bool(said.erased):
        raise ValueError("erased and erased_at belong to what was erased, and to nothing else")
    if kept_none != (said.kept_reason is None) or (kept_none and said.kept_until is not None):
        raise ValueError("kept_reason and kept_until belong to what is kept, and to nothing else")
    if said.erased_at and not request.last_copied_at <= said.erased_at <= clock.now() + _CLOCK_SKEW:
        raise ValueError("erased_at is before the last copy was taken, or in the future")
    if len(set(said.erased)) < len(said.erased):
        raise ValueError("erased names something twice")


def _show_to_house(session: Session, actor: Actor, found: Sequence[ErasureRequest]) -> list[ErasureView]:
    persons = {each.person_id for each in found}
    numbers = {id_: health_card.get_patient_number(session, actor, id_) for id_ in persons}
    return _show(session, found, names={}, numbers=numbers)


def _show(
    session: Session,
    found: Sequence[ErasureRequest],
    *,
    names: dict[UUID, str],
    numbers: dict[UUID, str | None],
) -> list[ErasureView]:
    hospitals = accounts.list_hospitals(session, {each.hospital_id for each in found})
    given = session.scalars(select(ErasureReceipt).where(ErasureReceipt.request_id.in_({each.id for each in found})))
    receipts = {receipt.request_id: receipt for receipt in given}
    signers = accounts.describe_actors(
        session, {(str(ActorKind.MACHINE), receipt.client_id) for receipt in receipts.values()}
    )
    return [
        ErasureView(
            id=each.id,
            grant_id=each.grant_id,
            grant_version=each.grant_version,
            person_id=each.person_id,
            person_name=names.get(each.person_id),
            patient_number=numbers.get(each.person_id),
            hospital_name=hospitals[each.hospital_id].name,
            cause=each.cause,
            copies=each.copies,
            last_copied_at=each.last_copied_at,
            asked_at=each.asked_at,
            due_at=each.due_at,
            is_overdue=each.answered_at is None and each.due_at <= clock.now(),
            reminders=each.reminders,
            receipt=_show_receipt(receipts[each.id], signers) if each.id in receipts else None,
        )
        for each in found
    ]


def _show_receipt(receipt: ErasureReceipt, signers: dict[UUID, str]) -> ReceiptView:
    return ReceiptView(
        outcome=receipt.outcome,
        erased=receipt.erased,
        erased_at=receipt.erased_at,
        kept_reason=receipt.kept_reason,
        kept_until=receipt.kept_until,
        received_at=receipt.received_at,
        signed_by=signers.get(receipt.client_id, ""),
        kid=receipt.kid,
        jws=receipt.jws,
    )
