"""Which orders reports answer (DiagnosticReport.basedOn, Observation.basedOn)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actor import Actor
from records.entries.models import RecordEntry
from records.fhir.parts import Part, check_length, kinds_of
from records.orders.service import Answer

_REQUEST = re.compile("ServiceRequest/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


@dataclass(frozen=True)
class Basis:
    """An order as a report names it: by its own number, that of the laboratory, or by the request that we keep."""

    placer_number: str | None = None
    filler_number: str | None = None
    request_id: UUID | None = None


def read_bases(part: Part) -> tuple[Basis, ...]:
    """What a resource says of the orders that it answers; what cannot be one of ours says nothing.

    :raises FhirInvalid: a number of more than 255 characters.
    """
    return tuple(_read_bases(part))


def list_answers(
    session: Session, actor: Actor, reports: Iterable[tuple[tuple[str, str], Sequence[Basis]]]
) -> list[Answer]:
    """The orders that reports answer, by the numbers under which the hospital placed them.

    :param reports: the identifier of each, with what it says.
    """
    said = [(identifier, basis) for identifier, bases in reports for basis in bases]
    requests = {basis.request_id for _, basis in said if basis.request_id}
    numbers = _find_numbers(session, actor, requests) if requests else {}
    answers = []
    for identifier, basis in said:
        number = numbers.get(basis.request_id) if basis.request_id else basis.placer_number
        if number or basis.filler_number:
            answers.append(Answer(identifier, number, basis.filler_number))
    return answers


def _read_bases(part: Part) -> Iterator[Basis]:
    for number, reference in enumerate(part.sent.get("basedOn") or []):
        request = _REQUEST.fullmatch(reference.get("reference") or "")
        identifier = reference.get("identifier") or {}
        value, kinds = identifier.get("value"), kinds_of(identifier)
        # An accession number is the examination's, not the order's.
        if value and "ACSN" not in kinds:
            check_length(f"{part.at}.basedOn[{number}].identifier", value)
            yield Basis(filler_number=value) if "FILL" in kinds else Basis(placer_number=value)
        elif request:
            yield Basis(request_id=UUID(request[1]))


def _find_numbers(session: Session, actor: Actor, ids: set[UUID]) -> dict[UUID, str]:
    """The hospital's own number of each of these requests."""
    mine = select(RecordEntry.id, RecordEntry.identifier_value).where(
        RecordEntry.id.in_(ids),
        RecordEntry.is_current,
        RecordEntry.hospital_id == actor.house_id,
        RecordEntry.resource_type == "ServiceRequest",
    )
    return dict(session.execute(mine).tuples().all())
