"""The desk in a real browser: a scanner types, a person sees."""

import pytest

from accounts.models import Role
from tests.browser.conftest import Visitor
from tests.support.city import City

pytestmark = pytest.mark.system("chromium")


def test_a_scanner_types_and_the_desk_sees_who_it_is(committing_city: City, desk_window: Visitor) -> None:
    hospital = committing_city.hospital()
    desk_window.go("/desk")
    assert "/staff/sign-in" in desk_window.page.url
    desk_window.sign_in(committing_city.staff(hospital, Role.REGISTRAR))
    for _ in range(2):
        desk_window.type_like_a_scanner(committing_city.code(committing_city.patient()))
        desk_window.page.wait_for_selector("#result")
        assert "张*试" in desk_window.page.inner_text("#result")
        desk_window.page.wait_for_function("document.activeElement.id === 'code'")
    assert desk_window.page.locator(".visits li").count() == 2
    assert desk_window.complaints == []
    assert desk_window.outside == []


def test_after_a_refusal_the_next_scan_works(committing_city: City, desk_window: Visitor) -> None:
    desk_window.sign_in(committing_city.staff(committing_city.hospital(), Role.REGISTRAR))
    desk_window.type_like_a_scanner("6901234567892")
    desk_window.page.wait_for_selector("#refusal")
    assert "这不是健康卡二维码" in desk_window.page.inner_text("#refusal")
    desk_window.type_like_a_scanner(committing_city.code(committing_city.patient()))
    desk_window.page.wait_for_selector("#result")


def test_the_cursor_comes_back_to_the_field(committing_city: City, desk_window: Visitor) -> None:
    desk_window.sign_in(committing_city.staff(committing_city.hospital(), Role.REGISTRAR))
    desk_window.page.get_by_label("科室").select_option("0304")
    desk_window.page.locator(".visits h2").click()
    desk_window.page.wait_for_function("document.activeElement.id === 'code'")
    desk_window.type_like_a_scanner(committing_city.code(committing_city.patient()))
    desk_window.page.wait_for_selector("#result")
    assert "心血管内科" in desk_window.page.inner_text("#result")
    assert desk_window.page.get_by_label("科室").input_value() == "0304"


def test_who_fills_in_another_field_keeps_the_cursor(committing_city: City, desk_window: Visitor) -> None:
    desk_window.sign_in(committing_city.staff(committing_city.hospital(), Role.REGISTRAR))
    desk_window.page.get_by_label("门诊号").click()
    desk_window.page.keyboard.type("MZ-7")
    assert desk_window.page.get_by_label("门诊号").input_value() == "MZ-7"


def test_the_pages_fit_a_phone(committing_city: City, phone_window: Visitor) -> None:
    staff = committing_city.staff(committing_city.hospital(), Role.REGISTRAR)
    phone_window.go("/")
    assert phone_window.width_beyond_screen() <= 0
    phone_window.go("/staff/sign-in")
    assert phone_window.width_beyond_screen() <= 0
    phone_window.sign_in(staff)
    phone_window.type_like_a_scanner(committing_city.code(committing_city.patient()))
    phone_window.page.wait_for_selector("#result")
    assert phone_window.width_beyond_screen() <= 0
    for path in ("/docs", "/docs/errors"):
        phone_window.go(path)
        assert phone_window.width_beyond_screen() <= 0
    assert phone_window.complaints == []
    assert phone_window.outside == []
