"""Taking in one HL7 v2 message."""

import re
from dataclasses import replace

from sqlalchemy.orm import Session

from accounts import service as accounts
from core.actor import Actor
from records.hl7v2 import acknowledgement, translation
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
from records.reports import service as reports

CONTENT_TYPE = "x-application/hl7-v2+er7"


def file_message(
    session: Session, actor: Actor, *, message: Message, body: bytes, assigned: Assignment | None = None
) -> str:
    """File the reports of an ORU^R01.

    :param body: the message byte for byte, as it is kept.
    :param assigned: whose it is, as somebody of the hospital has said since it was set aside.
    :returns: the acknowledgement (AA); of a message that came before, the one it got then.
    :raises FacilityWrong: it names another hospital than the actor's.
    :raises MessageTypeUnsupported: not an ORU^R01 of version 2.
    :raises MessageNotForProduction: training or debugging.
    :raises MessageNotUnderstood: kept in quarantine; and what ``reports.file_reports`` raises.
    """
    hospital = accounts.get_hospital(session, actor.house_id)
    _check_for_us(message, hospital.code)
    arrival = Arrival("hl7v2", body, CONTENT_TYPE, message.control_id)
    try:
        incoming = translation.translate(message, hospital.code)
    except MessageNotUnderstood as refusal:
        intake.quarantine(session, actor, arrival, reason=refusal.code)
        raise
    return reports.file_reports(
        session,
        actor,
        incoming=replace(incoming, subject=replace(incoming.subject, assigned=assigned)),
        arrival=arrival,
        answer=lambda _filed: acknowledgement.accept(message),
    )


def _check_for_us(message: Message, hospital_code: str) -> None:
    header = message.header
    if (header.component(9, 1), header.component(9, 2)) != ("ORU", "R01"):
        raise MessageTypeUnsupported
    if not re.fullmatch(r"2(\.[0-9]+)*", header.component(12)):
        raise MessageTypeUnsupported
    if header.component(4) != hospital_code:
        raise FacilityWrong
    if header.component(11) != "P":
        raise MessageNotForProduction
