"""What people call channels, reasons and what was done about a message."""

from core.errors import list_refusals

CHANNELS = {"fhir": "FHIR", "hl7v2": "HL7 v2", "dicomweb": "DICOM 影像", "dicom": "DICOM 报告", "upload": "表格上传"}
STATES = {"quarantined": "待处理", "dismissed": "已作废", "accepted": "已归档"}
RESOLUTIONS = {"replayed": "重试后归档", "assigned": "指定患者后归档", "dismissed": "作废"}
ASSIGN_REASONS = {
    "number_wrong": "号码写错",
    "number_missing": "没有号码",
    "details_wrong": "姓名、性别或出生日期写错",
    "number_merged": "院内号码已合并",
}
DISMISS_REASONS = {
    "duplicate": "重复发送",
    "superseded": "已由新报告取代",
    "sent_by_mistake": "误发",
    "test_data": "测试数据",
    "not_registered": "患者未建卡",
}
PURPOSES = {"support": "协助医院排查", "complaint": "处理投诉", "audit": "核查"}


def name_reasons() -> dict[str, str]:
    """What each refusal that keeps a message says, without what became of it."""
    return {refusal.code: refusal.title.removesuffix(",已转入待处理") for refusal in list_refusals()}
