"""Registering families: newborns without a number, and relatives of the owner of a wechatCode."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from core import db
from health_card import service as health_card
from health_card.certificates import CertificateType, check_certificate
from health_card.family.models import Newborn, Proof
from health_card.family.service import Visitor, confirm_holder, list_holders_at_desk
from health_card.models import Card, Holder, Person, Relation
from health_card.tencent.refusals import FieldInvalid
from health_card.tencent.routes import GUESSES_PER_MINUTE
from health_card.tencent.schemas import Registration
from health_card.tencent.translation import read_relation
from tests.health_card.family.household import born_years_ago, number_of, today
from tests.health_card.tencent.conftest import House, count
from tests.support.city import resident_id

REGISTER = "registerHealthCard"
DIFFER = (2003, "health_card.person_details_differ")
WAITS = (2005, "health_card.tencent_relation_awaits_desk")


def newborn(house: House, mother: str, child: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A boy born today, without a number of his own."""
    info = {"motherName": "李测试", "motherIdType": "01", "motherIdNumber": mother} | (child or {})
    kept = {name: value for name, value in info.items() if value is not None}
    sent = {"name": "李测试之子", "idType": None, "idNumber": None, "birthday": today().isoformat(), "childInfo": kept}
    return house.person(**(sent | changes))


def person_of(card: dict[str, Any]) -> Card:
    with db.snapshot() as session:
        return session.scalars(select(Card).filter_by(number=card["healthCardId"])).one()


# Newborns


def test_a_newborn_at_a_window_is_one_child_and_its_twin_another(house: House) -> None:
    mother = resident_id("19930412", "female")
    sent = newborn(house, mother, {"multipleBirthsFlag": 1, "parity": "1"}, phone1="13800000055", patid="MZ0009")
    first, again = house.system.ask(REGISTER, sent), house.system.ask(REGISTER, sent)
    assert first == again
    twin = newborn(house, mother, {"multipleBirthsFlag": 1, "parity": "2"}, name="李测试次子")
    assert house.system.ask(REGISTER, twin)["phid"] != first["phid"]
    card = person_of(first)
    assert (card.channel, count(Holder, person_id=card.person_id)) == (3, 0)
    with db.snapshot() as session:
        plain = health_card.get_plain_demographics(session, card.person_id)
    assert (plain.phone, plain.sex, plain.certificate_number, plain.nation) == ("13800000055", "male", None, "01")
    shown = house.system.ask("getHealthCardByHealthCardId", {"healthCardId": card.number})["card"]
    assert (shown["idType"], shown["idNumber"], shown["patid"]) == ("", "", "MZ0009")
    done = house.system.ask("registerBatchHealthCard", {"healthCardItems": [sent]})
    assert done["rspItems"][0]["healthCardId"] == card.number


def test_twins_of_whom_nobody_said_so_do_not_become_one_child(house: House) -> None:
    mother, at_one = resident_id("19930412", "female"), f"{today()} 00:00:01"
    house.system.ask(REGISTER, newborn(house, mother, {"birthTime": at_one}))
    before = count(Person)
    assert house.system.refused(REGISTER, newborn(house, mother, name="李测试次子")) == DIFFER
    assert house.system.refused(REGISTER, newborn(house, mother, gender="女")) == DIFFER
    later = newborn(house, mother, {"birthTime": f"{today()} 00:00:02"})
    assert house.system.refused(REGISTER, later) == DIFFER
    assert house.system.ask(REGISTER, newborn(house, mother, {"birthTime": at_one}))["healthCardId"]
    assert count(Person) == before


def test_a_childs_name_cannot_be_found_out_by_trying(house: House) -> None:
    mother = resident_id("19930412", "female")
    house.system.ask(REGISTER, newborn(house, mother))
    for _ in range(GUESSES_PER_MINUTE):
        assert house.system.refused(REGISTER, newborn(house, mother, name="猜测试")) == DIFFER
    assert house.system.refused(REGISTER, newborn(house, mother)) == (1207, "core.rate_exceeded")


@pytest.mark.parametrize(
    ("child", "changes", "wanted"),
    [
        ({"motherIdNumber": None}, {}, (1102, "health_card.tencent_field_missing")),
        ({"motherIdType": None}, {}, (1102, "health_card.tencent_field_missing")),
        ({"motherIdNumber": "11010519491231002Y"}, {}, (2001, "health_card.certificate_invalid")),
        ({"multipleBirthsFlag": 1}, {}, (1102, "health_card.tencent_field_missing")),
        ({"multipleBirthsFlag": "1", "parity": "0"}, {}, (1104, "health_card.tencent_field_invalid")),
        ({"multipleBirthsFlag": 2, "parity": "1"}, {}, (1104, "health_card.tencent_field_invalid")),
        ({"birthTime": "2026-01-02"}, {}, (1104, "health_card.tencent_field_invalid")),
        ({"birthTime": "2020-01-02 01:00:00"}, {}, (2006, "health_card.not_a_newborn")),
    ],
)
def test_a_newborn_that_cannot_be_told_apart_is_not_registered(
    house: House, child: dict[str, Any], changes: dict[str, Any], wanted: tuple[int, str]
) -> None:
    before = count(Person)
    sent = newborn(house, resident_id("19930412", "female"), child, **changes)
    assert house.system.refused(REGISTER, sent) == wanted
    assert (count(Person), count(Newborn)) == (before, 0)


def test_who_is_a_year_old_or_not_born_yet_is_no_newborn(house: House) -> None:
    before, mother = count(Person), resident_id("19930412", "female")
    for day in (born_years_ago(1), today() + timedelta(days=1)):
        sent = newborn(house, mother, birthday=day.isoformat())
        assert house.system.refused(REGISTER, sent) == (2006, "health_card.not_a_newborn"), day
    assert (count(Person), count(Newborn)) == (before, 0)


def test_the_owner_of_a_wechat_code_registers_his_newborn(house: House, phone: dict[str, str]) -> None:
    own = house.person(wechatCode="phone-1")
    house.system.ask(REGISTER, own)
    child = person_of(house.system.ask(REGISTER, newborn(house, own["idNumber"], wechatCode="phone-1")))
    with db.snapshot() as session:
        held = session.scalars(select(Holder).filter_by(person_id=child.person_id)).one()
    assert (held.relation, held.confirmed_at is not None, held.valid_until is not None) == ("child", True, True)
    as_spouse = newborn(house, own["idNumber"], {"multipleBirthsFlag": 1, "parity": "2"}, relation="12")
    refused = house.system.refused(REGISTER, as_spouse | {"wechatCode": "phone-1"})
    assert refused == (2010, "health_card.relation_does_not_fit")


def test_the_hospital_comes_first_and_the_guardians_phone_waits_for_a_desk(house: House, phone: dict[str, str]) -> None:
    own = house.person(wechatCode="phone-1")
    house.system.ask(REGISTER, own)
    at_window = house.system.ask(REGISTER, newborn(house, own["idNumber"]))
    assert house.system.refused(REGISTER, newborn(house, own["idNumber"], wechatCode="phone-1")) == WAITS
    confirm_the_one_who_waits(house, own["idNumber"], Proof.BIRTH_RECORD)
    assert house.system.ask(REGISTER, newborn(house, own["idNumber"], wechatCode="phone-1")) == at_window


# Relatives


def confirm_the_one_who_waits(house: House, own_number: str, proof: Proof, *, present: bool = False) -> None:
    """A desk sees the proof."""
    visitor = Visitor(check_certificate(CertificateType.RESIDENT_ID, own_number))
    actor = house.city.staff(house.hospital).actor
    with db.transaction() as session:
        (waiting,) = [held for held in list_holders_at_desk(session, actor, visitor=visitor) if not held.is_confirmed]
        confirm_holder(
            session, actor, visitor=visitor, holder_id=waiting.holder_id, proof=proof, person_was_present=present
        )


def test_a_relative_has_a_card_and_the_phone_waits_until_a_desk_has_seen_the_proof(
    house: House, phone: dict[str, str]
) -> None:
    own, spouse = house.person(wechatCode="phone-1"), house.person(name="王测试", phone1="13800000044")
    asked = spouse | {"wechatCode": "phone-1", "relation": "配偶"}
    assert house.system.refused(REGISTER, asked) == (2008, "health_card.register_yourself_first")
    house.system.ask(REGISTER, own)
    before = count(Person)
    assert [house.system.refused(REGISTER, asked) for _ in range(2)] == [WAITS, WAITS]
    assert count(Person) == before + 1
    card = house.system.ask(REGISTER, spouse)
    person_id = person_of(card).person_id
    with db.snapshot() as session:
        held = session.scalars(select(Holder).filter_by(person_id=person_id)).one()
    assert (held.relation, held.confirmed_at) == ("spouse", None)
    confirm_the_one_who_waits(house, own["idNumber"], Proof.IDENTITY_DOCUMENT, present=True)
    assert house.system.ask(REGISTER, asked) == card


def test_a_relative_who_waits_is_not_shown_to_the_hospital(house: House, phone: dict[str, str]) -> None:
    other = house.city.patient("王测试")
    house.system.ask(REGISTER, house.person(wechatCode="phone-1"))
    asked = house.person(
        wechatCode="phone-1",
        relation="10",
        name=other.name,
        phone1=other.phone,
        idNumber=other.certificate_number,
        gender="男" if int(other.certificate_number[16]) % 2 else "女",
    )
    assert house.system.refused(REGISTER, asked) == WAITS
    refused = house.system.refused("getHealthCardByHealthCardId", {"healthCardId": other.card_number})
    assert refused == (2103, "health_card.card_not_shown_here")
    assert house.system.refused(REGISTER, asked | {"phone1": "13900000000"}) == DIFFER


def test_a_child_that_nobody_registered_is_held_at_once_and_the_family_has_its_limit(
    house: House, phone: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    extensions = house.city.app.extensions
    monkeypatch.setitem(extensions, "yimatong.config", replace(house.city.config, family_limit=2))
    house.system.ask(REGISTER, house.person(wechatCode="phone-1"))

    def child() -> dict[str, Any]:
        number, born = number_of(born_years_ago(6)), born_years_ago(6).isoformat()
        gender = "男" if int(number[16]) % 2 else "女"
        return house.person(idNumber=number, birthday=born, gender=gender, wechatCode="phone-1", relation="子女")

    alone = child() | {"relation": "", "wechatCode": "phone-2"}
    assert house.system.refused(REGISTER, alone) == (2012, "health_card.under_fourteen")
    first = child()
    card = house.system.ask(REGISTER, first)
    assert house.system.ask(REGISTER, first) == card
    before = count(Person)
    assert house.system.refused(REGISTER, child()) == (2009, "health_card.family_full")
    assert count(Person) == before


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("", Relation.SELF), ("0", Relation.SELF), ("01", Relation.SELF), ("本人", Relation.SELF),
        ("10", Relation.SPOUSE), ("12", Relation.SPOUSE), ("妻子", Relation.SPOUSE), ("21", Relation.CHILD),
        ("31", Relation.CHILD), ("女儿", Relation.CHILD), ("52", Relation.PARENT), ("父母", Relation.PARENT),
        ("41", Relation.OTHER), ("73", Relation.OTHER), ("99", Relation.OTHER), ("其他", Relation.OTHER),
        ("被监护人", Relation.WARD), ("02", None), ("1", None), ("同事", None), ("100", None), ("１０", None),
    ],
)  # fmt: skip
def test_relations_are_read_by_word_and_by_the_national_list(said: str, meant: Relation | None) -> None:
    sent = Registration.model_validate(
        {"name": "张测试", "gender": "男", "nation": "汉族", "birthday": "1985-04-12", "phone1": "13800000001"}
        | {"relation": said}
    )
    if meant is None:
        with pytest.raises(FieldInvalid):
            read_relation(sent)
    else:
        assert read_relation(sent) is meant
