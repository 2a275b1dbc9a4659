"""Staff sign in and out on pages."""

import re
from urllib.parse import quote

import pytest
from sqlalchemy import text

from accounts.identify import COOKIE
from accounts.models import Role
from accounts.service.staff import IDLE_LIFE, TRIES_PER_MINUTE
from core import db
from tests.conftest import SteppingClock
from tests.support.browsing import Browser
from tests.support.city import City, Staff


@pytest.fixture
def registrar(city: City) -> Staff:
    return city.staff(city.hospital(), Role.REGISTRAR, "李登记")


def form_of(staff: Staff) -> dict[str, str]:
    return {"username": staff.username, "password": staff.password}


@pytest.mark.parametrize(
    ("role", "home"),
    [
        (Role.REGISTRAR, "/desk"),
        (Role.DOCTOR, "/desk"),
        (Role.OPERATOR, "/operator"),
        (Role.SECURITY_ADMINISTRATOR, "/operator"),
        (Role.AUDIT_ADMINISTRATOR, "/operator"),
    ],
)
def test_each_role_is_led_to_where_its_work_begins(city: City, role: Role, home: str) -> None:
    staff = city.staff(city.hospital() if role.is_of_hospital else None, role)
    reply = Browser(city.app).post("/staff/sign-in", form_of(staff))
    assert (reply.status_code, reply.location) == (303, home)


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(city: City, registrar: Staff) -> None:
    reply = Browser(city.app).post("/staff/sign-in", form_of(registrar))
    (cookie,) = (value for value in reply.headers.getlist("Set-Cookie") if value.startswith(COOKIE))
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/" in cookie


def test_a_wrong_password_is_shown_in_the_form(city: City, registrar: Staff) -> None:
    reply = Browser(city.app).post("/staff/sign-in", {"username": registrar.username, "password": "not-this"})
    assert reply.status_code == 401
    assert "用户名或密码不正确" in reply.text
    assert f'value="{registrar.username}"' in reply.text
    assert "not-this" not in reply.text
    assert "Set-Cookie" not in reply.headers


def test_an_empty_form_is_shown_again(city: City) -> None:
    reply = Browser(city.app).post("/staff/sign-in", {"username": " ", "password": ""})
    assert reply.status_code == 422
    assert "请填写用户名和密码" in reply.text


def test_guessing_is_slowed_down(city: City, registrar: Staff) -> None:
    browser = Browser(city.app)
    wrong = {"username": registrar.username, "password": "not-this"}
    statuses = [browser.post("/staff/sign-in", wrong).status_code for _ in range(TRIES_PER_MINUTE)]
    assert statuses == [401] * TRIES_PER_MINUTE
    reply = browser.post("/staff/sign-in", form_of(registrar))
    assert reply.status_code == 429
    assert "操作过于频繁" in reply.text
    assert int(reply.headers["Retry-After"]) > 0


def test_who_is_not_signed_in_is_led_to_the_form_and_back(city: City, registrar: Staff) -> None:
    browser = Browser(city.app)
    reply = browser.get("/desk?visit=01a20171-64ab-737f-9610-1def9ea1f196")
    assert reply.status_code == 303
    assert reply.location == f"/staff/sign-in?next={quote('/desk?visit=01a20171-64ab-737f-9610-1def9ea1f196', safe='')}"
    back = browser.post(reply.location, form_of(registrar))
    assert back.location == "/desk?visit=01a20171-64ab-737f-9610-1def9ea1f196"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://example.test/",
        "//example.test",
        "/\\example.test",
        "/\t/example.test",
        "desk",
        "javascript:alert(1)",
        "",
    ],
)
def test_nobody_is_led_to_another_site(city: City, registrar: Staff, elsewhere: str) -> None:
    reply = Browser(city.app).post(f"/staff/sign-in?next={quote(elsewhere, safe='')}", form_of(registrar))
    assert reply.location == "/desk"


def test_each_sign_in_makes_a_new_session_and_ends_the_earlier_one(city: City, registrar: Staff) -> None:
    browser = Browser(city.app)
    browser.sign_in(registrar)
    first = browser.client.get_cookie(COOKIE)
    browser.sign_in(registrar)
    second = browser.client.get_cookie(COOKIE)
    assert first is not None
    assert second is not None
    assert first.value != second.value
    stolen = city.client
    stolen.set_cookie(COOKIE, first.value)
    assert stolen.get("/desk").status_code == 303
    assert browser.get("/desk").status_code == 200


def test_a_token_brought_along_is_never_adopted(city: City, registrar: Staff) -> None:
    browser = Browser(city.app)
    browser.client.set_cookie(COOKIE, "chosen-by-somebody-else")
    browser.sign_in(registrar)
    cookie = browser.client.get_cookie(COOKIE)
    assert cookie is not None
    assert cookie.value != "chosen-by-somebody-else"


def test_signing_out_ends_the_session_on_the_server_too(city: City, registrar: Staff) -> None:
    browser = Browser(city.app)
    browser.sign_in(registrar)
    cookie = browser.client.get_cookie(COOKIE)
    assert cookie is not None
    reply = browser.post("/staff/sign-out", {})
    assert (reply.status_code, reply.location) == (303, "/staff/sign-in")
    assert browser.client.get_cookie(COOKIE) is None
    browser.client.set_cookie(COOKIE, cookie.value)
    assert browser.get("/desk").status_code == 303


def test_signing_out_needs_the_token_of_the_form(city: City, registrar: Staff) -> None:
    browser = Browser(city.app)
    browser.sign_in(registrar)
    for token in ("", "0" * 64):
        reply = browser.post("/staff/sign-out", {"csrf_token": token})
        assert reply.status_code == 403
        assert "core.cross_site_request" in reply.text
    assert browser.get("/desk").status_code == 200


def test_a_form_of_another_site_is_refused(city: City, registrar: Staff) -> None:
    reply = Browser(city.app).post("/staff/sign-in", form_of(registrar), headers={"Origin": "https://example.test"})
    assert reply.status_code == 403
    assert "core.cross_site_request" in reply.text
    assert "Set-Cookie" not in reply.headers


def test_an_idle_session_ends_and_the_form_says_so(city: City, registrar: Staff, stepping_clock: SteppingClock) -> None:
    browser = Browser(city.app)
    browser.sign_in(registrar)
    stepping_clock.forward(seconds=IDLE_LIFE.total_seconds() + 1)
    reply = browser.post("/desk", {"code": "whatever"})
    assert (reply.status_code, reply.location) == (303, "/staff/sign-in?next=%2Fdesk")
    assert "登录已过期" in browser.get(reply.location).text


def test_who_is_signed_in_already_is_led_on(city: City, registrar: Staff) -> None:
    browser = Browser(city.app)
    browser.sign_in(registrar)
    reply = browser.get("/staff/sign-in")
    assert (reply.status_code, reply.location) == (303, "/desk")


def test_the_front_door_says_who_goes_where(city: City, registrar: Staff) -> None:
    browser = Browser(city.app)
    assert 'href="/staff/sign-in"' in browser.get("/").text
    browser.sign_in(registrar)
    page = browser.get("/").text
    assert 'href="/desk"' in page
    assert "李登记" in page


def test_a_role_without_the_permission_gets_a_page_that_says_so(city: City) -> None:
    browser = Browser(city.app)
    browser.sign_in(city.staff(None, Role.OPERATOR))
    reply = browser.get("/desk")
    assert reply.status_code == 403
    assert reply.mimetype == "text/html"
    assert "core.permission_missing" in reply.text


def test_an_unknown_address_is_a_page_for_people_and_json_for_programs(city: City) -> None:
    page = city.client.get("/nowhere", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "没有这个页面" in page.text
    program = city.client.get("/nowhere")
    assert (program.status_code, program.mimetype) == (404, "application/problem+json")


def test_a_broken_database_is_a_page_that_does_not_need_it(city: City, registrar: Staff) -> None:
    browser = Browser(city.app)
    browser.sign_in(registrar)
    with db.transaction() as session:
        session.execute(text("ALTER TABLE staff_sessions RENAME TO staff_sessions_elsewhere"))
    reply = browser.get("/desk")
    assert (reply.status_code, reply.mimetype) == (500, "text/html")
    assert "系统内部错误" in reply.text


def test_pages_load_nothing_from_elsewhere_and_forbid_it(city: City, registrar: Staff) -> None:
    browser = Browser(city.app)
    browser.sign_in(registrar)
    for path in ("/", "/desk", "/docs", "/docs/errors"):
        reply = browser.get(path)
        assert reply.headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert "unsafe" not in reply.headers["Content-Security-Policy"]
        assert not re.search(r'(?:src|href|action)="(?:[a-z]+:|//)', reply.text), path
        assert not re.search(r"<style|<script>| style=| on[a-z]+=", reply.text), path
