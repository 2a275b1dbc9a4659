"""Two parents, a desk, and what they do."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from werkzeug.test import TestResponse

from accounts.models import Role
from core import clock, db
from health_card import service as health_card
from health_card.certificates import CertificateType, check_certificate
from tests.support.browsing import Browser
from tests.support.city import City, Hospital, Patient, Staff, bearer, resident_id


def today() -> date:
    return clock.in_city(clock.now()).date()


def born_years_ago(years: int, *, days: int = 0) -> date:
    """A birth date: ``years`` years before today (28 February stands for 29), and ``days`` later."""
    now = today()
    day = 28 if (now.month, now.day) == (2, 29) else now.day
    return now.replace(year=now.year - years, day=day) + timedelta(days=days)


def number_of(born: date, sex: str = "male") -> str:
    return resident_id(born.strftime("%Y%m%d"), sex)


@dataclass
class Household:
    city: City
    mother: Patient
    father: Patient
    hospital: Hospital
    registrar: Staff

    @classmethod
    def open(cls, city: City) -> "Household":
        hospital = city.hospital()
        mother, father = city.patient("李测试", "13800000011"), city.patient("王测试", "13800000012")
        return cls(city, mother, father, hospital, city.staff(hospital, Role.REGISTRAR, "测试登记员"))

    def post(self, who: Patient | Staff, path: str, body: dict[str, Any]) -> TestResponse:
        return self.city.client.post(f"/api/v1{path}", json=body, headers=bearer(who.token))

    def add(self, who: Patient, born: date | None = None, **changes: Any) -> TestResponse:
        """Add a child of six, unless told otherwise."""
        body = {
            "certificate_type": "01",
            "certificate_number": number_of(born or born_years_ago(6)),
            "name": "王小测",
            "relation": "child",
        } | changes
        return self.post(who, "/family", body)

    def add_newborn(self, who: Patient, **changes: Any) -> TestResponse:
        body = {
            "name": "李测试之子",
            "sex": "male",
            "birth_date": today().isoformat(),
            "mother_certificate_number": self.mother.certificate_number,
        } | changes
        return self.post(who, "/family/newborns", body)

    def invite(self, who: Patient, **body: Any) -> TestResponse:
        return self.post(who, "/family/invitations", body)

    def accept(self, who: Patient, code: str) -> TestResponse:
        return self.post(who, "/family/invitations/accept", {"code": code})

    def hand_over(self, who: Patient, holder_id: str) -> TestResponse:
        return self.post(who, f"/family/{holder_id}/hand-over", {"relation": "child"})

    def leave(self, who: Patient, holder_id: str) -> TestResponse:
        return self.city.client.delete(f"/api/v1/family/{holder_id}", headers=bearer(who.token))

    def family(self, who: Patient) -> Any:
        return self.city.client.get("/api/v1/family", headers=bearer(who.token)).json

    def cards(self, who: Patient) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.city.client.get("/api/v1/cards", headers=bearer(who.token)).json["cards"]
        return found

    def card_of(self, who: Patient, person_name: str) -> dict[str, Any] | None:
        """The card that this login holds for somebody of this masked name."""
        return next((card for card in self.cards(who) if card["name"] == person_name), None)

    def second_guardian(self, holder_id: str) -> TestResponse:
        """The mother invites the father."""
        invited = self.invite(self.mother, kind="guardian", relation="child", holder_id=holder_id)
        assert invited.status_code == 201, invited.text
        return self.accept(self.father, invited.json["code"])

    def look_up(self, visitor: Patient | str, **changes: Any) -> TestResponse:
        return self.post(self.registrar, "/desk/holders/look-up", document(visitor) | changes)

    def confirm(
        self, visitor: Patient | str, holder_id: str, proof: str = "birth_certificate", **changes: Any
    ) -> TestResponse:
        body = document(visitor) | {"proof": proof} | changes
        return self.post(self.registrar, f"/desk/holders/{holder_id}/confirm", body)

    def refuse(self, visitor: Patient | str, holder_id: str, reason: str = "relation_not_proven") -> TestResponse:
        return self.post(self.registrar, f"/desk/holders/{holder_id}/refuse", document(visitor) | {"reason": reason})

    def give_number(self, visitor: Patient | str, holder_id: str, number: str, **changes: Any) -> TestResponse:
        own = {"child_certificate_type": "01", "child_certificate_number": number}
        return self.post(self.registrar, f"/desk/holders/{holder_id}/certificate", document(visitor) | own | changes)

    def minor(self, years: int = 15) -> Patient:
        """Somebody of this age with a login of his own."""
        token, refresh_token = self.city.login()
        actor, number = self.city.actor(token), number_of(born_years_ago(years))
        certificate = check_certificate(CertificateType.RESIDENT_ID, number)
        details = health_card.Details(name="王小测", phone="13800000013", certificate=certificate)
        with db.transaction() as session:
            done = health_card.register_person(session, actor, details=details)
        return Patient(
            token, refresh_token, actor, done.person_id, done.card.id, done.card.number, number, "王小测", "13800000013"
        )

    def register_again(self, patient: Patient) -> Patient:
        """The same person with another phone: it waits for a desk."""
        token, refresh_token = self.city.login()
        body = {
            "certificate_type": "01",
            "certificate_number": patient.certificate_number,
            "name": patient.name,
            "phone": patient.phone,
        }
        reply = self.city.client.post("/api/v1/registrations", json=body, headers=bearer(token))
        assert reply.json["holder"] == "awaiting_desk", reply.text
        return Patient(
            token,
            refresh_token,
            self.city.actor(token),
            patient.person_id,
            patient.card_id,
            patient.card_number,
            patient.certificate_number,
            patient.name,
            patient.phone,
        )

    def desk_window(self) -> Browser:
        browser = Browser(self.city.app)
        browser.sign_in(self.registrar)
        return browser


def document(visitor: Patient | str) -> dict[str, str]:
    number = visitor if isinstance(visitor, str) else visitor.certificate_number
    return {"certificate_type": "01", "certificate_number": number}


def refused(reply: TestResponse) -> tuple[int, str]:
    return reply.status_code, reply.json["code"]
