"""A patient signs in with a WeChat code, asked of a WeChat that can also be ill."""

import secrets

import pytest
from sqlalchemy import select

from accounts import wechat as adapter
from accounts.models import Login
from core import db
from simulator.running import Running
from tests.support.city import City, bearer

SIGN_IN = "/api/v1/wechat/sessions"

# As the product has it; tests that do not look at it are given more time.
PATIENCE = adapter._TIMEOUT_SECONDS


def new_openid() -> str:
    return f"o{secrets.token_hex(14)}"


def count_logins(openid: str | None = None) -> int:
    with db.transaction() as session:
        wanted = select(Login.id) if openid is None else select(Login.id).filter_by(openid=openid)
        return len(session.scalars(wanted).all())


def test_a_code_signs_in_and_the_same_person_is_the_same_login(patients_city: City, wechat: Running) -> None:
    openid = new_openid()
    for _ in range(2):
        code = wechat.control.mint_code(openid, unionid="u-test-000001")
        reply = patients_city.client.post(SIGN_IN, json={"code": code})
        assert reply.status_code == 201
        assert reply.json["token_type"] == "Bearer"
        assert reply.json["expires_in"] == 600
        assert reply.headers["Cache-Control"] == "no-store"
        assert openid not in reply.text
        cards = patients_city.client.get("/api/v1/cards", headers=bearer(reply.json["access_token"]))
        assert cards.status_code == 200
    assert count_logins(openid) == 1


def test_a_code_is_good_once(patients_city: City, wechat: Running) -> None:
    code = wechat.control.mint_code(new_openid())
    statuses = [patients_city.client.post(SIGN_IN, json={"code": code}).status_code for _ in range(2)]
    assert statuses == [201, 401]


@pytest.mark.parametrize(
    ("trouble", "status", "code"),
    [
        ("40029", 401, "accounts.wechat_code_invalid"),
        ("40226", 401, "accounts.wechat_user_blocked"),
        ("45011", 429, "accounts.wechat_too_often"),
        ("-1", 503, "accounts.wechat_unavailable"),
        ("500", 503, "accounts.wechat_unavailable"),
        ("garbage", 503, "accounts.wechat_unavailable"),
    ],
)
def test_each_trouble_of_wechat_has_its_refusal(patients_city: City, trouble: str, status: int, code: str) -> None:
    before = count_logins()
    reply = patients_city.client.post(SIGN_IN, json={"code": f"trouble-{trouble}-x"})
    assert (reply.status_code, reply.json["code"]) == (status, code)
    assert ("Retry-After" in reply.headers) == (status in {429, 503})
    assert count_logins() == before


def test_a_slow_wechat_is_given_up(patients_city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    assert max(PATIENCE) <= 10
    monkeypatch.setattr(adapter, "_TIMEOUT_SECONDS", (1.0, 0.2))
    reply = patients_city.client.post(SIGN_IN, json={"code": "trouble-slow"})
    assert (reply.status_code, reply.json["code"]) == (503, "accounts.wechat_unavailable")


@pytest.mark.parametrize("fault", ["drop", "500", "429"])
def test_a_broken_line_is_given_up_and_the_next_try_succeeds(patients_city: City, wechat: Running, fault: str) -> None:
    code = wechat.control.mint_code(new_openid())
    wechat.control.order_fault("/sns/jscode2session", fault)
    reply = patients_city.client.post(SIGN_IN, json={"code": code})
    assert (reply.status_code, reply.json["code"]) == (503, "accounts.wechat_unavailable")
    assert patients_city.client.post(SIGN_IN, json={"code": code}).status_code == 201


def test_the_secret_of_the_app_is_told_to_nobody_but_wechat(
    patients_city: City, wechat: Running, caplog: pytest.LogCaptureFixture
) -> None:
    secret = patients_city.config.wechat_app_secret
    for code in ("trouble-500", "trouble-garbage", "trouble-40029", wechat.control.mint_code(new_openid())):
        with caplog.at_level("INFO"):
            assert secret not in patients_city.client.post(SIGN_IN, json={"code": code}).text
    assert secret not in caplog.text
