"""How the pages of cases put things: Chinese words of codes."""

from consent.log.words import WHO_KINDS
from consent.questions.models import Conclusion, EventKind, HouseAnswer, Reason, State
from consent.scope import KIND_WORDS

REASONS = {
    Reason.NOT_THERE: "我没有在这家医院就诊",
    Reason.NOT_NEEDED: "与我的诊疗无关",
    Reason.AFTER_TREATMENT: "就诊结束后仍在查看",
    Reason.ACQUAINTANCE: "查看人是我认识的人",
    Reason.OTHER: "其他",
}
STATES = {
    State.OPEN: ("待医院答复", "warn"),
    State.ANSWERED: ("已答复", "good"),
    State.ESCALATED: ("待平台复核", "warn"),
    State.CLOSED: ("已结束", ""),
}
OVERDUE = ("逾期未答复", "bad")
ANSWERS = {
    HouseAnswer.TREATMENT: "诊疗需要",
    HouseAnswer.DUTY: "依法或管理职责",
    HouseAnswer.MISTAKE: "误操作",
    HouseAnswer.IMPROPER: "不当查看，已处理",
}
CONCLUSIONS = {
    Conclusion.JUSTIFIED: "查看正当",
    Conclusion.UNJUSTIFIED: "查看不当",
    Conclusion.UNCLEAR: "无法认定",
}
EVENTS = {
    EventKind.ASKED: "患者提出疑问",
    EventKind.REMINDED: "临近期限，提醒医院",
    EventKind.OVERDUE: "医院逾期未答复",
    EventKind.ANSWERED: "医院答复",
    EventKind.ACCEPTED: "患者认可，结束",
    EventKind.ESCALATED: "患者提交平台复核",
    EventKind.CONCLUDED: "平台复核结论",
}
CODES = {str(code): words for table in (REASONS, ANSWERS, CONCLUSIONS) for code, words in table.items()}

__all__ = ["ANSWERS", "CODES", "CONCLUSIONS", "EVENTS", "KIND_WORDS", "OVERDUE", "REASONS", "STATES", "WHO_KINDS"]
