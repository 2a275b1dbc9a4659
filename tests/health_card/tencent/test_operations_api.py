"""Verifying, reading, showing, binding and reporting: for whom, and what is never told."""

import base64
from typing import Any

import pytest
from sqlalchemy import select, text

from accounts import service as accounts
from core import db
from core.actor import SYSTEM
from core.audit import AuditEntry
from health_card.models import CardState
from health_card.nations import NATIONS, find_nation_code
from health_card.notices.models import Notice
from health_card.showings.models import CardUse
from health_card.tencent import service as tencent
from tests.conftest import SteppingClock
from tests.health_card.tencent.conftest import House, count, gender_of, set_state, verified
from tests.support.city import City, bearer, resident_id

# Verification and reading


def test_a_dynamic_code_tells_the_hospital_whose_it_is_and_the_person_is_told(house: House) -> None:
    patient = house.city.patient()
    code = house.city.code(patient)
    found = house.system.ask("verifyQRCode", house.verification(code, time="2026-01-02 09:30:00"))
    assert (found["name"], found["idNumber"], found["phone"]) == ("张测试", patient.certificate_number, patient.phone)
    assert (found["healthCardId"], found["idType"], found["birthday"]) == (patient.card_number, "01", "1985-04-12")
    assert (found["gender"], found["nation"], found["verifyStatus"]) == (gender_of(patient), "", "0")
    assert house.system.ask("verifyQRCode", house.verification(code)) == found
    assert count(CardUse, hospital_id=house.hospital.id, use_kind="verified") == 1
    with db.snapshot() as session:
        (told,) = session.scalars(select(Notice).filter_by(person_id=patient.person_id)).all()
    assert (told.kind, told.facts) == ("identified", {"terminal": "W01", "step": "010101", "department": "0300"})
    other = House(house.city)
    again = other.system.refused("verifyQRCode", other.verification(code))
    assert again == (2204, "health_card.code_redeemed")


def test_a_static_code_needs_the_document_and_tells_only_masked_details(house: House) -> None:
    patient = house.city.patient()
    sent = house.verification(house.city.code(patient, "static"))
    assert house.system.refused("verifyQRCode", sent) == (2206, "health_card.second_factor_missing")
    wrong = sent | {"idCard": resident_id()}
    assert house.system.refused("verifyQRCode", wrong) == (2207, "health_card.second_factor_wrong")
    found = house.system.ask("verifyQRCode", sent | {"idCard": patient.certificate_number})
    assert (found["name"], found["phone"], found["address"]) == ("张*试", "138****0001", "")
    assert patient.certificate_number not in found.values()
    refused = house.system.refused("getHealthCardByHealthCardId", {"healthCardId": patient.card_number})
    assert refused == (2103, "health_card.card_not_shown_here")


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"medicalStep": 10101}, (1103, "health_card.tencent_code_lost_zero")),
        ({"medicalStep": "10101"}, (1103, "health_card.tencent_code_lost_zero")),
        ({"department": 300}, (1103, "health_card.tencent_code_lost_zero")),
        ({"department": "300"}, (1103, "health_card.tencent_code_lost_zero")),
        ({"terminalId": None}, (1102, "health_card.tencent_field_missing")),
        ({"terminalId": "W99"}, (2209, "accounts.terminal_unknown")),
        ({"hospitalCode": "H-OTHER"}, (1104, "health_card.tencent_field_invalid")),
        ({"qrCodeText": "hello"}, (2201, "health_card.code_malformed")),
        ({"qrCodeText": "A" * 64 + ":1"}, (2202, "health_card.code_forged")),
    ],
)
def test_a_verification_that_is_refused_uses_no_code_up(
    house: House, changes: dict[str, Any], wanted: tuple[int, str]
) -> None:
    code = house.city.code(house.city.patient())
    assert house.system.refused("verifyQRCode", house.verification(code, **changes)) == wanted
    assert count(CardUse, hospital_id=house.hospital.id) == 0
    assert house.system.ask("verifyQRCode", house.verification(code))["name"] == "张测试"


def test_an_old_code_and_a_code_of_a_lost_card_are_refused(house: House, stepping_clock: SteppingClock) -> None:
    house.system.sign_in()
    patient = house.city.patient()
    late, lost = house.city.code(patient), house.city.code(patient)
    set_state(patient, CardState.LOST)
    assert house.system.refused("verifyQRCode", house.verification(lost)) == (2205, "health_card.code_revoked")
    set_state(patient, CardState.NORMAL)
    stepping_clock.forward(seconds=61)
    assert house.system.refused("verifyQRCode", house.verification(late)) == (2203, "health_card.code_expired")


def test_refused_codes_lock_the_terminal_as_at_a_desk(house: House) -> None:
    for _ in range(20):
        assert house.system.refused("verifyQRCode", house.verification("hello"))[0] == 2201
    assert house.system.refused("verifyQRCode", house.verification("hello")) == (2208, "health_card.terminal_locked")
    doctor = house.city.staff(house.hospital)
    scanned = house.city.scan(doctor, house.city.code(house.city.patient()), house.hospital)
    assert scanned.json["code"] == "health_card.terminal_locked"


def test_a_card_is_read_only_where_it_was_shown_and_not_for_ever(house: House, stepping_clock: SteppingClock) -> None:
    house.system.sign_in()
    patient, other = house.city.patient(), House(house.city)
    by_number = {"healthCardId": patient.card_number.lower()}
    by_code = {"qrCodeText": house.city.code(patient, "static")}
    for system in (house.system, other.system):
        for operation, body in (("getHealthCardByHealthCardId", by_number), ("getHealthCardByQRCode", by_code)):
            assert system.refused(operation, body) == (2103, "health_card.card_not_shown_here")
    verified(house, patient)
    card = house.system.ask("getHealthCardByHealthCardId", by_number)["card"]
    assert house.system.ask("getHealthCardByQRCode", by_code)["card"] == card
    assert (card["name"], card["phone1"], card["patid"], card["relation"]) == ("张测试", patient.phone, "", "")
    assert card["qrCodeText"] == by_code["qrCodeText"]
    assert other.system.refused("getHealthCardByHealthCardId", by_number)[0] == 2103
    assert count(AuditEntry, action="health_card.card.read", subject_id=patient.person_id) == 2
    set_state(patient, CardState.LOST)
    refused = house.system.refused("getHealthCardByHealthCardId", by_number)
    assert refused == (2102, "health_card.card_not_in_force")
    set_state(patient, CardState.NORMAL)
    stepping_clock.forward(days=30, seconds=1)
    house.system.sign_in()
    assert house.system.refused("getHealthCardByHealthCardId", by_number)[0] == 2103


def test_a_scan_at_the_desk_page_shows_the_card_too(house: House) -> None:
    patient = house.city.patient()
    house.city.visit(house.city.staff(house.hospital), patient, house.hospital)
    card = house.system.ask("getHealthCardByHealthCardId", {"healthCardId": patient.card_number})["card"]
    assert card["idNumber"] == patient.certificate_number


def test_reporting_a_use_does_not_show_the_card(house: House) -> None:
    patient = house.city.patient()
    house.system.ask("reportHISData", house.use(qrCodeText=house.city.code(patient, "static")))
    assert house.system.refused("getHealthCardByHealthCardId", {"healthCardId": patient.card_number})[0] == 2103


def test_the_phone_lets_one_hospital_read_once(house: House, stepping_clock: SteppingClock) -> None:
    house.system.sign_in()
    city, patient, other = house.city, house.city.patient(), House(house.city)
    path = f"/api/v1/cards/{patient.card_id}/health-codes"
    body = {"hospital_code": house.hospital.code}
    invalid = (2105, "health_card.health_code_invalid")

    def authorise() -> str:
        reply = city.client.post(path, json=body, headers=bearer(patient.token))
        assert reply.status_code == 201, reply.text
        return str(reply.json["health_code"])

    code, late = authorise(), authorise()
    assert other.system.refused("getHealthCardByHealthCode", {"healthCode": code}) == invalid
    card = house.system.ask("getHealthCardByHealthCode", {"healthCode": code})["card"]
    assert card["idNumber"] == patient.certificate_number
    assert house.system.refused("getHealthCardByHealthCode", {"healthCode": code}) == invalid
    stepping_clock.forward(minutes=5, seconds=1)
    assert house.system.refused("getHealthCardByHealthCode", {"healthCode": late}) == invalid
    stranger = city.patient()
    reply = city.client.post(path, json=body, headers=bearer(stranger.token))
    assert (reply.status_code, reply.json["code"]) == (404, "health_card.card_not_found")
    reply = city.client.post(path, json={"hospital_code": "none"}, headers=bearer(patient.token))
    assert (reply.status_code, reply.json["code"]) == (422, "health_card.hospital_unknown")


# Codes, numbers, uses


def test_a_static_code_is_drawn_and_a_dynamic_one_only_for_cards_registered_on_a_phone(
    house: House, phone: dict[str, str]
) -> None:
    sent = house.person(wechatCode="phone-1")
    number = house.system.ask("registerHealthCard", sent)["healthCardId"]
    asked = {"healthCardId": number, "idType": "01", "idNumber": sent["idNumber"], "codeType": "1"}
    static = house.system.ask("getDynamicQRCode", asked)
    assert base64.b64decode(static["qrCodeImg"]).startswith(b"\x89PNG")
    assert (static["qrCodeText"], static["color"]) == (f"{number}:1::{house.city.config.issuer_code}", 0)
    with db.transaction() as session:
        tencent.change_access(session, SYSTEM, app_id=house.system.app_id, is_enabled=True, shows_dynamic_codes=True)
    dynamic = house.system.ask("getDynamicQRCode", asked | {"codeType": "0"})
    assert house.system.ask("verifyQRCode", house.verification(dynamic["qrCodeText"]))["healthCardId"] == number
    at_window = house.person()
    shown = house.system.ask("registerHealthCard", at_window)["healthCardId"]
    asked = {"healthCardId": shown, "idType": "01", "idNumber": at_window["idNumber"]}
    assert house.system.refused("getDynamicQRCode", asked) == (2106, "health_card.dynamic_code_not_allowed")
    wrong = asked | {"idNumber": resident_id(), "codeType": "1"}
    assert house.system.refused("getDynamicQRCode", wrong) == (2104, "health_card.person_not_found_here")
    stranger = house.city.patient()
    elsewhere = {"healthCardId": stranger.card_number, "idType": "01", "idNumber": stranger.certificate_number}
    assert house.system.refused("getDynamicQRCode", elsewhere)[0] == 2103


def test_a_patient_number_is_bound_to_a_card_that_was_shown(house: House) -> None:
    patient, other = house.city.patient(), house.city.patient("李测试")
    sent = {"patid": "MZ0001", "qrCodeText": house.city.code(patient, "static")}
    assert house.system.refused("bindCardRelation", sent) == (2103, "health_card.card_not_shown_here")
    verified(house, patient)
    verified(house, other)
    assert house.system.ask("bindCardRelation", sent) == {"result": True}
    card = house.system.ask("getHealthCardByHealthCardId", {"healthCardId": patient.card_number})["card"]
    assert card["patid"] == "MZ0001"
    taken = sent | {"qrCodeText": house.city.code(other, "static")}
    assert house.system.refused("bindCardRelation", taken) == (2007, "health_card.patient_number_taken")


def test_a_use_is_kept_once_and_never_changed(house: House) -> None:
    patient = house.city.patient()
    sent = house.use(qrCodeText=house.city.code(patient))
    assert house.system.ask("reportHISData", sent) == {}
    house.system.ask("reportHISData", sent)
    by_person = house.use(idCardNumber=patient.certificate_number, name="张测试", department=None, scene="0101051")
    house.system.ask("reportHISData", by_person)
    with db.snapshot() as session:
        uses = session.scalars(select(CardUse).filter_by(hospital_id=house.hospital.id).order_by(CardUse.scene)).all()
    assert [(use.scene, use.department, use.channel, use.cost_type) for use in uses] == [
        ("0101012", "0300", "0100", "0200"),
        ("0101051", "", "0100", "0200"),
    ]
    assert {(use.person_id, use.used_at.isoformat()) for use in uses} == {
        (patient.person_id, "2026-01-02T01:30:00+00:00")
    }
    with pytest.raises(Exception, match="append-only"), db.transaction() as session:
        session.execute(text("UPDATE card_uses SET scene = '010109'"))


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"scene": 101012}, (1103, "health_card.tencent_code_lost_zero")),
        ({"cardChannel": "100"}, (1103, "health_card.tencent_code_lost_zero")),
        ({"cardCostTypes": 0}, (1103, "health_card.tencent_code_lost_zero")),
        ({"cardType": "12"}, (1104, "health_card.tencent_field_invalid")),
        ({"time": "2026-01-02T09:30:00Z"}, (1104, "health_card.tencent_field_invalid")),
        ({"time": "2099-01-02 09:30:00"}, (2107, "health_card.use_in_future")),
        ({"hospitalCode": "H-OTHER"}, (1104, "health_card.tencent_field_invalid")),
        ({"name": "李测试"}, (2104, "health_card.person_not_found_here")),
        ({"name": None}, (1102, "health_card.tencent_field_missing")),
        ({"idCardNumber": "11010519491231002X"}, (2104, "health_card.person_not_found_here")),
    ],
)
def test_a_use_that_cannot_be_is_refused(house: House, changes: dict[str, Any], wanted: tuple[int, str]) -> None:
    patient = house.city.patient()
    sent = house.use(**{"idCardNumber": patient.certificate_number, "name": "张测试"} | changes)
    assert house.system.refused("reportHISData", sent) == wanted
    assert count(CardUse, hospital_id=house.hospital.id) == 0


def test_the_patient_reads_which_interface_looked(house: House) -> None:
    patient = house.city.patient()
    verified(house, patient)
    house.system.ask("getHealthCardByHealthCardId", {"healthCardId": patient.card_number})
    rows = house.city.client.get("/api/v1/access-log", headers=bearer(patient.token)).json["rows"]
    read = next(row for row in rows if row["action"] == "health_card.card.read")
    assert (read["who"], read["hospital_name"]) == ("健康卡开放平台接口", "市第一测试医院")


def test_the_ethnic_groups_are_all_there() -> None:
    assert len(NATIONS) == 58
    assert [NATIONS[code] for code in ("01", "11", "15", "46", "56", "97")] == [
        "汉族", "满族", "土家族", "德昂族", "基诺族", "其他",
    ]  # fmt: skip
    assert all(find_nation_code(name) == code for code, name in NATIONS.items())
    assert (find_nation_code("汉"), find_nation_code("崩龙族"), find_nation_code("")) == ("01", "46", None)


def test_the_client_of_the_interface_gets_no_oauth_token(house: House, city: City) -> None:
    with db.snapshot() as session:
        assert accounts.find_client_house(session, house.hospital.id) is None
    assertion = city.assertion(f"tencent-{house.system.app_id}", city.machine(house.hospital).private_jwk)
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
    }
    assert city.client.post("/oauth/token", data=form).json["error"] == "invalid_client"
