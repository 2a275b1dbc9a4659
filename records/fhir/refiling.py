"""A message that waited in quarantine, taken in again."""

from sqlalchemy.orm import Session

from core.actor import Actor
from records.fhir import submitting
from records.intake.subjects import Assignment


def refile(session: Session, actor: Actor, *, body: bytes, assigned: Assignment | None) -> str:
    """File it as at its first arrival, under the conditions that it came with.

    :param assigned: whose it is, as somebody of the hospital has said since.
    :returns: the transaction-response, which a repeat gets again.
    :raises FhirInvalid: it does not conform; and what ``submitting.file_submission`` raises.
    """
    return submitting.file_submission(session, actor, submitting.read_kept(body), assigned=assigned)
