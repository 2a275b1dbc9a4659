"""Images on a phone's and on a desk's screen, in a real browser."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.support import studies
from tests.support.city import City

pytestmark = pytest.mark.system("chromium")


def look(page: Page, name: str) -> None:
    """Keep a picture of the screen for whoever wants to look: YIMATONG_LOOK names the folder."""
    if folder := os.environ.get("YIMATONG_LOOK"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def shown(page: Page, place: str) -> None:
    """Wait until this picture stands on the screen, whole."""
    picture = page.locator("#picture")
    expect(picture).to_have_attribute("data-shown", place)
    picture.evaluate("image => image.decode()")


def test_a_patient_scrolls_through_a_study_on_a_phone(committing_city: City, phone_window: Visitor) -> None:
    scene, page = studies.open_scene(committing_city), phone_window.page
    study_id = scene.send(
        "胸部CT平扫",
        *studies.stack("693_UNCR.dcm", 12, BodyPartExamined="CHEST", SeriesDescription="肺部 1.0mm", SeriesNumber=2),
        studies.picture("RG1_UNCR.dcm", SeriesDescription="胸片正位", SeriesNumber=3, Modality="CR"),
        studies.picture("examples_ybr_color.dcm", SeriesDescription="心脏超声", SeriesNumber=4),
        studies.picture("MR2_UNCR.dcm", SeriesDescription="T2 矢状位", SeriesNumber=5),
        studies.picture("MR_truncated.dcm", SeriesDescription="损坏的序列", SeriesNumber=9),
    )
    phone_window.go(scene.address(study_id))
    shown(page, "0/6")
    assert phone_window.width_beyond_screen() <= 0
    look(page, "phone-ct")
    page.locator(".stage").press("ArrowDown")
    shown(page, "0/7")
    box = page.locator(".stage").bounding_box()
    assert box is not None
    page.mouse.move(200, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(200, box["y"] + 130)
    page.mouse.up()
    shown(page, "0/9")
    page.get_by_role("button", name="肺窗").click()
    expect(page.get_by_role("button", name="肺窗")).to_have_attribute("aria-pressed", "true")
    page.wait_for_load_state("networkidle")
    look(page, "phone-ct-lung")
    for number, name in enumerate(("胸片正位", "心脏超声", "T2 矢状位"), 1):
        page.get_by_role("button", name=name).click()
        shown(page, f"{number}/0")
        look(page, f"phone-series-{number}")
    page.get_by_role("button", name="心脏超声").click()
    page.get_by_role("button", name="播放").click()
    expect(page.locator("#place")).not_to_have_text("1 / 30")
    page.get_by_role("button", name="暂停").click()
    # The browser itself tells of the picture that nobody can decode.
    assert [said for said in phone_window.complaints if "422" not in said] == []
    page.get_by_role("button", name="损坏的序列").click()
    expect(page.locator("#saying")).to_contain_text("无法显示为图片")
    look(page, "phone-broken")
    assert [one for one in phone_window.outside if not one.startswith("blob:")] == []


def test_a_doctor_looks_at_a_desk_and_a_revoke_stops_the_scroll(committing_city: City, desk_window: Visitor) -> None:
    scene, page = studies.open_scene(committing_city), desk_window.page
    study_id = scene.send(
        "头部CT平扫",
        *studies.stack("CT_small.dcm", 10, BodyPartExamined="HEAD", SeriesDescription="轴位", SeriesNumber=1),
    )
    desk_window.sign_in(scene.doctor)
    desk_window.go(f"/visits/{scene.visit_id}?open={study_id}")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="打开阅片").click()
    viewer = opened.value
    shown(viewer, "0/5")
    look(viewer, "desk-ct")
    viewer.mouse.move(700, 400)
    viewer.mouse.wheel(0, 100)
    shown(viewer, "0/6")
    viewer.keyboard.press("End")
    shown(viewer, "0/9")
    scene.revoke_all()
    viewer.wait_for_timeout(1600)
    viewer.keyboard.press("ArrowUp")
    expect(viewer.locator("#ended")).to_contain_text("授权已被撤回")
    assert viewer.locator("img").count() == 0
    look(viewer, "desk-revoked")


def test_a_study_without_pictures_says_so(committing_city: City, phone_window: Visitor) -> None:
    scene = studies.open_scene(committing_city)
    study_id = scene.send("结构化报告", studies.picture("reportsi.dcm", Modality="SR"))
    phone_window.go(scene.address(study_id))
    expect(phone_window.page.locator("main.bare").first).to_contain_text("没有可以显示的图像")
    look(phone_window.page, "phone-empty")
    phone_window.go(scene.address(study_id) + "x")
    expect(phone_window.page.locator("h1")).to_contain_text("链接已失效")
    look(phone_window.page, "phone-ticket")
