"""A doctor, a patient who cannot show anything, and who looks at it afterwards."""

from typing import Any
from uuid import UUID

from werkzeug.test import TestResponse

from accounts.models import Role
from consent import service as consent
from core import db
from tests.support.city import City, Hospital, Patient, Staff, bearer

EVERYTHING, SECRET = "血常规", "精神科会诊"
STORY = "车祸送入，昏迷，须知既往过敏与用药"


class Bedside:
    """Hospital A has filed two reports, one of them sensitive; the patient is brought to hospital B."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.patient: Patient = city.patient()
        self.hospital: Hospital = city.hospital("市急救测试医院")
        self.doctor: Staff = city.staff(self.hospital, name="测试医生急")
        self.colleague: Staff = city.staff(self.hospital, name="测试医生同")
        self.office: Staff = city.staff(self.hospital, Role.MEDICAL_AFFAIRS, "测试医务科")
        home = city.hospital()
        city.place_report(self.patient, home, title=EVERYTHING)
        secret = city.place_report(self.patient, home, title=SECRET)
        with db.transaction() as session:
            consent.restrict_item(
                session,
                person_id=self.patient.person_id,
                hospital_id=home.id,
                of=("report", secret),
                sensitivity=consent.Sensitivity.PSYCHIATRIC,
                is_held=False,
            )

    def post(self, who: Staff | Patient, path: str, body: dict[str, Any] | None = None) -> TestResponse:
        return self.city.client.post(f"/api/v1{path}", json=body, headers=bearer(who.token))

    def get(self, who: Staff | Patient, path: str) -> TestResponse:
        return self.city.client.get(f"/api/v1{path}", headers=bearer(who.token))

    def body(self, who: Staff | None = None, patient: Patient | None = None, **changes: Any) -> dict[str, Any]:
        found = {
            "certificate_type": "01",
            "certificate_number": (patient or self.patient).certificate_number,
            "reason": "unconscious",
            "text": STORY,
            "terminal": self.hospital.terminal,
            "department": "2000",
            "password": (who or self.doctor).password,
        }
        return {name: value for name, value in (found | changes).items() if value is not None}

    def open(self, who: Staff | None = None, patient: Patient | None = None, **changes: Any) -> TestResponse:
        """The doctor opens the records by the document that was found on the patient."""
        return self.post(who or self.doctor, "/emergency-accesses", self.body(who, patient, **changes))

    def opened(self, who: Staff | None = None, patient: Patient | None = None, **changes: Any) -> dict[str, Any]:
        reply = self.open(who, patient, **changes)
        assert reply.status_code == 201, reply.text
        found: dict[str, Any] = reply.get_json()
        return found

    def read(self, visit_id: str | UUID, who: Staff | None = None) -> TestResponse:
        return self.get(who or self.doctor, f"/visits/{visit_id}/timeline")

    def titles(self, visit_id: str | UUID, who: Staff | None = None) -> set[str]:
        reply = self.read(visit_id, who)
        assert reply.status_code == 200, reply.text
        return {item["title"] for item in reply.json["items"]}

    def end(self, access_id: str, who: Staff | None = None) -> TestResponse:
        return self.post(who or self.doctor, f"/emergency-accesses/{access_id}/end")

    def review(self, access_id: str, finding: str = "emergency_confirmed", who: Staff | None = None) -> TestResponse:
        body = {"finding": finding, "text": "已核对急诊病历与值班记录。"}
        return self.post(who or self.office, f"/emergency-accesses/{access_id}/review", body)

    def notices(self, who: Patient | None = None) -> list[str]:
        """Of which kinds the patient was told, newest first."""
        reply = self.get(who or self.patient, "/notices")
        return [notice["kind"] for notice in reply.json["notices"]]


def refused(reply: TestResponse) -> tuple[int, str]:
    return reply.status_code, reply.json["code"]
