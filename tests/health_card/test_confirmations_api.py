"""A desk asks, the patient confirms with a tap within a minute."""

from dataclasses import dataclass
from uuid import UUID

import pytest
from werkzeug.test import TestResponse

from accounts.models import Role
from core.ids import new_id
from tests.conftest import SteppingClock
from tests.support.city import City, Hospital, Patient, Staff, bearer


@dataclass(frozen=True)
class Desk:
    """A desk that has just identified a patient."""

    city: City
    hospital: Hospital
    staff: Staff
    patient: Patient
    visit_id: UUID

    def ask(self, purpose: str = "records", staff: Staff | None = None) -> TestResponse:
        path = f"/api/v1/visits/{self.visit_id}/confirmations"
        return self.city.client.post(path, json={"purpose": purpose}, headers=bearer((staff or self.staff).token))

    def look(self, confirmation_id: str, staff: Staff | None = None) -> TestResponse:
        path = f"/api/v1/desk/confirmations/{confirmation_id}"
        return self.city.client.get(path, headers=bearer((staff or self.staff).token))

    def pending(self, patient: Patient | None = None) -> list[dict[str, str]]:
        headers = bearer((patient or self.patient).token)
        found: list[dict[str, str]] = self.city.client.get("/api/v1/confirmations", headers=headers).json[
            "confirmations"
        ]
        return found

    def answer(self, confirmation_id: str, answer: str, patient: Patient | None = None) -> TestResponse:
        path = f"/api/v1/confirmations/{confirmation_id}/answer"
        headers = bearer((patient or self.patient).token)
        return self.city.client.post(path, json={"answer": answer}, headers=headers)


@pytest.fixture
def desk(city: City) -> Desk:
    hospital, patient = city.hospital("市第二测试医院"), city.patient()
    staff = city.staff(hospital, Role.REGISTRAR)
    return Desk(city, hospital, staff, patient, city.visit(staff, patient, hospital))


def test_the_patient_sees_who_asks_for_what_and_confirms(desk: Desk) -> None:
    asked = desk.ask("credit")
    assert (asked.status_code, asked.json["state"]) == (201, "waiting")
    (waiting,) = desk.pending()
    assert (waiting["hospital_name"], waiting["purpose"]) == ("市第二测试医院", "credit")
    assert waiting["confirmation_id"] == asked.json["confirmation_id"]
    assert desk.answer(waiting["confirmation_id"], "confirmed").status_code == 204
    assert desk.look(waiting["confirmation_id"]).json["state"] == "confirmed"
    assert desk.pending() == []


def test_an_answer_stays_as_it_was_given(desk: Desk) -> None:
    asked = desk.ask().json["confirmation_id"]
    assert desk.answer(asked, "refused").status_code == 204
    assert desk.answer(asked, "refused").status_code == 204
    other = desk.answer(asked, "confirmed")
    assert (other.status_code, other.json["code"]) == (409, "health_card.confirmation_answered")
    assert desk.look(asked).json["state"] == "refused"


def test_a_request_waits_sixty_seconds(desk: Desk, stepping_clock: SteppingClock) -> None:
    asked = desk.ask().json["confirmation_id"]
    stepping_clock.forward(seconds=60)
    assert desk.pending() == []
    late = desk.answer(asked, "confirmed")
    assert (late.status_code, late.json["code"]) == (410, "health_card.confirmation_expired")
    assert desk.look(asked).json["state"] == "expired"
    assert desk.ask().json["confirmation_id"] != asked


def test_asking_again_while_it_waits_is_the_same_request(desk: Desk) -> None:
    first, again, other = desk.ask("records"), desk.ask("records"), desk.ask("account")
    assert first.json["confirmation_id"] == again.json["confirmation_id"] != other.json["confirmation_id"]
    assert len(desk.pending()) == 2


def test_nobody_else_answers_or_looks(desk: Desk) -> None:
    asked = desk.ask().json["confirmation_id"]
    stranger, elsewhere = desk.city.patient(), desk.city.staff(desk.city.hospital())
    assert desk.pending(stranger) == []
    for refused in (desk.answer(asked, "confirmed", stranger), desk.look(asked, elsewhere), desk.look(str(new_id()))):
        assert (refused.status_code, refused.json["code"]) == (404, "health_card.confirmation_not_found")
    foreign = desk.ask(staff=elsewhere)
    assert (foreign.status_code, foreign.json["code"]) == (404, "records.visit_not_found")
    assert desk.look(asked).json["state"] == "waiting"


def test_a_printed_code_has_no_phone_to_ask(desk: Desk) -> None:
    city = desk.city
    static = city.code(desk.patient, "static")
    visit = city.scan(desk.staff, static, desk.hospital, certificate_number=desk.patient.certificate_number)
    path = f"/api/v1/visits/{visit.json['visit_id']}/confirmations"
    refused = city.client.post(path, json={"purpose": "records"}, headers=bearer(desk.staff.token))
    assert (refused.status_code, refused.json["code"]) == (409, "health_card.confirmation_not_possible")


def notices(patient: Patient, city: City) -> list[dict[str, str]]:
    listed = city.client.get("/api/v1/notices", headers=bearer(patient.token)).json["notices"]
    return [notice for notice in listed if notice["kind"] == "confirmation_asked"]


def test_a_request_is_told_at_once_and_says_so_when_it_has_expired(desk: Desk, stepping_clock: SteppingClock) -> None:
    asked = desk.ask("credit").json["confirmation_id"]
    desk.ask("credit")
    (told,) = notices(desk.patient, desk.city)
    assert (told["object_kind"], told["object_id"], told["hospital_name"]) == (
        "confirmation",
        asked,
        "市第二测试医院",
    )
    assert "60 秒内" in told["body"]
    stepping_clock.forward(seconds=60)
    assert "已过期" in notices(desk.patient, desk.city)[0]["body"]
