"""One life with a card: born, held by two parents, phone lost, card lost, doubled, put right, and of age."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from accounts import service as accounts
from accounts.models import Role
from accounts.wechat import WechatIdentity
from core import db
from health_card.models import Card
from tests.conftest import SteppingClock
from tests.health_card.family.household import Household, number_of, refused, today
from tests.support.city import City, Patient, bearer
from tests.support.desks import Desk

PASSPORT = "E12345678"


def sign_in_again(city: City, patient: Patient) -> Patient:
    """The same WeChat account on another phone, or years later."""
    with db.transaction() as session:
        openid = accounts.get_openid(session, patient.actor.id)
        identity = WechatIdentity(city.config.wechat_app_id, openid, None)
        pair = accounts.sign_in_login(session, identity, issuer=city.config.base_url)
    return replace(patient, token=pair.access.text, actor=city.actor(pair.access.text))


def boys_number() -> str:
    return number_of(today(), "male")


class Life:
    """The household, and the child's card in its hands."""

    def __init__(self, city: City) -> None:
        self.city, self.home, self.desk = city, Household.open(city), Desk(city)
        self.number = boys_number()

    def show(self, who: Patient, card_id: str) -> str:
        path = f"/api/v1/cards/{card_id}/codes"
        text: str = self.city.client.post(path, json={}, headers=bearer(who.token)).json["text"]
        return text

    def scan(self, code: str) -> Any:
        return self.city.scan(self.desk.staff, code, self.desk.hospital)

    def childs_card(self, who: Patient) -> dict[str, Any] | None:
        return next((card for card in self.home.cards(who) if card["relation"] != "self"), None)

    def act(self, who: Patient, card_id: str, name: str) -> Any:
        return self.city.client.post(f"/api/v1/cards/{card_id}/{name}", headers=bearer(who.token))


def test_from_the_cradle_to_the_eighteenth_birthday(city: City, stepping_clock: SteppingClock) -> None:
    life = Life(city)
    card_id = be_born(life)
    get_a_second_guardian_and_a_number(life, card_id)
    lose_the_phone(life, card_id)
    card_id = lose_the_card(life, card_id)
    be_two_and_one_and_two_again(life, card_id)
    come_of_age(life, stepping_clock)


def be_born(life: Life) -> str:
    added = life.home.add_newborn(life.home.mother)
    assert (added.status_code, added.json["holder"]) == (201, "confirmed")
    card = life.childs_card(life.home.mother)
    assert card is not None
    seen = life.scan(life.show(life.home.mother, card["card_id"]))
    assert (seen.status_code, seen.json["person"]["age"], seen.json["person"]["assurance"]) == (201, 0, "asserted")
    card_id: str = card["card_id"]
    return card_id


def get_a_second_guardian_and_a_number(life: Life, card_id: str) -> None:
    home = life.home
    waiting = home.add_newborn(home.father).json
    assert (waiting["holder"], life.childs_card(home.father)) == ("awaiting_desk", None)
    assert home.confirm(home.father, waiting["holder_id"]).status_code == 200
    held = life.childs_card(home.father)
    assert held is not None
    assert (held["card_id"], held["relation"]) == (card_id, "child")
    named = home.give_number(home.father, waiting["holder_id"], life.number, child_name="王小测")
    assert named.status_code == 204, named.text
    seen = life.scan(life.show(home.father, card_id))
    assert (seen.json["person"]["name"], seen.json["person"]["certificate_type"]) == ("王*测", "01")


def lose_the_phone(life: Life, card_id: str) -> None:
    home, code = life.home, life.show(life.home.mother, card_id)
    path = life.desk.open(home.mother)
    ended = life.desk.post(f"{path}/end-logins", {"until_confirmed": False})
    assert ended.json["sign_ins_ended"] >= 1, ended.text
    assert refused(life.act(home.mother, card_id, "codes/revoke")) == (401, "accounts.session_ended")
    assert refused(life.scan(code)) == (410, "health_card.code_revoked")
    home.mother = sign_in_again(life.city, home.mother)
    assert life.scan(life.show(home.mother, card_id)).status_code == 201


def lose_the_card(life: Life, card_id: str) -> str:
    home, code = life.home, life.show(life.home.mother, card_id)
    assert life.act(home.mother, card_id, "report-lost").json["state"] == 2
    assert refused(life.scan(code)) == (410, "health_card.code_revoked")
    issued = life.act(home.mother, card_id, "reissue")
    assert issued.status_code == 201, issued.text
    new_id: str = issued.json["card_id"]
    assert new_id != card_id
    for parent in (home.mother, home.father):
        held = life.childs_card(parent)
        assert held is not None
        assert held["card_id"] == new_id
    assert life.scan(life.show(home.father, new_id)).status_code == 201
    return new_id


def be_two_and_one_and_two_again(life: Life, card_id: str) -> None:
    """A window registered the passport as if it were somebody else's."""
    document = {"certificate_type": "03", "certificate_number": PASSPORT, "sex": "male", "name": "王小测"}
    doubled = life.desk.register(**document, birth_date=today().isoformat(), phone=life.home.mother.phone)
    assert (doubled.status_code, doubled.json["is_new"]) == (201, True), doubled.text
    operator = life.city.staff(None, Role.OPERATOR)
    own, other = person_of(life, card_id), person_of(life, doubled.json["card_id"])
    asked = {"from_id": str(other), "into_id": str(own), "reason": "same child, seen with both documents"}
    merged = life.city.client.post("/api/v1/operator/merges", json=asked, headers=bearer(operator.token))
    assert merged.status_code == 201, merged.text
    held = {card["card_id"] for card in life.home.cards(life.home.mother) if card["relation"] != "self"}
    assert held == {card_id, doubled.json["card_id"]}
    seen = life.scan(life.show(life.home.mother, doubled.json["card_id"]))
    assert seen.json["person"]["certificate_type"] == "01", "the standing record is shown"
    undo = f"/api/v1/operator/merges/{merged.json['id']}/undo"
    undone = life.city.client.post(undo, json={"reason": "two children after all"}, headers=bearer(operator.token))
    assert undone.status_code == 200, undone.text
    held = {card["card_id"] for card in life.home.cards(life.home.mother) if card["relation"] != "self"}
    assert held == {card_id}


def come_of_age(life: Life, stepping_clock: SteppingClock) -> None:
    stepping_clock.forward(days=18 * 366)
    city, home = life.city, life.home
    home.mother, home.father = sign_in_again(city, home.mother), sign_in_again(city, home.father)
    assert [life.childs_card(parent) for parent in (home.mother, home.father)] == [None, None]
    home.registrar = city.staff(home.hospital, Role.REGISTRAR)
    token, _ = city.login()
    body = {"certificate_type": "01", "certificate_number": life.number, "name": "王小测", "phone": home.mother.phone}
    registered = city.client.post("/api/v1/registrations", json=body, headers=bearer(token))
    assert (registered.status_code, registered.json["holder"]) == (200, "awaiting_desk"), registered.text
    (waiting,) = [each for each in home.look_up(life.number).json["holders"] if each["holder"] == "awaiting_desk"]
    confirmed = home.confirm(life.number, waiting["holder_id"], "identity_document", person_was_present=True)
    assert confirmed.status_code == 200, confirmed.text
    (own,) = city.client.get("/api/v1/cards", headers=bearer(token)).json["cards"]
    assert (own["is_self"], own["card_id"]) == (True, registered.json["card_id"])


def person_of(life: Life, card_id: str) -> UUID:
    with db.snapshot() as session:
        return session.get_one(Card, UUID(card_id)).person_id
