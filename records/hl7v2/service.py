"""Taking in HL7 v2 messages."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.orm import Session

from accounts import service as accounts
from core.actor import Actor
from core.errors import PermissionMissing, Refusal
from health_card.patient_numbers import service as patient_numbers
from records.admissions import service as admissions
from records.admissions.service import Told
from records.hl7v2 import acknowledgement, administration, ordering, translation
from records.hl7v2.parsing import Message
from records.hl7v2.refusals import (
    FacilityWrong,
    MessageNotForProduction,
    MessageNotUnderstood,
    MessageTypeUnsupported,
)
from records.intake import service as intake
from records.intake.service import Arrival
from records.intake.subjects import Assignment
from records.orders import service as orders
from records.reports import service as reports
from records.reports.refusals import MessageKeyReused
from records.reports.service import Offered

CONTENT_TYPE = "x-application/hl7-v2+er7"
_NUMBERS = "health_card:patient_number:bind"


@dataclass(frozen=True)
class _Asked:
    """A message with what its act needs to know."""

    message: Message
    hospital_code: str
    visit_days: int
    assigned: Assignment | None


# What a message asks for: files it, and says whom it is about.
_Act = Callable[[Session, Actor, _Asked], UUID | None]


def has_results(message: Message) -> bool:
    """Whether it is an ORU^R01."""
    return _type_of(message) == ("ORU", "R01")


def file_together(session: Session, actor: Actor, *, messages: Sequence[tuple[Message, bytes]]) -> dict[int, str]:
    """File those ORU^R01 that need no decision, all at once; with none of the others anything happens.

    :param messages: each with its body.
    :returns: the acknowledgements (AA) of those that are filed, by their places.
    """
    hospital = accounts.get_hospital(session, actor.house_id)
    offered = [_offer(message, body, hospital.code) for message, body in messages]
    filed = reports.file_plain(session, actor, offered)
    answers = [answer for place in sorted(filed) for answer in ordering.read_answers(messages[place][0])]
    orders.follow_reports(session, actor, answers=answers)
    return filed


def file_message(
    session: Session,
    actor: Actor,
    *,
    message: Message,
    body: bytes,
    visit_days: int,
    assigned: Assignment | None = None,
) -> str:
    """File what a message says.

    :param body: the message byte for byte, as it is kept.
    :param visit_days: after how many days a visit is over.
    :param assigned: whose it is, as somebody of the hospital has said since it was set aside.
    :returns: the acknowledgement (AA); of a message that came before, the one it got then.
    :raises FacilityWrong: it names another hospital than the actor's.
    :raises MessageTypeUnsupported: not of a type that is taken in.
    :raises MessageNotForProduction: training or debugging.
    :raises PermissionMissing: a merge of patient numbers by a sender who may not bind them.
    :raises MessageNotUnderstood: kept in quarantine; as is what ``reports.file_reports``, ``admissions``,
        ``orders`` and ``patient_numbers.merge_numbers`` refuse.
    """
    hospital = accounts.get_hospital(session, actor.house_id)
    _check_for_us(message, hospital.code)
    arrival = Arrival("hl7v2", body, CONTENT_TYPE, message.control_id)
    act = _ACTS.get(_type_of(message))
    if act is not None:
        return _act_once(session, actor, arrival, _Asked(message, hospital.code, visit_days, assigned), act)
    try:
        incoming = translation.translate(message, hospital.code)
    except MessageNotUnderstood as refusal:
        intake.quarantine(session, actor, arrival, reason=refusal.code)
        raise
    reply = reports.file_reports(
        session,
        actor,
        incoming=replace(incoming, subject=replace(incoming.subject, assigned=assigned)),
        arrival=arrival,
        answer=lambda _filed: acknowledgement.accept(message),
    )
    orders.follow_reports(session, actor, answers=ordering.read_answers(message))
    return reply


def _offer(message: Message, body: bytes, hospital_code: str) -> Offered | None:
    """A message as ``file_plain`` takes it; None when something is wrong with it, which the ordinary way finds."""
    try:
        _check_for_us(message, hospital_code)
        incoming = translation.translate(message, hospital_code)
    except Refusal:
        return None
    arrival = Arrival("hl7v2", body, CONTENT_TYPE, message.control_id)
    return Offered(incoming, arrival, lambda _filed: acknowledgement.accept(message))


def _act_once(session: Session, actor: Actor, arrival: Arrival, asked: _Asked, act: _Act) -> str:
    """Whatever the act can be refused for, it is refused for before its first write; the message is kept."""
    earlier = intake.find_repeat(session, actor, arrival)
    try:
        if earlier is not None:
            if not intake.is_same_content(earlier, arrival) or earlier.reply is None:
                raise MessageKeyReused
            return earlier.reply
        person_id = act(session, actor, asked)
    except PermissionMissing:
        raise
    except Refusal as refusal:
        intake.quarantine(session, actor, arrival, reason=refusal.code)
        refusal.keeps_changes = True
        raise
    reply = acknowledgement.accept(asked.message)
    intake.keep_accepted(session, actor, arrival, person_id=person_id, reply=reply)
    return reply


def _admit(session: Session, actor: Actor, asked: _Asked) -> UUID:
    return admissions.open_visit(session, actor, told=_read_told(asked), visit_days=asked.visit_days)


def _discharge(session: Session, actor: Actor, asked: _Asked) -> UUID:
    return admissions.end_visit(session, actor, told=_read_told(asked))


def _update(session: Session, actor: Actor, asked: _Asked) -> UUID:
    return admissions.change_visit(session, actor, told=_read_told(asked))


def _read_told(asked: _Asked) -> Told:
    told = administration.read_told(asked.message, asked.hospital_code)
    return replace(told, subject=replace(told.subject, assigned=asked.assigned))


def _merge(session: Session, actor: Actor, asked: _Asked) -> None:
    if not actor.can(_NUMBERS):
        raise PermissionMissing
    retired, surviving = administration.read_merge(asked.message, asked.hospital_code)
    patient_numbers.merge_numbers(session, actor, retired=retired, surviving=surviving)


def _order(session: Session, actor: Actor, asked: _Asked) -> UUID:
    placed = ordering.read_orders(asked.message, asked.hospital_code)
    placed = replace(placed, subject=replace(placed.subject, assigned=asked.assigned))
    return orders.place_orders(session, actor, placed=placed)


_ACTS: dict[tuple[str, str], _Act] = {
    ("ADT", "A01"): _admit,
    ("ADT", "A04"): _admit,
    ("ADT", "A03"): _discharge,
    ("ADT", "A08"): _update,
    ("ADT", "A40"): _merge,
    ("ORM", "O01"): _order,
}


def _type_of(message: Message) -> tuple[str, str]:
    return message.header.component(9, 1), message.header.component(9, 2)


def _check_for_us(message: Message, hospital_code: str) -> None:
    header = message.header
    if not has_results(message) and _type_of(message) not in _ACTS:
        raise MessageTypeUnsupported
    if not re.fullmatch(r"2(\.[0-9]+)*", header.component(12)):
        raise MessageTypeUnsupported
    if header.component(4) != hospital_code:
        raise FacilityWrong
    if header.component(11) != "P":
        raise MessageNotForProduction
