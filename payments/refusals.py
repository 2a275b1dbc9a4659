"""How payments says no."""

from core.errors import Conflict, Invalid, NotFound, Unauthenticated


class ProductNotOffered(NotFound):
    code = "payments.product_not_offered"
    title = "没有这项信用就医服务"
    detail = "No credit product with this code is offered now. GET /api/v1/credit/products lists those that are."


class ProductCodeTaken(Conflict):
    code = "payments.product_code_taken"
    title = "该信用产品代码已登记"
    detail = "A credit product with this code exists. Change its row, or choose another code."


class AgreementVersionWrong(Conflict):
    code = "payments.agreement_version_wrong"
    title = "协议已更新,请阅读新版本后再确认"
    detail = (
        "The agreement version is not the one in force; see `current_version`. Show that text to the patient and sign "
        "up again with its version."
    )


class PersonNotConfirmed(Conflict):
    code = "payments.person_not_confirmed"
    title = "请先完成实名登记"
    detail = (
        "The signed-in login is not the confirmed holder of exactly one person. Register with real name, or let a "
        "registration window see the document, then sign up again."
    )


class LineNotFound(NotFound):
    code = "payments.line_not_found"
    title = "没有找到这个信用额度"
    detail = "No such credit line of the signed-in login's own person."


class NoCreditLine(Conflict):
    code = "payments.no_credit_line"
    title = "患者尚未开通信用就医,请使用其他方式支付"
    detail = "The patient of this visit has no credit line in force. Nothing was charged; collect the bill another way."


class LineSuspended(Conflict):
    code = "payments.line_suspended"
    title = "患者的信用额度已暂停,请使用其他方式支付"
    detail = "Every credit line of the patient is suspended; only emergency visits (kind E) may still be charged to it."


class LimitExceeded(Conflict):
    code = "payments.limit_exceeded"
    title = "患者的可用额度不足,请使用其他方式支付"
    detail = (
        "The amount is more than what is left of the patient's credit. Nothing was charged; a charge is never split."
    )


class BillAlreadyCharged(Conflict):
    code = "payments.bill_already_charged"
    title = "该账单已经扣款,请勿重复扣款"
    detail = (
        "This hospital has charged this bill number before, under another Idempotency-Key. Repeat the first request "
        "with its own key to get its reply again."
    )


class PaymentCodeOfAnother(Conflict):
    code = "payments.payment_code_of_another"
    title = "付款码不是这位患者的"
    detail = "The payment code belongs to another person than the patient of this visit. Nothing was charged."


class RepaymentExceedsDebt(Invalid):
    code = "payments.repayment_exceeds_debt"
    title = "还款金额超过待还金额"
    detail = (
        "The amount is more than what is drawn minus the repayments under way; see `payable_fen`. An unpaid repayment "
        "ends by itself after 30 minutes."
    )


class RepaymentNotFound(NotFound):
    code = "payments.repayment_not_found"
    title = "没有找到这笔还款"
    detail = "No such repayment of the signed-in login's own person."


class NotificationRefused(Unauthenticated):
    """Answered in the gateway's own form; a gateway sends a refused notification again later."""

    headers = {}


class NotificationNotGenuine(NotificationRefused):
    code = "payments.notification_not_genuine"
    title = "通知验签失败"
    detail = (
        "Not a notification of WeChat Pay: signature, signature type, key id, a timestamp at most 5 minutes off, or "
        "the sealed resource does not hold. Probes (WECHATPAY/SIGNTEST/) end here as they should."
    )


class NotificationNotOurs(NotificationRefused):
    code = "payments.notification_not_ours"
    title = "通知内容与订单不一致"
    detail = (
        "Genuine, but not about a payment that was asked for: merchant, app, order number, amount, currency, payer or "
        "event differ. Nothing was booked; the operator compares the order with the gateway."
    )
