"""A desk scans a code."""

from accounts.models import Role
from tests.support.city import City, bearer


def test_a_dynamic_code_identifies_opens_a_visit_and_shares_the_records(city: City) -> None:
    hospital = city.hospital()
    desk, patient = city.staff(hospital, Role.REGISTRAR), city.patient()
    reply = city.scan(desk, city.code(patient), hospital, patient_number="MZ0001")
    assert reply.status_code == 201, reply.text
    assert reply.json["person"]["name"] == "张*试"
    assert reply.json["person"]["assurance"] == "asserted"
    assert patient.certificate_number not in reply.text
    assert reply.json["patient_number"] == "MZ0001"
    assert reply.json["access_until"]
    grants = city.client.get("/api/v1/grants", headers=bearer(patient.token)).json["grants"]
    assert [(grant["status"], grant["visit_id"]) for grant in grants] == [("in_force", reply.json["visit_id"])]
