"""Registering persons, one by one and in batches."""

from typing import Any

import pytest
from sqlalchemy import select

from accounts.refusals import WechatCodeInvalid
from core import db
from core.audit import AuditEntry
from health_card import service as health_card
from health_card.models import Card, Holder, Person
from health_card.tencent.routes import GUESSES_PER_MINUTE
from tests.health_card.tencent.conftest import House, count, gender_of


def test_a_person_at_a_window_is_registered_once_without_any_holder(house: House) -> None:
    sent = house.person(patid="MZ0001", address="测试路1号")
    first, again = house.system.ask("registerHealthCard", sent), house.system.ask("registerHealthCard", sent)
    assert first == again
    assert first["qrCodeText"] == f"{first['healthCardId']}:1::{house.city.config.issuer_code}"
    assert first["adminExt"] == ""
    with db.snapshot() as session:
        card = session.scalars(select(Card).filter_by(number=first["healthCardId"])).one()
        plain = health_card.get_plain_demographics(session, card.person_id)
    assert count(Holder, person_id=card.person_id) == 0
    assert (card.channel, plain.assurance, plain.nation, plain.sex) == (3, "asserted", "01", "male")
    assert count(AuditEntry, action="health_card.person.registered", hospital_id=house.hospital.id) == 1


def test_the_owner_of_a_wechat_code_holds_the_card(house: House, phone: dict[str, str]) -> None:
    sent = house.person(wechatCode="phone-1", relation="本人")
    first = house.system.ask("registerHealthCard", sent)
    assert house.system.ask("registerHealthCard", sent) == first
    another = house.person(wechatCode="phone-1")
    assert house.system.refused("registerHealthCard", another) == (2004, "health_card.login_holds_another")
    second = house.system.ask("registerHealthCard", sent | {"wechatCode": "phone-2"})
    assert second == first
    with db.snapshot() as session:
        person_id = session.scalars(select(Card.person_id).filter_by(number=first["healthCardId"])).one()
        holders = select(Holder.confirmed_at.is_not(None)).filter_by(person_id=person_id)
        confirmed = session.scalars(holders.order_by(Holder.created_at)).all()
    assert confirmed == [True, False]


def test_a_wechat_code_that_wechat_refuses_registers_nobody(house: House, phone: dict[str, str]) -> None:
    before = count(Person)
    refused = house.system.refused("registerHealthCard", house.person(wechatCode="unknown"))
    assert refused == (2301, WechatCodeInvalid.code)
    assert count(Person) == before


def test_without_a_number_only_a_newborn_is_registered(house: House) -> None:
    before = count(Person)
    nobody = house.person(idType=None, idNumber=None)
    assert house.system.refused("registerHealthCard", nobody) == (1102, "health_card.tencent_field_missing")
    assert count(Person) == before
    with_number = house.person(childInfo={"motherName": "李测试", "multipleBirthsFlag": 0, "parity": "1"})
    assert house.system.ask("registerHealthCard", with_number)["healthCardId"]


def test_name_and_phone_of_a_known_person_cannot_be_found_out_by_trying(house: House) -> None:
    patient = house.city.patient()
    sent = house.person(idNumber=patient.certificate_number, gender=None) | {"gender": gender_of(patient)}
    for number in range(GUESSES_PER_MINUTE):
        wrong = sent | {"phone1": f"1390000000{number}"}
        assert house.system.refused("registerHealthCard", wrong) == (2003, "health_card.person_details_differ")
    assert house.system.refused("registerHealthCard", sent) == (1207, "core.rate_exceeded")
    assert house.system.ask("registerHealthCard", house.person())["healthCardId"]


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"idNumber": "110105194912310021"}, (2001, "health_card.certificate_invalid")),
        ({"birthday": "1985-04-13"}, (2002, "health_card.details_contradict_certificate")),
        ({"gender": "女"}, (2002, "health_card.details_contradict_certificate")),
        ({"nation": "火星族"}, (1104, "health_card.tencent_field_invalid")),
        ({"birthday": "19850412"}, (1104, "health_card.tencent_field_invalid")),
        ({"birthday": 19850412}, (1104, "health_card.tencent_field_invalid")),
        ({"phone1": 13800000001}, (1104, "health_card.tencent_field_invalid")),
        ({"idType": 1}, (1103, "health_card.tencent_code_lost_zero")),
        ({"idType": "1"}, (1103, "health_card.tencent_code_lost_zero")),
        ({"idType": "55"}, (1104, "health_card.tencent_field_invalid")),
        ({"childInfo": {"motherIdType": 1}}, (1103, "health_card.tencent_code_lost_zero")),
        ({"childInfo": {"colour": "red"}}, (1101, "health_card.tencent_field_unknown")),
        ({"name": ""}, (1102, "health_card.tencent_field_missing")),
        ({"nation": None}, (1102, "health_card.tencent_field_missing")),
        ({"colour": "red"}, (1101, "health_card.tencent_field_unknown")),
    ],
)
def test_a_field_that_cannot_be_right_is_refused_and_named(
    house: House, changes: dict[str, Any], wanted: tuple[int, str]
) -> None:
    before = count(Person)
    answer = house.system.call("registerHealthCard", house.person(**changes))
    said = answer["commonOut"]["errMsg"]
    assert (answer["commonOut"]["resultCode"], f"[{wanted[1]}]") == (wanted[0], said[said.index(" [") + 1 :])
    if wanted[0] < 2000:
        assert f"req.{next(iter(changes))}" in said
    assert "火星" not in said
    assert "19850412" not in said
    assert count(Person) == before


def test_a_batch_registers_each_for_itself(house: House) -> None:
    before = count(Person)
    good, wrong, other = house.person(), house.person(birthday="1999-01-01"), house.person(name="李测试")
    done = house.system.ask("registerBatchHealthCard", {"healthCardItems": [good, wrong, other]})
    assert [item["idNumber"] for item in done["rspItems"]] == [good["idNumber"], other["idNumber"]]
    assert {len(item["healthCardId"]) for item in done["rspItems"]} == {64}
    (failed,) = done["failedItems"]
    assert (failed["idNumber"], failed["resultCode"]) == (wrong["idNumber"], 2002)
    assert count(Person) == before + 2
    too_many = {"healthCardItems": [house.person() for _ in range(16)]}
    assert house.system.refused("registerBatchHealthCard", too_many)[0] == 1104
    unknown = {"healthCardItems": [house.person(), house.person(colour="red")]}
    assert (
        "req.healthCardItems.1.colour" in house.system.call("registerBatchHealthCard", unknown)["commonOut"]["errMsg"]
    )
    assert count(Person) == before + 2
