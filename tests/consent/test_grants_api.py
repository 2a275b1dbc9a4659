"""Nothing is seen before the scan, everything shared after it, and nothing after a revoke."""

from uuid import UUID

import pytest
from werkzeug.test import TestResponse

from accounts.models import Role
from core.ids import new_id
from tests.conftest import SteppingClock
from tests.support.city import City, Hospital, Patient, Staff, bearer

TITLE = "血常规"


class Care:
    """Hospital A has filed a report; the patient now comes to hospital B."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.patient: Patient = city.patient()
        self.hospital: Hospital = city.hospital("市第二测试医院")
        self.doctor: Staff = city.staff(self.hospital, name="测试医生乙")
        city.place_report(self.patient, city.hospital(), title=TITLE)

    def check_in(self) -> UUID:
        return self.city.visit(self.doctor, self.patient, self.hospital)

    def read(self, visit_id: UUID, by: Staff | None = None) -> TestResponse:
        return self.city.client.get(f"/api/v1/visits/{visit_id}/timeline", headers=bearer((by or self.doctor).token))

    def grants(self) -> list[dict[str, str]]:
        reply = self.city.client.get("/api/v1/grants", headers=bearer(self.patient.token))
        grants: list[dict[str, str]] = reply.get_json()["grants"]
        return grants

    def revoke(self, grant_id: object, by: Patient | None = None) -> TestResponse:
        path = f"/api/v1/grants/{grant_id}/revoke"
        return self.city.client.post(path, headers=bearer((by or self.patient).token))


@pytest.fixture
def care(city: City) -> Care:
    return Care(city)


def check_unseen(reply: TestResponse, status: int = 403, code: str = "consent.nothing_shared") -> None:
    assert (reply.status_code, reply.json["code"]) == (status, code)
    assert TITLE not in reply.text


def test_a_doctor_sees_nothing_before_the_scan_and_the_report_after_it(care: Care) -> None:
    check_unseen(care.read(new_id()), 404, "records.visit_not_found")
    static = care.city.scan(
        care.doctor,
        care.city.code(care.patient, "static"),
        care.hospital,
        certificate_number=care.patient.certificate_number,
    )
    check_unseen(care.read(static.json["visit_id"]))
    seen = care.read(care.check_in())
    assert seen.status_code == 200
    assert [item["title"] for item in seen.json["items"]] == [TITLE]
    assert seen.headers["Cache-Control"] == "no-store"


def test_after_a_revoke_the_next_request_is_refused(care: Care) -> None:
    visit_id = care.check_in()
    (grant,) = care.grants()
    assert grant["status"] == "in_force"
    assert grant["hospital_name"] == "市第二测试医院"
    revoked = care.revoke(grant["id"])
    assert (revoked.status_code, revoked.json["status"], revoked.json["version"]) == (200, "revoked", 2)
    check_unseen(care.read(visit_id))
    again = care.revoke(grant["id"])
    assert (again.status_code, again.json["version"]) == (200, 2)
    assert again.json["revoked_at"] == revoked.json["revoked_at"]


def test_a_new_scan_after_a_revoke_shares_again(care: Care) -> None:
    care.check_in()
    care.revoke(care.grants()[0]["id"])
    assert care.read(care.check_in()).status_code == 200
    assert sorted(grant["status"] for grant in care.grants()) == ["in_force", "revoked"]


def test_a_grant_ends_by_itself_after_a_day(care: Care, stepping_clock: SteppingClock) -> None:
    visit_id = care.check_in()
    stepping_clock.forward(hours=23, minutes=59, seconds=59)
    assert care.read(visit_id, by=care.city.staff(care.hospital)).status_code == 200
    stepping_clock.forward(seconds=1)
    late = care.city.staff(care.hospital)
    check_unseen(care.read(visit_id, by=late))


def test_a_grant_is_for_one_hospital_and_one_patient(care: Care) -> None:
    visit_id = care.check_in()
    elsewhere, other = care.city.hospital("市第三测试医院"), care.city.patient()
    stranger = care.city.staff(elsewhere)
    check_unseen(care.read(visit_id, by=stranger), 404, "records.visit_not_found")
    visit_of_other = care.city.visit(stranger, other, elsewhere)
    seen = care.read(visit_of_other, by=stranger)
    assert seen.json["items"] == []
    assert TITLE not in seen.text


def test_a_registrar_sees_no_records(care: Care) -> None:
    registrar = care.city.staff(care.hospital, Role.REGISTRAR)
    check_unseen(care.read(care.check_in(), by=registrar), 403, "core.permission_missing")


def test_other_patients_find_neither_the_grant_nor_the_report(care: Care) -> None:
    visit_id = care.check_in()
    other = care.city.patient()
    for grant_id in (care.grants()[0]["id"], new_id()):
        reply = care.revoke(grant_id, by=other)
        assert (reply.status_code, reply.json["code"]) == (404, "consent.grant_not_found")
    assert care.city.client.get("/api/v1/grants", headers=bearer(other.token)).json["grants"] == []
    assert TITLE not in care.city.client.get("/api/v1/timeline", headers=bearer(other.token)).text
    assert care.read(visit_id).status_code == 200
    own = care.city.client.get("/api/v1/timeline", headers=bearer(care.patient.token))
    assert [item["title"] for item in own.json["items"]] == [TITLE]


def test_a_login_that_waits_for_a_desk_sees_nothing(care: Care) -> None:
    care.check_in()
    waiting, _ = care.city.login()
    body = {
        "certificate_type": "01",
        "certificate_number": care.patient.certificate_number,
        "name": care.patient.name,
        "phone": care.patient.phone,
    }
    assert care.city.client.post("/api/v1/registrations", json=body, headers=bearer(waiting)).status_code == 200
    for path, name in (("timeline", "items"), ("grants", "grants"), ("access-log", "rows"), ("cards", "cards")):
        assert care.city.client.get(f"/api/v1/{path}", headers=bearer(waiting)).json[name] == []
    reply = care.city.client.post(f"/api/v1/grants/{care.grants()[0]['id']}/revoke", headers=bearer(waiting))
    assert (reply.status_code, reply.json["code"]) == (404, "consent.grant_not_found")
