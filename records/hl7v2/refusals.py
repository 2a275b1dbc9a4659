"""How the HL7 v2 interface says no, in the acknowledgement: AE when the message is kept in quarantine, else AR."""

from core.errors import Invalid


class MessageUnreadable(Invalid):
    code = "records.message_unreadable"
    title = "消息无法解析"
    detail = (
        "Not an HL7 v2 message: it must begin with MSH and its separators, name in MSH-18 the character set that it "
        "is written in (UNICODE UTF-8, GB 18030-2000 or ASCII; UTF-8 when empty), and have an MSH-10."
    )


class FacilityWrong(Invalid):
    code = "records.facility_wrong"
    title = "消息中的机构代码与接入端口不符"
    detail = "MSH-4 must be the organisation code of the hospital to which this port belongs."


class MessageTypeUnsupported(Invalid):
    code = "records.message_type_unsupported"
    title = "不支持此消息类型"
    detail = "MSH-9 must be ORU^R01, ADT^A01, A03, A04, A08 or A40, or ORM^O01; MSH-12 a version 2.x."


class MessageNotForProduction(Invalid):
    code = "records.message_not_for_production"
    title = "测试或训练消息不予登记"
    detail = "MSH-11 must be P: training and debugging messages are not filed."


class MessageNotUnderstood(Invalid):
    """Kept in quarantine."""

    keeps_changes = True
    code = "records.message_not_understood"
    title = "消息内容不符合约定,已转入待处理"
    detail = "A field does not hold what docs/interfaces/hl7v2.md asks for; ERR-2 names it. Kept in quarantine."

    def __init__(self, field: str, detail: str) -> None:
        """:param field: segment and field, for example ``OBX-5``; the detail never repeats what was sent."""
        super().__init__(detail, field=field)
        self.field = field


class Hl7MediaTypeUnsupported(Invalid):
    status = 415
    code = "records.hl7_media_type_unsupported"
    title = "不支持该内容类型"
    detail = "Send one HL7 v2 message or batch as application/hl7-v2, in the character set that its MSH-18 names."
