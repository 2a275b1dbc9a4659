"""Each guard taken out once: the canaries tell. What stays green here would not see it in the product either."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import ColumnElement, select, true

from consent import service as consent
from consent.service import access_log
from core import audit
from core.actor import Actor
from health_card import service as health_card
from health_card.models import Person
from records.entries import service as entries
from records.exports import service as exports
from records.exports.models import RecordExport
from records.fhir.service import reading as fhir_reading
from records.fhir.service import registry as fhir_registry
from records.fhir.service import results as fhir_results
from records.images.service import reading as images
from records.images.service import retrieving, searching
from records.orders import service as orders
from records.reports.service import reading as reports
from records.timeline import reading as timeline_pages
from records.timeline import service as timeline
from records.trends import service as trends
from records.viewing import service as viewing
from tests.canary.asking import Asking
from tests.canary.judging import Judge
from tests.canary.test_canary import plan

pytestmark = pytest.mark.prove

LEAK, UNLOGGED, NOT_SEEN = "a leak", "seen and not in the access log", "not seen"
_EVERYBODY = "SELECT id, root_id, 'self'::text AS relation, true AS is_own, true AS is_confided FROM persons"
_NOBODY = "SELECT id, root_id, 'self'::text AS relation, true AS is_own, true AS is_confided FROM persons WHERE false"
_LOOKS = "SELECT DISTINCT person_id, object_id, true AS is_recorded FROM found"


class Without:
    """A package's service with some of its functions replaced, for one module that asks it."""

    def __init__(self, whole: Any, **replaced: Any) -> None:
        self.__dict__.update(replaced)
        self._whole = whole

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)


def _always(*_args: Any, **_named: Any) -> ColumnElement[bool]:
    return true()


def _everybody(*_args: Any, **_named: Any) -> Any:
    return select(Person.id)


def _open_gate(actor: Actor) -> consent.Gate:
    return replace(consent.gate_of(actor), readable=_EVERYBODY, is_known="true", looks=_LOOKS)


def _shut_gate(actor: Actor) -> consent.Gate:
    return replace(consent.gate_of(actor), readable=_NOBODY)


def _nothing(*_args: Any, **_named: Any) -> None:
    return None


def _released(_session: Any, _actor: Actor, *, person_id: UUID, **_named: Any) -> consent.Release:
    return consent.Release(person_id, "treatment", None)


UNASKED = Without(
    consent,
    gate_of=_open_gate,
    is_readable=_always,
    is_known_to=_always,
    readable_person_ids=_everybody,
    release=_released,
    record_reading=_nothing,
)
UNRECORDED = Without(consent, release=_nothing, record_reading=_nothing)
SHUT = Without(consent, gate_of=_shut_gate)


def _all_exports(_actor: Actor) -> Any:
    return select(RecordExport)


# What is replaced where, which routes tell, and what they tell.
SABOTAGES: dict[str, tuple[list[tuple[Any, str, Any]], str, str]] = {
    "timeline of one's own": ([(timeline_pages, "consent", UNASKED)], "timeline.read_own", LEAK),
    "timeline of a visit": (
        [(timeline_pages, "consent", UNASKED), (timeline, "consent", UNASKED)],
        "timeline.read_shared",
        LEAK,
    ),
    "report": ([(reports, "consent", UNASKED)], "reports.read_report", LEAK),
    "version of a report": ([(reports, "consent", UNASKED)], "reports.read_version", LEAK),
    "document in a report": ([(reports, "consent", UNASKED)], "reports.read_attachment", LEAK),
    "report on paper": ([(reports, "consent", UNASKED)], "documents.print_report", LEAK),
    "FHIR search of reports": (
        [(fhir_results, "consent", UNASKED), (fhir_reading, "consent", UNASKED)],
        "fhir.search_DiagnosticReport",
        LEAK,
    ),
    "FHIR search of entries": ([(fhir_reading, "consent", UNASKED)], "fhir.search_Condition", LEAK),
    "FHIR read of a report": (
        [(fhir_results, "consent", UNASKED), (fhir_reading, "consent", UNASKED)],
        "fhir.read_DiagnosticReport",
        LEAK,
    ),
    "FHIR read of an entry": ([(fhir_reading, "consent", UNASKED)], "fhir.vread_Condition", LEAK),
    "FHIR read of a person": (
        [(fhir_registry, "consent", UNASKED)],
        "fhir.(read|search)_Patient",
        LEAK,
    ),
    "DICOMweb list": ([(searching, "consent", UNASKED)], "dicomweb.search_studies", LEAK),
    "DICOMweb metadata": ([(searching, "consent", UNASKED), (retrieving, "consent", UNASKED)], "dicomweb.*meta", LEAK),
    "DICOMweb object": ([(retrieving, "consent", UNASKED)], "dicomweb.retrieve_instance", LEAK),
    "study": ([(images, "consent", UNASKED)], "images.read_study", LEAK),
    "page of images": (
        [(viewing, "consent", UNASKED), (images, "consent", UNASKED)],
        "viewing_pages.show",
        LEAK,
    ),
    "export": ([(exports, "_mine", _all_exports), (exports, "consent", UNASKED)], "exports.download_export", LEAK),
    "trend": ([(trends, "consent", UNASKED)], "trends.read_trend", LEAK),
    "entry": ([(entries, "consent", UNASKED)], "entries.read_entry", LEAK),
    "access log": (
        [(access_log, "health_card", Without(health_card, held_person_ids=_everybody))],
        "access_log.list_rows",
        LEAK,
    ),
    "app's scopes": ([(Actor, "can", lambda *_: True)], "fhir.read_DiagnosticReport", LEAK),
    "access row of a report": ([(reports, "consent", UNRECORDED)], "reports.read_report", UNLOGGED),
    "access row of a timeline": ([(timeline, "consent", UNRECORDED)], "timeline.read_own", UNLOGGED),
    "access rows of orders": (
        [(orders, "audit", Without(audit, record_act=_nothing))],
        "orders.list_house_orders",
        UNLOGGED,
    ),
    "what may be seen": ([(reports, "consent", SHUT)], "reports.read_report", "refused"),
}


@pytest.mark.parametrize("guard", SABOTAGES)
def test_a_guard_that_is_taken_out_is_missed(
    app: Flask, asking: Asking, monkeypatch: pytest.MonkeyPatch, guard: str
) -> None:
    replaced, routes, fault = SABOTAGES[guard]
    cases = plan(asking, shown=20, allowed=200, refused=40, routes=routes)
    whole = Judge(asking)
    for place, name, value in replaced:
        monkeypatch.setattr(place, name, value)
    with whole.listening():
        for number, (who, ask, member) in enumerate(cases):
            whole.judge(who, ask, member, number=number)
    assert [told for told in whole.faults if told.startswith(fault)], sorted(whole.faults)[:5]
