"""A message that waited in quarantine, taken in again."""

from dataclasses import replace

from sqlalchemy.orm import Session

from core.actor import Actor
from records.fhir import submitting
from records.intake.subjects import Assignment
from records.reports import service as reports


def refile(session: Session, actor: Actor, *, body: bytes, assigned: Assignment | None) -> str:
    """File it as at its first arrival.

    :param assigned: whose it is, as somebody of the hospital has said since.
    :returns: the transaction-response, which a repeat gets again.
    :raises FhirInvalid: it does not conform any more; and what ``reports.file_reports`` raises.
    """
    submission = submitting.read_kept(body)
    incoming = submission.incoming
    return reports.file_reports(
        session,
        actor,
        incoming=replace(incoming, subject=replace(incoming.subject, assigned=assigned)),
        arrival=submission.arrival,
        answer=submission.answer,
    )
