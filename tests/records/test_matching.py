"""A number alone files nothing: what else was sent must be its owner's, in whatever form it is written."""

from datetime import date

import pytest

from core import db
from core.vault import vault
from health_card import service as health_card
from health_card.matching.service.finding import note_traits
from health_card.matching.spelling import is_same_name
from health_card.models import Person
from health_card.service.identities import NAME
from tests.support import dicom
from tests.support.city import City, Patient, bearer
from tests.support.fhir import bundle, observation, refusal_of, report, send


@pytest.mark.parametrize(
    ("known", "sent", "is_same"),
    [
        ("张小明", " 张 小明 ", True),
        ("张小明", "張小明", True),
        ("张小明", "张晓明", True),
        ("张小明", "ZHANG^XIAOMING", True),
        ("张小明", "XIAO MING ZHANG", True),
        ("曾乐", "Zeng Yue", True),
        ("吕绿", "LYU LV", True),
        ("阿依古丽·买买提", "阿依古丽•买买提", True),
        ("John Smith", "SMITH^JOHN^MICHAEL", True),
        ("张小明", "张小红", False),
        ("张小明", "李小明", False),
        ("张小明", "LI XIAOMING", False),
        ("John Smith", "John Miller", False),
    ],
)
def test_names_that_differ_only_in_form_are_one(known: str, sent: str, is_same: bool) -> None:
    assert is_same_name(known, sent) is is_same


def compare(patient: Patient, *names: str, sex: str = "unknown", birth_date: date | None = None) -> dict[str, str]:
    with db.transaction() as session:
        return dict(
            vars(
                health_card.compare_with_person(session, patient.person_id, names=names, sex=sex, birth_date=birth_date)
            )
        )


def test_the_answer_is_like_unlike_or_unknown(city: City) -> None:
    patient = city.patient("张小明")
    assert compare(patient) == {"name": "unknown", "sex": "unknown", "birth_date": "unknown"}
    told = compare(patient, "李四", "张小明", sex="unknown", birth_date=date(1985, 4, 12))
    assert told == {"name": "agrees", "sex": "unknown", "birth_date": "agrees"}
    assert compare(patient, "李四", birth_date=date(1985, 4, 13))["birth_date"] == "differs"
    assert compare(patient, "张*明", "……")["name"] == "unknown"


def test_a_former_name_is_as_good(city: City) -> None:
    patient = city.patient("张旧名")
    with db.transaction() as session:
        note_traits(session, [patient.person_id])
        person = session.get_one(Person, patient.person_id)
        person.name_sealed = vault().unwrap(person.data_key).seal("王新名", context=NAME)
    assert compare(patient, "张旧名")["name"] == "agrees"
    assert compare(patient, "张别人")["name"] == "differs"


def test_a_mistyped_number_that_is_somebody_elses_files_nothing(city: City) -> None:
    hospital = city.hospital()
    machine, owner = city.machine(hospital), city.patient("张小明")
    city.bind_number(hospital, owner, "P1")

    subject = {"identifier": {"system": "urn:yimatong:id:patient-number", "value": "P1"}, "display": "李大海"}
    reply = send(city, machine, bundle(report(("", "")) | {"subject": subject}, observation()))
    assert refusal_of(reply) == (422, "records.person_contradicts")
    reply = city.store(machine, dicom.make_image(PatientID="P1", PatientName="LI^DAHAI"))
    assert reply.status_code == 409
    waiting = city.client.get("/api/v1/quarantine", headers=bearer(machine.token)).json["messages"]
    assert {(line["channel"], line["reason"]) for line in waiting} == {
        ("fhir", "records.person_contradicts"),
        ("dicomweb", "records.person_contradicts"),
    }
    assert city.client.get("/api/v1/timeline", headers=bearer(owner.token)).json["items"] == []
    good = bundle(report(("", "")) | {"subject": subject | {"display": "張小明"}}, observation())
    assert send(city, machine, good).status_code == 200


def test_names_of_two_people_in_one_bundle_are_not_understood(city: City) -> None:
    machine = city.machine(city.hospital())
    number = {"system": "urn:yimatong:id:patient-number", "value": "P1"}
    other = observation(subject={"identifier": number, "display": "李四"})
    body = bundle(report(("", "")) | {"subject": {"identifier": number, "display": "张三"}}, other)
    assert refusal_of(send(city, machine, body)) == (422, "records.fhir_invalid")


def test_a_merged_persons_other_record_is_as_good(city: City) -> None:
    one, other = city.patient("张小明"), city.patient("王大力")
    with db.transaction() as session:
        session.get_one(Person, other.person_id).root_id = one.person_id
    assert compare(one, "王大力")["name"] == compare(other, "张小明")["name"] == "agrees"
