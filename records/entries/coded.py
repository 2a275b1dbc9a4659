"""What the entries of a life are about, for those who draw conclusions from their codes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import service as consent
from core import clock
from core.actor import Actor
from health_card import service as health_card
from records.entries.models import RecordEntry

# FHIR R4 and its terminology server name the international list and its modifications by these.
_ICD_10_SYSTEMS = "http://hl7.org/fhir/sid/icd-10"
_DID_NOT_HAPPEN = ("entered-in-error", "not-done", "planned", "draft", "preparation", "stopped", "cancelled", "revoked")
_NOT_SO = {"refuted", "entered-in-error"}


@dataclass(frozen=True)
class CodedEntry:
    """A current entry that says that something was so.

    :ivar codes: system and code each; the international list of diseases and its modifications are ``icd-10``.
    :ivar on: the day in the city. ``ended_on``: when a condition is said to have ended.
    :ivar is_lasting: a condition on the list of problems, not one of a single visit.
    """

    id: UUID
    resource_type: str
    codes: frozenset[tuple[str, str]]
    name: str
    hospital_id: UUID
    on: date
    ended_on: date | None
    is_lasting: bool


def list_coded(session: Session, actor: Actor, *, person_id: UUID, resource_types: Iterable[str]) -> list[CodedEntry]:
    """The entries of these types that the actor may see of a person, the earliest first.

    What was entered in error, did not happen or was found not to be so is left out. The caller releases and records
    the read (``consent.release``).
    """
    elements = ("code", "type", "vaccineCode", "category", "verificationStatus", "abatementDateTime", "abatementPeriod")
    entry = RecordEntry
    rows = session.execute(
        select(
            entry.id,
            entry.resource_type,
            entry.name,
            entry.hospital_id,
            entry.occurred_at,
            *(entry.content[name].label(name) for name in elements),
        )
        .where(entry.person_id.in_(health_card.same_person_ids(person_id)))
        .where(entry.resource_type.in_(list(resource_types)), entry.is_current, entry.status.not_in(_DID_NOT_HAPPEN))
        .where(consent.is_readable(actor, person_id=entry.person_id, object_id=entry.id))
        .order_by(entry.occurred_at, entry.id)
    )
    return [
        CodedEntry(
            id=row.id,
            resource_type=row.resource_type,
            codes=frozenset(code for of in (row.code, row.type, row.vaccineCode) for code in _read_codes(of)),
            name=row.name,
            hospital_id=row.hospital_id,
            on=clock.in_city(row.occurred_at).date(),
            ended_on=_read_day(row.abatementDateTime or (row.abatementPeriod or {}).get("end")),
            is_lasting=any(code == "problem-list-item" for each in row.category or [] for _, code in _read_codes(each)),
        )
        for row in rows
        if not {code for _, code in _read_codes(row.verificationStatus)} & _NOT_SO
    ]


def _read_codes(concept: Any) -> list[tuple[str, str]]:
    codings = concept.get("coding") or [] if isinstance(concept, dict) else []
    pairs = [(str(one.get("system", "")), str(one["code"])) for one in codings if one.get("code")]
    return [("icd-10" if system.startswith(_ICD_10_SYSTEMS) else system, code) for system, code in pairs]


def _read_day(written: str | None) -> date | None:
    """A date, or the day of a moment in the city; a month or a year alone is no day."""
    try:
        moment = datetime.fromisoformat(written or "")
    except ValueError:
        return None
    return clock.in_city(moment).date() if moment.tzinfo else moment.date()
