"""A registrar at a desk, who speaks through the interface."""

from typing import Any
from uuid import UUID

from werkzeug.test import TestResponse

from accounts.models import Role
from tests.support.city import City, Hospital, Patient, Staff, bearer, resident_id

DESK = "/api/v1/desk"


class Desk:
    """One hospital, one registrar."""

    def __init__(self, city: City, name: str = "市第一测试医院", role: Role = Role.REGISTRAR) -> None:
        self.city = city
        self.hospital: Hospital = city.hospital(name)
        self.staff: Staff = city.staff(self.hospital, role)

    def post(self, path: str, body: dict[str, Any] | None = None) -> TestResponse:
        return self.city.client.post(f"{DESK}{path}", json=body or {}, headers=bearer(self.staff.token))

    def get(self, path: str) -> TestResponse:
        return self.city.client.get(f"{DESK}{path}", headers=bearer(self.staff.token))

    def look_up(self, number: str, **changes: Any) -> TestResponse:
        body = {"certificate_type": "01", "certificate_number": number, "is_document_seen": True}
        return self.post("/look-ups", body | changes)

    def open(self, patient: Patient, **changes: Any) -> str:
        """The path of the patient, whose document was seen."""
        reply = self.look_up(patient.certificate_number, **changes)
        assert reply.status_code == 201, reply.text
        return f"/persons/{reply.json['look_up_id']}"

    def register(self, **changes: Any) -> TestResponse:
        body = {
            "certificate_type": "01",
            "certificate_number": resident_id(sex="male"),
            "name": "张测试",
            "phone": "13800000001",
        }
        return self.post("/registrations", body | changes)

    def certificate_id(self, path: str, number_tail: str = "") -> UUID:
        """The current certificate whose number ends so."""
        current = [row for row in self.get(path).json["certificates"] if row["state"] == "current"]
        return UUID(next(row["certificate_id"] for row in current if row["number"].endswith(number_tail)))


def refused(reply: TestResponse) -> tuple[int, str]:
    """Status and code."""
    return reply.status_code, reply.json["code"]
