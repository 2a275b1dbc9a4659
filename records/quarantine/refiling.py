"""Each channel's way of taking a kept message in again: the same as at its first arrival."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from core import storage
from core.actor import Actor
from records.dicomsr import service as dicomsr
from records.dicomweb import refiling as dicomweb
from records.fhir import refiling as fhir
from records.hl7v2 import parsing
from records.hl7v2 import service as hl7v2
from records.images.service import ARCHIVED_MEDIA_TYPE
from records.intake import service as intake
from records.intake.models import InboundMessage
from records.intake.subjects import Assignment
from records.uploads import refiling as uploads


@dataclass(frozen=True)
class Attempt:
    """One more try at a message. ``card_issuer``: the platform's issuer code, as DICOM files name it.

    ``visit_days``: after how many days a visit is over.
    """

    message: InboundMessage
    card_issuer: str
    visit_days: int
    assigned: Assignment | None = None


def refile(session: Session, actor: Actor, attempt: Attempt) -> None:
    """File a kept message in the name of the hospital that sent it.

    :raises Refusal: whatever its channel refuses; before anything was written.
    """
    house = replace(actor, hospital_id=attempt.message.hospital_id)
    _REFILERS[attempt.message.channel](session, house, attempt)


def _refile_fhir(session: Session, actor: Actor, attempt: Attempt) -> None:
    body = intake.read_body(attempt.message)
    fhir.refile(session, actor, body=body, assigned=attempt.assigned)


def _refile_hl7v2(session: Session, actor: Actor, attempt: Attempt) -> None:
    body = intake.read_body(attempt.message)
    hl7v2.file_message(
        session,
        actor,
        message=parsing.read_message(body),
        body=body,
        visit_days=attempt.visit_days,
        assigned=attempt.assigned,
    )


def _refile_instance(session: Session, actor: Actor, attempt: Attempt) -> None:
    message = attempt.message
    assert message.storage_key is not None
    with storage.open_file(message.storage_key, message.data_key) as stream:
        dicomweb.refile_instance(
            session,
            actor,
            stream=stream,
            card_issuer=attempt.card_issuer,
            assigned=attempt.assigned,
            is_archived=message.content_type == ARCHIVED_MEDIA_TYPE,
        )


def _refile_document(session: Session, actor: Actor, attempt: Attempt) -> None:
    message = attempt.message
    assert message.message_key is not None
    dicomsr.refile_document(
        session,
        actor,
        body=intake.read_body(message),
        sop_instance_uid=message.message_key,
        assigned=attempt.assigned,
    )


def _refile_uploaded(session: Session, actor: Actor, attempt: Attempt) -> None:
    message = attempt.message
    assert message.message_key is not None
    uploads.refile_report(
        session,
        actor,
        body=intake.read_body(message),
        message_key=message.message_key,
        assigned=attempt.assigned,
    )


_REFILERS: dict[str, Callable[[Session, Actor, Attempt], None]] = {
    "fhir": _refile_fhir,
    "hl7v2": _refile_hl7v2,
    "dicomweb": _refile_instance,
    "dicom": _refile_document,
    "upload": _refile_uploaded,
}
