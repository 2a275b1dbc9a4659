"""What is known of a person is corrected at a desk; what it was before is kept."""

from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from core import db
from core.outbox import OutboxMessage
from health_card import service as health_card
from health_card.corrections.models import PersonChange
from health_card.models import Person
from health_card.notices.models import Notice
from tests.support.city import City, Patient, bearer, resident_id
from tests.support.desks import Desk, refused

PASSPORT = {"certificate_type": "03", "sex": "male", "birth_date": "1985-04-12"}


def count_changes(patient: Patient) -> int:
    return announced("health_card.person_changed").count({"person_id": str(patient.person_id)})


def announced(topic: str) -> list[dict[str, Any]]:
    with db.transaction() as session:
        messages = select(OutboxMessage.payload).where(OutboxMessage.topic == topic).order_by(OutboxMessage.id)
        return list(session.scalars(messages))


def merge(one: Patient, into: Patient) -> None:
    """As the operator's merge does: the other record stands for both."""
    with db.transaction() as session:
        session.get_one(Person, one.person_id).root_id = into.person_id


def test_details_are_corrected_and_the_person_reads_what_they_were(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    path = desk.open(patient)
    new = {"name": " 李  测试 ", "phone": "13900000002", "nation": "10", "address": "测试市测试区测试路1号"}
    assert desk.post(f"{path}/corrections", {"reason": "changed"} | new).json == {
        "changed": ["name", "phone", "nation", "address"]
    }
    with db.snapshot() as session:
        shown = health_card.get_plain_demographics(session, patient.person_id)
    assert (shown.name, shown.phone, shown.nation, shown.address) == (
        "李 测试",
        "13900000002",
        "10",
        "测试市测试区测试路1号",
    )
    own = city.client.get("/api/v1/persons/self/changes", headers=bearer(patient.token)).json["changes"]
    rows = {row["field"]: (row.get("old"), row["new"], row["reason"], row["evidence"]) for row in own}
    assert rows == {
        "name": ("张*试", "李**试", "changed", "01"),
        "phone": ("138****0001", "139****0002", "changed", "01"),
        "nation": (None, "10", "changed", "01"),
        "address": (None, "测试市测试***", "changed", "01"),
    }
    assert {row["hospital_name"] for row in own} == {"市第一测试医院"}
    assert desk.get(f"{path}/changes").json["changes"] == own
    # Once when it was registered, once now.
    assert count_changes(patient) == 2
    with db.snapshot() as session:
        told = session.scalars(select(Notice.kind).filter_by(person_id=patient.person_id)).all()
    assert told == ["details_corrected"]


def test_what_is_right_already_changes_nothing(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    path = desk.open(patient)
    body = {"reason": "mistake", "name": patient.name, "phone": patient.phone, "sex": "unknown"}
    assert desk.post(f"{path}/corrections", body | {"sex": None}).json == {"changed": []}
    assert desk.get(f"{path}/changes").json == {"changes": []}
    assert count_changes(patient) == 1


def test_sex_and_birth_date_are_corrected_only_where_no_number_tells_them(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    contradiction = {"reason": "mistake", "birth_date": "1985-04-13", "name": "李测试"}
    reply = desk.post(f"{desk.open(patient)}/corrections", contradiction)
    assert refused(reply) == (422, "health_card.details_contradict_certificate")
    with db.snapshot() as session:
        assert health_card.get_plain_demographics(session, patient.person_id).name == patient.name
    foreigner = desk.register(**PASSPORT, certificate_number="M1234567", country="KOR").json["look_up_id"]
    body = {"reason": "mistake", "birth_date": "1985-04-13", "sex": "female"}
    assert desk.post(f"/persons/{foreigner}/corrections", body).json == {"changed": ["sex", "birth_date"]}
    assert desk.get(f"/persons/{foreigner}").json["person"]["birth_date"] == "1985-04-13"


def test_a_renewed_passport_is_the_same_person(city: City) -> None:
    desk = Desk(city)
    path = f"/persons/{desk.register(**PASSPORT, certificate_number='M1234567', country='KOR').json['look_up_id']}"
    old = desk.certificate_id(path)
    passport = {"certificate_type": "03", "certificate_number": "M7654321", "country": "KOR"}
    reply = desk.post(f"{path}/certificates", passport | {"reason": "renewed", "replaces": str(old)})
    assert reply.status_code == 201, reply.text
    states = {row["number"]: (row["state"], row["is_primary"]) for row in desk.get(path).json["certificates"]}
    assert states == {"M1****67": ("former", False), "M7****21": ("current", True)}
    for number in ("M1234567", "M7654321"):
        found = desk.post("/look-ups", passport | {"certificate_number": number}).json
        assert found["person"]["certificate_number"].endswith("21")
    # The old one still leads to the person, but proves nothing any more.
    seen = desk.post("/look-ups", passport | {"certificate_number": "M1234567", "is_document_seen": True})
    assert refused(seen) == (422, "health_card.document_not_theirs")
    changes = desk.get(f"{path}/changes").json["changes"]
    assert {(row["certificate_type"], row["reason"]) for row in changes} == {("03", "renewed")}


def test_a_second_certificate_leads_to_the_person_and_may_become_the_first(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    path = desk.open(patient)
    passport = {"certificate_type": "03", "certificate_number": "E12345678", "reason": "added"}
    added = desk.post(f"{path}/certificates", passport).json["certificate_id"]
    assert desk.get(path).json["person"]["certificate_type"] == "01"
    assert desk.post(f"{path}/certificates/{added}/make-primary").status_code == 204
    assert desk.post(f"{path}/certificates/{added}/make-primary").status_code == 204
    assert desk.get(path).json["person"]["certificate_type"] == "03"
    assert len(desk.get(f"{path}/changes").json["changes"]) == 2
    found = desk.look_up("E12345678", certificate_type="03")
    assert found.json["person"]["name"] == "张*试"
    assert refused(desk.post(f"{path}/certificates", passport)) == (409, "health_card.certificate_known")


def test_a_mistaken_number_is_replaced_and_what_it_told_with_it(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    path, right = desk.open(patient), resident_id("19851204", "female")
    body = {"certificate_type": "01", "certificate_number": right}
    wrong = str(desk.certificate_id(path))
    assert refused(desk.post(f"{path}/certificates", body | {"reason": "added"})) == (
        409,
        "health_card.second_resident_id",
    )
    renewed = desk.post(f"{path}/certificates", body | {"reason": "renewed", "replaces": wrong})
    assert refused(renewed) == (422, "health_card.details_contradict_certificate")
    reply = desk.post(f"{path}/certificates", body | {"reason": "mistake", "replaces": wrong})
    assert reply.status_code == 201, reply.text
    person = desk.get(path).json["person"]
    assert (person["sex"], person["birth_date"], person["certificate_number"][-4:]) == (
        "female",
        "1985-12-04",
        right[-4:],
    )
    assert refused(desk.look_up(patient.certificate_number)) == (404, "health_card.person_not_found")
    assert desk.look_up(right).status_code == 201
    # The number is free: whose it really is may register with it.
    assert desk.register(certificate_number=patient.certificate_number).json["is_new"] is True


def test_a_withdrawn_certificate_leads_to_nobody_and_the_next_one_comes_first(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    path = desk.open(patient)
    mistaken = desk.certificate_id(path)
    passport = {"certificate_type": "03", "certificate_number": "E12345678", "reason": "added"}
    desk.post(f"{path}/certificates", passport)
    assert desk.post(f"{path}/certificates/{mistaken}/withdraw").status_code == 204
    assert refused(desk.post(f"{path}/certificates/{mistaken}/withdraw")) == (404, "health_card.certificate_not_found")
    assert desk.get(path).json["person"]["certificate_type"] == "03"
    assert refused(desk.look_up(patient.certificate_number)) == (404, "health_card.person_not_found")


def test_a_number_of_another_person_is_refused_and_both_come_before_the_operator(city: City) -> None:
    desk, patient, other = Desk(city), city.patient(), city.patient()
    path = desk.open(patient)
    body = {
        "certificate_type": "01",
        "certificate_number": other.certificate_number,
        "reason": "mistake",
        "replaces": str(desk.certificate_id(path)),
    }
    for _ in range(2):
        assert refused(desk.post(f"{path}/certificates", body)) == (409, "health_card.certificate_of_another")
    assert announced("health_card.same_certificate_claimed") == [
        {"person_ids": sorted([str(patient.person_id), str(other.person_id)])}
    ]
    assert desk.get(f"{path}/changes").json == {"changes": []}
    assert (
        desk.look_up(other.certificate_number).json["person"]["certificate_number"][-4:]
        == (other.certificate_number[-4:])
    )


@pytest.mark.parametrize(
    "changes", [{"reason": "renewed"}, {"reason": "added", "replaces": "01a2020b-38f2-7695-8970-5a61cb0367a0"}]
)
def test_a_replacement_names_what_it_replaces(city: City, changes: dict[str, str]) -> None:
    desk = Desk(city)
    body = {"certificate_type": "03", "certificate_number": "E12345678"} | changes
    assert refused(desk.post(f"{desk.open(city.patient())}/certificates", body)) == (422, "core.malformed_request")


def test_another_persons_certificate_is_not_found(city: City) -> None:
    desk, patient, other = Desk(city), city.patient(), city.patient()
    path, theirs = desk.open(patient), desk.certificate_id(desk.open(other))
    body = {"certificate_type": "03", "certificate_number": "E12345678", "reason": "renewed", "replaces": str(theirs)}
    for reply in (
        desk.post(f"{path}/certificates", body),
        desk.post(f"{path}/certificates/{theirs}/withdraw"),
        desk.post(f"{path}/certificates/{theirs}/make-primary"),
    ):
        assert refused(reply) == (404, "health_card.certificate_not_found")


def test_an_expired_passport_is_not_recorded(city: City) -> None:
    desk = Desk(city)
    passport = {"certificate_type": "03", "certificate_number": "E12345678", "reason": "added"}
    reply = desk.post(f"{desk.open(city.patient())}/certificates", passport | {"expires_on": "2020-01-01"})
    assert refused(reply) == (422, "health_card.document_expired")


def test_corrections_of_a_merged_person_go_to_the_standing_record(city: City) -> None:
    desk, one, into = Desk(city), city.patient(), city.patient()
    merge(one, into)
    path = desk.open(one)
    assert desk.post(f"{path}/corrections", {"reason": "changed", "name": "李测试"}).json == {"changed": ["name"]}
    assert desk.look_up(into.certificate_number).json["person"]["name"] == "李*试"
    primary = [row for row in desk.get(path).json["certificates"] if row["can_be_primary"]]
    assert len(primary) == 1
    # The certificate that came with the merged record cannot stand first, and may still be renewed.
    theirs = desk.certificate_id(path, one.certificate_number[-4:])
    assert refused(desk.post(f"{path}/certificates/{theirs}/make-primary"))[0] == 404
    for patient in (one, into):
        rows = city.client.get("/api/v1/persons/self/changes", headers=bearer(patient.token)).json["changes"]
        assert [row["field"] for row in rows] == ["name"]


def test_the_history_is_nobody_elses_and_is_read_in_pages(city: City) -> None:
    desk, patient, other = Desk(city), city.patient(), city.patient()
    path = desk.open(patient)
    for number in range(3):
        desk.post(f"{path}/corrections", {"reason": "changed", "phone": f"1390000000{number}"})
    mine = "/api/v1/persons/self/changes"
    rows = city.client.get(mine, headers=bearer(patient.token)).json["changes"]
    assert [row["new"][-1] for row in rows] == ["2", "1", "0"]
    older = city.client.get(f"{mine}?before={rows[0]['id']}", headers=bearer(patient.token)).json["changes"]
    assert older == rows[1:]
    assert city.client.get(mine, headers=bearer(other.token)).json == {"changes": []}
    stranger, _ = city.login()
    assert city.client.get(mine, headers=bearer(stranger)).json == {"changes": []}


def test_the_history_is_sealed_and_never_changed(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    desk.post(f"{desk.open(patient)}/corrections", {"reason": "changed", "phone": "13900000002"})
    with db.transaction() as session:
        row = session.scalars(select(PersonChange)).one()
        assert b"13900000002" not in (row.new_sealed or b"")
    for statement in ("UPDATE person_changes SET field = 'name'", "DELETE FROM person_changes"):
        with pytest.raises(DBAPIError, match="append-only"), db.transaction() as session:
            session.execute(text(statement))
