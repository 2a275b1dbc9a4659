"""How the older interface says no, beside what the platform refuses anyway."""

from collections.abc import Iterable

from core.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated


class BodyUnreadable(Invalid):
    code = "health_card.tencent_body_unreadable"
    title = "报文不是要求的 JSON"
    detail = 'Send one JSON object {"commonIn": {...}, "req": {...}}, no name twice, no U+0000.'


class BodyNotUtf8(Invalid):
    code = "health_card.tencent_body_not_utf8"
    title = "报文不是 UTF-8 编码"
    detail = "Send the body as UTF-8; GBK and GB18030 are not accepted, because the signature is made over UTF-8."


class BodyTooLarge(Invalid):
    code = "health_card.tencent_body_too_large"
    title = "报文过大"
    detail = "A request has at most 256 KiB. Send a batch in smaller parts."


class OperationUnknown(NotFound):
    code = "health_card.tencent_operation_unknown"
    title = "没有这个接口"
    detail = "No such operation; see docs/interfaces/tencent.md for those that are served here."


class _FieldsWrong(Invalid):
    """:ivar fields: what is said of each field, such as ``req.idType: ...``; never what was sent in it."""

    def __init__(self, fields: Iterable[str] = ()) -> None:
        named = "; ".join(fields)
        super().__init__(f"{self.detail} Here: {named}." if named else None)


class FieldUnknown(_FieldsWrong):
    code = "health_card.tencent_field_unknown"
    title = "含有未定义的字段"
    detail = "A field is sent that this operation does not know. Leave it out, or correct its spelling."


class FieldMissing(_FieldsWrong):
    code = "health_card.tencent_field_missing"
    title = "缺少必填字段"
    detail = "A required field is missing, null or empty."


class CodeLostZero(_FieldsWrong):
    code = "health_card.tencent_code_lost_zero"
    title = "代码丢失了前导零,请按字符串发送"
    detail = 'Codes are texts: "010101", not 10101. A number, or a text made of one, has lost its leading zero.'


class FieldInvalid(_FieldsWrong):
    code = "health_card.tencent_field_invalid"
    title = "字段内容不符合要求"
    detail = "A field does not hold what the interface defines for it."


class ProofFailed(Unauthenticated):
    """Whoever sends such requests is counted, and locked out for a while."""


class AppUnknown(ProofFailed):
    code = "health_card.tencent_app_unknown"
    title = "该机构未开通此接口"
    detail = "hospitalId or appId is unknown, or this interface is switched off for the hospital. Ask the operator."


class SignWrong(ProofFailed):
    code = "health_card.tencent_sign_wrong"
    title = "签名不正确"
    detail = (
        "sign does not hold: merge commonIn (without sign) and req, drop null and empty, sort by name, join k=v by &, "
        "append appSecret, SHA-256, Base64."
    )


class TimestampStale(ProofFailed):
    code = "health_card.tencent_timestamp_stale"
    title = "时间戳超出允许范围"
    detail = "timestamp is more than 300 seconds away from now (Unix seconds). Set the clock of the hospital system."


class RequestRepeated(ProofFailed):
    code = "health_card.tencent_request_repeated"
    title = "requestId 重复"
    detail = "This requestId was used already. Every request, a repeated one too, needs a new one."


class TokenInvalid(ProofFailed):
    code = "health_card.tencent_token_invalid"
    title = "appToken 无效或已过期"
    detail = "appToken is missing, older than 7200 s, or was ended by a newer one. Call getAppToken."


class ScopeMissing(Forbidden):
    code = "health_card.tencent_scope_missing"
    title = "该机构未获准使用此接口功能"
    detail = "This operation is not among those that the hospital's access is limited to. Ask the operator."


class RelationAwaitsDesk(Conflict):
    """The relative is registered and the login waits; only that it may act already is refused."""

    keeps_changes = True
    code = "health_card.tencent_relation_awaits_desk"
    title = "已登记,家庭关系须到窗口核验后方可在手机上使用"
    detail = (
        "The relative has a card, and the login waits until a desk has checked the proof or the person has agreed on "
        "his own phone; then the same request succeeds. Without wechatCode the card is answered at once."
    )


class AccessNotFound(NotFound):
    code = "health_card.tencent_access_not_found"
    title = "没有这个接入应用"
    detail = "No access with this app_id. List them at /api/v1/tencent-apps."
