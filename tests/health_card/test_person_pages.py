"""The desk's pages of persons: each act posts, shows what happened, and says in place why it was refused."""

import re

import pytest

from accounts.models import Role
from health_card.card_life.routes import ACTS
from health_card.certificates import CertificateType
from health_card.desk.words import CERTIFICATE_TYPES, DONE
from tests.conftest import SteppingClock
from tests.support.browsing import Browser
from tests.support.city import City, Hospital, Patient, resident_id


@pytest.fixture
def hospital(city: City) -> Hospital:
    return city.hospital()


@pytest.fixture
def desk(city: City, hospital: Hospital) -> Browser:
    browser = Browser(city.app)
    browser.sign_in(city.staff(hospital, Role.REGISTRAR))
    browser.get("/desk/persons")
    return browser


def document(patient: Patient, **changes: str) -> dict[str, str]:
    number = {"certificate_type": "01", "certificate_number": patient.certificate_number}
    return number | {"country": "", "expires_on": ""} | changes


def open_person(desk: Browser, patient: Patient, *, seen: bool = True) -> str:
    form = document(patient) | ({"is_document_seen": "true"} if seen else {})
    reply = desk.post("/desk/persons/look-up", form)
    assert reply.status_code == 303, reply.text
    return str(reply.location)


def certificate_id(page: str) -> str:
    found = re.search(r'name="certificate_id" value="([0-9a-f-]{36})"', page)
    assert found
    return found.group(1)


def test_the_desk_leads_to_the_pages_and_from_a_visit_to_the_person(
    city: City, hospital: Hospital, desk: Browser
) -> None:
    settings = {"terminal": "W01", "department": "0304", "medical_step": "010101", "visit_kind": "O"}
    shown_at = desk.post("/desk", {"code": city.code(city.patient())} | settings).location
    page = desk.get(shown_at).text
    assert 'href="/desk/persons"' in page
    path = f"/desk/visits/{shown_at.partition('visit=')[2]}/look-up"
    assert path in page
    reply = desk.get(desk.post(path, {}).location)
    assert "核验之后才能办理" in reply.text
    assert "换发新卡" not in reply.text
    doctor = Browser(city.app)
    doctor.sign_in(city.staff(hospital, Role.DOCTOR))
    assert "/desk/persons" not in doctor.get("/desk").text
    assert doctor.get("/desk/persons").status_code == 403


def test_a_person_is_shown_masked_and_verified_in_place(city: City, desk: Browser) -> None:
    patient = city.patient()
    shown_at = open_person(desk, patient, seen=False)
    page = desk.get(shown_at).text
    for shown in ("张*试", "138****0001", "本人填写", "尚未核验", "没有更正过", "没有绑定其他卡"):
        assert shown in page
    for hidden in (patient.name, patient.certificate_number, patient.phone, patient.card_number):
        assert hidden not in page
    wrong = desk.post(f"{shown_at}/verify", document(patient, certificate_number=resident_id()))
    assert (wrong.status_code, "证件与该患者不一致" in wrong.text) == (422, True)
    done = desk.get(desk.post(f"{shown_at}/verify", document(patient)).location).text
    assert DONE["verify"] in done
    assert "窗口核验证件" in done
    assert "换发新卡" in done


def test_who_is_unknown_is_refused_in_place_and_can_be_registered(city: City, desk: Browser) -> None:
    number = resident_id()
    reply = desk.post("/desk/persons/look-up", {"certificate_type": "01", "certificate_number": number})
    assert (reply.status_code, "health_card.person_not_found" in reply.text) == (404, True)
    form = {"certificate_type": "01", "certificate_number": number, "name": "李测试", "phone": "13800000002"}
    unsure = desk.post("/desk/persons/register", form | {"phone": "12345"})
    assert (unsure.status_code, 'value="李测试"' in unsure.text) == (422, True)
    page = desk.get(desk.post("/desk/persons/register", form | {"channel": "kiosk"}).location).text
    assert DONE["register"] in page
    assert "自助机" in page


def test_other_details_are_shown_beside_the_recorded_person(city: City, desk: Browser) -> None:
    patient = city.patient()
    form = document(patient, name="李测试", phone=patient.phone)
    reply = desk.post("/desk/persons/register", form)
    assert reply.status_code == 409
    assert "与登记不同的内容" in reply.text
    assert "证件上为 <b>李测试</b>" in reply.text
    assert "张*试" in reply.text
    assert patient.name not in reply.text


def test_details_are_corrected_and_the_history_shows_it(city: City, desk: Browser) -> None:
    shown_at = open_person(desk, city.patient())
    form = {"name": "李测试", "phone": "", "sex": "", "reason": "changed"}
    page = desk.get(desk.post(f"{shown_at}/correct", form).location).text
    assert DONE["correct"] in page
    for shown in ("张*试", "李*试", "信息变更"):
        assert shown in page
    bad = desk.post(f"{shown_at}/correct", {"phone": "123", "reason": "changed"})
    assert (bad.status_code, "core.malformed_request" in bad.text) == (422, True)


def test_certificates_are_added_made_first_and_withdrawn(city: City, desk: Browser) -> None:
    shown_at = open_person(desk, city.patient())
    passport = {"certificate_type": "03", "certificate_number": "E12345678", "reason": "added", "replaces": ""}
    assert "护照" in desk.get(desk.post(f"{shown_at}/certificate", passport).location).text
    again = desk.post(f"{shown_at}/certificate", passport)
    assert (again.status_code, "health_card.certificate_known" in again.text) == (409, True)
    assert "<details open>" in again.text
    page = desk.get(shown_at).text
    added = certificate_id(page[page.index("设为首要") - 400 :])
    assert (
        DONE["make-primary"] in desk.get(desk.post(f"{shown_at}/make-primary", {"certificate_id": added}).location).text
    )
    assert DONE["withdraw"] in desk.get(desk.post(f"{shown_at}/withdraw", {"certificate_id": added}).location).text
    assert "已撤销" in desk.get(shown_at).text


def test_a_card_is_lost_restored_issued_anew_and_cancelled(city: City, desk: Browser) -> None:
    patient = city.patient()
    shown_at = open_person(desk, patient)
    card = str(patient.card_id)
    for act, state in (("report-lost", "已挂失"), ("restore", "正常"), ("report-lost", "已挂失"), ("reissue", "正常")):
        page = desk.get(desk.post(f"{shown_at}/card", {"card_id": card, "act": act}).location).text
        assert DONE[act] in page
        assert state in page
    late = desk.post(f"{shown_at}/card", {"card_id": card, "act": "cancel"})
    assert (late.status_code, "health_card.card_replaced" in late.text) == (409, True)
    fresh = re.search(r'name="card_id" value="([0-9a-f-]{36})"', late.text)
    assert fresh
    page = desk.get(desk.post(f"{shown_at}/card", {"card_id": fresh.group(1), "act": "cancel"}).location).text
    assert "重新登记即可恢复" in page


def test_carriers_are_bound_found_and_ended(city: City, desk: Browser) -> None:
    patient = city.patient()
    shown_at = open_person(desk, patient)
    carrier = {"kind": "social_security_card", "number": "A12345678"}
    page = desk.get(desk.post(f"{shown_at}/bind", carrier).location).text
    assert "A1*****78" in page
    found = desk.post("/desk/persons/resolve", carrier | {"certificate_number": patient.certificate_number})
    assert "A1*****78" in desk.get(found.location).text
    alone = desk.post("/desk/persons/resolve", carrier | {"certificate_number": ""})
    assert (alone.status_code, "health_card.second_factor_missing" in alone.text) == (422, True)
    settings = {"terminal": "W01", "department": "0304", "medical_step": "010101", "visit_kind": "O"}
    scanned = desk.post(
        "/desk",
        {
            "carrier_kind": carrier["kind"],
            "carrier_number": carrier["number"],
            "certificate_number": patient.certificate_number,
        }
        | settings,
    )
    assert scanned.status_code == 303, scanned.text
    bound = re.search(r'name="carrier_id" value="([0-9a-f-]{36})"', page)
    assert bound
    end = {"carrier_id": bound.group(1), "reason": "lost"}
    assert "没有绑定其他卡" in desk.get(desk.post(f"{shown_at}/end-carrier", end).location).text


def test_a_lost_phone_is_signed_out(city: City, desk: Browser) -> None:
    patient = city.patient()
    shown_at = open_person(desk, patient)
    page = desk.get(desk.post(f"{shown_at}/end-logins", {"until_confirmed": "true"}).location).text
    assert DONE["end-logins"] in page
    headers = {"Authorization": f"Bearer {patient.token}"}
    assert city.client.get("/api/v1/cards", headers=headers).status_code == 401


def test_a_forgotten_pin_is_cleared(city: City, desk: Browser) -> None:
    patient = city.patient()
    headers = {"Authorization": f"Bearer {patient.token}"}
    city.client.put("/api/v1/code-pin", json={"pin": "483920"}, headers=headers)
    assert "清除确认密码" not in desk.get(open_person(desk, patient, seen=False)).text
    shown_at = open_person(desk, patient)
    assert "清除确认密码" in desk.get(shown_at).text
    assert DONE["pin-reset"] in desk.get(desk.post(f"{shown_at}/pin-reset", {}).location).text
    assert city.client.put("/api/v1/code-pin", json={"pin": "759103"}, headers=headers).status_code == 204


def test_a_look_up_that_ran_out_leads_back_to_the_entrance(
    city: City, desk: Browser, stepping_clock: SteppingClock
) -> None:
    patient = city.patient()
    shown_at = open_person(desk, patient)
    stepping_clock.forward(minutes=15)
    reply = desk.post(f"{shown_at}/card", {"card_id": str(patient.card_id), "act": "cancel"})
    assert (reply.status_code, "health_card.look_up_not_found" in reply.text) == (404, True)
    assert "凭证件查询" in reply.text
    assert desk.get(shown_at).status_code == 404


def test_every_act_needs_the_token_of_the_form(city: City, desk: Browser) -> None:
    shown_at = open_person(desk, city.patient())
    for path in (
        "verify",
        "correct",
        "certificate",
        "withdraw",
        "make-primary",
        "card",
        "bind",
        "end-carrier",
        "end-logins",
        "pin-reset",
    ):
        reply = desk.post(f"{shown_at}/{path}", {"csrf_token": "0" * 64})
        assert (reply.status_code, "core.cross_site_request" in reply.text) == (403, True)


def test_every_code_has_its_words() -> None:
    assert set(CertificateType) == CERTIFICATE_TYPES.keys()
    assert ACTS.keys() <= DONE.keys()
