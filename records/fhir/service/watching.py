"""The audit trail as an auditor reads it by FHIR: ids and codes of everybody, and that it was read stands in it."""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from accounts import service as accounts
from accounts.service import AuditFilter, AuditLine
from core.actor import Actor
from records.fhir.parameters import DateValue, Filter, Search
from records.fhir.refusals import FhirResourceNotFound, FhirSearchUnsupported
from records.fhir.service import conditions

PERMISSION = "accounts:audit:read"


def get_line(session: Session, actor: Actor, entry_id: UUID) -> AuditLine:
    """:raises FhirResourceNotFound: no such row."""
    found = accounts.list_audit_entries(session, actor, wanted=AuditFilter(id=entry_id), limit=1)
    if not found:
        raise FhirResourceNotFound
    return found[0]


def search_lines(session: Session, actor: Actor, search: Search) -> list[AuditLine]:
    """A page of the trail, newest first.

    :raises FhirSearchUnsupported: another parameter, one of them twice, or several values of one.
    """
    asked: dict[str, Any] = {}
    for one in search.filters:
        name, read = _QUESTIONS.get(one.asks, (None, None))
        if name is None or read is None or (len(one.values) != 1) or (name in asked):
            raise FhirSearchUnsupported(
                (one.asks, "The trail is asked by each of its parameters once, with one value.")
            )
        asked |= read(one) if name == "date" else {name: read(one)}
    if None in asked.values():
        # What is no id of ours leads to nothing.
        return []
    before = search.after.id if search.after else None
    return accounts.list_audit_entries(session, actor, wanted=AuditFilter(**asked), before=before, limit=search.count)


def _read_id(asked: Filter) -> UUID | None:
    return next((conditions.read_id(value.id) for value in asked.references), None)


def _read_token_id(asked: Filter) -> UUID | None:
    return next((conditions.read_id(value.code) for value in asked.tokens), None)


def _read_code(asked: Filter) -> str:
    return asked.tokens[0].code


def _read_period(asked: Filter) -> dict[str, Any]:
    """:raises FhirSearchUnsupported: not a period with a beginning and an end, nor one side of it."""
    (date,) = asked.dates
    sides: dict[str, Callable[[DateValue], Iterable[tuple[str, Any]]]] = {
        "eq": lambda day: (("since", day.start), ("until", day.end)),
        "ge": lambda day: (("since", day.start),),
        "sa": lambda day: (("since", day.end),),
        "gt": lambda day: (("since", day.end),),
        "lt": lambda day: (("until", day.start),),
        "eb": lambda day: (("until", day.start),),
        "le": lambda day: (("until", day.end),),
    }
    if date.prefix not in sides:
        raise FhirSearchUnsupported(("date", "eq, ge, gt, sa, le, lt and eb are known of the trail."))
    return dict(sides[date.prefix](date))


_QUESTIONS: dict[str, tuple[str, Callable[[Filter], Any]]] = {
    "patient": ("subject_id", _read_id),
    "agent": ("actor_id", _read_id),
    "entity": ("object_id", _read_id),
    "_id": ("id", _read_token_id),
    "subtype": ("action", _read_code),
    "entity-name": ("object_kind", _read_code),
    "date": ("date", _read_period),
}
