"""A share link on the phone of somebody without an account."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESK_SCREEN, Visitor
from tests.support import studies
from tests.support.charts import send_report
from tests.support.city import City
from tests.support.links import PASSCODE, make

pytestmark = pytest.mark.system("chromium")


def look(page: Page, name: str) -> None:
    """Keep a picture of the screen for whoever wants to look: YIMATONG_LOOK names the folder."""
    if folder := os.environ.get("YIMATONG_LOOK"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_a_link_is_opened_on_a_phone_and_its_secret_stays_out_of_the_address(
    committing_city: City, phone_window: Visitor
) -> None:
    scene, page = studies.open_scene(committing_city), phone_window.page
    scene.send("胸部CT平扫", *studies.stack("693_UNCR.dcm", 3, SeriesNumber=1))
    send_report(committing_city, scene.home, scene.patient)
    link = make(committing_city, scene.patient, may_download=True)
    assert link.health_link is not None
    phone_window.go("/share")
    expect(page.locator("#incomplete")).to_be_visible()
    look(page, "door-incomplete")
    # The code that other programs read too: the page takes the secret out of it.
    phone_window.page.goto(f"{phone_window.base_url}/share?#{link.health_link.partition('#')[2]}")
    expect(page.locator("#door")).to_be_visible()
    assert (link.secret in page.url, "#" in page.url) == (False, False)
    look(page, "door")
    page.get_by_label("姓名").fill("李医生")
    page.get_by_label("口令").fill("000001")
    page.get_by_role("button", name="打开").click()
    expect(page.locator("#refusal")).to_contain_text("还可以再试 9 次")
    look(page, "door-wrong")
    page.get_by_label("口令").fill(PASSCODE)
    page.get_by_role("button", name="打开").click()
    expect(page.get_by_role("heading", name="分享的内容")).to_be_visible()
    assert phone_window.width_beyond_screen() <= 0
    look(page, "list")
    page.get_by_role("link", name="胸部CT平扫").click()
    expect(page.get_by_role("link", name="打开影像")).to_be_visible()
    look(page, "study")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="打开影像").click()
    expect(opened.value.locator("#picture")).to_have_attribute("data-shown", "0/0")
    look(opened.value, "viewer")
    page.get_by_role("link", name="← 返回列表").click()
    page.locator(".timeline a:has(.kind.report)").click()
    expect(page.locator(".opened-head h2")).to_be_visible()
    assert phone_window.width_beyond_screen() <= 0
    look(page, "report")
    page.locator(".values a").first.click()
    expect(page.get_by_role("heading", name="葡萄糖")).to_be_visible()
    look(page, "trend")
    page.set_viewport_size(DESK_SCREEN)
    look(page, "desk")
    assert phone_window.outside == []
    assert [one for one in phone_window.complaints if "401" not in one] == []
