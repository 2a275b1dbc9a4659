"""A patient of whom another hospital keeps a report, and a doctor who would like to see it."""

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from werkzeug.test import TestResponse

from accounts import service as accounts
from core import clock, db
from health_card.models import Holder, Relation
from tests.conftest import SteppingClock
from tests.support.city import City, Hospital, Patient, Staff, bearer

TITLE = "血常规"


@dataclass
class Asking:
    """What the phone and the doctor's place can do."""

    city: City
    patient: Patient = field(init=False)
    hospital: Hospital = field(init=False)
    doctor: Staff = field(init=False)
    report_id: UUID = field(init=False)

    def __post_init__(self) -> None:
        self.patient = self.city.patient()
        self.hospital = self.city.hospital("市第二测试医院")
        self.doctor = self.city.staff(self.hospital, name="测试医生乙")
        self.report_id = self.city.place_report(self.patient, self.city.hospital(), title=TITLE)

    def call(self, who: Patient | Staff, method: str, path: str, body: Any = None, **named: Any) -> TestResponse:
        return self.city.client.open(
            f"/api/v1{path}", method=method, json=body, headers=bearer(who.token) | named.pop("headers", {}), **named
        )

    def phone(self, method: str, path: str, body: Any = None, who: Patient | None = None) -> TestResponse:
        return self.call(who or self.patient, method, path, body)

    def later(self, stepping_clock: SteppingClock, **by: float) -> None:
        """So much time goes by, and both sign in again."""
        stepping_clock.forward(**by)
        signed_in = {"username": self.doctor.username, "password": self.doctor.password}
        with db.transaction() as session:
            self.doctor = replace(self.doctor, token=accounts.sign_in_staff(session, **signed_in).token)
        self.patient = sign_in_again(self.city, self.patient)

    def policy(self) -> Any:
        return self.phone("GET", "/sharing-policy").json

    def choose(self, treating: str = "yes", **changes: Any) -> TestResponse:
        """The two taps: read, and choose anew."""
        read = self.policy()
        body = {"treating": treating, "version": read["version"], "notice_hash": read["notice"]["hash"]}
        return self.phone("PUT", "/sharing-policy", body | changes)

    def scan(self, **changes: Any) -> Any:
        reply = self.city.scan(self.doctor, self.city.code(self.patient), self.hospital, **changes)
        assert reply.status_code == 201, reply.text
        return reply.json

    def sees(self, visit_id: Any, by: Staff | None = None) -> list[str] | None:
        """The titles on the shared timeline; None: nothing is shared."""
        reply = self.call(by or self.doctor, "GET", f"/visits/{visit_id}/timeline")
        if reply.status_code != 200:
            assert reply.json["code"] == "consent.nothing_shared", reply.text
            assert TITLE not in reply.text
            return None
        return [item["title"] for item in reply.json["items"]]

    def grants(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.phone("GET", "/grants").json["grants"]
        return found

    def ask(self, by: Staff | None = None, **changes: Any) -> TestResponse:
        body = {"reason": "history", "purpose": "treatment", "circle": "hospital"} | changes
        return self.call(by or self.doctor, "POST", "/sent-access-requests", body)

    def ask_at(self, visit_id: Any, by: Staff | None = None, **changes: Any) -> str:
        reply = self.ask(by, visit_id=str(visit_id), **changes)
        assert reply.status_code == 201, reply.text
        return str(reply.json["id"])

    def waiting(self, who: Patient | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.phone("GET", "/access-requests?state=requested", who=who).json["requests"]
        return found

    def grant(self, request_id: Any, **part: Any) -> TestResponse:
        return self.phone("POST", f"/access-requests/{request_id}/grant", {"version": 1} | part)

    def deny(self, request_id: Any, **changes: Any) -> TestResponse:
        return self.phone("POST", f"/access-requests/{request_id}/deny", {"version": 1} | changes)

    def sent(self, request_id: Any, by: Staff | None = None) -> Any:
        return self.call(by or self.doctor, "GET", f"/sent-access-requests/{request_id}").json


def refused(reply: TestResponse, status: int, code: str) -> bool:
    assert (reply.status_code, reply.json["code"]) == (status, code), reply.text
    return True


def sign_in_again(city: City, patient: Patient) -> Patient:
    """The phone asks for its next tokens."""
    tokens = city.client.post("/api/v1/sessions/refresh", json={"refresh_token": patient.refresh_token}).json
    return replace(patient, token=tokens["access_token"], refresh_token=tokens["refresh_token"])


def let_act(actor: Patient, person: Patient, relation: Relation) -> None:
    """A desk has confirmed that one login acts for another's person."""
    now = clock.now()
    with db.transaction() as session:
        session.add(
            Holder(
                login_id=actor.actor.id,
                person_id=person.person_id,
                relation=relation,
                created_at=now,
                confirmed_at=now,
            )
        )
