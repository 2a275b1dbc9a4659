"""How apps, and those who let them in, are told no."""

from typing import Any

from core.errors import Conflict, Invalid, NotFound, Unauthenticated


class AppNotFound(NotFound):
    code = "accounts.app_not_found"
    title = "没有这个应用"
    detail = "No app with this id is registered; look it up in the list."


class RedirectAddressInvalid(Invalid):
    code = "accounts.redirect_address_invalid"
    title = "回调地址不符合要求"
    detail = (
        "A redirect URI is an https address without fragment, user or wildcard, or http://127.0.0.1 or http://[::1] "
        "for an app on the device itself."
    )


class AppUnknown(Invalid):
    """Never answered by a redirect (RFC 6749, section 4.1.2.1)."""

    status = 400
    code = "accounts.app_unknown"
    title = "无法识别发起请求的应用"
    detail = "No app in use has this client_id, or it has not registered this redirect_uri. Nothing was shared."


class AuthorizationRequestInvalid(Invalid):
    """Answered by a redirect; ``error`` is its name in RFC 6749, section 4.1.2.1."""

    status = 400
    code = "accounts.authorization_request_invalid"
    title = "应用的授权请求有误"
    detail = "The authorization request does not hold; see error_description."

    def __init__(self, error: str, detail: str, **members: Any) -> None:
        super().__init__(detail, **members)
        self.error = error


class AppRequestNotFound(NotFound):
    code = "accounts.app_request_not_found"
    title = "没有找到这个授权请求，请核对号码"
    detail = (
        "No request with this number or id waits for this login or browser: mistyped, expired after 10 minutes, "
        "answered already, or taken up on another phone. Begin again in the app."
    )


class AppNotAgreed(Conflict):
    code = "accounts.app_not_agreed"
    title = "请先在手机上同意，再输入手机显示的六位数字"
    detail = "Nobody has agreed on the phone yet. Look the number up in the mini program and agree there first."


class AppConfirmationWrong(Invalid):
    keeps_changes = True
    code = "accounts.app_confirmation_wrong"
    title = "六位数字不正确"
    detail = "These are not the digits that the phone shows; see `tries_left`. After the fifth the request is dead."


class AppCredentialsInvalid(Unauthenticated):
    """RFC 6749 section 5.2: ``invalid_client``."""

    code = "accounts.app_credentials_invalid"
    title = "应用凭证无效"
    detail = (
        "Unknown or disabled app, or its client assertion does not hold. An app with keys sends client_assertion as "
        "hospital systems do; one without sends client_id and no assertion."
    )


class AppGrantInvalid(Invalid):
    """RFC 6749 section 5.2: ``invalid_grant``."""

    # The assertion with which it was asked stays used up.
    keeps_changes = True
    status = 400
    code = "accounts.app_grant_invalid"
    title = "授权已失效，请重新授权"
    detail = (
        "The code or refresh token does not hold: unknown, expired, of another app, with another redirect_uri or "
        "code_verifier, or the patient has ended it. Send the patient to authorize again."
    )


class AppGrantReplayed(AppGrantInvalid):
    code = "accounts.app_grant_replayed"
    title = "授权凭证被重复使用，授权已终止"
    detail = "This code or refresh token was used before, so the authorization has ended. Authorize again."


class AppScopeInvalid(Invalid):
    """RFC 6749 section 5.2: ``invalid_scope``."""

    keeps_changes = True
    status = 400
    code = "accounts.app_scope_invalid"
    title = "申请的范围超出患者同意的范围"
    detail = "A refresh may ask for the scopes that the patient agreed to, or fewer; a scope here is none of them."
