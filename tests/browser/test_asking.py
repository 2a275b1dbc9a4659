"""A doctor's page that waits for a patient's answer, in a real browser."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.support.asking import TITLE, Asking
from tests.support.city import City

pytestmark = pytest.mark.system("chromium")


def test_the_answer_stands_on_the_waiting_page_without_a_click(committing_city: City, desk_window: Visitor) -> None:
    asking = Asking(committing_city)
    asking.choose("never")
    visit_id = asking.scan()["visit_id"]
    desk_window.sign_in(asking.doctor)
    desk_window.go(f"/visits/{visit_id}")
    page = desk_window.page
    page.get_by_label("原因").select_option("comparison")
    page.get_by_label("检验报告").check()
    with page.expect_navigation():
        page.get_by_role("button", name="请患者在手机上同意").click()
    expect(page.get_by_text("等待答复")).to_be_visible()
    (waiting,) = asking.waiting()
    # Not the first answer of the stream: it has come again by itself, and was told that nothing is new.
    page.wait_for_event("request", lambda request: request.url.endswith("/events"))
    assert asking.grant(waiting["id"]).status_code == 200
    expect(page.get_by_text("已同意")).to_be_visible()
    page.get_by_role("link", name="查看患者档案").click()
    expect(page.get_by_text(TITLE).first).to_be_visible()
    assert desk_window.outside == []
