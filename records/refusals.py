"""How records says no."""

from collections.abc import Sequence

from core.errors import Conflict, Invalid, NotFound


class VisitNotFound(NotFound):
    code = "records.visit_not_found"
    title = "没有找到这次就诊"
    detail = "No such visit at the hospital of the signed-in account, or of a person whom the login may act for."


class DepartmentUnknown(Invalid):
    code = "records.department_unknown"
    title = "科室代码不在标准目录中"
    detail = (
        "department is a text of 4 digits of the national list (0300 internal medicine, 0301 respiratory ...); "
        "a leading zero belongs to it."
    )


class ItemNotFound(NotFound):
    code = "records.item_not_found"
    title = "没有找到这份报告或影像"
    detail = "No such report or study that the signed-in account may see; `object_id` of a timeline line names it."


class LifeNotFound(NotFound):
    code = "records.life_not_found"
    title = "没有找到这个人的健康档案"
    detail = "person_id is nobody for whom the login acts, or the login has no confirmed person of its own."


class ReportNotFound(NotFound):
    code = "records.report_not_found"
    title = "没有找到这份报告"
    detail = "No such report that the signed-in account may see."


class AttachmentNotFound(NotFound):
    code = "records.attachment_not_found"
    title = "没有找到这份附件"
    detail = (
        "It holds no document of this number; `attachments` of the report, `documents` of the entry list what there is."
    )


class ImageNotFound(NotFound):
    code = "records.image_not_found"
    title = "没有找到这份影像"
    detail = "No such study, series, instance or frame that the signed-in account may see."


class PersonNotMatched(Invalid):
    """Kept in quarantine: nothing that a hospital sent is lost."""

    keeps_changes = True
    code = "records.person_not_matched"
    title = "无法确认报告属于哪位患者,已转入待处理"
    detail = (
        "Nothing sent leads to one person, or it contradicts itself. The message is kept whole in quarantine; send the "
        "card number, this hospital's patient number or the certificate of a registered person."
    )


class PersonContradicts(Invalid):
    """Kept in quarantine."""

    keeps_changes = True
    code = "records.person_contradicts"
    title = "所送姓名、性别或出生日期与该号码的持有人不符,已转入待处理"
    detail = (
        "The number leads to a person whose name, sex or birth date is not the one that was sent; `differing` says "
        "which. Kept whole in quarantine: correct it at the sender and send it again, or assign it there."
    )

    def __init__(self, differing: Sequence[str] = ()) -> None:
        """:param differing: name, sex, birth_date; never what they are."""
        super().__init__(differing=list(differing))


class MessageDismissed(Conflict):
    code = "records.message_dismissed"
    title = "相同内容的消息已被本院作废,不再登记"
    detail = (
        "The hospital dismissed this very message in quarantine, so it is not tried again. Send a corrected one under "
        "a new id, or reopen the dismissed one."
    )


class ImageUnreadable(Invalid):
    code = "records.image_unreadable"
    title = "影像文件无法识别"
    detail = "This is not a DICOM file (PS3.10: preamble, file meta information, data set), or it is broken."


class ImageIncomplete(Invalid):
    code = "records.image_incomplete"
    title = "影像文件缺少必要信息"
    detail = (
        "StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID or SOPClassUID is missing or malformed; "
        "send the instance as the modality made it."
    )


class ImageIsDirectory(Invalid):
    code = "records.image_is_directory"
    title = "DICOMDIR 是光盘目录，不是影像"
    detail = "A DICOMDIR (PS3.10, section 8) lists files and has no image; send the files that it lists."


class TransferSyntaxNotSupported(Invalid):
    code = "records.transfer_syntax_not_supported"
    title = "不支持该影像编码格式"
    detail = "Deflated transfer syntaxes are not taken in; send the instance in another one, for example uncompressed."


class StudyMismatch(Invalid):
    code = "records.study_mismatch"
    title = "影像不属于所指定的检查"
    detail = "The instance's StudyInstanceUID is not the one in the address it was sent to."


class StudyOfAnotherPerson(Invalid):
    """Kept in quarantine."""

    keeps_changes = True
    code = "records.study_of_another_person"
    title = "同一检查中出现了不同的患者,已转入待处理"
    detail = (
        "Instances of this study were filed for another person. The file is kept whole in quarantine; give each "
        "patient's study a StudyInstanceUID of its own."
    )


class InstanceDiffers(Conflict):
    code = "records.instance_differs"
    title = "相同编号的影像已存在且内容不同"
    detail = "An instance with this SOPInstanceUID and other content was filed before; changed images need a new UID."


class ImageNotDecodable(Invalid):
    code = "records.image_not_decodable"
    title = "该影像无法显示为图片"
    detail = "The pixel data cannot be rendered; see `reason`. The original file can be retrieved."


class MultipartMalformed(Invalid):
    status = 400
    code = "records.multipart_malformed"
    title = "上传内容格式错误"
    detail = (
        "The body is not multipart/related as RFC 2387 has it: no part, no boundary, or it ends before its last "
        "boundary. Nothing was filed."
    )


class MediaTypeUnsupported(Invalid):
    status = 415
    code = "records.media_type_unsupported"
    title = "不支持该内容类型"
    detail = 'Instances are sent as multipart/related; type="application/dicom"; boundary=... (PS3.18, section 10.5).'


class SearchNotUnderstood(Invalid):
    status = 400
    code = "records.search_not_understood"
    title = "检索条件无法识别"
    detail = "A query parameter is not understood; see `parameter` and `reason`. Nothing was searched for."


class RenderingNotUnderstood(Invalid):
    status = 400
    code = "records.rendering_not_understood"
    title = "图像显示参数无法识别"
    detail = "A parameter of the picture is not understood or not offered; see `parameter` and `reason`."


class RepresentationNotAvailable(Invalid):
    status = 406
    code = "records.representation_not_available"
    title = "无法以所要求的格式提供"
    detail = "The resource exists in another media type or transfer syntax than Accept allows; see `available`."
