"""Registration at a window or a kiosk."""

import secrets

from sqlalchemy import func, select

from core import db
from health_card.card_life.states import CardAct, move_card
from health_card.models import Card, CardState, Person
from tests.support.city import City, bearer, resident_id
from tests.support.desks import Desk, refused


def test_a_desk_registers_a_person_known_by_document(city: City) -> None:
    desk, number = Desk(city), resident_id()
    first = desk.register(certificate_number=number, address="测试路1号")
    again = desk.register(certificate_number=number)
    assert (first.status_code, first.json["is_new"], again.status_code, again.json["is_new"]) == (201, True, 200, False)
    assert first.json["card_id"] == again.json["card_id"]
    person = desk.get(f"/persons/{again.json['look_up_id']}").json
    assert (person["person"]["assurance"], person["is_document_seen"]) == ("document", True)
    assert person["cards"][0]["channel"] == 3


def test_a_kiosk_says_so(city: City) -> None:
    desk = Desk(city)
    look_up_id = desk.register(channel="kiosk").json["look_up_id"]
    assert desk.get(f"/persons/{look_up_id}").json["cards"][0]["channel"] == 2


def test_the_phone_gets_the_card_that_the_desk_gave_out(city: City) -> None:
    desk, number = Desk(city), resident_id()
    card_id = desk.register(certificate_number=number).json["card_id"]
    token, _ = city.login()
    body = {"certificate_type": "01", "certificate_number": number, "name": "张测试", "phone": "13800000001"}
    reply = city.client.post("/api/v1/registrations", json=body, headers=bearer(token))
    assert (reply.status_code, reply.json["card_id"], reply.json["holder"]) == (200, card_id, "confirmed")


def test_other_details_are_named_and_refused_and_the_desk_goes_on_with_the_recorded_person(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    reply = desk.register(
        certificate_number=patient.certificate_number, name="李测试", phone="13900000002", sex="unknown"
    )
    assert refused(reply) == (409, "health_card.recorded_details_differ")
    assert reply.json["fields"] == ["name", "phone"]
    found = desk.get(f"/persons/{reply.json['look_up_id']}").json
    assert (found["person"]["name"], found["person"]["assurance"]) == ("张*试", "asserted")
    assert found["is_document_seen"] is False


def test_what_only_one_of_both_knows_is_no_difference(city: City) -> None:
    desk, number = Desk(city), resident_id()
    desk.register(certificate_number=number, nation="01")
    assert desk.register(certificate_number=number, address="测试路1号").status_code == 200
    assert desk.register(certificate_number=number, nation="02").json["fields"] == ["nation"]


def test_an_expired_document_registers_nobody(city: City) -> None:
    with db.transaction() as session:
        before = session.scalar(select(func.count(Person.id)))
    assert refused(Desk(city).register(expires_on="2020-01-01")) == (422, "health_card.document_expired")
    with db.transaction() as session:
        assert session.scalar(select(func.count(Person.id))) == before


def test_a_foreigners_passport_names_its_country(city: City) -> None:
    desk = Desk(city)
    passport = {
        "certificate_type": "03",
        "certificate_number": f"M{secrets.randbelow(10**8):08d}",
        "sex": "female",
        "birth_date": "1990-01-02",
    }
    korean, french = (desk.register(**passport, country=country) for country in ("KOR", "FRA"))
    assert korean.json["card_id"] != french.json["card_id"]
    certificate = {key: passport[key] for key in ("certificate_type", "certificate_number")}
    assert refused(desk.post("/look-ups", certificate)) == (404, "health_card.person_not_found")
    assert desk.post("/look-ups", certificate | {"country": "KOR"}).status_code == 201


def test_applying_again_brings_a_cancelled_card_back_and_its_old_codes_stay_dead(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    code = city.code(patient)
    path = desk.open(patient)
    assert desk.post(f"{path}/cards/{patient.card_id}/cancel").json["state"] == 3
    reply = desk.register(certificate_number=patient.certificate_number)
    assert (reply.json["card_id"], reply.json["state"]) == (str(patient.card_id), 1)
    assert refused(city.scan(desk.staff, code, desk.hospital)) == (410, "health_card.code_revoked")
    assert city.scan(desk.staff, city.code(patient), desk.hospital).status_code == 201


def test_by_phone_only_a_confirmed_login_brings_a_cancelled_card_back(city: City) -> None:
    patient = city.patient()
    with db.transaction() as session:
        card = session.get_one(Card, patient.card_id)
        move_card(session, patient.actor, card, CardAct.CANCEL)
    body = {
        "certificate_type": "01",
        "certificate_number": patient.certificate_number,
        "name": patient.name,
        "phone": patient.phone,
    }
    stranger, _ = city.login()
    states = [
        city.client.post("/api/v1/registrations", json=body, headers=bearer(token)).json["state"]
        for token in (stranger, patient.token)
    ]
    assert states == [CardState.CANCELLED, CardState.NORMAL]
