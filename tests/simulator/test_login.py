"""jscode2session and the codes that tests mint."""

import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator.control import ControlRefused
from simulator.running import Running, running


def exchange(simulator: Running, settings: dict[str, str], code: str, **changes: str | None) -> requests.Response:
    query = {
        "appid": settings["WECHAT_APP_ID"],
        "secret": settings["WECHAT_APP_SECRET"],
        "js_code": code,
        "grant_type": "authorization_code",
        **changes,
    }
    return requests.get(f"{simulator.base_url}/sns/jscode2session", params=query, timeout=60)


def errcode(response: requests.Response) -> Any:
    assert response.status_code == 200
    body = response.json()
    if "errcode" in body:
        assert set(body) == {"errcode", "errmsg"}
        assert re.search(r", rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$", body["errmsg"])
    return body.get("errcode", 0)


def new_openid() -> str:
    return f"o{secrets.token_hex(14)}"


def test_code_is_good_once(simulator: Running, settings: dict[str, str]) -> None:
    openid = new_openid()
    code = simulator.control.mint_code(openid)
    first = exchange(simulator, settings, code)
    assert first.json()["openid"] == openid
    assert set(first.json()) == {"openid", "session_key"}
    assert errcode(exchange(simulator, settings, code)) == 40029


def test_code_used_by_many_at_once_serves_one(simulator: Running, settings: dict[str, str]) -> None:
    code = simulator.control.mint_code(new_openid())
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda _: errcode(exchange(simulator, settings, code)), range(8)))
    assert sorted(codes) == [0] + [40029] * 7


def test_unionid_is_told_when_there_is_one(simulator: Running, settings: dict[str, str]) -> None:
    code = simulator.control.mint_code(new_openid(), unionid="u-test-000001")
    assert exchange(simulator, settings, code).json()["unionid"] == "u-test-000001"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"appid": "wx0000000000000000"}, 40013),
        ({"secret": "wrong"}, 40125),
        ({"grant_type": "client_credential"}, 40002),
        ({"appid": None}, 41002),
        ({"secret": None}, 41004),
        ({"js_code": None}, 41008),
        ({"js_code": "never-minted"}, 40029),
    ],
)
def test_refusals(simulator: Running, settings: dict[str, str], changes: dict[str, str | None], expected: int) -> None:
    code = simulator.control.mint_code(new_openid())
    assert errcode(exchange(simulator, settings, code, **changes)) == expected
    assert errcode(exchange(simulator, settings, code)) == 0, "a refused call must not use the code up"


@pytest.mark.parametrize("number", [-1, 40029, 40226, 45011])
def test_trouble_codes_answer_their_error(simulator: Running, settings: dict[str, str], number: int) -> None:
    assert errcode(exchange(simulator, settings, f"trouble-{number}-any-end")) == number


def test_trouble_codes_for_a_sick_wechat(simulator: Running, settings: dict[str, str]) -> None:
    assert exchange(simulator, settings, "trouble-500").status_code == 500
    garbage = exchange(simulator, settings, "trouble-garbage")
    assert garbage.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        garbage.json()
    with pytest.raises(requests.ReadTimeout):
        requests.get(
            f"{simulator.base_url}/sns/jscode2session",
            params={
                "appid": settings["WECHAT_APP_ID"],
                "secret": settings["WECHAT_APP_SECRET"],
                "js_code": "trouble-slow",
                "grant_type": "authorization_code",
            },
            timeout=(60, 0.3),
        )


def test_code_dies_after_five_minutes(own_simulator: Running, settings: dict[str, str]) -> None:
    early, late = (own_simulator.control.mint_code(new_openid()) for _ in range(2))
    own_simulator.control.advance_clock(290)
    assert errcode(exchange(own_simulator, settings, early)) == 0
    own_simulator.control.advance_clock(11)
    assert errcode(exchange(own_simulator, settings, late)) == 40029


def test_quota_of_one_user_in_a_minute(settings: dict[str, str], tmp_path: Path) -> None:
    with running(tmp_path, {**settings, "SIMULATOR_LOGINS_PER_MINUTE": "3"}) as simulator:
        simulator.control.register_phone("phone-quota", new_openid())
        simulator.control.register_phone("phone-other", new_openid())
        answers = [errcode(exchange(simulator, settings, "phone-quota")) for _ in range(4)]
        assert answers == [0, 0, 0, 45011]
        assert errcode(exchange(simulator, settings, "phone-other")) == 0
        simulator.control.advance_clock(61)
        assert errcode(exchange(simulator, settings, "phone-quota")) == 0


def test_phone_logs_the_same_person_in_every_time(simulator: Running, settings: dict[str, str]) -> None:
    openid, wx_code = new_openid(), f"phone-{secrets.token_hex(8)}"
    simulator.control.register_phone(wx_code, openid)
    simulator.control.register_phone(wx_code, openid)
    assert {exchange(simulator, settings, wx_code).json()["openid"] for _ in range(3)} == {openid}
    with pytest.raises(ControlRefused) as refused:
        simulator.control.register_phone(wx_code, new_openid())
    assert refused.value.status == 409


def test_phone_cannot_take_a_trouble_code(simulator: Running) -> None:
    with pytest.raises(ControlRefused) as refused:
        simulator.control.register_phone("trouble-40029", new_openid())
    assert refused.value.status == 400
