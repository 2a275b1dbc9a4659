"""Images on a phone's and on a desk's screen, in a real browser."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE_MILLISECONDS, Visitor
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


def sides(page: Page) -> dict[str, str]:
    """What stands at the edges of the picture."""
    return {side: page.locator(f".side.{side}").inner_text() for side in ("left", "right", "top", "bottom")}


def wait_for_fetched(page: Page, count: int) -> None:
    """Wait until so many pictures of the series on the screen have come by themselves."""
    # Not wait_for_function, which the page's policy forbids.
    page.evaluate(
        """([count, milliseconds]) => new Promise((done, fail) => {
            const isPicture = (one) => one.name.endsWith("/rendered");
            const look = () => {
                const names = performance.getEntriesByType("resource").filter(isPicture).map((one) => one.name);
                new Set(names).size >= count ? done() : setTimeout(look, 50);
            };
            setTimeout(() => fail(new Error("they did not come")), milliseconds);
            look();
        })""",
        [count, PATIENCE_MILLISECONDS],
    )


def pinch(page: Page) -> None:
    """Two fingers on the stage, moved apart."""
    box = page.locator(".stage").bounding_box()
    assert box is not None
    middle, fingers = box["y"] + box["height"] / 2, page.context.new_cdp_session(page)
    for kind, apart in (("touchStart", 20), ("touchMove", 40), ("touchMove", 70), ("touchEnd", None)):
        points = [] if apart is None else [{"x": 195 - apart, "y": middle}, {"x": 195 + apart, "y": middle}]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    fingers.detach()


# One file of each way in which pictures are stored; width and height on the screen.
WAYS = {
    "JPEG": ("SC_rgb_jpeg_dcmtk.dcm", 100, 100),
    "JPEG 无损": ("JPGLosslessP14SV1_1s_1f_8b.dcm", 1024, 768),
    "JPEG-LS": ("emri_small_jpeg_ls_lossless.dcm", 64, 64),
    "JPEG 2000": ("693_J2KR.dcm", 512, 512),
    "RLE 调色板": ("OBXXXX1A_rle.dcm", 800, 600),
    "大端": ("MR_small_bigendian.dcm", 64, 64),
    "长方形像素": ("color-px.dcm", 256, 160),
}


def test_a_patient_looks_at_all_kinds_of_images_on_a_phone(committing_city: City, phone_window: Visitor) -> None:
    scene, page = studies.open_scene(committing_city), phone_window.page
    study_id = scene.send(
        "头部CT平扫",
        *studies.stack("693_UNCR.dcm", 12, BodyPartExamined="HEAD", SeriesDescription="轴位 5.0mm", SeriesNumber=2),
        studies.picture("RG1_UNCR.dcm", SeriesDescription="胸片正位", SeriesNumber=3),
        studies.picture("examples_ybr_color.dcm", SeriesDescription="心脏超声", SeriesNumber=4),
        studies.picture("MR2_UNCR.dcm", SeriesDescription="T2 矢状位", SeriesNumber=5),
        studies.picture("MR_truncated.dcm", SeriesDescription="损坏的序列", SeriesNumber=6),
        *(
            studies.picture(file, SeriesDescription=f"{name}图", SeriesNumber=number)
            for number, (name, (file, _, _)) in enumerate(WAYS.items(), 7)
        ),
    )
    scene.report("头颅平扫未见明显异常，请结合临床。")
    phone_window.go(scene.address(study_id))
    shown(page, "0/6")
    assert phone_window.width_beyond_screen() <= 0
    assert sides(page) == {"left": "右", "right": "左", "top": "前", "bottom": "后"}
    assert page.locator(".reader").count() == 0, "it is his own"
    wait_for_fetched(page, 12)
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
    with page.expect_response(lambda reply: "window=400" in reply.url) as windowed:
        page.get_by_role("button", name="骨窗").click()
    assert windowed.value.status == 200
    expect(page.get_by_role("button", name="骨窗")).to_have_attribute("aria-pressed", "true")
    pinch(page)
    expect(page.get_by_role("button", name="还原大小")).to_be_visible()
    look(page, "phone-ct-bone-close")
    page.get_by_role("button", name="还原大小").click()
    expect(page.locator(".stage.is-close")).to_have_count(0)
    for button in page.locator("button:visible, summary:visible, select:visible").all():
        size = button.bounding_box()
        assert size is not None
        assert min(size["width"], size["height"]) >= 44, f"no thumb meets it: {button.inner_text()}"
    look_through(phone_window)


def look_through(window: Visitor) -> None:
    """Every other series of the study."""
    page = window.page
    for number, name in enumerate(("胸片正位", "心脏超声", "T2 矢状位"), 1):
        page.get_by_role("button", name=name).click()
        shown(page, f"{number}/0")
        look(page, f"phone-series-{number}")
    for number, (name, (_, width, height)) in enumerate(WAYS.items(), 5):
        page.get_by_role("button", name=f"{name}图").click()
        shown(page, f"{number}/0")
        size = page.locator("#picture").evaluate("image => [image.naturalWidth, image.naturalHeight]")
        assert size == [width, height], name
        look(page, f"phone-way-{number}")
    page.get_by_role("button", name="胸片正位").click()
    shown(page, "1/0")
    assert sides(page) == {"left": "右", "right": "左", "top": "头", "bottom": "足"}
    page.get_by_role("button", name="心脏超声").click()
    page.get_by_role("button", name="播放").click()
    expect(page.locator("#place")).not_to_have_text("1 / 30")
    page.get_by_role("button", name="暂停").click()
    # The browser itself tells of the picture that nobody can decode.
    assert [said for said in window.complaints if "422" not in said] == []
    page.get_by_role("button", name="损坏的序列").click()
    expect(page.locator("#saying")).to_contain_text("像素损坏、不完整，或编码格式不受支持。原始文件可以下载")
    assert sides(page) == {"left": "", "right": "", "top": "", "bottom": ""}
    look(page, "phone-broken")
    page.set_viewport_size({"width": 844, "height": 390})
    page.get_by_role("button", name="轴位 5.0mm").click()
    shown(page, "0/6")
    look(page, "phone-turned")
    assert window.width_beyond_screen() <= 0
    assert [one for one in window.outside if not one.startswith("blob:")] == []


def test_a_doctor_looks_at_a_desk_and_a_revoke_stops_the_scroll(committing_city: City, desk_window: Visitor) -> None:
    scene, page = studies.open_scene(committing_city), desk_window.page
    study_id = scene.send(
        "头部CT平扫",
        *studies.stack("CT_small.dcm", 10, BodyPartExamined="HEAD", SeriesDescription="轴位", SeriesNumber=1),
        studies.picture("RG3_UNCR.dcm", SeriesDescription="胸片侧位", SeriesNumber=2),
        studies.picture("MR_truncated.dcm", SeriesDescription="损坏的序列", SeriesNumber=3),
    )
    scene.report("头颅平扫未见明显异常。\n胸片：心影不大，双肺纹理清晰。")
    desk_window.sign_in(scene.doctor)
    desk_window.go(f"/visits/{scene.visit_id}?open={study_id}")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="打开阅片").click()
    viewer = opened.value
    shown(viewer, "0/5")
    assert sides(viewer) == {"left": "R", "right": "L", "top": "A", "bottom": "P"}
    expect(viewer.locator(".reader")).to_contain_text("王测试 市第二测试医院 20")
    expect(viewer.locator(".mark span").first).to_have_text(viewer.locator(".reader").inner_text())
    expect(viewer.locator(".reports")).to_contain_text("头颅平扫未见明显异常")
    look(viewer, "desk-ct")
    for name, place in (("胸片侧位", "1/0"), ("轴位", "0/5")):
        viewer.get_by_role("button", name=name).click()
        shown(viewer, place)
        look(viewer, f"desk-{place[0]}")
    viewer.mouse.move(700, 400)
    viewer.mouse.wheel(0, 100)
    shown(viewer, "0/6")
    viewer.keyboard.press("End")
    shown(viewer, "0/9")
    scene.revoke_all()
    # Sooner asked again after this while; without a key it is asked by itself.
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
