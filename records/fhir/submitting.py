"""Bodies of the FHIR interface to what is filed, one transaction each."""

import json
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from core import exact_json
from core.actor import Actor
from core.errors import Refusal
from records.fhir import answers, reading, translation
from records.fhir.completing import complete_report
from records.fhir.parts import Part
from records.fhir.refusals import FhirInvalid
from records.intake.service import Arrival
from records.intake.subjects import Assignment
from records.reports import service as reports
from records.reports.service import FiledReport

CONTENT_TYPE = "application/fhir+json"


@dataclass(frozen=True)
class Submission:
    """What to file, as which message, and where its entries are in the answer."""

    translated: translation.Translation
    arrival: Arrival

    def answer(self, filed: list[FiledReport]) -> str:
        """The transaction-response."""
        return answers.compose_response(self.translated.places, filed)


def file_submission(
    session: Session, actor: Actor, submission: Submission, *, assigned: Assignment | None = None
) -> str:
    """File it; raises as ``reports.file_reports`` and ``completing.complete_report`` do.

    :param assigned: whose it is, as somebody of the hospital has said since it came.
    :returns: the transaction-response; of a message that came before, the one it got then.
    """
    translated = submission.translated
    completed = tuple(complete_report(session, actor, draft) for draft in translated.drafts)
    if len({report.identifier for report in completed}) != len(completed):
        raise FhirInvalid(("Bundle.entry", "Two entries change one report; send the whole report."))
    subject = replace(translated.incoming.subject, assigned=assigned)
    return reports.file_reports(
        session,
        actor,
        incoming=replace(translated.incoming, reports=completed, subject=subject),
        arrival=submission.arrival,
        answer=submission.answer,
    )


def read_transaction(body: bytes, sent: reading.Sent) -> Submission:
    """A Bundle of which everything is filed or nothing; raises as ``translation.translate`` does."""
    key = translation.read_message_key(sent.document.get("identifier"))
    return Submission(translation.translate(sent.parts), Arrival("fhir", body, CONTENT_TYPE, key))


def split_batch(sent: reading.Sent) -> list[Submission | Refusal]:
    """Each entry of a batch as a transaction of its own, or why it can be none."""
    entries = sent.document["entry"]
    return [_read_alone(part, entry) for part, entry in zip(sent.parts, entries, strict=True)]


def read_single(body: bytes, resource_type: str, request: dict[str, Any]) -> Submission:
    """One resource that is created or updated.

    :param request: what is asked for, as ``Bundle.entry.request``.
    """
    part = reading.read_resource(reading.read_document(body), resource_type, request)
    return Submission(translation.translate([part]), Arrival("fhir", keep_request(body, request), CONTENT_TYPE))


def keep_request(body: bytes, request: dict[str, Any]) -> bytes:
    """What is kept of a single resource: an update or a condition stands beside it, as in a Bundle."""
    if request["method"] == "POST" and "ifNoneExist" not in request:
        return body
    asked = json.dumps(request, ensure_ascii=False).encode()
    return b'{"resourceType":"Bundle","type":"transaction","entry":[{"request":%b,"resource":%b}]}' % (asked, body)


def read_kept(body: bytes) -> Submission:
    """What was kept of a transaction, of an entry of a batch, or of a single resource, read again."""
    document = reading.read_document(body)
    resource_type = str(document.get("resourceType"))
    if resource_type == "Bundle":
        return read_transaction(body, reading.read_bundle(document))
    return read_single(body, resource_type, {"method": "POST", "url": resource_type})


def read_filed(reply: str) -> tuple[str, int, bool]:
    """Id, version and whether it is new, of the one resource in a transaction-response."""
    response = json.loads(reply)["entry"][0]["response"]
    _, resource_id, _, version = response["location"].split("/")
    return resource_id, int(version), response["status"].startswith("201")


def _read_alone(part: Part, entry: dict[str, Any]) -> Submission | Refusal:
    try:
        translated = translation.translate([part])
    except Refusal as refusal:
        return refusal
    document = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    return Submission(translated, Arrival("fhir", exact_json.dump(document).encode(), CONTENT_TYPE))
