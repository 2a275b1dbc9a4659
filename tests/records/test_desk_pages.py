"""The desk page: what a scanner types, what the desk sees."""

from dataclasses import replace

import pytest

from accounts.models import Role
from core import limits
from core.config import Config
from health_card.refusals import CodeRefused
from health_card.service.scans import FAILURES_PER_MINUTE
from records.visits.advice import ADVICE
from records.visits.pages import SETTINGS_COOKIE
from tests.conftest import SteppingClock
from tests.support.browsing import Browser
from tests.support.city import City, Hospital, Patient, resident_id

SETTINGS = {"terminal": "W01", "department": "0304", "medical_step": "010101", "visit_kind": "E"}


@pytest.fixture
def hospital(city: City) -> Hospital:
    return city.hospital()


@pytest.fixture
def desk(city: City, hospital: Hospital) -> Browser:
    browser = Browser(city.app)
    browser.sign_in(city.staff(hospital, Role.REGISTRAR))
    return browser


def scan_form(code: str, **changes: str) -> dict[str, str]:
    return {"code": code, "patient_number": "", "certificate_number": ""} | SETTINGS | changes


def test_the_field_waits_for_the_scanner(desk: Browser) -> None:
    page = desk.get("/desk").text
    field = page[page.index('<input id="code"') :].partition(">")[0]
    assert "autofocus" in field
    assert "还没有就诊" in page


def test_a_scan_shows_who_it_is_masked(city: City, desk: Browser) -> None:
    patient = city.patient()
    reply = desk.post("/desk", scan_form(city.code(patient), patient_number="MZ0001"))
    assert reply.status_code == 303
    page = desk.get(reply.location)
    assert page.status_code == 200
    for shown in ("张*试", "本人填写", "MZ0001", "心血管内科 · 挂号", "已共享至", "138****0001"):
        assert shown in page.text
    for hidden in (patient.name, patient.certificate_number, patient.phone):
        assert hidden not in page.text
    assert page.headers["Cache-Control"] == "no-store"


def test_a_reload_scans_nothing_again(city: City, desk: Browser, stepping_clock: SteppingClock) -> None:
    shown_at = desk.post("/desk", scan_form(city.code(city.patient()))).location
    stepping_clock.forward(seconds=60)
    assert desk.get(shown_at).status_code == 200


def test_what_was_chosen_stays_chosen_and_names_no_patient(city: City, desk: Browser) -> None:
    patient = city.patient()
    reply = desk.post("/desk", scan_form(city.code(patient), patient_number="MZ0002"))
    (cookie,) = (value for value in reply.headers.getlist("Set-Cookie") if value.startswith(SETTINGS_COOKIE))
    assert "HttpOnly" in cookie
    assert "MZ0002" not in cookie
    page = desk.get("/desk").text
    assert '<option value="0304" selected>' in page
    assert '<option value="E" selected>' in page


def test_wide_characters_of_an_input_method_are_read_as_typed(city: City, desk: Browser) -> None:
    code = city.code(city.patient()).replace(":", "：")
    assert desk.post("/desk", scan_form(code)).status_code == 303


def test_a_doctor_is_led_to_the_chart_and_a_registrar_is_not(city: City, hospital: Hospital, desk: Browser) -> None:
    shown_at = desk.post("/desk", scan_form(city.code(city.patient()))).location
    chart = f'href="/visits/{shown_at.partition("visit=")[2]}"'
    assert chart not in desk.get(shown_at).text
    doctor = Browser(city.app)
    doctor.sign_in(city.staff(hospital, Role.DOCTOR))
    assert chart in doctor.get(shown_at).text


def refused(desk: Browser, form: dict[str, str]) -> tuple[int, str]:
    reply = desk.post("/desk", form)
    return reply.status_code, reply.text


def test_what_is_no_code_is_refused_with_what_to_do(desk: Browser) -> None:
    status, page = refused(desk, scan_form("6901234567892"))
    assert status == 422
    assert "这不是健康卡二维码" in page
    assert ADVICE["health_card.code_malformed"] in page
    assert "6901234567892" not in page


def test_a_forged_code_is_refused(city: City, desk: Browser) -> None:
    patient = city.patient()
    code = city.code(patient).replace(patient.card_number, "F" * 64)
    assert "health_card.code_forged" in refused(desk, scan_form(code))[1]


def test_an_expired_code_is_refused(city: City, desk: Browser, stepping_clock: SteppingClock) -> None:
    code = city.code(city.patient())
    stepping_clock.forward(seconds=61)
    status, page = refused(desk, scan_form(code))
    assert (status, "health_card.code_expired" in page) == (410, True)


def test_a_used_code_is_refused(city: City, desk: Browser, stepping_clock: SteppingClock) -> None:
    code = city.code(city.patient())
    assert desk.post("/desk", scan_form(code)).status_code == 303
    stepping_clock.forward(seconds=11)
    status, page = refused(desk, scan_form(code))
    assert (status, "health_card.code_redeemed" in page) == (409, True)


def test_a_static_code_asks_for_the_certificate_and_keeps_the_code(city: City, desk: Browser) -> None:
    patient = city.patient()
    code = city.code(patient, "static")
    status, page = refused(desk, scan_form(code))
    assert (status, "health_card.second_factor_missing" in page) == (422, True)
    assert f'value="{code}"' in page
    field = page[page.index('<input name="certificate_number"') :].partition(">")[0]
    assert "autofocus" in field
    other = scan_form(code, certificate_number=resident_id("19700101"))
    assert "health_card.second_factor_wrong" in refused(desk, other)[1]
    reply = desk.post("/desk", scan_form(code, certificate_number=patient.certificate_number))
    assert reply.status_code == 303
    assert "未共享" in desk.get(reply.location).text


def test_an_unknown_terminal_is_refused(city: City, desk: Browser) -> None:
    form = scan_form(city.code(city.patient()), terminal="W99")
    assert "accounts.terminal_unknown" in refused(desk, form)[1]


def test_another_persons_number_is_refused(city: City, desk: Browser) -> None:
    desk.post("/desk", scan_form(city.code(city.patient()), patient_number="MZ0003"))
    status, page = refused(desk, scan_form(city.code(city.patient()), patient_number="MZ0003"))
    assert (status, "health_card.patient_number_taken" in page) == (409, True)


def test_a_terminal_that_guesses_is_locked_and_says_how_long(city: City, desk: Browser) -> None:
    for _ in range(FAILURES_PER_MINUTE):
        desk.post("/desk", scan_form("nonsense"))
    reply = desk.post("/desk", scan_form(city.code(city.patient())))
    assert reply.status_code == 429
    assert f"请等待 {reply.headers['Retry-After']} 秒" in reply.text


def test_every_refusal_of_a_code_has_its_advice() -> None:
    assert {kind.code for kind in CodeRefused.__subclasses__()} <= ADVICE.keys()


def test_a_scan_needs_the_token_of_the_form(city: City, desk: Browser) -> None:
    patient = city.patient()
    reply = desk.post("/desk", scan_form(city.code(patient), csrf_token="0" * 64))
    assert (reply.status_code, "core.cross_site_request" in reply.text) == (403, True)
    assert "还没有就诊" in desk.get("/desk").text


def test_another_hospitals_visit_is_not_found(city: City, desk: Browser) -> None:
    shown_at = desk.post("/desk", scan_form(city.code(city.patient()))).location
    stranger = Browser(city.app)
    stranger.sign_in(city.staff(city.hospital("市第二测试医院"), Role.REGISTRAR))
    reply = stranger.get(shown_at)
    assert (reply.status_code, "records.visit_not_found" in reply.text) == (404, True)
    assert "张*试" not in stranger.get("/desk").text


def test_looking_again_leaves_a_trace_for_the_patient(city: City, desk: Browser) -> None:
    patient: Patient = city.patient()
    desk.get(desk.post("/desk", scan_form(city.code(patient))).location)
    reply = city.client.get("/api/v1/access-log", headers={"Authorization": f"Bearer {patient.token}"})
    assert "records.visit.read" in [row["action"] for row in reply.json["rows"]]


def test_the_desk_works_on_without_redis(city: City, config: Config, desk: Browser) -> None:
    limits.configure(replace(config, redis_url="redis://127.0.0.1:1/0"))
    try:
        assert desk.post("/desk", scan_form(city.code(city.patient()))).status_code == 303
    finally:
        limits.configure(config)
