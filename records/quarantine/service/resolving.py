"""How a message leaves quarantine: tried again, assigned to a person, or dismissed."""

from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import Actor
from core.errors import Invalid, Refusal
from health_card import service as health_card
from records.intake import service as intake
from records.intake.models import InboundMessage
from records.intake.subjects import Assignment
from records.quarantine.refiling import Attempt, refile
from records.quarantine.refusals import AssigneeNotFound, MessageNotWaiting
from records.quarantine.service.looking import find_message


@dataclass(frozen=True)
class Resolved:
    """How a message stands now. ``reason``: why it still waits, or did when it was dismissed."""

    id: UUID
    state: str
    reason: str | None


def replay_message(session: Session, actor: Actor, *, message_id: UUID, card_issuer: str, visit_days: int) -> Resolved:
    """Try a message again as it is, after what was missing had been put right. Refused again, it stays.

    :param card_issuer: the platform's issuer code, as DICOM files name it.
    :param visit_days: after how many days a visit is over.
    :raises MessageNotFound: none such of the actor's hospital.
    :raises MessageNotWaiting: it was resolved in the meantime.
    """
    message = _lock_message(session, actor, message_id, "quarantined")
    return _try_again(session, actor, Attempt(message, card_issuer, visit_days), "replayed")


def assign_message(
    session: Session,
    actor: Actor,
    *,
    message_id: UUID,
    number: tuple[str, str],
    why: str,
    card_issuer: str,
    visit_days: int,
    is_confirmed: bool = False,
) -> Resolved:
    """Staff of the hospital says whose a message is, and it is filed for that person.

    :param number: ``card_number`` or ``patient_number``, and the number.
    :param why: a code of ``words.ASSIGN_REASONS``.
    :param is_confirmed: it was looked at, and a name, sex or birth date that differs is a mistake of the sender.
        Without it such a message stays in quarantine.
    :raises MessageNotFound: none such of the actor's hospital.
    :raises MessageNotWaiting: it was resolved in the meantime.
    :raises AssigneeNotFound: the number leads to nobody.
    """
    message = _lock_message(session, actor, message_id, "quarantined")
    kind, given = number
    by_card = kind == "card_number"
    person_id = health_card.find_person(
        session, actor, card_number=given if by_card else None, patient_number=None if by_card else given
    )
    if person_id is None:
        raise AssigneeNotFound
    attempt = Attempt(message, card_issuer, visit_days, Assignment(person_id, is_confirmed))
    return _try_again(session, actor, attempt, "assigned", why)


def dismiss_message(session: Session, actor: Actor, *, message_id: UUID, why: str) -> Resolved:
    """The hospital says that a message is not to be filed. It is kept, and the same one is not taken in again.

    :param why: a code of ``words.DISMISS_REASONS``.
    :raises MessageNotFound: none such of the actor's hospital.
    :raises MessageNotWaiting: it was resolved in the meantime.
    """
    message = _lock_message(session, actor, message_id, "quarantined")
    message.state = "dismissed"
    _note(session, actor, message, "dismissed", why)
    return _record(session, actor, message, "dismissed", facts={"why": why})


def reopen_message(session: Session, actor: Actor, *, message_id: UUID) -> Resolved:
    """Take a dismissal back.

    :raises MessageNotFound: none such of the actor's hospital.
    :raises MessageNotWaiting: it is not dismissed.
    """
    message = _lock_message(session, actor, message_id, "dismissed")
    message.state = "quarantined"
    message.resolution = message.resolution_reason = message.resolved_by = message.resolved_at = None
    return _record(session, actor, message, "reopened")


def _lock_message(session: Session, actor: Actor, message_id: UUID, state: str) -> InboundMessage:
    """The message in this state. Whoever else resolves it, or sends it again, at this moment waits for us."""
    message = find_message(session, actor, message_id)
    # The lock of its arrival, and not of its row: filing takes the two in this order.
    intake.lock_key(session, message.hospital_id, message.channel, message.message_key or message.digest.hex())
    session.refresh(message)
    if message.state != state:
        raise MessageNotWaiting
    return message


def _try_again(session: Session, actor: Actor, attempt: Attempt, resolution: str, why: str | None = None) -> Resolved:
    message = attempt.message
    try:
        refile(session, actor, attempt)
    except Refusal as refusal:
        # What is refused as it stands was refused before anything was written; the rest is for the caller to see.
        if not (refusal.keeps_changes or isinstance(refusal, Invalid)):
            raise
        message.reason = refusal.code
    else:
        session.refresh(message)
        # Filing finds it by what it says; the sender may have sent the same again under a key of its own before.
        message.state, message.reason = "accepted", None
        _note(session, actor, message, resolution, why)
    facts = {"outcome": message.reason or "accepted"} | ({"why": why} if why else {})
    return _record(session, actor, message, resolution, facts=facts, assigned=attempt.assigned)


def _note(session: Session, actor: Actor, message: InboundMessage, resolution: str, why: str | None) -> None:
    message.resolution, message.resolution_reason = resolution, why
    message.resolved_by, message.resolved_at = actor.id, clock.now()
    session.flush()


def _record(
    session: Session,
    actor: Actor,
    message: InboundMessage,
    act: str,
    *,
    facts: dict[str, str] | None = None,
    assigned: Assignment | None = None,
) -> Resolved:
    session.flush()
    audit.record_act(
        session,
        replace(actor, hospital_id=message.hospital_id),
        f"records.message.{act}",
        subject_id=assigned.person_id if assigned else message.person_id,
        of=("inbound_message", message.id),
        facts={"channel": message.channel} | (facts or {}),
    )
    return Resolved(message.id, message.state, message.reason)
