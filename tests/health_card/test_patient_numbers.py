"""The numbers under which hospitals know persons, and finding a person by what a hospital sends."""

from typing import Any
from uuid import UUID

import pytest

from core import db
from core.actor import Actor
from health_card import service as health_card
from tests.support.city import City, resident_id


def find(actor: Actor, **known: Any) -> UUID | None:
    with db.transaction() as session:
        return health_card.find_person(session, actor, **known)


def bind(actor: Actor, person_id: UUID, number: str) -> None:
    with db.transaction() as session:
        health_card.bind_patient_number(session, actor, person_id=person_id, number=number)


def test_a_number_belongs_to_one_person_and_a_person_has_one(city: City) -> None:
    hospital = city.hospital()
    desk, one, other = city.staff(hospital), city.patient(), city.patient()
    first = city.scan(desk, city.code(one), hospital, patient_number="MZ0001")
    again = city.scan(desk, city.code(one), hospital, patient_number="MZ0001")
    assert (first.json["patient_number"], again.status_code) == ("MZ0001", 201)
    for patient, number in ((other, "MZ0001"), (one, "MZ0002")):
        code = city.code(patient)
        reply = city.scan(desk, code, hospital, patient_number=number)
        assert (reply.status_code, reply.json["code"]) == (409, "health_card.patient_number_taken")
        # Nothing was written: the same code is still good.
        assert city.scan(desk, code, hospital).status_code == 201


def test_each_hospital_has_numbers_of_its_own(city: City) -> None:
    first, second = city.staff(city.hospital()), city.staff(city.hospital())
    one, other = city.patient(), city.patient()
    bind(first.actor, one.person_id, "MZ0001")
    bind(second.actor, other.person_id, "MZ0001")
    assert find(first.actor, patient_number="MZ0001") == one.person_id
    assert find(second.actor, patient_number="MZ0001") == other.person_id
    assert find(city.staff(city.hospital()).actor, patient_number="MZ0001") is None


def test_each_identifier_alone_finds_the_person(city: City) -> None:
    actor, patient = city.machine(city.hospital()).actor, city.patient()
    bind(actor, patient.person_id, "MZ0001")
    number = patient.certificate_number
    for known in (
        {"patient_number": "MZ0001"},
        {"card_number": patient.card_number},
        {"card_number": patient.card_number.lower()},
        {"certificate": ("01", number)},
        {"certificate": ("01", number.lower())},
        {"patient_number": "MZ0001", "card_number": patient.card_number, "certificate": ("01", number)},
    ):
        assert find(actor, **known) == patient.person_id, known


def test_identifiers_that_contradict_each_other_find_nobody(city: City) -> None:
    actor, one, other = city.machine(city.hospital()).actor, city.patient(), city.patient()
    bind(actor, one.person_id, "MZ0001")
    certificate = ("01", one.certificate_number)
    for known in (
        {"patient_number": "MZ0001", "card_number": other.card_number},
        {"patient_number": "MZ0001", "certificate": ("01", other.certificate_number)},
        {"certificate": certificate, "card_number": other.card_number},
        {"certificate": certificate, "patient_number": "MZ0001", "card_number": other.card_number},
        {"certificate": certificate, "card_number": "F" * 64},
        {"certificate": certificate, "patient_number": "MZ9999"},
        {"card_number": one.card_number, "certificate": ("01", resident_id())},
        {"card_number": one.card_number, "certificate": ("01", "not a number")},
        {"card_number": one.card_number, "certificate": ("55", one.certificate_number)},
        {"card_number": one.card_number, "certificate": ("03", one.certificate_number)},
    ):
        assert find(actor, **known) is None, known


@pytest.mark.parametrize("known", [{}, {"patient_number": ""}, {"card_number": ""}, {"certificate": ("01", "")}])
def test_nothing_given_finds_nobody(city: City, known: dict[str, Any]) -> None:
    city.patient()
    assert find(city.machine(city.hospital()).actor, **known) is None
