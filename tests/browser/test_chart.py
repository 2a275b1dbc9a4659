"""The doctor's view in a real browser."""

import pytest

from tests.browser.conftest import Visitor
from tests.support.charts import open_case
from tests.support.city import City

pytestmark = pytest.mark.system("chromium")


def test_a_doctor_reads_a_report_and_sees_the_picture(committing_city: City, desk_window: Visitor) -> None:
    case = open_case(committing_city)
    desk_window.sign_in(case.doctor)
    desk_window.page.locator(".visits a").first.click()
    desk_window.page.get_by_role("link", name="生化全套").click()
    assert "葡萄糖" in desk_window.page.inner_text("#opened")
    desk_window.page.get_by_role("link", name="胸部CT平扫").click()
    picture = desk_window.page.locator("#opened img").first
    picture.scroll_into_view_if_needed()
    # Settles when the picture is there and whole, and fails when it is broken.
    picture.evaluate("image => image.decode()")
    assert desk_window.complaints == []
    assert desk_window.outside == []


def test_on_a_phone_what_was_opened_stands_first_and_fits(committing_city: City, phone_window: Visitor) -> None:
    case = open_case(committing_city)
    phone_window.sign_in(case.doctor)
    phone_window.go(f"{case.chart}?open={case.report_id}")
    opened = phone_window.page.locator("#opened").bounding_box()
    timeline = phone_window.page.locator(".timeline").bounding_box()
    assert opened is not None
    assert timeline is not None
    assert opened["y"] < timeline["y"]
    assert phone_window.width_beyond_screen() <= 0
