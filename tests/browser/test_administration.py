"""From an empty platform to a scan with proof, in a real browser: operator, staff, terminal."""

import secrets

import pytest
from playwright.sync_api import Browser
from sqlalchemy import select

from accounts.models import Role, SpentProof
from core import db
from tests.browser.conftest import DESK_SCREEN, Visitor
from tests.support.city import City

pytestmark = pytest.mark.system("chromium")

OWN_PASSWORD = "a sentence that is easy to keep"


def press(visitor: Visitor, name: str, within: str = "body") -> None:
    with visitor.page.expect_navigation():
        visitor.page.locator(within).get_by_role("button", name=name, exact=True).click()


def set_up_hospital(operator: Visitor, username: str) -> tuple[str, str]:
    """The operator admits a hospital with all that it needs; returns the password and the enrolment code."""
    page = operator.page
    operator.go("/operator/hospitals")
    page.get_by_label("机构代码").fill(f"H{secrets.token_hex(4)}")
    page.get_by_label("名称").fill("市第九测试医院")
    press(operator, "登记机构")
    address = page.url.partition("#")[0]
    page.locator("#branches").get_by_label("院区代码").fill("E")
    page.locator("#branches").get_by_label("院区名称").fill("东院区")
    press(operator, "添加院区")
    page.locator("#departments").get_by_label("诊疗科目").select_option("0304")
    page.locator("#departments form.fields").get_by_label("本院名称").fill("心内科东病区")
    page.locator("#departments").get_by_label("所属院区").select_option(label="东院区")
    press(operator, "添加科室")
    page.locator("#terminals").get_by_label("终端代码").fill("W01")
    press(operator, "添加终端")
    page.locator("#staff").get_by_label("用户名").fill(username)
    page.locator("#staff").get_by_label("姓名").fill("李登记")
    press(operator, "开通账号")
    password = page.inner_text("#secret")
    page.goto(address)
    page.get_by_role("link", name="W01").click()
    press(operator, "签发登记码")
    return password, page.inner_text("#secret")


def test_from_admission_to_a_scan_with_proof(committing_city: City, browser: Browser, desk_window: Visitor) -> None:
    username = f"li-{secrets.token_hex(4)}"
    desk_window.sign_in(committing_city.staff(None, Role.OPERATOR))
    password, code = set_up_hospital(desk_window, username)
    context = browser.new_context(viewport=DESK_SCREEN, locale="zh-CN", timezone_id="Asia/Shanghai")
    desk = Visitor(context.new_page(), desk_window.base_url)
    desk.watch()
    change_first_password(desk, username, password)
    # The terminal has no key yet, and the hospital requires one.
    desk.type_like_a_scanner(committing_city.code(committing_city.patient()))
    assert "此终端尚未登记密钥" in desk.page.inner_text("#refusal")
    desk.go("/desk/enrol")
    desk.page.get_by_label("登记码").fill(code)
    desk.page.get_by_role("button", name="登记", exact=True).click()
    desk.page.wait_for_selector("#enrolled:not([hidden])")
    assert "市第九测试医院" in desk.page.inner_text("#enrolled")
    desk.go("/desk")
    # A Chinese input method widens the colons that the scanner types.
    desk.type_like_a_scanner(committing_city.code(committing_city.patient()).replace(":", "："))
    desk.page.wait_for_selector("#result")
    assert "心内科东病区" in desk.page.locator("select[name=department]").inner_text()
    with db.transaction() as session:
        assert session.scalars(select(SpentProof)).first() is not None
    # A second scan, with a proof of its own; and nothing was complained about but the two refusals met on the way.
    desk.type_like_a_scanner(committing_city.code(committing_city.patient()))
    desk.page.wait_for_selector("#result")
    assert [text for text in desk.complaints if "403" not in text] == []
    assert desk_window.complaints == []
    assert desk.outside == desk_window.outside == []
    context.close()


def change_first_password(desk: Visitor, username: str, password: str) -> None:
    """The first sign-in leads to the change, and the change to the desk."""
    desk.go("/staff/sign-in")
    desk.page.get_by_label("用户名").fill(username)
    desk.page.get_by_label("密码").fill(password)
    press(desk, "登录", "main")
    assert desk.page.url.endswith("/staff/password")
    desk.page.get_by_label("当前密码").fill(password)
    desk.page.get_by_label("新密码", exact=False).first.fill(OWN_PASSWORD)
    desk.page.get_by_label("再次输入新密码").fill(OWN_PASSWORD)
    press(desk, "保存新密码")
    assert desk.page.url.endswith("/desk")


def test_the_key_of_a_terminal_cannot_be_taken_out_of_the_browser(committing_city: City, desk_window: Visitor) -> None:
    desk_window.go("/desk/enrol")
    exported = desk_window.page.evaluate(
        """async () => {
          const { makeKeys } = await import("/static/terminal.js");
          const { privateKey } = await makeKeys();
          return crypto.subtle.exportKey("jwk", privateKey).then(() => "exported", (error) => error.name);
        }"""
    )
    assert exported == "InvalidAccessError"


def test_an_unknown_enrolment_code_says_so(committing_city: City, desk_window: Visitor) -> None:
    desk_window.go("/desk/enrol")
    desk_window.page.get_by_label("登记码").fill("AAAAA-AAAAA")
    desk_window.page.get_by_role("button", name="登记", exact=True).click()
    desk_window.page.wait_for_selector("#refusal:not([hidden])")
    assert "登记码不正确或已失效" in desk_window.page.inner_text("#refusal")
