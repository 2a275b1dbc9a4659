"""The operator's switch: interface and page."""

import re

import pytest
from sqlalchemy import select

from accounts.models import Role
from core import db
from health_card.tencent.models import TencentApp
from tests.conftest import SteppingClock
from tests.health_card.tencent.conftest import House
from tests.support.browsing import Browser
from tests.support.city import City, bearer
from tests.support.tencent import HospitalSystem

APPS = "/api/v1/tencent-apps"


def test_the_operator_switches_access_on_limits_it_and_renews_the_secret(city: City) -> None:
    operator, hospital = bearer(city.staff(None, Role.SECURITY_ADMINISTRATOR).token), city.hospital()
    issued = city.client.post(APPS, json={"hospital_code": hospital.code}, headers=operator)
    assert issued.status_code == 201
    assert issued.headers["Cache-Control"] == "no-store"
    system = HospitalSystem(city.client, **{name: issued.json[name] for name in issued.json})
    system.sign_in()
    path = f"{APPS}/{system.app_id}"
    changed = city.client.put(path, json={"is_enabled": False, "shows_dynamic_codes": True}, headers=operator).json
    assert (changed["is_enabled"], changed["shows_dynamic_codes"]) == (False, True)
    assert changed in city.client.get(APPS, headers=operator).json["apps"]
    again = city.client.post(APPS, json={"hospital_code": hospital.code}, headers=operator).json
    assert again["app_id"] == system.app_id
    assert again["app_secret"] != system.app_secret
    renewed = city.client.post(f"{path}/secrets", headers=operator)
    assert (renewed.status_code, renewed.json["app_id"]) == (201, system.app_id)
    system.app_secret = renewed.json["app_secret"]
    system.sign_in()
    missing = city.client.post(f"{APPS}/none/secrets", headers=operator)
    assert (missing.status_code, missing.json["code"]) == (404, "health_card.tencent_access_not_found")
    unknown = city.client.post(APPS, json={"hospital_code": "none"}, headers=operator)
    assert (unknown.status_code, unknown.json["code"]) == (422, "health_card.hospital_unknown")


@pytest.mark.parametrize("role", [Role.DOCTOR, Role.REGISTRAR])
def test_nobody_else_may(city: City, role: Role) -> None:
    staff = bearer(city.staff(city.hospital(), role).token)
    assert city.client.get(APPS, headers=staff).status_code == 403


def test_the_page_shows_a_secret_once(city: City, stepping_clock: SteppingClock) -> None:
    hospital, browser = city.hospital("市第三测试医院"), Browser(city.app)
    browser.sign_in(city.staff(None, Role.SECURITY_ADMINISTRATOR))
    assert hospital.code not in browser.get("/operator/tencent").text
    opened = browser.post("/operator/tencent", {"hospital_code": hospital.code})
    assert opened.status_code == 201
    found = re.search(r'<code id="secret">([0-9a-f]{32})</code>', opened.text)
    assert found is not None
    page = browser.get("/operator/tencent")
    assert found.group(1) not in page.text
    app_id = re.search(rf"{hospital.code}</code> · appId <code>([0-9a-f]{{32}})</code>", page.text).group(1)
    form = {"is_enabled": "false", "shows_dynamic_codes": "false"}
    assert browser.post(f"/operator/tencent/{app_id}", form).status_code == 303
    assert "已停用" in browser.get("/operator/tencent").text
    renewed = browser.post(f"/operator/tencent/{app_id}/secret", {})
    assert re.search(r'<code id="secret">', renewed.text)
    wrong = browser.post("/operator/tencent", {"hospital_code": "none"})
    assert (wrong.status_code, "没有这个机构代码" in wrong.text) == (422, True)
    for path in (f"/operator/tencent/{'0' * 32}", f"/operator/tencent/{'0' * 32}/secret"):
        assert "没有这个接入应用" in browser.post(path, form).text


def test_the_secret_is_sealed(house: House) -> None:
    with db.snapshot() as session:
        app = session.scalars(select(TencentApp).filter_by(app_id=house.system.app_id)).one()
    assert house.system.app_secret.encode() not in app.secret_sealed
    assert house.system.token.encode() not in (app.token_hash or b"")
