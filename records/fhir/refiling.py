"""A Bundle that waited in quarantine, taken in again."""

from dataclasses import replace

from sqlalchemy.orm import Session

from core.actor import Actor
from records.fhir import answers, reading, translation
from records.intake.service import Arrival
from records.intake.subjects import Assignment
from records.reports import service as reports


def refile_bundle(session: Session, actor: Actor, *, body: bytes, assigned: Assignment | None) -> str:
    """File the Bundle as at its first arrival.

    :param assigned: whose it is, as somebody of the hospital has said since.
    :returns: the transaction-response, which a repeat gets again.
    :raises FhirInvalid: it does not conform any more; and what ``reports.file_reports`` raises.
    """
    bundle = reading.read_transaction(body)
    translated = translation.translate(bundle)
    incoming = translated.incoming
    return reports.file_reports(
        session,
        actor,
        incoming=replace(incoming, subject=replace(incoming.subject, assigned=assigned)),
        arrival=Arrival("fhir", body, "application/fhir+json", translation.read_message_key(bundle)),
        answer=lambda filed: answers.compose_response(translated.places, filed),
    )
