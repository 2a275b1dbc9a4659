"""How accounts says no."""

from core.errors import Conflict, Invalid, TooMany, Unauthenticated, Unavailable


class WechatCodeInvalid(Unauthenticated):
    code = "accounts.wechat_code_invalid"
    title = "微信登录已失效,请重新进入小程序"
    detail = "WeChat does not accept this code (40029): used, expired or of another app. Call wx.login again."


class WechatUserBlocked(Unauthenticated):
    code = "accounts.wechat_user_blocked"
    title = "微信认为此账号存在风险,暂时无法登录"
    detail = "WeChat blocked this user (40226). Do not retry; the patient can go to a registration window."


class WechatTooOften(TooMany):
    code = "accounts.wechat_too_often"
    title = "登录过于频繁,请一分钟后再试"
    detail = "WeChat's quota for this user is used up (45011). Wait a minute and call wx.login again."
    headers = {"Retry-After": "60"}


class WechatUnavailable(Unavailable):
    code = "accounts.wechat_unavailable"
    title = "微信暂时没有应答,请稍后再试"
    detail = "WeChat is busy (-1) or does not answer. Call wx.login again in a few seconds."
    headers = {"Retry-After": "3"}


class RefreshTokenInvalid(Unauthenticated):
    code = "accounts.refresh_token_invalid"
    title = "登录已过期,请重新登录"
    detail = "Unknown, expired or ended refresh token. Sign in again."


class RefreshTokenReused(Unauthenticated):
    keeps_changes = True
    code = "accounts.refresh_token_reused"
    title = "登录存在异常,请重新登录"
    detail = "This refresh token was used before, so every token of its sign-in has ended. Sign in again."


class PasswordWrong(Unauthenticated):
    code = "accounts.password_wrong"
    title = "用户名或密码不正确"
    detail = "User name or password is wrong, or the account is disabled."


class SessionEnded(Unauthenticated):
    code = "accounts.session_ended"
    title = "登录已过期,请重新登录"
    detail = "The session or token has expired or was ended. Sign in or refresh again."


class ClientAssertionInvalid(Unauthenticated):
    """RFC 6749 section 5.2: ``invalid_client``."""

    code = "accounts.client_assertion_invalid"
    title = "系统接入凭证无效"
    detail = (
        "The client assertion does not hold: registered key (kid), algorithm EdDSA, ES256, ES384 or PS256, "
        "iss = sub = client_id, aud = the token address, exp at most 300 s after iat, a new jti."
    )


class GrantTypeUnsupported(Invalid):
    """RFC 6749 section 5.2: ``unsupported_grant_type``."""

    status = 400
    code = "accounts.grant_type_unsupported"
    title = "不支持的授权类型"
    detail = "Only grant_type=client_credentials with a private_key_jwt client assertion is supported."


class ScopeNotAllowed(Invalid):
    """RFC 6749 section 5.2: ``invalid_scope``."""

    status = 400
    code = "accounts.scope_not_allowed"
    title = "申请的权限超出范围"
    detail = "A scope was asked for that is not registered for this client."


class TerminalUnknown(Invalid):
    code = "accounts.terminal_unknown"
    title = "该终端未登记"
    detail = "This terminal code is not enrolled at the hospital of the signed-in staff, or is switched off."


class HospitalCodeTaken(Conflict):
    code = "accounts.hospital_code_taken"
    title = "该机构代码已登记"
    detail = "A hospital with this code exists."
