"""How confirming says no."""

from core.errors import Conflict, Invalid, NotFound, TooMany


class PinNotSet(Conflict):
    code = "health_card.pin_not_set"
    title = "请先设置六位确认密码"
    detail = "The login has no PIN yet. Set one with PUT /api/v1/code-pin."


class PinTooSimple(Invalid):
    code = "health_card.pin_too_simple"
    title = "确认密码过于简单,请更换"
    detail = "Six equal digits, or digits in a row up or down, are the first that anybody tries. Choose another PIN."


class OldPinMissing(Conflict):
    code = "health_card.old_pin_missing"
    title = "已设置过确认密码,请输入原密码"
    detail = "The login has a PIN. Send it as old_pin to change it; whoever forgot it goes to a registration window."


class PinWrong(Invalid):
    keeps_changes = True
    code = "health_card.pin_wrong"
    title = "确认密码不正确"
    detail = "The PIN is wrong; see `tries_left`. After the last try it is locked for 15 minutes."


class PinLocked(TooMany):
    code = "health_card.pin_locked"
    title = "确认密码连续输错,已暂时锁定"
    detail = "Five wrong tries in a row lock the PIN for 15 minutes. Wait for the seconds in Retry-After."

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__()
        self.headers = {"Retry-After": str(retry_after_seconds)}


class ConfirmationNotFound(NotFound):
    code = "health_card.confirmation_not_found"
    title = "没有找到这条确认请求"
    detail = "No such request to confirm for the one who asks."


class ConfirmationNotPossible(Conflict):
    code = "health_card.confirmation_not_possible"
    title = "无法在手机上确认,请让患者出示动态码"
    detail = "Only who showed a code on a phone can be asked on the phone; this visit was opened with a printed one."


class ConfirmationExpired(Conflict):
    status = 410
    code = "health_card.confirmation_expired"
    title = "确认请求已过期"
    detail = "A request waits 60 seconds for its answer. The desk can ask again."


class NotConfirmed(Conflict):
    code = "health_card.not_confirmed"
    title = "患者尚未在手机上确认"
    detail = (
        "Nothing that this patient confirmed for this purpose, to the one who asks and within 5 minutes, is left to "
        "use. Ask for a tap on the phone, or scan a code that the patient made with the PIN; each is good once."
    )


class ConfirmationAnswered(Conflict):
    code = "health_card.confirmation_answered"
    title = "该请求已有答复"
    detail = "The request was answered otherwise before, on this or another phone; see its state."
