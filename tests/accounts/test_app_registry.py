"""Apps are registered by the security administrator, at the interface and on its page."""

from typing import Any

import pytest
from sqlalchemy import select

from accounts.apps.models import App
from accounts.models import Role
from core import db
from tests.support.administration import Desk, code_of
from tests.support.apps import REDIRECT, AppSide
from tests.support.browsing import Browser
from tests.support.city import City

FACTS: dict[str, Any] = {
    "name": "测试健康助手",
    "provider": "测试科技公司",
    "contact": "0533-0000000",
    "purpose": "展示检验趋势",
    "redirect_uris": [REDIRECT],
    "scopes": ["patient/*.rs", "offline_access"],
}


@pytest.fixture(scope="module")
def desk(module_city: City) -> Desk:
    return Desk(module_city, Role.SECURITY_ADMINISTRATOR)


@pytest.fixture
def administrator(app: object, desk: Desk) -> Desk:
    return desk


def test_an_app_is_registered_changed_and_given_keys(city: City, administrator: Desk) -> None:
    made = administrator.make("/apps", client_id="app-1", **FACTS)["id"]
    (listed,) = administrator.ask("GET", "/apps").json["apps"]
    assert listed == {"id": made, "client_id": "app-1", "kids": [], "is_enabled": True} | FACTS | {
        "created_at": listed["created_at"]
    }
    narrower = FACTS | {"scopes": ["patient/Condition.rs"], "is_enabled": False}
    assert administrator.ask("PUT", f"/apps/{made}", **narrower).status_code == 204
    key = {"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "k1"}
    public = AppSide(city, confidential=True).private_jwk or {}
    jwks = {"keys": [key | {"x": public["x"], "y": public["y"]}]}
    assert administrator.ask("PUT", f"/apps/{made}/jwks", jwks=jwks).status_code == 204
    listed = next(one for one in administrator.ask("GET", "/apps").json["apps"] if one["id"] == made)
    assert (listed["scopes"], listed["is_enabled"], listed["kids"]) == (["patient/Condition.rs"], False, ["k1"])


def test_what_is_no_app_is_not_registered(administrator: Desk) -> None:
    administrator.make("/apps", client_id="app-2", **FACTS)
    wrong: list[tuple[dict[str, Any], tuple[int, str]]] = [
        ({"client_id": "app-2"}, (409, "accounts.client_id_taken")),
        ({"scopes": ["offline_access"]}, (422, "accounts.scope_unknown")),
        ({"scopes": ["patient/*.rs", "profile"]}, (422, "accounts.scope_unknown")),
        ({"scopes": ["patient/*.rs", "fhirUser"]}, (422, "accounts.scope_unknown")),
        ({"scopes": ["system/*.read"]}, (422, "accounts.scope_unknown")),
        ({"jwks": {"keys": []}}, (422, "accounts.client_keys_invalid")),
        ({"name": "<b>"}, (422, "core.malformed_request")),
    ]
    addresses = [
        "http://app.example/back",
        "https://app.example/back#x",
        "https://*.example/back",
        "https://user@app.example/back",
        "https://app.example/back; form-action *",
        "https://app.example/ back",
        "https://app.example/back\nx: y",
        "http://localhost/back",
        "http://127.0.0.1.evil.example/back",
        "com.example.app:/back",
        "javascript:alert(1)",
        "https://app.example/" + "a" * 512,
    ]
    wrong += [({"redirect_uris": [one]}, (422, "accounts.redirect_address_invalid")) for one in addresses]
    for changes, refused in wrong:
        assert code_of(administrator.ask("POST", "/apps", **({"client_id": "app-3"} | FACTS | changes))) == refused
    unknown = "00000000-0000-7000-8000-000000000000"
    for method, path, body in (
        ("PUT", f"/apps/{unknown}", FACTS | {"is_enabled": True}),
        ("PUT", f"/apps/{unknown}/jwks", {"jwks": {"keys": []}}),
    ):
        assert code_of(administrator.ask(method, path, **body)) == (404, "accounts.app_not_found")
    with db.transaction() as session:
        assert session.scalars(select(App.client_id).where(App.client_id == "app-3")).all() == []


def test_the_page_registers_changes_and_says_what_is_wrong(city: City, administrator: Desk) -> None:
    browser = Browser(city.app)
    browser.sign_in(administrator.staff)
    assert 'href="/operator/apps"' in browser.get("/operator").text
    assert "还没有登记应用" in browser.get("/operator/apps").text
    form = FACTS | {"client_id": "app-4", "redirect_uris": f"{REDIRECT}\r\nhttp://127.0.0.1/back", "jwks": ""}
    form["scopes"] = "patient/*.rs\r\noffline_access"
    refused = browser.post("/operator/apps", form | {"redirect_uris": "http://app.example/"})
    assert refused.status_code == 422
    assert "回调地址不符合要求" in refused.text
    assert 'value="app-4"' in refused.text
    assert browser.post("/operator/apps", form | {"jwks": "{"}).status_code == 422
    assert browser.post("/operator/apps", form).status_code == 303
    (listed,) = administrator.ask("GET", "/apps").json["apps"]
    assert listed["redirect_uris"] == [REDIRECT, "http://127.0.0.1/back"]
    page = browser.get("/operator/apps").text
    assert "现为公开客户端" in page
    assert browser.post(f"/operator/apps/{listed['id']}", form | {"is_enabled": "false"}).status_code == 422
    changed = {name: value for name, value in form.items() if name not in {"client_id", "jwks"}}
    assert browser.post(f"/operator/apps/{listed['id']}", changed | {"is_enabled": "false"}).status_code == 303
    assert "停用" in browser.get("/operator/apps").text
    assert browser.post(f"/operator/apps/{listed['id']}/keys", {"jwks": "[]"}).status_code == 422
    operator = Browser(city.app)
    operator.sign_in(city.staff(None, Role.OPERATOR, "钱管理"))
    assert operator.get("/operator/apps").status_code == 403
