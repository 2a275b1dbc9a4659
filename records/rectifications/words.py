"""Wishes for a correction in Chinese."""

from records.rectifications.models import DeclineReason, RectificationState

STATES = {
    RectificationState.ASKED: ("待答复", "warn"),
    RectificationState.ACCEPTED: ("已更正", "good"),
    RectificationState.DECLINED: ("未接受", ""),
    RectificationState.WITHDRAWN: ("已撤回", ""),
}
REASONS = {
    DeclineReason.CORRECT: "经核对内容无误",
    DeclineReason.CLINICAL_JUDGEMENT: "属医学判断，不予更改",
    DeclineReason.NOT_PROVEN: "依据不足，请补充材料后再申请",
}
KINDS = {"report": "报告", "study": "影像", "entry": "健康记录"}
