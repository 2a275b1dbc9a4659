"""The patient reads who looked: who, which hospital, what, why, by which grant; his own rows only."""

from typing import Any

import pytest

from core.ids import new_id
from tests.support.city import City, Patient, bearer


def read_log(city: City, patient: Patient, **query: str) -> list[dict[str, Any]]:
    reply = city.client.get("/api/v1/access-log", headers=bearer(patient.token), query_string=query)
    assert reply.status_code == 200
    rows: list[dict[str, Any]] = reply.get_json()["rows"]
    return rows


def test_each_look_of_a_doctor_stands_in_it_with_its_grant_and_version(city: City) -> None:
    hospital, patient = city.hospital("市第二测试医院"), city.patient()
    doctor = city.staff(hospital, name="测试医生乙")
    visit_id = city.visit(doctor, patient, hospital)
    shared = f"/api/v1/visits/{visit_id}/timeline"
    for _ in range(2):
        assert city.client.get(shared, headers=bearer(doctor.token)).status_code == 200
    (grant,) = city.client.get("/api/v1/grants", headers=bearer(patient.token)).json["grants"]
    looks = [row for row in read_log(city, patient) if row["action"] == "records.timeline.read"]
    assert len(looks) == 2
    for row in looks:
        assert (row["who_kind"], row["who"], row["hospital_name"]) == ("staff", "测试医生乙", "市第二测试医院")
        assert (row["purpose"], row["grant_id"], row["grant_version"]) == ("treatment", grant["id"], 1)
        assert row["at"]
    revoked = city.client.post(f"/api/v1/grants/{grant['id']}/revoke", headers=bearer(patient.token))
    assert revoked.status_code == 200
    assert city.client.get(shared, headers=bearer(doctor.token)).status_code == 403
    newest = read_log(city, patient)[0]
    assert (newest["action"], newest["who"], newest["grant_version"]) == ("consent.grant.revoked", "本人", 2)


def test_ones_own_looking_stands_in_it_too(city: City) -> None:
    patient = city.patient()
    city.place_report(patient, city.hospital())
    assert city.client.get("/api/v1/timeline", headers=bearer(patient.token)).status_code == 200
    newest = read_log(city, patient)[0]
    assert (newest["action"], newest["who"], newest["purpose"]) == ("records.timeline.read", "本人", "own")
    assert "grant_id" not in newest


def test_another_login_is_not_shown_as_oneself(city: City) -> None:
    patient, (other, _) = city.patient(), city.login()
    body = {
        "certificate_type": "01",
        "certificate_number": patient.certificate_number,
        "name": patient.name,
        "phone": patient.phone,
    }
    assert city.client.post("/api/v1/registrations", json=body, headers=bearer(other)).status_code == 200
    newest, first = read_log(city, patient)[0], read_log(city, patient)[-1]
    assert (newest["action"], newest["who"]) == ("health_card.person.registered_again", "另一个微信登录")
    assert (first["action"], first["who"]) == ("health_card.person.registered", "本人")


def test_only_ones_own_rows_are_in_it(city: City) -> None:
    hospital, mine, other = city.hospital(), city.patient(), city.patient()
    doctor = city.staff(hospital)
    city.visit(doctor, other, hospital)
    assert [row["action"] for row in read_log(city, mine)] == ["health_card.person.registered"]
    assert len(read_log(city, other)) == 5
    token, _ = city.login()
    assert city.client.get("/api/v1/access-log", headers=bearer(token)).json["rows"] == []


def test_pages_follow_each_other_without_gap_or_repeat(city: City) -> None:
    patient = city.patient()
    for _ in range(105):
        city.code(patient)
    seen: list[str] = []
    rows = read_log(city, patient)
    while rows:
        seen += [row["id"] for row in rows]
        rows = read_log(city, patient, before=seen[-1])
    assert len(seen) == len(set(seen)) == 106
    assert read_log(city, patient, before=str(new_id())) == []


@pytest.mark.parametrize("who", ["staff", "machine"])
def test_nobody_else_has_an_access_log_to_read(city: City, who: str) -> None:
    hospital = city.hospital()
    token = city.staff(hospital).token if who == "staff" else city.machine(hospital).token
    reply = city.client.get("/api/v1/access-log", headers=bearer(token))
    assert (reply.status_code, reply.json["code"]) == (403, "core.permission_missing")
