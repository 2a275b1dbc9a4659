"""What of a life is named beside its stages: birth, vaccinations, deliveries, lasting conditions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from records.entries.coded import CodedEntry
from records.life.pregnancies import is_delivery

# Birth certificate (LOINC 71230-7); liveborn infants (ICD-10 Z38).
_BIRTH_CERTIFICATE, _LIVEBORN = ("http://loinc.org", "71230-7"), "Z38"
RESOURCE_TYPES = ("Condition", "DocumentReference", "Immunization")


class EventKind(StrEnum):
    BIRTH = "birth"
    VACCINATION = "vaccination"
    DELIVERY = "delivery"
    CONDITION = "condition"


@dataclass(frozen=True)
class Event:
    """One of them. ``object_id``: of the entry that says so."""

    kind: EventKind
    on: date
    name: str
    object_id: UUID
    hospital_id: UUID


def list_events(entered: Iterable[CodedEntry]) -> list[Event]:
    """What of these entries is an event of a life, in their order."""
    return [
        Event(kind, entry.on, entry.name, entry.id, entry.hospital_id)
        for entry in entered
        for kind in [_find_kind(entry)]
        if kind is not None
    ]


def _find_kind(entry: CodedEntry) -> EventKind | None:
    if entry.resource_type == "Immunization":
        return EventKind.VACCINATION
    if _BIRTH_CERTIFICATE in entry.codes or any(
        system == "icd-10" and code.upper().startswith(_LIVEBORN) for system, code in entry.codes
    ):
        return EventKind.BIRTH
    if entry.resource_type == "Condition" and is_delivery(entry):
        return EventKind.DELIVERY
    return EventKind.CONDITION if entry.is_lasting else None
