"""Bodies of the FHIR interface to what is filed, one transaction each."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fhir.resources.R4B.bundle import Bundle

from core import exact_json
from core.errors import Refusal
from records.entries.incoming import Target
from records.fhir import answers, reading, translation
from records.fhir.refusals import FhirContentUnsupported
from records.intake.service import Arrival
from records.reports.incoming import Incoming
from records.reports.service import FiledReport

CONTENT_TYPE = "application/fhir+json"


@dataclass(frozen=True)
class Submission:
    """What to file, as which message, and where its entries are in the answer."""

    incoming: Incoming
    arrival: Arrival
    places: list[translation.Place]

    def answer(self, filed: list[FiledReport]) -> str:
        """The transaction-response."""
        return answers.compose_response(self.places, filed)


def read_transaction(body: bytes, bundle: Bundle, document: dict[str, Any]) -> Submission:
    """A Bundle of which everything is filed or nothing; raises as ``translation.translate`` does."""
    translated = translation.translate(bundle, document)
    arrival = Arrival("fhir", body, CONTENT_TYPE, translation.read_message_key(bundle))
    return Submission(translated.incoming, arrival, translated.places)


def split_batch(bundle: Bundle, document: dict[str, Any]) -> list[Submission | Refusal]:
    """Each entry of a batch as a transaction of its own, or why it can be none."""
    return [_read_alone(entry, sent) for entry, sent in zip(bundle.entry or [], document["entry"], strict=True)]


def read_single(
    body: bytes, resource_type: str, *, target: tuple[str, str] | None = None, if_none_exist: str | None = None
) -> Submission:
    """One resource that is created or updated.

    :param target: id in the address and If-Match, of an update.
    """
    resource = reading.read_resource(body, resource_type)
    replaced: Target | None = translation.read_target(*target, resource) if target else None
    incoming = translation.translate_resource(resource, target=replaced, if_none_exist=if_none_exist)
    return Submission(incoming, Arrival("fhir", body, CONTENT_TYPE), [translation.Place(resource_type, 0)])


def read_kept(body: bytes) -> Submission:
    """What was kept of a transaction, of an entry of a batch, or of a single resource, read again.

    An update that was set aside names its resource by its identifier.
    """
    resource_type = json.loads(body)["resourceType"]
    return (
        read_transaction(body, *reading.read_bundle(body))
        if resource_type == "Bundle"
        else read_single(body, resource_type)
    )


def read_filed(reply: str) -> tuple[UUID, int, bool]:
    """Id, version and whether it is new, of the one resource in a transaction-response."""
    response = json.loads(reply)["entry"][0]["response"]
    _, resource_id, _, version = response["location"].split("/")
    return UUID(resource_id), int(version), response["status"].startswith("201")


def _read_alone(entry: Any, sent: dict[str, Any]) -> Submission | Refusal:
    document = {"resourceType": "Bundle", "type": "transaction", "entry": [sent]}
    try:
        if entry.resource is None:
            raise FhirContentUnsupported(("Bundle.entry", "A resource to create or update is expected."))
        translated = translation.translate(Bundle(type="transaction", entry=[entry]), document)
    except Refusal as refusal:
        return refusal
    body = exact_json.dump(document).encode()
    return Submission(translated.incoming, Arrival("fhir", body, CONTENT_TYPE), translated.places)
