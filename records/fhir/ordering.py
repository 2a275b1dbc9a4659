"""Which orders reports answer (DiagnosticReport.basedOn, Observation.basedOn).

Kept with a version is how each is named, an identifier (``system``, ``value``, and ``type`` FILL where it is the
laboratory's); the request of this name is looked up when the report is read, whichever of the two came first.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actor import Actor
from records.entries.models import RecordEntry
from records.fhir.parts import IDENTIFIER_TYPE, Part, check_length, kinds_of, read_identifier
from records.fhir.refusals import FhirContentUnsupported
from records.orders.service import Answer

Reference = dict[str, Any]

_REQUEST = re.compile("ServiceRequest/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


@dataclass(frozen=True)
class Basis:
    """An order as a report names it: by its own number, that of the laboratory, or by the request that we keep.

    :ivar system: of the number.
    """

    system: str | None = None
    placer_number: str | None = None
    filler_number: str | None = None
    request_id: UUID | None = None


def read_bases(parts: Iterable[Part], requests: Mapping[str, Part]) -> tuple[Basis, ...]:
    """What a report and its results say of the orders that they answer; what cannot be one of ours says nothing.

    :param requests: the ServiceRequests of the same message, by ``fullUrl``.
    :raises FhirInvalid: a number of more than 255 characters.
    :raises FhirContentUnsupported: a urn:uuid leads to no ServiceRequest of the message.
    """
    return tuple(dict.fromkeys(basis for part in parts for basis in _read_bases(part, requests)))


def name_requests(session: Session, actor: Actor, said: Sequence[Sequence[Basis]]) -> list[tuple[Basis, ...]]:
    """The orders of each report, where they were named by requests that the actor's hospital keeps by their names.

    Whatever else they were named by says nothing.
    """
    ids = {basis.request_id for bases in said for basis in bases if basis.request_id}
    named = _find_names(session, actor, ids) if ids else {}
    found = []
    for bases in said:
        known = [named.get(basis.request_id) if basis.request_id else basis for basis in bases]
        found.append(tuple(dict.fromkeys(basis for basis in known if basis)))
    return found


def list_answers(reports: Iterable[tuple[tuple[str, str], Sequence[Basis]]]) -> list[Answer]:
    """The orders that reports answer, by the numbers under which the hospital placed them.

    :param reports: the identifier of each, with what it says by names alone.
    """
    return [
        Answer(identifier, basis.placer_number, basis.filler_number) for identifier, bases in reports for basis in bases
    ]


def keep_bases(bases: Sequence[Basis]) -> list[dict[str, str]] | None:
    """As they are kept with the version: the names of orders, each once."""
    return [_keep(basis) for basis in bases] or None


def show_bases(kept: Sequence[Mapping[str, str]] | None, requests: Mapping[tuple[str, str], UUID]) -> list[Reference]:
    """References to orders: by their names, and to the requests of these names that are kept.

    :param requests: by system and value.
    """
    return [_show(one, requests.get((one.get("system", ""), one["value"]))) for one in kept or ()]


def _keep(basis: Basis) -> dict[str, str]:
    kept = {"system": basis.system} if basis.system else {}
    if basis.placer_number is None:
        kept |= {"type": "FILL"}
    return kept | {"value": basis.placer_number or basis.filler_number or ""}


def _show(kept: Mapping[str, str], request_id: UUID | None) -> Reference:
    kind = {"type": {"coding": [{"system": IDENTIFIER_TYPE, "code": kept["type"]}]}} if "type" in kept else {}
    identifier = kind | {name: kept[name] for name in ("system", "value") if name in kept}
    literal = {"reference": f"ServiceRequest/{request_id}"} if request_id else {}
    return literal | {"type": "ServiceRequest", "identifier": identifier}


def _read_bases(part: Part, requests: Mapping[str, Part]) -> Iterator[Basis]:
    for number, reference in enumerate(part.sent.get("basedOn") or []):
        written = reference.get("reference") or ""
        request = _REQUEST.fullmatch(written)
        identifier = reference.get("identifier") or {}
        value, kinds = identifier.get("value"), kinds_of(identifier)
        if written.startswith("urn:uuid:"):
            if written not in requests:
                raise FhirContentUnsupported(
                    (f"{part.at}.basedOn[{number}]", "A urn:uuid leads to a ServiceRequest of the same transaction.")
                )
            yield Basis(*read_identifier(requests[written]))
            continue
        # An accession number is the examination's, not the order's.
        if value and "ACSN" not in kinds:
            system = identifier.get("system")
            check_length(f"{part.at}.basedOn[{number}].identifier", system or "", value)
            yield Basis(system, filler_number=value) if "FILL" in kinds else Basis(system, value)
        elif request:
            yield Basis(request_id=UUID(request[1]))


def _find_names(session: Session, actor: Actor, ids: set[UUID]) -> dict[UUID, Basis]:
    """The hospital's own name of each of these requests."""
    mine = select(RecordEntry.id, RecordEntry.identifier_system, RecordEntry.identifier_value).where(
        RecordEntry.id.in_(ids),
        RecordEntry.is_current,
        RecordEntry.hospital_id == actor.house_id,
        RecordEntry.resource_type == "ServiceRequest",
    )
    return {id_: Basis(system, placer_number=value) for id_, system, value in session.execute(mine).tuples()}
