"""Hospital systems bind their numbers, merge them, and take a merge back."""

import itertools
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from core import db
from core.audit import AuditEntry
from core.outbox import OutboxMessage
from health_card import service as health_card
from health_card.models import PatientNumber, Person
from health_card.patient_numbers import service
from health_card.patient_numbers.models import NumberMerge
from health_card.patient_numbers.refusals import PatientNumberMergedSince, PatientNumberRetired, PatientNumberUnknown
from health_card.patient_numbers.service import SAME_PERSON_TOPIC
from tests.support.city import City, Hospital, Machine, Patient, bearer

PATH = "/api/v1/patient-numbers"


class House:
    """A hospital and its information system."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.hospital: Hospital = city.hospital()
        self.system: Machine = city.machine(self.hospital)

    def bind(self, number: str, patient: Patient, **changes: Any) -> TestResponse:
        body = changes or {"card_number": patient.card_number}
        return self.city.client.put(f"{PATH}/{number}", json=body, headers=bearer(self.system.token))

    def get(self, number: str) -> TestResponse:
        return self.city.client.get(f"{PATH}/{number}", headers=bearer(self.system.token))

    def merge(self, retired: str, surviving: str) -> TestResponse:
        return self._send("merges", retired, surviving)

    def undo(self, retired: str, surviving: str) -> TestResponse:
        return self._send("merges/undo", retired, surviving)

    def _send(self, what: str, retired: str, surviving: str) -> TestResponse:
        body = {"retired": retired, "surviving": surviving}
        return self.city.client.post(f"{PATH}/{what}", json=body, headers=bearer(self.system.token))

    def owner(self, number: str) -> UUID | None:
        """To whom a result under this number would go."""
        with db.transaction() as session:
            return health_card.find_person(session, self.system.actor, patient_number=number)

    def current(self, patient: Patient) -> str | None:
        with db.transaction() as session:
            return health_card.get_patient_number(session, self.system.actor, patient.person_id)


@pytest.fixture
def house(city: City) -> House:
    return House(city)


def unite(one: Patient, other: Patient) -> None:
    """The operator has merged the records of two registrations."""
    with db.transaction() as session:
        session.execute(update(Person).where(Person.id == other.person_id).values(root_id=one.person_id))


def check_refused(reply: TestResponse, status: int, code: str) -> None:
    assert (reply.status_code, reply.json["code"]) == (status, code)


# Bound by the hospital's systems


def test_a_system_binds_its_number_by_card_or_certificate(house: House) -> None:
    one, other = house.city.patient(), house.city.patient()
    reply = house.bind("MZ/0001 甲", one)
    assert reply.status_code == 200, reply.text
    assert (reply.json["number"], reply.json["current_number"]) == ("MZ/0001 甲", "MZ/0001 甲")
    assert house.bind("MZ/0001 甲", one).json == reply.json, "said again"
    assert house.get("MZ/0001 甲").json == reply.json
    by_certificate = {"certificate_type": "01", "certificate_number": other.certificate_number}
    assert house.bind("MZ2", other, **by_certificate).status_code == 200
    assert (house.owner("MZ/0001 甲"), house.owner("MZ2")) == (one.person_id, other.person_id)
    log = house.city.client.get("/api/v1/access-log", headers=bearer(one.token)).json["rows"]
    assert {"health_card.patient_number.bound", "health_card.patient_number.read"} <= {row["action"] for row in log}


def test_what_leads_to_nobody_or_to_somebody_else_is_refused(house: House) -> None:
    one, other = house.city.patient(), house.city.patient()
    house.bind("MZ1", one)
    contradiction = {
        "card_number": other.card_number,
        "certificate_type": "01",
        "certificate_number": one.certificate_number,
    }
    check_refused(house.bind("MZ2", one, card_number="F" * 64), 404, "health_card.patient_not_registered")
    check_refused(house.bind("MZ2", one, **contradiction), 404, "health_card.patient_not_registered")
    check_refused(house.bind("MZ1", other), 409, "health_card.patient_number_taken")
    check_refused(house.bind("MZ2", one), 409, "health_card.patient_number_taken")
    check_refused(house.bind("MZ2", one, certificate_type="01"), 422, "core.malformed_request")
    check_refused(house.get("MZ2"), 404, "health_card.patient_number_unknown")
    check_refused(House(house.city).get("MZ1"), 404, "health_card.patient_number_unknown")


def test_only_systems_with_the_scope_may(house: House) -> None:
    patient = house.city.patient()
    house.system = house.city.machine(house.hospital, scopes=["billing.write"])
    for reply in (house.bind("MZ1", patient), house.get("MZ1"), house.merge("MZ1", "MZ2"), house.undo("MZ1", "MZ2")):
        check_refused(reply, 403, "core.permission_missing")
    assert house.owner("MZ1") is None


# Merged


def test_both_numbers_lead_to_the_person_and_the_surviving_one_counts(house: House) -> None:
    patient = house.city.patient()
    house.bind("MZ1", patient)
    reply = house.merge("MZ1", "MZ2")
    assert reply.status_code == 200, reply.text
    assert (reply.json["number"], reply.json["current_number"]) == ("MZ1", "MZ2")
    assert house.merge("MZ1", "MZ2").json == reply.json, "said again"
    assert house.owner("MZ1") == house.owner("MZ2") == patient.person_id
    assert house.current(patient) == house.get("MZ1").json["current_number"] == "MZ2"
    assert house.bind("MZ1", patient).json["current_number"] == "MZ2", "a desk may still use the old one"
    check_refused(house.bind("MZ3", patient), 409, "health_card.patient_number_taken")


def test_a_number_nobody_knew_follows_the_one_it_was_merged_into(house: House) -> None:
    patient = house.city.patient()
    house.bind("MZ2", patient)
    assert house.merge("MZ1", "MZ2").json["current_number"] == "MZ2"
    assert house.owner("MZ1") == patient.person_id
    check_refused(house.merge("MZ8", "MZ9"), 404, "health_card.patient_number_unknown")
    check_refused(house.merge("MZ2", "MZ2"), 422, "core.malformed_request")


def test_chains_keep_every_number_and_rings_are_refused(house: House) -> None:
    patient = house.city.patient()
    house.bind("MZ1", patient)
    assert house.merge("MZ1", "MZ2").status_code == 200
    assert house.merge("MZ2", "MZ3").status_code == 200
    assert {house.owner(number) for number in ("MZ1", "MZ2", "MZ3")} == {patient.person_id}
    assert house.current(patient) == "MZ3"
    for pair in (("MZ3", "MZ1"), ("MZ1", "MZ3"), ("MZ9", "MZ2")):
        check_refused(house.merge(*pair), 409, "health_card.patient_number_retired")
    assert house.owner("MZ9") is None


def test_numbers_of_two_persons_are_kept_for_review_and_change_nothing(house: House) -> None:
    one, other = house.city.patient(), house.city.patient()
    house.bind("MZ1", one)
    house.bind("MZ2", other)
    for _ in range(2):
        check_refused(house.merge("MZ1", "MZ2"), 409, "health_card.patient_numbers_reviewed")
    assert (house.owner("MZ1"), house.owner("MZ2")) == (one.person_id, other.person_id)
    assert (house.current(one), house.current(other)) == ("MZ1", "MZ2")
    with db.transaction() as session:
        (merge,) = session.scalars(select(NumberMerge).filter_by(hospital_id=house.hospital.id)).all()
        assert merge.state == "under_review"
        messages = session.scalars(select(OutboxMessage).filter_by(topic=SAME_PERSON_TOPIC)).all()
        claimed = [message.payload for message in messages if message.payload["hospital_id"] == str(house.hospital.id)]
        subjects = session.scalars(
            select(AuditEntry.subject_id).filter_by(action="health_card.patient_number.claimed", object_id=merge.id)
        ).all()
    assert claimed == [
        {"person_ids": [str(one.person_id), str(other.person_id)], "hospital_id": str(house.hospital.id)}
    ]
    assert set(subjects) == {one.person_id, other.person_id}
    check_refused(house.undo("MZ1", "MZ2"), 404, "health_card.patient_number_merge_not_found")
    unite(one, other)
    assert house.merge("MZ1", "MZ2").json["current_number"] == "MZ2"
    assert house.current(one) == house.current(other) == "MZ2"


def test_another_hospitals_numbers_are_untouched(house: House) -> None:
    patient, elsewhere = house.city.patient(), House(house.city)
    house.bind("MZ1", patient)
    elsewhere.bind("MZ1", patient)
    house.merge("MZ1", "MZ2")
    assert (elsewhere.current(patient), elsewhere.owner("MZ2")) == ("MZ1", None)
    check_refused(elsewhere.undo("MZ1", "MZ2"), 404, "health_card.patient_number_merge_not_found")


# Taken back


def test_taking_a_merge_back_forgets_what_came_with_it(house: House) -> None:
    patient = house.city.patient()
    house.bind("MZ1", patient)
    house.merge("MZ1", "MZ2")
    assert house.undo("MZ1", "MZ2").json["current_number"] == "MZ1"
    assert (house.owner("MZ1"), house.owner("MZ2")) == (patient.person_id, None)
    house.merge("MZ0", "MZ1")
    assert house.undo("MZ0", "MZ1").json["current_number"] == "MZ1"
    assert (house.owner("MZ0"), house.current(patient)) == (None, "MZ1")
    check_refused(house.undo("MZ0", "MZ1"), 404, "health_card.patient_number_merge_not_found")
    assert house.merge("MZ1", "MZ2").json["current_number"] == "MZ2", "merged again"


def test_numbers_of_a_person_registered_twice_stay_with_their_record(house: House) -> None:
    one, other = house.city.patient(), house.city.patient()
    house.bind("MZ1", one)
    house.bind("MZ2", other)
    unite(one, other)
    house.merge("MZ1", "MZ2")
    with db.transaction() as session:
        session.execute(update(Person).where(Person.id == other.person_id).values(root_id=other.person_id))
    assert (house.owner("MZ1"), house.owner("MZ2")) == (one.person_id, other.person_id)
    assert house.undo("MZ1", "MZ2").status_code == 200
    assert (house.current(one), house.current(other)) == ("MZ1", "MZ2")


def test_the_newest_merge_is_taken_back_first(house: House) -> None:
    house.bind("MZ1", house.city.patient())
    house.merge("MZ1", "MZ2")
    house.merge("MZ2", "MZ3")
    check_refused(house.undo("MZ1", "MZ2"), 409, "health_card.patient_number_merged_since")
    assert house.undo("MZ2", "MZ3").json["current_number"] == "MZ2"
    assert house.undo("MZ1", "MZ2").json["current_number"] == "MZ1"


NUMBERS = ["A", "B", "C", "D", "E"]
PAIRS = st.lists(st.sampled_from(list(itertools.permutations(NUMBERS, 2))), max_size=8)


@given(pairs=PAIRS)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_was_merged_one_number_counts_and_taking_all_back_restores_all(
    committing_city: City, pairs: list[tuple[str, str]]
) -> None:
    city = committing_city
    house, patient = Hasty(city), city.patient()
    house.bind(patient)
    before, done = house.known(), []
    for pair in pairs:
        if house.merge(*pair):
            done.append(pair)
        counting = [number for number, replaced_by in house.known().items() if replaced_by is None]
        assert len(counting) == 1
    for pair in reversed(done):
        assert house.undo(*pair)
    assert house.known() == before


class Hasty:
    """A hospital whose system is heard without HTTP."""

    def __init__(self, city: City) -> None:
        self.hospital = city.hospital()
        self.actor = city.machine(self.hospital).actor

    def bind(self, patient: Patient) -> None:
        with db.transaction() as session:
            service.bind_number(session, self.actor, number="A", card_number=patient.card_number)

    def merge(self, retired: str, surviving: str) -> bool:
        """Whether that changed something."""
        before = self.known()
        try:
            with db.transaction() as session:
                service.merge_numbers(session, self.actor, retired=retired, surviving=surviving)
        except (PatientNumberRetired, PatientNumberUnknown):
            assert self.known() == before
            return False
        return self.known() != before

    def undo(self, retired: str, surviving: str) -> bool:
        try:
            with db.transaction() as session:
                service.undo_merge(session, self.actor, retired=retired, surviving=surviving)
        except PatientNumberMergedSince:
            return False
        return True

    def known(self) -> dict[str, str | None]:
        with db.transaction() as session:
            known = session.scalars(select(PatientNumber).filter_by(hospital_id=self.hospital.id))
            return {each.number: each.replaced_by for each in known}
