"""WeChat's server interface for mini-programs: code2Session, and subscribe messages to a login's phone."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import Any, cast

import requests
from redis import Redis
from redis.exceptions import RedisError

from accounts.refusals import WechatCodeInvalid, WechatTooOften, WechatUnavailable, WechatUserBlocked
from core import observe
from core.config import Config
from core.errors import Refusal

_TIMEOUT_SECONDS = (3.05, 5)

# https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-login/code2Session.html
_REFUSALS: dict[int, type[Refusal]] = {
    -1: WechatUnavailable,
    40029: WechatCodeInvalid,
    40163: WechatCodeInvalid,
    40226: WechatUserBlocked,
    45011: WechatTooOften,
}


# Bad, expired or replaced: the token has to be fetched anew.
_TOKEN_ENDED = {40001, 40014, 42001}
# A token is given up so long before WeChat does; from five minutes before its end WeChat itself has the next one.
_TOKEN_MARGIN_SECONDS = 300
_REDIS_TIMEOUT_SECONDS = 1.0


class MessageFate(Enum):
    """What became of a subscribe message. ``LATER``: nothing is known or WeChat is busy; try again."""

    SENT = auto()
    REFUSED = auto()
    UNDELIVERABLE = auto()
    LATER = auto()


# 43101: the user never accepted, has used his acceptances up, or cancelled. The others cannot become right by waiting:
# openid, template, page or a field is wrong.
_FATES = {
    0: MessageFate.SENT,
    43101: MessageFate.REFUSED,
    40003: MessageFate.UNDELIVERABLE,
    40037: MessageFate.UNDELIVERABLE,
    41030: MessageFate.UNDELIVERABLE,
    47003: MessageFate.UNDELIVERABLE,
}


@dataclass(frozen=True)
class WechatIdentity:
    """Who WeChat says has signed in. The session_key is not kept: nothing here needs it."""

    app_id: str
    openid: str
    unionid: str | None


def exchange_code(config: Config, code: str) -> WechatIdentity:
    """Exchange a wx.login code (valid 5 minutes, once).

    :raises WechatCodeInvalid: 40029 (and 40163, already used).
    :raises WechatUserBlocked: 40226.
    :raises WechatTooOften: 45011.
    :raises WechatUnavailable: -1, no answer, or an answer that cannot be understood.
    """
    reply = _ask(config, code)
    error = _error_code(reply)
    if error:
        # errmsg ends in WeChat's own request id, which their support asks for; it holds nothing personal.
        observe.log.warning("wechat.refused", errcode=error, errmsg=str(reply.get("errmsg", ""))[:200])
        raise _REFUSALS.get(error, WechatUnavailable)
    if not isinstance(reply.get("openid"), str):
        raise WechatUnavailable
    return WechatIdentity(config.wechat_app_id, reply["openid"], reply.get("unionid"))


def send_message(config: Config, *, openid: str, template_id: str, data: Mapping[str, str]) -> MessageFate:
    """Send a subscribe message; one acceptance of the user allows one. Never inside a transaction.

    Source: https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/mp-message-management/subscribe-message/

    :param data: keyword of the template (``thing1``, ``time2`` ...) to its text, in the length that WeChat allows.
    """
    message = {
        "touser": openid,
        "template_id": template_id,
        "data": {keyword: {"value": text} for keyword, text in data.items()},
        "lang": "zh_CN",
    }
    try:
        error = _send(config, _access_token(config), message)
        if error in _TOKEN_ENDED:
            _forget_access_token(config)
            error = _send(config, _access_token(config), message)
    except WechatUnavailable:
        return MessageFate.LATER
    if error:
        observe.log.warning("wechat.message_refused", errcode=error)
    return _FATES.get(error, MessageFate.LATER)


def _send(config: Config, token: str, message: Mapping[str, Any]) -> int:
    return _error_code(_call(config, "POST", "/cgi-bin/message/subscribe/send", {"access_token": token}, message))


def _access_token(config: Config) -> str:
    """The application's access token: kept in Redis for all processes, and asked for when it is not there."""
    with suppress(RedisError):
        kept = cast("bytes | None", _redis(config.redis_url).get(_token_key(config)))
        if kept:
            return kept.decode()
    asked = {"grant_type": "client_credential", "appid": config.wechat_app_id, "secret": config.wechat_app_secret}
    reply = _call(config, "POST", "/cgi-bin/stable_token", {}, asked)
    token, seconds = reply.get("access_token"), reply.get("expires_in")
    if not isinstance(token, str) or not isinstance(seconds, int):
        observe.log.warning("wechat.refused", errcode=_error_code(reply), errmsg=str(reply.get("errmsg", ""))[:200])
        raise WechatUnavailable
    with suppress(RedisError):
        _redis(config.redis_url).set(_token_key(config), token, ex=max(1, seconds - _TOKEN_MARGIN_SECONDS))
    return token


def _forget_access_token(config: Config) -> None:
    with suppress(RedisError):
        _redis(config.redis_url).delete(_token_key(config))


def _token_key(config: Config) -> str:
    return f"wechat:access_token:{config.wechat_app_id}"


@lru_cache(maxsize=4)
def _redis(url: str) -> Redis:
    return Redis.from_url(url, socket_timeout=_REDIS_TIMEOUT_SECONDS, socket_connect_timeout=_REDIS_TIMEOUT_SECONDS)


def _ask(config: Config, code: str) -> dict[str, Any]:
    query = {
        "appid": config.wechat_app_id,
        "secret": config.wechat_app_secret,
        "js_code": code,
        "grant_type": "authorization_code",
    }
    return _call(config, "GET", "/sns/jscode2session", query)


def _call(
    config: Config, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    try:
        reply = requests.request(
            method,
            f"{config.wechat_base_url}{path}",
            params=query,
            json=body,
            timeout=_TIMEOUT_SECONDS,
            allow_redirects=False,
        )
        reply.raise_for_status()
        answer = reply.json()
    except (requests.RequestException, ValueError) as error:
        # The address carries the app's secret or token, so only the kind of error is logged.
        observe.log.warning("wechat.unavailable", error=type(error).__name__)
        raise WechatUnavailable from None
    if not isinstance(answer, dict):
        raise WechatUnavailable
    return answer


def _error_code(reply: dict[str, Any]) -> int:
    try:
        # Documented as a number; copies in the wild show it as text.
        return int(reply.get("errcode") or 0)
    except (TypeError, ValueError):
        return -1
