"""Erasure receipts in Chinese."""

from consent.receipts.models import Cause, Erased, KeptReason, Outcome

CAUSES = {Cause.REVOKED: "患者撤回授权", Cause.EXPIRED: "授权到期"}
OUTCOMES = {Outcome.ERASED: "已删除", Outcome.PARTLY_KEPT: "部分删除", Outcome.KEPT: "依规保留"}
ERASED = {
    Erased.REPORTS: "检查检验报告",
    Erased.ENTRIES: "健康记录条目",
    Erased.IMAGES: "影像",
    Erased.DEMOGRAPHICS: "身份信息",
}
REASONS = {
    KeptReason.MEDICAL_RECORD: "已归入本院病历，按法定期限保存",
    KeptReason.OTHER_GRANT: "另有有效授权",
    KeptReason.DISPUTE: "存在未决争议",
    KeptReason.LEGAL_ORDER: "依法定要求保留",
}
