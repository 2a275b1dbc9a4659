"""Real-name registration through the API."""

import secrets
from uuid import UUID

import pytest

from core import db
from health_card import service as health_card
from health_card.models import Card
from health_card.routes import GUESSES_PER_MINUTE
from tests.support.city import City, bearer, resident_id


def application(**changes: object) -> dict[str, object]:
    return {
        "certificate_type": "01",
        "certificate_number": resident_id(sex="male"),
        "name": "张测试",
        "phone": "13800000001",
    } | changes


def test_registering_gives_a_card_and_again_the_same_card(city: City) -> None:
    token, _ = city.login()
    body = application()
    first = city.client.post("/api/v1/registrations", json=body, headers=bearer(token))
    again = city.client.post("/api/v1/registrations", json=body, headers=bearer(token))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json["card_id"] == again.json["card_id"]
    assert first.json["holder"] == "confirmed"
    cards = city.client.get("/api/v1/cards", headers=bearer(token)).json["cards"]
    assert [card["card_id"] for card in cards] == [first.json["card_id"]]
    assert cards[0]["name"] == "张*试"
    assert len(cards[0]["number"]) == 64


def test_a_second_login_gets_the_same_card_but_waits_for_a_desk(city: City) -> None:
    patient = city.patient()
    token, _ = city.login()
    body = application(certificate_number=patient.certificate_number)
    reply = city.client.post("/api/v1/registrations", json=body, headers=bearer(token))
    assert reply.json["card_id"] == str(patient.card_id)
    assert reply.json["holder"] == "awaiting_desk"
    assert city.client.get("/api/v1/cards", headers=bearer(token)).json["cards"] == []


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"certificate_number": "110105194912310021"}, 422, "health_card.certificate_invalid"),
        ({"certificate_number": "11010519491331002X"}, 422, "health_card.certificate_invalid"),
        ({"certificate_type": "55"}, 422, "core.malformed_request"),
        ({"sex": "female"}, 422, "health_card.details_contradict_certificate"),
        ({"birth_date": "1985-04-13"}, 422, "health_card.details_contradict_certificate"),
        ({"certificate_type": "03", "country": "Korea"}, 422, "core.malformed_request"),
        ({"phone": "12345"}, 422, "core.malformed_request"),
        ({"surprise": 1}, 422, "core.malformed_request"),
    ],
)
def test_what_cannot_be_right_is_refused(city: City, changes: dict[str, object], status: int, code: str) -> None:
    token, _ = city.login()
    reply = city.client.post("/api/v1/registrations", json=application(**changes), headers=bearer(token))
    assert (reply.status_code, reply.json["code"]) == (status, code)
    assert city.client.get("/api/v1/cards", headers=bearer(token)).json["cards"] == []


def test_other_details_for_a_known_certificate_are_refused(city: City) -> None:
    patient = city.patient()
    token, _ = city.login()
    body = application(certificate_number=patient.certificate_number, name="李测试")
    reply = city.client.post("/api/v1/registrations", json=body, headers=bearer(token))
    assert (reply.status_code, reply.json["code"]) == (409, "health_card.person_details_differ")


def test_one_login_is_one_person(city: City) -> None:
    patient = city.patient()
    reply = city.client.post("/api/v1/registrations", json=application(), headers=bearer(patient.token))
    assert (reply.status_code, reply.json["code"]) == (409, "health_card.login_holds_another")


def test_name_and_phone_cannot_be_found_out_by_trying(city: City) -> None:
    patient = city.patient()
    token, _ = city.login()

    def guess(number: int) -> tuple[int, str]:
        body = application(certificate_number=patient.certificate_number, phone=f"139000000{number:02d}")
        reply = city.client.post("/api/v1/registrations", json=body, headers=bearer(token))
        return reply.status_code, reply.json["code"]

    refused = [guess(number) for number in range(GUESSES_PER_MINUTE + 1)]
    assert set(refused[:-1]) == {(409, "health_card.person_details_differ")}
    assert refused[-1] == (429, "core.rate_exceeded")


def test_what_the_number_tells_need_not_be_said_but_may_be(city: City) -> None:
    token, _ = city.login()
    body = application(sex="male", birth_date="1985-04-12", nation="01", address="测试路1号")
    reply = city.client.post("/api/v1/registrations", json=body, headers=bearer(token))
    assert reply.status_code == 201
    with db.snapshot() as session:
        person_id = session.get_one(Card, UUID(reply.json["card_id"])).person_id
        shown = health_card.get_plain_demographics(session, person_id)
    assert (shown.sex, str(shown.birth_date), shown.nation, shown.address) == ("male", "1985-04-12", "01", "测试路1号")


def test_two_countries_may_give_out_one_passport_number(city: City) -> None:
    number = f"M{secrets.randbelow(10**8):08d}"
    body = application(certificate_type="03", certificate_number=number, sex="female", birth_date="1990-01-02")
    cards = []
    for country in ("KOR", "", "KOR", "FRA"):
        token, _ = city.login()
        reply = city.client.post("/api/v1/registrations", json=body | {"country": country}, headers=bearer(token))
        cards.append(reply.json["card_id"])
    assert cards[0] == cards[2]
    assert len(set(cards)) == 3
    actor = city.machine(city.hospital()).actor
    with db.snapshot() as session:
        # Without its country the number could be either's.
        assert health_card.find_person(session, actor, certificate=("03", number)) is None
