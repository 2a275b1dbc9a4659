"""What reports are called on paper."""

import string
from decimal import Decimal

from records.reports.service import ObservationView, ReportView

SEX = {"male": "男", "female": "女", "unknown": "未知"}
STATUS = {
    "preliminary": "初步报告",
    "final": "正式报告",
    "amended": "正式报告（已补充）",
    "corrected": "正式报告（已更正）",
    "cancelled": "已作废",
}
COLUMNS = ("项目", "结果", "提示", "单位", "参考范围")
NAME, SEX_WORD, AGE, PERFORMED, ISSUED, STATE = "姓名", "性别", "年龄", "采样或检查时间", "报告时间", "状态与版本"
CONCLUSION = "报告所见与结论"
AUTHORS = {"performer": "检查检验人员", "interpreter": "结果判读人员"}
NO_LINES = "此报告没有逐项结果。"
NOT_FINAL = {
    "cancelled": "此报告已作废，不可作为诊疗依据。",
    "preliminary": "这是初步报告，结果可能更改，请以正式报告为准。",
}
CHANGED = "此报告曾经修改，当前显示最新的第 {version} 版。"
VERSION = "{status}，第 {version} 版"
YEARS = "{years} 岁"
PAGE = "第 {number} 页 / 共 {pages} 页"
PROVEN = "核验编号 {number}  核验网址 {address}"
MADE_BY = "由{issuer}平台根据医院上传的报告生成，打印于 {time}"
MISSING = "—"
INDENT = "　"
VOID = {"cancelled", "entered-in-error"}
_FLAGS = {
    "H": "↑ 偏高",
    "HH": "↑↑ 显著偏高",
    "HU": "↑↑ 显著偏高",
    "L": "↓ 偏低",
    "LL": "↓↓ 显著偏低",
    "LU": "↓↓ 显著偏低",
    "A": "异常",
    "AA": "显著异常",
    "POS": "阳性",
    "R": "R 耐药",
    "S": "S 敏感",
    "I": "I 中介",
    "N": "",
    "NEG": "",
}
_BOUNDS = {"<=": "≤", ">=": "≥"}


# Every character that stands on paper whatever the report says.
ALL = "".join(
    (
        *SEX.values(),
        *STATUS.values(),
        *COLUMNS,
        *NOT_FINAL.values(),
        *AUTHORS.values(),
        *(NAME, SEX_WORD, AGE, PERFORMED, ISSUED, STATE, CONCLUSION, NO_LINES, CHANGED, VERSION, YEARS, PAGE, PROVEN),
        *(MADE_BY, MISSING, string.ascii_letters, string.digits, string.punctuation, " "),
    )
)


def show_result(line: ObservationView) -> str:
    """The result as it is written: 5.10, < 0.1, 阴性, or a dash when there is none."""
    if line.value is None:
        return line.text or MISSING
    bound = f"{_BOUNDS.get(line.comparator, line.comparator)} " if line.comparator else ""
    return f"{bound}{line.value:f}"


def show_reference(line: ObservationView) -> str:
    """The reference range: 3.9 – 6.1, ≤ 5, or the laboratory's own words."""
    low, high = line.reference_low, line.reference_high
    if low is not None and high is not None:
        return f"{_plain(low)} – {_plain(high)}"
    if low is not None:
        return f"≥ {_plain(low)}"
    return f"≤ {_plain(high)}" if high is not None else line.reference_text or ""


def show_flag(line: ObservationView) -> str:
    """What the interpretation means; a code without words stays itself."""
    if line.status in VOID:
        return "已撤销"
    code = line.interpretation or ""
    return _FLAGS.get(code, code)


def show_name(line: ObservationView) -> str:
    """The item; a component stands in from the result that it belongs to."""
    return f"{INDENT}{line.name}" if line.component_count == 0 else line.name


def show_authors(report: ReportView) -> list[str]:
    """One line for each role: who made the report, as the hospital says."""
    by_role = {role: [one.shown for one in report.authors if one.role == role] for role in AUTHORS}
    return [f"{AUTHORS[role]}：{'、'.join(names)}" for role, names in by_role.items() if names]


def show_note(line: ObservationView) -> str:
    """What stands under the item's name."""
    kind = "初步结果" if line.status == "preliminary" else ""
    return "；".join(part for part in (kind, line.note) if part)


def _plain(number: Decimal) -> str:
    return f"{number:f}"
