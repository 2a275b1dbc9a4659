"""The Chinese words of requests on pages."""

from consent.requests.models import RequestReason, RequestState
from consent.scope import KIND_WORDS, SENSITIVITY_WORDS

REASONS = {
    RequestReason.HISTORY: "了解既往病史",
    RequestReason.COMPARISON: "比对既往检查检验结果",
    RequestReason.MEDICATION: "核对用药与过敏",
    RequestReason.SURGERY: "术前评估",
    RequestReason.FOLLOW_UP: "随访",
    RequestReason.CONSULTATION: "会诊",
    RequestReason.CLAIM: "办理保险理赔",
    RequestReason.CODE: "患者出示健康卡，并设置为每次询问",
}
# What a page says of each, and how it looks.
STATES = {
    RequestState.REQUESTED: ("等待答复", "warn"),
    RequestState.GRANTED: ("已同意", "good"),
    RequestState.DENIED: ("已拒绝", "bad"),
    RequestState.LAPSED: ("已过期", ""),
    RequestState.WITHDRAWN: ("已撤回", ""),
}
PURPOSES = {"treatment": "诊疗", "consultation": "会诊", "insurance": "保险理赔"}
CIRCLES = {"myself": "仅我本人", "department": "本科室", "hospital": "本院"}
SPANS = {"": "全部", "90": "近三个月", "365": "近一年", "1095": "近三年"}
HOURS = {"24": "1 天", "72": "3 天", "168": "7 天", "720": "30 天"}

WORDS = {
    "reasons": REASONS,
    "states": STATES,
    "purposes": PURPOSES,
    "circles": CIRCLES,
    "spans": SPANS,
    "hours": HOURS,
    "kinds": KIND_WORDS,
    "sensitivities": SENSITIVITY_WORDS,
}
