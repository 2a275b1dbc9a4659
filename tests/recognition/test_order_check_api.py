"""On ordering, a doctor is reminded of a valid result, and answers."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from accounts.models import Role
from core import clock, db
from core.actor import SYSTEM
from recognition import service as recognition
from records.fhir.systems import PATIENT_NUMBER
from tests.support import fhir
from tests.support.city import City, Hospital, Patient, Staff, bearer

GLUCOSE = "2345-7"


class Case:
    """A patient tested at hospital A and now with a doctor at hospital B."""

    def __init__(self, city: City, *, is_qualified: bool = True, performed_days_ago: int = 1) -> None:
        self.city = city
        self.performed_days_ago = performed_days_ago
        self.a, self.b = city.hospital("市第一测试医院"), city.hospital("市第二测试医院")
        self.patient = city.patient()
        self.doctor = city.staff(self.b)
        self.add_catalogue(self.a, is_qualified)
        self.report_id = self.file_report(city.staff(self.a, Role.REGISTRAR), self.patient)
        self.visit_id = city.visit(self.doctor, self.patient, self.b)

    def add_catalogue(self, hospital: Hospital, is_qualified: bool) -> None:
        today = clock.now().date()
        with db.transaction() as session:
            item_id = recognition.add_item(
                session,
                SYSTEM,
                code=GLUCOSE,
                name="葡萄糖",
                category="laboratory",
                scope="测试市",
                validity_days=7,
                amount_fen=600,
            )
            if is_qualified:
                recognition.qualify_hospital(
                    session,
                    SYSTEM,
                    hospital_id=hospital.id,
                    item_id=item_id,
                    valid_from=today - timedelta(days=30),
                    valid_until=today + timedelta(days=30),
                )

    def file_report(self, desk: Staff, patient: Patient) -> str:
        self.city.visit(desk, patient, self.a, patient_number="MZ1")
        performed = (clock.now() - timedelta(days=self.performed_days_ago)).isoformat()
        report = fhir.report((PATIENT_NUMBER, "MZ1"), effectiveDateTime=performed, issued=performed)
        reply = fhir.send(self.city, self.city.machine(self.a), fhir.bundle(report, fhir.observation()))
        return fhir.report_id_of(reply)

    def check(self, code: str = GLUCOSE, visit_id: UUID | None = None) -> Any:
        path = f"/api/v1/visits/{visit_id or self.visit_id}/order-checks"
        return self.city.client.post(path, json={"item_codes": [code]}, headers=bearer(self.doctor.token))

    def answer(self, answer: str, reason: str | None = None, **changes: str) -> Any:
        body = {"item_code": GLUCOSE, "report_id": self.report_id, "answer": answer, "reason": reason} | changes
        path = f"/api/v1/visits/{self.visit_id}/recognitions"
        return self.city.client.post(path, json=body, headers=bearer(self.doctor.token))


def test_a_valid_result_of_another_hospital_is_reminded_of(city: City) -> None:
    case = Case(city)
    reminders = case.check().json["reminders"]
    assert [(r["report_id"], r["mark"], r["hospital_name"], r["amount_fen"]) for r in reminders] == [
        (case.report_id, "测试市HR", "市第一测试医院", 600)
    ]
    assert case.check("718-7").json["reminders"] == []


@pytest.mark.parametrize("changes", [{"is_qualified": False}, {"performed_days_ago": 8}])
def test_what_is_not_qualified_or_too_old_does_not_count(city: City, changes: dict[str, Any]) -> None:
    assert Case(city, **changes).check().json["reminders"] == []


def test_the_answer_is_kept_once_and_shown_in_the_access_log(city: City) -> None:
    case = Case(city)
    first, again = case.answer("refused", "01"), case.answer("refused", "01")
    assert (first.status_code, again.json) == (201, first.json)
    rows = city.client.get("/api/v1/access-log", headers=bearer(case.patient.token)).json["rows"]
    assert [row["action"] for row in rows].count("recognition.result.refused") == 1
    other = case.answer("recognised")
    assert (other.status_code, other.json["code"]) == (409, "recognition.already_answered")


def test_a_refusal_needs_a_reason_and_recognition_has_none(city: City) -> None:
    case = Case(city)
    for reply in (case.answer("refused"), case.answer("recognised", "01")):
        assert (reply.status_code, reply.json["code"]) == (422, "recognition.reason_mismatch")


def test_what_is_not_reminded_of_cannot_be_answered(city: City) -> None:
    case = Case(city)
    reply = case.answer("recognised", report_id=str(case.visit_id))
    assert (reply.status_code, reply.json["code"]) == (404, "recognition.reminder_not_found")
    other = case.check(visit_id=UUID(int=1))
    assert (other.status_code, other.json["code"]) == (404, "records.visit_not_found")


def test_nothing_is_said_after_a_revoke(city: City) -> None:
    case = Case(city)
    grants = city.client.get("/api/v1/grants", headers=bearer(case.patient.token)).json["grants"]
    for grant in grants:
        city.client.post(f"/api/v1/grants/{grant['id']}/revoke", json={}, headers=bearer(case.patient.token))
    reply = case.check()
    assert (reply.status_code, reply.json["code"]) == (403, "consent.nothing_shared")
