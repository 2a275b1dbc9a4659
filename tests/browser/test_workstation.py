"""OHIF on a desk's screen, against our DICOMweb, with nothing from outside."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserType, Response, expect

from core.config import Config
from deploy import ohif
from tests.browser.conftest import DESK_SCREEN, PROGRAM, QUIET, Visitor
from tests.support import studies
from tests.support.city import City

pytestmark = [pytest.mark.system("chromium"), pytest.mark.system("ohif")]


@pytest.fixture
def drawing_browser(chromium: BrowserType) -> Iterator[Browser]:
    """A browser that draws in three dimensions without such hardware."""
    options = [*(option for option in QUIET if option != "--disable-gpu"), "--enable-unsafe-swiftshader"]
    running = chromium.launch(executable_path=PROGRAM, args=options)
    yield running
    running.close()


@pytest.fixture
def workstation(committing_city: City, config: Config) -> Iterator[None]:
    committing_city.app.extensions["yimatong.config"] = replace(config, ohif_dir=ohif.PLACE)
    yield
    committing_city.app.extensions["yimatong.config"] = config


def is_frame(reply: Response) -> bool:
    return "/frames/1" in reply.url


def test_a_doctor_compares_two_studies(
    committing_city: City, workstation: None, base_url: str, drawing_browser: Browser
) -> None:
    scene = studies.open_scene(committing_city)
    earlier = scene.send("头部CT 五月", studies.picture("693_J2KR.dcm", SeriesDescription="轴位", SeriesNumber=1))
    later = scene.send("头部CT 七月", *studies.stack("693_UNCR.dcm", 3, SeriesDescription="轴位", SeriesNumber=1))
    context = drawing_browser.new_context(viewport=DESK_SCREEN, locale="zh-CN", timezone_id="Asia/Shanghai")
    window = Visitor(context.new_page(), base_url)
    window.watch()
    window.sign_in(scene.doctor)
    with window.page.expect_response(is_frame, timeout=60_000) as first:
        window.go(f"/ohif/studies/{later}?beside={earlier}")
    assert first.value.status == 200
    expect(window.page.locator(".cornerstone-canvas")).to_have_count(2, timeout=60_000)
    expect(window.page.get_by_text("头部CT 五月").first).to_be_visible()
    expect(window.page.locator("#reader span").first).to_contain_text("王测试 市第二测试医院")
    if folder := os.environ.get("YIMATONG_LOOK"):
        window.page.wait_for_timeout(5000)
        window.page.screenshot(path=Path(folder) / "ohif.png")
    assert [one for one in window.outside if not one.startswith(("blob:", "data:"))] == []
    context.close()
