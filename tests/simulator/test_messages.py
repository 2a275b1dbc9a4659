"""Subscribe messages as WeChat takes them: a token that lasts, one message an acceptance, fields of their length."""

import secrets
from typing import Any

import pytest
import requests

from simulator.running import Running

TEMPLATE = "tests-template"


def post(simulator: Running, path: str, body: dict[str, Any], **query: str) -> dict[str, Any]:
    reply = requests.post(f"{simulator.base_url}/cgi-bin/{path}", json=body, params=query, timeout=60)
    assert reply.status_code == 200
    return dict(reply.json())


def ask_token(simulator: Running, settings: dict[str, str], **changes: str) -> dict[str, Any]:
    body = {
        "grant_type": "client_credential",
        "appid": settings["WECHAT_APP_ID"],
        "secret": settings["WECHAT_APP_SECRET"],
    }
    return post(simulator, "stable_token", body | changes)


def send(simulator: Running, token: str, openid: str, **changes: Any) -> Any:
    message = {"touser": openid, "template_id": TEMPLATE, "data": {"thing1": {"value": "测试"}}} | changes
    return post(simulator, "message/subscribe/send", message, access_token=token)["errcode"]


def new_user(simulator: Running) -> str:
    openid = f"o{secrets.token_hex(14)}"
    simulator.control.mint_code(openid)
    return openid


def test_the_token_stays_the_same_and_needs_the_secret(simulator: Running, settings: dict[str, str]) -> None:
    first, second = ask_token(simulator, settings), ask_token(simulator, settings)
    assert first["access_token"] == second["access_token"]
    assert 0 < second["expires_in"] <= 7200
    assert ask_token(simulator, settings, secret="wrong")["errcode"] == 40125
    assert ask_token(simulator, settings, appid="wx0")["errcode"] == 40013


def test_one_acceptance_is_one_message(simulator: Running, settings: dict[str, str]) -> None:
    token, openid = ask_token(simulator, settings)["access_token"], new_user(simulator)
    simulator.control.accept_messages(openid, TEMPLATE)
    assert [send(simulator, token, openid) for _ in range(2)] == [0, 43101]
    (message,) = simulator.control.list_messages(openid)
    assert (message["template_id"], message["data"]) == (TEMPLATE, {"thing1": "测试"})


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"touser": "o-nobody"}, 40003),
        ({"template_id": "short"}, 40037),
        ({"data": {"thing1": {"value": "字" * 21}}}, 47003),
        ({"data": {"time2": {"value": "tomorrow"}}}, 47003),
        ({"data": {"diagnosis": {"value": "x"}}}, 47003),
        ({"data": None}, 47003),
    ],
)
def test_what_is_wrong_with_a_message_uses_no_acceptance_up(
    simulator: Running, settings: dict[str, str], changes: dict[str, Any], errcode: int
) -> None:
    token, openid = ask_token(simulator, settings)["access_token"], new_user(simulator)
    simulator.control.accept_messages(openid, TEMPLATE)
    assert send(simulator, token, openid, **changes) == errcode
    assert send(simulator, "no-token", openid) == 40001
    assert send(simulator, token, openid) == 0
