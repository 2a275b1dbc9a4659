"""How health_card says no."""

from core.errors import Conflict, Invalid, NotFound, TooMany


class CertificateInvalid(Invalid):
    code = "health_card.certificate_invalid"
    title = "证件号码不正确,请核对"
    detail = (
        "The certificate number does not fit its type: a resident ID has 18 characters, a real birth date and a "
        "check character by ISO 7064 MOD 11-2 (GB 11643)."
    )


class DetailsContradictCertificate(Invalid):
    code = "health_card.details_contradict_certificate"
    title = "性别或出生日期与证件号码不符,请核对"
    detail = "The certificate number tells another sex or birth date than was sent. Leave them out, or correct them."


class PersonDetailsDiffer(Conflict):
    code = "health_card.person_details_differ"
    title = "姓名或手机号与已登记的信息不一致,请到医院窗口办理"
    detail = "This certificate is registered with another name or phone. A registration window can correct it."


class LoginHoldsAnother(Conflict):
    code = "health_card.login_holds_another"
    title = "该微信已登记为另一位本人"
    detail = "This login is registered as another person. One login is one person himself."


class UnderFourteen(Conflict):
    code = "health_card.under_fourteen"
    title = "未满14周岁须由监护人办理"
    detail = "Under 14 a guardian acts: add the child to the guardian's family instead of registering it as a login."


class CardNotFound(NotFound):
    code = "health_card.card_not_found"
    title = "没有找到这张健康卡"
    detail = "No such card for the signed-in login."


class CardNotInForce(Conflict):
    code = "health_card.card_not_in_force"
    title = "这张健康卡目前不可使用"
    detail = "The card is lost, cancelled or not issued; see its state. Codes are shown for normal cards only."


class PatientNumberTaken(Conflict):
    code = "health_card.patient_number_taken"
    title = "该门诊号已属于另一位患者"
    detail = "This hospital's patient number is bound to another person, or the person has another number here."


class PayeeUnknown(Invalid):
    code = "health_card.payee_unknown"
    title = "没有找到收款的医疗机构"
    detail = "No hospital has this id; take payee_id from what the hospital asks to be paid."


class CodeRefused(Invalid):
    """Any scan that fails because of the code itself; counted, so that guessing locks the terminal."""


class CodeMalformed(CodeRefused):
    code = "health_card.code_malformed"
    title = "这不是健康卡二维码"
    detail = "The text is not a health card code: <64 HEX>:0:<token>:<issuer> or <64 HEX>:1[::<issuer>]."


class CodeForged(CodeRefused):
    code = "health_card.code_forged"
    title = "二维码无效,请让患者重新出示"
    detail = "The code is not genuine: unknown card or key, or the signature does not hold."


class CodeExpired(CodeRefused):
    status = 410
    code = "health_card.code_expired"
    title = "二维码已过期,请让患者刷新"
    detail = "A dynamic code lives 60 seconds. Ask the patient to refresh it."


class CodeRedeemed(CodeRefused):
    status = 409
    code = "health_card.code_redeemed"
    title = "二维码已被使用,请让患者刷新"
    detail = "This code was used already, at this or another terminal. Ask the patient to refresh it."


class CodeRevoked(CodeRefused):
    status = 410
    code = "health_card.code_revoked"
    title = "这张健康卡或二维码已失效"
    detail = "The card was lost, cancelled or renewed after this code was made. Check the patient's ID document."


class CodeWrongClass(CodeRefused):
    code = "health_card.code_wrong_class"
    title = "这种二维码不能用于此项业务"
    detail = (
        "The code is genuine but of another class: payment codes only pay, and only payment codes pay; without the "
        "network only static and dynamic codes are taken. Ask the patient for the right kind."
    )


class PaymentDiffers(CodeRefused):
    code = "health_card.payment_differs"
    title = "付款码与收款单位或金额不一致"
    detail = (
        "The payment code was made for another hospital or another amount. Show the patient the exact amount and ask "
        "for a new code."
    )


class SecondFactorMissing(CodeRefused):
    code = "health_card.second_factor_missing"
    title = "静态码需要同时核对证件号码"
    detail = (
        "A static code proves nothing alone: send certificate_number as read from the patient's document; of a newborn "
        "who has none, from that of its mother or guardian."
    )


class SecondFactorWrong(CodeRefused):
    code = "health_card.second_factor_wrong"
    title = "证件号码与健康卡不一致"
    detail = "The certificate number is not that of the card's holder."


class TerminalLocked(TooMany):
    code = "health_card.terminal_locked"
    title = "该终端连续扫码失败过多,已暂时锁定"
    detail = "More than 20 refused codes within a minute at this terminal. Wait for the seconds in Retry-After."

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__()
        self.headers = {"Retry-After": str(retry_after_seconds)}
