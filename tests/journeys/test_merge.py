"""Two records turn out to be one person's: everything is read together, and apart again when that was a mistake."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from accounts.models import Role
from core import clock, db
from core.actor import SYSTEM
from health_card import service as health_card
from health_card.models import Person
from recognition import service as recognition
from records.fhir.systems import PATIENT_NUMBER
from tests.health_card.matching.registry import Office
from tests.payments.till import AGREEMENT_VERSION, findings, make_product, new_key, sign_up
from tests.support import dicom, fhir
from tests.support.city import City, Hospital, Machine, Patient, Staff, bearer

GLUCOSE = "2345-7"


@dataclass(frozen=True)
class Double:
    """One person in two records: each with a card, a login, a number at hospital A and a result there."""

    city: City
    office: Office
    one: Patient
    other: Patient
    hospital: Hospital
    desk: Staff
    laboratory: Machine
    reports: dict[UUID, str]

    @classmethod
    def make(cls, city: City) -> "Double":
        hospital, one, other = city.hospital(), city.patient("张测试"), city.patient("章测试", "13800000002")
        desk, laboratory = city.staff(hospital, Role.REGISTRAR), city.machine(hospital)
        reports = {}
        for patient, number in ((one, "MZ1"), (other, "MZ2")):
            city.visit(desk, patient, hospital, patient_number=number)
            reports[patient.person_id] = cls.file(city, laboratory, number)
        return cls(city, Office.open(city), one, other, hospital, desk, laboratory, reports)

    @staticmethod
    def file(city: City, laboratory: Machine, number: str, **changes: Any) -> str:
        at = (clock.now() - timedelta(days=1)).isoformat()
        report = fhir.report((PATIENT_NUMBER, number), **({"effectiveDateTime": at, "issued": at} | changes))
        return fhir.report_id_of(fhir.send(city, laboratory, fhir.bundle(report, fhir.observation())))

    @property
    def both(self) -> tuple[Patient, Patient]:
        return self.one, self.other

    def merge(self) -> UUID:
        return self.office.merge(self.other, self.one)

    def get(self, path: str, who: Patient | Staff) -> Any:
        reply = self.city.client.get(path, headers=bearer(who.token))
        assert reply.status_code == 200, reply.text
        return reply.json

    def timeline(self, who: Patient) -> set[str]:
        return {item["object_id"] for item in self.get("/api/v1/timeline", who)["items"]}

    def all_reports(self) -> set[str]:
        return set(self.reports.values())


@pytest.fixture
def double(city: City) -> Double:
    return Double.make(city)


def test_both_logins_see_everything_while_they_are_one_and_only_their_own_before_and_after(double: Double) -> None:
    def check_apart() -> None:
        for patient in double.both:
            assert double.timeline(patient) == {double.reports[patient.person_id]}
            assert [card["card_id"] for card in double.get("/api/v1/cards", patient)["cards"]] == [str(patient.card_id)]
            assert {grant["person_id"] for grant in double.get("/api/v1/grants", patient)["grants"]} == {
                str(patient.person_id)
            }

    check_apart()
    link_id = double.merge()
    for patient in double.both:
        assert double.timeline(patient) == double.all_reports()
        for report_id in double.all_reports():
            double.get(f"/api/v1/reports/{report_id}", patient)
        cards = double.get("/api/v1/cards", patient)["cards"]
        assert {card["card_id"] for card in cards} == {str(double.one.card_id), str(double.other.card_id)}
        assert {card["name"] for card in cards} == {"张*试"}
        assert len(double.get("/api/v1/grants", patient)["grants"]) == 2
        opened = [
            row for row in double.get("/api/v1/access-log", patient)["rows"] if row["action"] == "records.visit.opened"
        ]
        assert len(opened) == 2
    double.office.unmerge(link_id)
    check_apart()
    for patient in double.both:
        others = next(report for person, report in double.reports.items() if person != patient.person_id)
        gone = double.city.client.get(f"/api/v1/reports/{others}", headers=bearer(patient.token))
        assert gone.status_code == 404


def test_both_cards_and_both_numbers_lead_to_the_one_person(double: Double) -> None:
    double.merge()
    for patient in double.both:
        shown = double.city.scan(double.desk, double.city.code(patient), double.hospital).json["person"]
        assert (shown["name"], shown["phone"]) == ("张*试", "138****0001")
    static = double.city.scan(
        double.desk,
        double.city.code(double.other, "static"),
        double.hospital,
        certificate_number=double.one.certificate_number,
    )
    assert static.status_code == 201
    with db.snapshot() as session:
        actor = double.laboratory.actor
        for known in (
            {"patient_number": "MZ1", "card_number": double.other.card_number},
            {"patient_number": "MZ2", "certificate": ("01", double.one.certificate_number)},
        ):
            assert health_card.find_person(session, actor, **known) is not None


def test_registering_again_with_either_certificate_gives_the_existing_card(double: Double) -> None:
    double.merge()
    for patient in double.both:
        for name, phone in ((patient.name, patient.phone), (double.one.name, double.one.phone)):
            body = {"certificate_type": "01", "certificate_number": patient.certificate_number}
            reply = double.city.client.post(
                "/api/v1/registrations", json=body | {"name": name, "phone": phone}, headers=bearer(double.other.token)
            )
            assert (reply.status_code, reply.json.get("card_id")) == (200, str(patient.card_id)), reply.text


def test_a_grant_of_one_record_releases_the_results_of_the_other_until_it_is_revoked(double: Double) -> None:
    double.merge()
    house = double.city.hospital("市第二测试医院")
    doctor = double.city.staff(house)
    visit_id = double.city.visit(doctor, double.other, house)
    shared = double.get(f"/api/v1/visits/{visit_id}/timeline", doctor)["items"]
    assert {item["object_id"] for item in shared} == double.all_reports()
    for report_id in double.all_reports():
        double.get(f"/api/v1/reports/{report_id}", doctor)
    page = double.city.client.get(
        f"/visits/{visit_id}?open={double.reports[double.one.person_id]}", headers=bearer(doctor.token)
    )
    assert page.status_code == 200
    assert double.one.name in page.text
    (grant,) = [g for g in double.get("/api/v1/grants", double.one)["grants"] if g["hospital_name"] == "市第二测试医院"]
    # The other login ends what was opened with the first one's card.
    revoked = double.city.client.post(f"/api/v1/grants/{grant['id']}/revoke", headers=bearer(double.one.token))
    assert revoked.status_code == 200
    for report_id in double.all_reports():
        gone = double.city.client.get(f"/api/v1/reports/{report_id}", headers=bearer(doctor.token))
        assert gone.status_code == 404


def test_a_result_of_one_record_is_reminded_of_at_a_visit_of_the_other(double: Double) -> None:
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
        recognition.qualify_hospital(
            session,
            SYSTEM,
            hospital_id=double.hospital.id,
            item_id=item_id,
            valid_from=today - timedelta(days=9),
            valid_until=today + timedelta(days=9),
        )
    third = double.city.patient("丁测试")
    house = double.city.hospital()
    doctor = double.city.staff(house)
    visit_id = double.city.visit(doctor, third, house)

    def remind() -> list[str]:
        path = f"/api/v1/visits/{visit_id}/order-checks"
        reply = double.city.client.post(path, json={"item_codes": [GLUCOSE]}, headers=bearer(doctor.token))
        return [reminder["report_id"] for reminder in reply.json["reminders"]]

    assert remind() == []
    link_id = double.office.merge(third, double.one)
    assert remind() == [double.reports[double.one.person_id]]
    double.office.unmerge(link_id)
    assert remind() == []


def test_images_are_seen_together_and_filed_by_what_either_record_says(city: City) -> None:
    hospital, office = city.hospital(), Office.open(city)
    one, other = city.patient(), city.patient("章测试")
    city.bind_number(hospital, one, "P1")
    city.bind_number(hospital, other, "P2")
    pacs = city.machine(hospital)
    with db.transaction() as session:
        session.get_one(Person, other.person_id).birth_date = date(1985, 12, 4)
    office.merge(other, one)
    for number, born, status in (("P1", "19850412", 200), ("P2", "19851204", 200), ("P2", "19851205", 409)):
        image = dicom.make_image(PatientID=number, PatientBirthDate=born, PatientSex=None)
        assert city.store(pacs, image).status_code == status
    for patient in (one, other):
        studies = city.client.get("/dicomweb/studies", headers=bearer(patient.token)).json
        assert len(studies or []) == 2


def test_a_correction_under_the_other_number_stays_where_the_report_is(double: Double) -> None:
    identifier = [{"system": "urn:example:lis", "value": "R-1"}]
    report_id = double.file(double.city, double.laboratory, "MZ1", identifier=identifier)
    link_id = double.merge()
    corrected = double.file(double.city, double.laboratory, "MZ2", identifier=identifier, status="corrected")
    assert corrected == report_id
    fresh = double.file(double.city, double.laboratory, "MZ2")
    double.office.unmerge(link_id)
    assert report_id in double.timeline(double.one)
    assert double.get(f"/api/v1/reports/{report_id}", double.one)["status"] == "corrected"
    assert fresh in double.timeline(double.other)
    assert double.timeline(double.one) & double.timeline(double.other) == set()


def test_what_came_in_between_goes_with_the_card_it_came_with(double: Double) -> None:
    link_id = double.merge()
    third = double.city.patient("丁测试")
    later = double.office.merge(double.one, third)
    house = double.city.hospital("市第三测试医院")
    doctor = double.city.staff(house)
    double.city.visit(doctor, double.other, house, patient_number="MZ9")
    double.office.unmerge(link_id)
    names = [grant["hospital_name"] for grant in double.get("/api/v1/grants", double.other)["grants"]]
    assert "市第三测试医院" in names
    assert "市第三测试医院" not in [
        grant["hospital_name"] for grant in double.get("/api/v1/grants", double.one)["grants"]
    ]
    with db.snapshot() as session:
        found = health_card.find_person(session, doctor.actor, patient_number="MZ9")
    assert found == double.other.person_id
    # The later merge holds.
    assert double.timeline(double.one) == double.timeline(third)
    double.office.unmerge(later)
    assert double.timeline(third) == set()


class Wallet:
    """Both records have a line of one product; a hospital charges visits of either."""

    def __init__(self, city: City) -> None:
        self.city, self.office, self.hospital = city, Office.open(city), city.hospital()
        self.desk, self.billing = city.staff(self.hospital, Role.REGISTRAR), city.machine(self.hospital)
        self.product = make_product(city, limit_fen=10_000)
        self.one, self.other = city.patient(), city.patient("章测试")
        for patient in (self.one, self.other):
            assert sign_up(city, patient, self.product).status_code == 201

    def charge(self, patient: Patient, amount_fen: int) -> str:
        body = {
            "visit_id": str(self.city.visit(self.desk, patient, self.hospital)),
            "amount_fen": amount_fen,
            "medical_step": "010102",
            "bill_number": new_key(),
        }
        headers = bearer(self.billing.token) | {"Idempotency-Key": new_key()}
        reply = self.city.client.post("/api/v1/billing/charges", json=body, headers=headers)
        return str(reply.json.get("code", "done"))

    def lines(self, patient: Patient) -> list[tuple[int, int]]:
        """Drawn and available of each line, oldest first."""
        lines = self.city.client.get("/api/v1/credit/lines", headers=bearer(patient.token)).json["lines"]
        return [(line["drawn_fen"], line["available_fen"]) for line in lines]


def test_two_lines_of_one_product_are_no_double_credit(city: City) -> None:
    wallet = Wallet(city)
    assert wallet.charge(wallet.one, 6_000) == "done"
    link_id = wallet.office.merge(wallet.other, wallet.one)
    assert wallet.lines(wallet.one) == wallet.lines(wallet.other) == [(6_000, 4_000), (0, 4_000)]
    assert wallet.charge(wallet.other, 4_001) == "payments.limit_exceeded"
    assert wallet.charge(wallet.other, 4_000) == "done"
    assert wallet.charge(wallet.one, 1) == "payments.limit_exceeded"
    assert wallet.lines(wallet.other) == [(10_000, 0), (0, 0)]
    wallet.office.unmerge(link_id)
    assert wallet.lines(wallet.one) == [(10_000, 0)]
    assert wallet.lines(wallet.other) == [(0, 10_000)]
    assert findings() == []


def test_debts_of_both_records_are_repaid_by_either_login_and_nothing_more_is_lent(city: City) -> None:
    wallet = Wallet(city)
    assert (wallet.charge(wallet.one, 8_000), wallet.charge(wallet.other, 7_000)) == ("done", "done")
    wallet.office.merge(wallet.other, wallet.one)
    # More is owed together than one line grants: nothing can be drawn, and nothing counts below zero.
    assert wallet.lines(wallet.one) == [(8_000, 0), (7_000, 0)]
    assert wallet.charge(wallet.one, 1) == "payments.limit_exceeded"
    lines = city.client.get("/api/v1/credit/lines", headers=bearer(wallet.one.token)).json["lines"]
    for line in lines:
        reply = city.client.post(
            f"/api/v1/credit/lines/{line['line_id']}/repayments",
            json={"amount_fen": line["payable_fen"]},
            headers=bearer(wallet.other.token) | {"Idempotency-Key": new_key()},
        )
        assert reply.status_code == 201, reply.text
    again = sign_up(city, wallet.other, wallet.product, AGREEMENT_VERSION)
    assert (again.status_code, again.json["line_id"]) == (200, lines[0]["line_id"])
