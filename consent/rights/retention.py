"""What is kept how long, and what stands in the way of deleting: rules as data, with their sources."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from core import clock


class HoldCode(StrEnum):
    """The first ones keep something and let the rest go; from ``CREDIT_OPEN`` on nothing goes before it is settled."""

    OUTPATIENT_RECORD = "outpatient_record"
    INPATIENT_RECORD = "inpatient_record"
    ACCOUNTS = "accounts"
    ACCESS_LOG = "access_log"
    CREDIT_OPEN = "credit_open"
    IN_HOSPITAL = "in_hospital"
    DEPENDENTS = "dependents"
    MATCH_OPEN = "match_open"
    RECTIFICATION_OPEN = "rectification_open"


@dataclass(frozen=True)
class Rule:
    """One reason. ``years``: since when it counts says ``begins``; None: as long as the state lasts.

    :ivar what: in Chinese, what is kept, or what has to be settled.
    :ivar source: the law or regulation, with its article.
    """

    code: HoldCode
    what: str
    years: int | None
    begins: str | None
    source: str

    @property
    def blocks(self) -> bool:
        """Whether nothing is deleted before it is settled."""
        return self.years is None


RULES = {
    rule.code: rule
    for rule in (
        Rule(
            HoldCode.OUTPATIENT_RECORD,
            "门（急）诊病历资料",
            15,
            "患者最后一次就诊之日",
            "《医疗机构管理条例实施细则》第五十三条；《医疗机构病历管理规定（2013年版）》第二十九条",
        ),
        Rule(
            HoldCode.INPATIENT_RECORD,
            "住院病历资料",
            30,
            "患者最后一次住院出院之日",
            "《医疗机构管理条例实施细则》第五十三条；《医疗机构病历管理规定（2013年版）》第二十九条",
        ),
        Rule(
            HoldCode.ACCOUNTS,
            "信用就医的记账凭证与账簿",
            30,
            "会计年度终了后第一天",
            "《会计档案管理办法》（财政部、国家档案局令第79号）第十四条及附表",
        ),
        Rule(
            HoldCode.ACCESS_LOG,
            "调阅记录（仅编号，不含姓名与内容）",
            15,
            "每次调阅之日",
            "《网络安全法》：网络日志留存不少于六个月；本平台与所涉病历资料同期保存",
        ),
        Rule(
            HoldCode.CREDIT_OPEN,
            "信用就医尚有未还款、预留或支付中的款项",
            None,
            None,
            "《民法典》第五百五十七条：债务履行之前，债权债务不终止",
        ),
        Rule(HoldCode.IN_HOSPITAL, "正在住院", None, None, "诊疗尚在进行；《个人信息保护法》第四十七条第一款第一项"),
        Rule(
            HoldCode.DEPENDENTS,
            "正在为他人代办（监护或家庭成员），请先移交或退出",
            None,
            None,
            "《民法典》第三十四条",
        ),
        Rule(HoldCode.MATCH_OPEN, "档案归属正在核对", None, None, "《个人信息保护法》第八条：保证个人信息质量"),
        Rule(HoldCode.RECTIFICATION_OPEN, "有更正申请未答复", None, None, "《个人信息保护法》第四十六条"),
    )
}


@dataclass(frozen=True)
class Hold:
    """A rule that applies to one person; ``until``: the last day of keeping."""

    code: HoldCode
    until: date | None = None

    @property
    def rule(self) -> Rule:
        return RULES[self.code]


def begin_of_keeping(code: HoldCode, now: datetime) -> datetime:
    """What began before this moment need not be kept any more, by a rule with years."""
    years = RULES[code].years
    assert years is not None
    local = clock.in_city(now)
    try:
        return local.replace(year=local.year - years)
    except ValueError:  # The 29th of February.
        return local.replace(year=local.year - years, day=28)


def keep_since(code: HoldCode, began_on: date) -> Hold:
    """The hold of a rule with years, which runs from this day of the city."""
    years = RULES[code].years
    assert years is not None
    try:
        return Hold(code, began_on.replace(year=began_on.year + years))
    except ValueError:  # The 29th of February, in a year without one.
        return Hold(code, date(began_on.year + years, 3, 1))
