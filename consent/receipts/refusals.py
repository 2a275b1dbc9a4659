"""How erasure receipts say no."""

from core.errors import Conflict, Invalid, NotFound


class ErasureRequestNotFound(NotFound):
    code = "consent.erasure_request_not_found"
    title = "没有找到这项删除回执请求"
    detail = "This hospital was not asked for such a receipt; GET /api/v1/erasure-requests lists those that it was."


class ReceiptInvalid(Invalid):
    code = "consent.receipt_invalid"
    title = "删除回执无效"
    detail = (
        "The receipt must be a JWS of your own registered key over the canonical JSON that docs/interfaces/rights.md "
        "describes, about this very request."
    )


class ReceiptGiven(Conflict):
    code = "consent.receipt_given"
    title = "该请求已有删除回执"
    detail = "Another receipt was given for this request. A receipt is final; the same one again is accepted."
