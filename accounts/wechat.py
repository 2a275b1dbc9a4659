"""WeChat's server interface for mini-programs (code2Session)."""

from dataclasses import dataclass
from typing import Any

import requests

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


def _ask(config: Config, code: str) -> dict[str, Any]:
    try:
        reply = requests.get(
            f"{config.wechat_base_url}/sns/jscode2session",
            params={
                "appid": config.wechat_app_id,
                "secret": config.wechat_app_secret,
                "js_code": code,
                "grant_type": "authorization_code",
            },
            timeout=_TIMEOUT_SECONDS,
            allow_redirects=False,
        )
        reply.raise_for_status()
        body = reply.json()
    except (requests.RequestException, ValueError) as error:
        # The address carries the app's secret, so only the kind of error is logged.
        observe.log.warning("wechat.unavailable", error=type(error).__name__)
        raise WechatUnavailable from None
    if not isinstance(body, dict):
        raise WechatUnavailable
    return body


def _error_code(reply: dict[str, Any]) -> int:
    try:
        # Documented as a number; copies in the wild show it as text.
        return int(reply.get("errcode") or 0)
    except (TypeError, ValueError):
        return -1
