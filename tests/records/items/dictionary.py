"""What the tests of the dictionary share: results under codes of a hospital's own."""

from typing import Any
from uuid import UUID

from core.dispatch import Dispatcher
from records.items.jobs import HANDLERS
from records.reports.incoming import LOCAL_CODE
from tests.support import fhir
from tests.support.city import City, Machine, Patient, bearer


def own_result(value: float, unit: str, code: str = "G01", name: str = "血糖", **changes: Any) -> dict[str, Any]:
    """A result as an older system sends it: its own code, no UCUM, no range, no flag."""
    result = fhir.observation(
        valueQuantity={"value": value, "unit": unit}, referenceRange=None, interpretation=None, **changes
    )
    return result | {"code": {"coding": [{"system": LOCAL_CODE, "code": code}], "text": name}}


def file_report(city: City, machine: Machine, patient: Patient, *lines: dict[str, Any], **changes: Any) -> UUID:
    """One report of these results."""
    report = fhir.report(fhir.card(patient.card_number), **changes)
    return UUID(fhir.report_id_of(fhir.send(city, machine, fhir.bundle(report, *lines))))


def fold(city: City) -> None:
    """The worker counts what filing noted."""
    Dispatcher(city.app, HANDLERS).run_due()


def map_code(city: City, token: str, **body: Any) -> Any:
    """Somebody says what a code means."""
    return city.client.post("/api/v1/code-mappings", json={"code_system": LOCAL_CODE} | body, headers=bearer(token))
