"""Bodies of the FHIR interface to what is filed, one transaction each."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from core import exact_json
from core.actor import Actor
from records.fhir import answers, reading, translation
from records.fhir.completing import complete_report, name_orders, name_staff
from records.fhir.diagnostics import Draft
from records.fhir.ordering import list_answers
from records.fhir.refusals import FhirInvalid
from records.intake.service import Arrival
from records.intake.subjects import Assignment
from records.orders import service as orders
from records.reports import service as reports
from records.reports.incoming import IncomingReport
from records.reports.service import FiledReport, Offered

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
    drafts = name_orders(session, actor, name_staff(session, actor, translated.drafts))
    if assigned is None and not any(draft.line or draft.carried for draft in drafts):
        incoming = replace(translated.incoming, reports=tuple(draft.report for draft in drafts))
        offered = Offered(incoming, submission.arrival, submission.answer)
        filed = reports.file_plain(session, actor, [offered])
        if filed:
            _follow(session, actor, [(draft.report, draft) for draft in drafts])
            return filed[0]
    completed = [complete_report(session, actor, draft) for draft in drafts]
    if len({one.report.identifier for one in completed}) != len(completed):
        raise FhirInvalid(("Bundle.entry", "Two entries change one report; send the whole report."))
    subject = replace(translated.incoming.subject, assigned=assigned)
    reports_of = tuple(one.report for one in completed)
    places = [
        replace(place, line=completed[place.filed].find_line(place.line)) if place.line else place
        for place in translated.places
    ]
    reply = reports.file_reports(
        session,
        actor,
        incoming=replace(translated.incoming, reports=reports_of, subject=subject),
        arrival=submission.arrival,
        answer=partial(answers.compose_response, places),
    )
    _follow(session, actor, list(zip(reports_of, drafts, strict=True)))
    return reply


def _follow(session: Session, actor: Actor, filed: Sequence[tuple[IncomingReport, Draft]]) -> None:
    """Orders stand as the reports say that answer them."""
    said = [(report.identifier, draft.bases) for report, draft in filed if draft.bases]
    if said:
        orders.follow_reports(session, actor, answers=list_answers(said))


def arrive(body: bytes, document: dict[str, Any]) -> Arrival:
    """A Bundle as the message that is kept. One that is invalid may have no identifier that can be read."""
    try:
        key = translation.read_message_key(document.get("identifier"))
    except FhirInvalid:
        key = None
    return Arrival("fhir", body, CONTENT_TYPE, key)


def arrive_alone(entry: dict[str, Any]) -> Arrival:
    """One entry of a batch as the message that is kept: a transaction of its own."""
    document = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    # What is no text stays what it is, escaped; it will not be filed as it stands.
    body = exact_json.dump(document) if reading.is_text_whole(entry) else json.dumps(document, default=str)
    return Arrival("fhir", body.encode(), CONTENT_TYPE)


def arrive_single(body: bytes, request: dict[str, Any]) -> Arrival:
    """A single resource as the message that is kept: an update or a condition stands beside it, as in a Bundle.

    :param request: what is asked for, as ``Bundle.entry.request``.
    """
    if request["method"] != "POST" or "ifNoneExist" in request:
        asked = json.dumps(request, ensure_ascii=False).encode()
        body = b'{"resourceType":"Bundle","type":"transaction","entry":[{"request":%b,"resource":%b}]}' % (asked, body)
    return Arrival("fhir", body, CONTENT_TYPE)


def read_transaction(document: dict[str, Any], arrival: Arrival) -> Submission:
    """A Bundle of which everything is filed or nothing; raises as ``translation.translate`` does."""
    reading.check_bundle(document)
    translation.read_message_key(document.get("identifier"))
    parts = [reading.read_entry(entry, number) for number, entry in enumerate(document["entry"])]
    return Submission(translation.translate(parts), arrival)


def read_alone(entry: dict[str, Any], number: int, arrival: Arrival) -> Submission:
    """One entry of a batch; raises as ``translation.translate`` does."""
    return Submission(translation.translate([reading.read_entry(entry, number)]), arrival)


def read_single(document: dict[str, Any], resource_type: str, request: dict[str, Any], arrival: Arrival) -> Submission:
    """One resource that is created or updated; raises as ``translation.translate`` does."""
    return Submission(translation.translate([reading.read_resource(document, resource_type, request)]), arrival)


def read_kept(body: bytes) -> Submission:
    """What was kept of a transaction, of an entry of a batch, or of a single resource, read again."""
    document = reading.read_document(body)
    resource_type = str(document.get("resourceType"))
    if resource_type == "Bundle":
        return read_transaction(document, arrive(body, document))
    request = {"method": "POST", "url": resource_type}
    return read_single(document, resource_type, request, arrive_single(body, request))


def read_filed(reply: str) -> tuple[str, int, bool]:
    """Id, version and whether it is new, of the one resource in a transaction-response."""
    response = json.loads(reply)["entry"][0]["response"]
    _, resource_id, _, version = response["location"].split("/")
    return resource_id, int(version), response["status"].startswith("201")
