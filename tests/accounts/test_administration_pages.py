"""The pages of those who run the platform."""

import json
import re
from typing import Any

import pytest

from accounts.models import Role
from accounts.service import terminals
from core import db, keys
from core.actor import SYSTEM
from tests.accounts.test_administration_api import client_of
from tests.support.browsing import Browser
from tests.support.city import City, Hospital, bearer
from tests.support.terminals import terminal_id_of

PLACES = {
    Role.OPERATOR: {"/operator/hospitals", "/operator/terminals"},
    Role.SECURITY_ADMINISTRATOR: {"/operator/administrators", "/operator/clients", "/operator/keys"},
    Role.AUDIT_ADMINISTRATOR: {"/operator/audit"},
}


@pytest.fixture
def hospital(city: City) -> Hospital:
    return city.hospital()


def at_desk(city: City, role: Role) -> Browser:
    browser = Browser(city.app)
    browser.sign_in(city.staff(None, role, "钱管理"))
    return browser


@pytest.mark.parametrize("role", PLACES)
def test_each_role_sees_its_own_places_and_no_other(city: City, role: Role) -> None:
    browser = at_desk(city, role)
    home = browser.get("/operator").text
    for owner, places in PLACES.items():
        for place in places:
            assert (f'href="{place}"' in home) is (owner is role), place
            reply = browser.get(place)
            assert reply.status_code == (200 if owner is role else 403), place
            assert not re.search(r"<style|<script>| style=| on[a-z]+=", reply.text), place
    assert browser.get("/desk").status_code == 403


def test_a_hospital_is_set_up_on_pages(city: City) -> None:
    browser = at_desk(city, Role.OPERATOR)
    form = {"code": "H-PAGES-1", "name": "市第八测试医院", "level": "2", "requires_terminal_keys": "true"}
    made = browser.post("/operator/hospitals", form)
    assert made.status_code == 303
    at = made.location
    assert "没有分院区" in browser.get(at).text
    for path, sent in (
        ("/branches", {"code": "E", "name": "东院区", "address": "测试路 1 号"}),
        ("/departments", {"code": "0304", "name": "心内科", "branch_id": ""}),
        ("/terminals", {"code": "W07", "kind": "01", "branch_id": ""}),
    ):
        assert browser.post(f"{at}{path}", sent).status_code == 303
    page = browser.get(at).text
    for shown in ("东院区", "测试路 1 号", "心内科", "W07", "未登记"):
        assert shown in page
    again = browser.post(f"{at}/terminals", {"code": "W07", "kind": "01"})
    assert (again.status_code, "该终端代码已使用" in again.text) == (409, True)
    empty = browser.post(f"{at}/branches", {"code": "", "name": "西院区"})
    assert (empty.status_code, "请检查：代码" in empty.text) == (422, True)
    taken = browser.post("/operator/hospitals", form)
    assert (taken.status_code, 'value="市第八测试医院"' in taken.text) == (409, True)
    listed = browser.get("/operator/hospitals?text=PAGES-1").text
    assert "市第八测试医院" in listed
    off = {"name": "市第八测试医院", "level": "2", "requires_terminal_keys": "false", "is_enabled": "false"}
    assert browser.post(at, off).status_code == 303
    assert "停用" in browser.get(at).text


def test_branches_and_departments_are_changed_in_their_rows(city: City, hospital: Hospital) -> None:
    browser, at = at_desk(city, Role.OPERATOR), f"/operator/hospitals/{hospital.id}"
    browser.get(at)
    browser.post(f"{at}/branches", {"code": "E", "name": "东院", "address": ""})
    browser.post(f"{at}/departments", {"code": "0300", "name": "内科"})
    for kind, name in (("branches", "东院区"), ("departments", "大内科")):
        found = re.search(rf'action="({at}/{kind}/[0-9a-f-]+)"', browser.get(at).text)
        assert found
        changed = browser.post(found.group(1), {"name": name, "is_enabled": "false"})
        assert changed.status_code == 303
        assert f'value="{name}"' in browser.get(at).text


def test_a_password_and_a_code_are_shown_once(city: City, hospital: Hospital) -> None:
    browser, at = at_desk(city, Role.OPERATOR), f"/operator/hospitals/{hospital.id}"
    browser.get(at)
    opened = browser.post(f"{at}/staff", {"username": "wang-once", "name": "王登记", "role": "registrar"})
    password = secret_in(opened.text)
    assert opened.headers["Cache-Control"] == "no-store"
    page = browser.get(at).text
    assert "待首次修改" in page
    assert password not in page
    member = re.search(rf'action="({at}/staff/[0-9a-f-]+)/password"', page)
    assert member
    assert secret_in(browser.post(f"{member.group(1)}/password", {}).text) != password
    assert browser.post(member.group(1), {"is_enabled": "false"}).status_code == 303
    terminal = f"/operator/terminals/{terminal_id_of(hospital)}"
    assert "未登记" in browser.get(terminal).text
    code = secret_in(browser.post(f"{terminal}/enrolment-code", {}).text)
    assert re.fullmatch(r"[2-9A-Z]{5}-[2-9A-Z]{5}", code)
    assert browser.post(f"{terminal}/revoke-key", {}).status_code == 303
    assert browser.post(terminal, {"is_enabled": "false"}).status_code == 303
    assert "停用" in browser.get(terminal).text


def test_a_flagged_terminal_is_shown_and_cleared(city: City, hospital: Hospital) -> None:
    browser, terminal_id = at_desk(city, Role.OPERATOR), terminal_id_of(hospital)
    with db.transaction() as session:
        flag_id = terminals.flag_terminal(session, SYSTEM, terminal_id, reason="not_me")
    page = browser.get("/operator/terminals").text
    assert "患者称非本人" in page
    assert browser.post(f"/operator/terminals/flags/{flag_id}", {}).status_code == 303
    again = browser.post(f"/operator/terminals/flags/{flag_id}", {})
    assert (again.status_code, "没有这条待核查标记" in again.text) == (404, True)


def test_administrators_are_appointed_and_looked_after(city: City) -> None:
    browser, at = at_desk(city, Role.SECURITY_ADMINISTRATOR), "/operator/administrators"
    browser.get(at)
    form = {"username": "sun-audit", "name": "孙审计", "role": "audit_administrator", "employee_number": "E-PAGES-1"}
    assert len(secret_in(browser.post(at, form).text)) >= 20
    again = browser.post(at, form | {"username": "sun-operates", "role": "operator"})
    assert (again.status_code, "同一人不能兼任" in again.text) == (409, True)
    assert "E-PAGES-1" not in again.text
    found = re.search(rf'action="({at}/[0-9a-f-]+)"', browser.get(at).text.partition("sun-audit")[2])
    assert found
    assert browser.post(f"{found.group(1)}/password", {}).status_code == 200
    assert browser.post(found.group(1), {"is_enabled": "false"}).status_code == 303


def test_clients_are_registered_changed_and_get_other_keys(city: City, hospital: Hospital) -> None:
    browser, at = at_desk(city, Role.SECURITY_ADMINISTRATOR), "/operator/clients"
    browser.get(at)
    body: dict[str, Any] = client_of(hospital, scopes=["system/*.write", "dicomweb.write"])
    form = body | {"jwks": json.dumps(body["jwks"])}
    assert browser.post(at, form).status_code == 303
    # Its own block of the page: other systems stand before and after it.
    page = browser.get(at).text.partition(body["client_id"])[2].partition("</details>")[0]
    assert page.count(" checked") == 2
    found = re.search(rf'action="({at}/[0-9a-f-]+)"', page)
    assert found
    broken = browser.post(f"{found.group(1)}/keys", {"jwks": "{"})
    assert (broken.status_code, "公钥集不符合要求" in broken.text) == (422, True)
    assert browser.post(f"{found.group(1)}/keys", {"jwks": form["jwks"]}).status_code == 303
    unticked = browser.post(found.group(1), {"name": "影像系统", "is_enabled": "false"})
    assert (unticked.status_code, "请检查：接入权限" in unticked.text) == (422, True)


def test_keys_are_rotated_and_killed_with_the_kid_typed_again(city: City) -> None:
    browser, at = at_desk(city, Role.SECURITY_ADMINISTRATOR), "/operator/keys"
    with db.transaction() as session:
        kid = keys.add_key(session, "test_pages")
    assert kid in browser.get(at).text
    assert browser.post(at, {"purpose": "test_pages"}).status_code == 303
    unknown = browser.post(at, {"purpose": "nobody"})
    assert (unknown.status_code, "accounts.signing_key_not_found" in unknown.text) == (404, True)
    wrong = browser.post(f"{at}/{kid}/kill", {"confirmation": "yes"})
    assert (wrong.status_code, "accounts.confirmation_wrong" in wrong.text) == (422, True)
    assert browser.post(f"{at}/{kid}/kill", {"confirmation": kid}).status_code == 303
    twice = browser.post(f"{at}/{kid}/kill", {"confirmation": kid})
    assert twice.status_code == 404
    with db.transaction() as session:
        assert kid not in keys.ring(session, "test_pages").verifying_keys


def test_the_audit_trail_is_read_a_page_at_a_time(city: City, hospital: Hospital) -> None:
    browser, terminal_id = at_desk(city, Role.AUDIT_ADMINISTRATOR), terminal_id_of(hospital)
    for _ in range(55):
        with db.transaction() as session:
            terminals.flag_terminal(session, SYSTEM, terminal_id, reason="not_me")
    page = browser.get("/operator/audit?action=accounts.terminal.flagged").text
    assert page.count("<code>accounts.terminal.flagged</code>") == 50
    older = re.search(r'href="(\?[^"]+before=[0-9a-f-]+)"', page)
    assert older
    rest = browser.get("/operator/audit" + older.group(1).replace("&amp;", "&")).text
    assert 5 <= rest.count("<code>accounts.terminal.flagged</code>") <= 50
    bad = browser.get("/operator/audit?since=yesterday")
    assert (bad.status_code, "请检查：起始日期" in bad.text) == (422, True)
    assert "没有符合条件的记录" in browser.get("/operator/audit?action=nothing").text


def test_who_is_not_signed_in_is_led_to_the_form(city: City) -> None:
    assert city.client.get("/operator").location == "/staff/sign-in?next=%2Foperator"
    assert city.client.get("/operator", headers=bearer("x" * 43)).status_code == 401


def secret_in(page: str) -> str:
    found = re.search(r'<code id="secret">([^<]+)</code>', page)
    assert found, page
    return found.group(1)
