"""How a face or bank check is told no."""

from collections.abc import Mapping

from core.errors import Conflict, Invalid, Unavailable


class VerificationNotConfigured(Unavailable):
    code = "health_card.verification_not_configured"
    title = "本平台暂未开通人脸和银行核验,请到医院窗口核验证件"
    detail = "No real-name source is connected to this platform. A desk can verify the document instead."


class VerificationUnavailable(Unavailable):
    code = "health_card.verification_unavailable"
    title = "核验服务暂时没有应答,请稍后重新核验"
    detail = "The real-name source does not answer. Take a new check there later: its token may be used up already."
    headers: Mapping[str, str] = {"Retry-After": "30"}


class VerificationNotPossible(Conflict):
    code = "health_card.verification_not_possible"
    title = "您的登记缺少证件,请到医院窗口办理"
    detail = "The login's own person has no certificate that a check could prove. A desk has to record one first."


class VerificationTokenInvalid(Invalid):
    code = "health_card.verification_token_invalid"
    title = "核验凭据无效、已使用或已过期,请重新核验"
    detail = "The source knows no such token of this way; it is good once, for ten minutes. Take a new check there."


class VerificationDisagreed(Conflict):
    keeps_changes = True
    code = "health_card.verification_disagreed"
    title = "核验结果与您登记的身份不一致"
    detail = (
        "The check proved somebody else than the login's own person as registered. Nothing was raised; wrong details "
        "are corrected at a desk."
    )


class VerificationOvertaken(Conflict):
    code = "health_card.verification_overtaken"
    title = "登记信息刚刚有变更,请重新核验"
    detail = "Name or certificate changed while the source was asked, so its answer counts no more. Take a new check."
