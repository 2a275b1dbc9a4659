"""What a result means: its item, whether it is outside what is usual, and by whose word; in plain Chinese."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.orm import Session

from core import clock
from health_card import service as health_card
from records.items.service.converting import convert
from records.items.service.dictionary import RangeContent, list_ranges
from records.items.service.mappings import Meaning, find_meanings
from records.reports.incoming import IncomingObservation

HOSPITAL, HOSPITAL_RANGE, CITY_RANGE = "hospital", "hospital_range", "city_range"

# HL7 ObservationInterpretation, as a patient understands it.
_WORDS = {
    "N": "在参考范围内",
    "H": "高于参考范围",
    "L": "低于参考范围",
    "HH": "显著高于参考范围，已到危急程度，请尽快就医",
    "LL": "显著低于参考范围，已到危急程度，请尽快就医",
    "HU": "显著高于参考范围",
    "LU": "显著低于参考范围",
    "A": "结果异常",
    "AA": "结果显著异常，已到危急程度，请尽快就医",
    ">": "高于仪器可测的范围",
    "<": "低于仪器可测的范围",
    "POS": "阳性",
    "NEG": "阴性",
    "IND": "无法判定",
    "E": "可疑，无法判定",
    "DET": "已检出",
    "ND": "未检出",
    "RR": "有反应性",
    "WR": "弱反应性",
    "NR": "无反应性",
    "S": "敏感：此药预计有效",
    "I": "中介：此药效果不确定",
    "R": "耐药：此药预计无效",
    "SDD": "剂量依赖性敏感",
    "U": "较上次升高",
    "D": "较上次下降",
    "B": "较上次好转",
    "W": "较上次变差",
}
_NEGATIVE = frozenset({"阴性", "阴性(-)", "-", "(-)", "neg", "negative", "未检出", "未见", "无"})
_POSITIVE = ("阳性", "弱阳性", "强阳性", "+", "(+", "pos", "positive", "检出")


@dataclass(frozen=True)
class Result:
    """A line of a report with what it takes to judge it."""

    hospital_id: UUID
    performed_at: datetime
    line: IncomingObservation


@dataclass(frozen=True)
class Judgement:
    """``item``: code and name in the city's dictionary, None for a code that has no meaning yet.

    ``flag``: HL7 ObservationInterpretation. ``flag_source``: ``hospital`` sent it; ``hospital_range``: found by the
    range that the hospital sent; ``city_range``: by the city's default, as none was sent.
    ``value``: in the item's unit, where it is a number that can be converted.
    """

    item: str | None
    item_name: str | None
    flag: str | None
    flag_source: str | None
    explanation: str | None
    value: Decimal | None


@dataclass(frozen=True)
class _Patient:
    sex: str
    age_days: int | None


def judge(session: Session, *, person_id: UUID, results: Sequence[Result]) -> list[Judgement]:
    """One judgement for each result, in their order. The caller has decided that the actor may see them.

    What the hospital flagged holds. Where it flagged nothing, its own range decides, and where it sent none, the
    city's default for the person's sex and age on that day.
    """
    meanings = find_meanings(session, {(each.hospital_id, _sent_code(each.line)) for each in results})
    meant = [meanings.get((each.hospital_id, _sent_code(each.line))) for each in results]
    values = [_convert(each.line, meaning) for each, meaning in zip(results, meant, strict=True)]
    open_ones = {
        (meaning.item_id, meaning.version)
        for each, meaning, value in zip(results, meant, values, strict=True)
        if meaning and value is not None and not each.line.interpretation and not _has_range(each.line)
    }
    ranges = list_ranges(session, open_ones) if open_ones else {}
    person = health_card.get_demographics(session, person_id) if ranges else None
    judged = []
    for each, meaning, value in zip(results, meant, values, strict=True):
        usual = None
        if person is not None and meaning is not None:
            patient = _Patient(person.sex, _age_in_days(person, each.performed_at))
            usual = _choose(ranges.get(meaning.item_id, []), patient)
        judged.append(_judge_one(each.line, meaning, value, usual))
    return judged


def _judge_one(
    line: IncomingObservation, meaning: Meaning | None, value: Decimal | None, usual: RangeContent | None
) -> Judgement:
    flag, source, basis = _find_flag(line, value, usual, meaning.unit if meaning else None)
    words = _WORDS.get(flag, "医院标有提示") if flag else None
    return Judgement(
        item=meaning.code if meaning else None,
        item_name=meaning.name if meaning else None,
        flag=flag,
        flag_source=source,
        explanation=f"{words}（{basis}）" if words else None,
        value=value,
    )


def _find_flag(
    line: IncomingObservation, value: Decimal | None, usual: RangeContent | None, unit: str | None
) -> tuple[str | None, str | None, str]:
    if line.interpretation:
        return line.interpretation, HOSPITAL, "医院判定"
    if _has_range(line):
        flag = _flag_own(line)
        bounds = _show_bounds(line.reference_low, line.reference_high) or line.reference_text
        return flag, HOSPITAL_RANGE if flag else None, f"按医院给出的参考范围 {bounds} 判断"
    if usual is not None and value is not None:
        flag = _compare(value, line.comparator, usual)
        bounds = _show_bounds(usual.low, usual.high)
        said = bounds if unit == "1" else f"{bounds} {unit}"
        return flag, CITY_RANGE if flag else None, f"医院未给出参考范围，按全市参考范围 {said} 判断，仅供参考"
    return None, None, ""


def _has_range(line: IncomingObservation) -> bool:
    return line.reference_low is not None or line.reference_high is not None or bool(line.reference_text)


def _flag_own(line: IncomingObservation) -> str | None:
    if line.value is not None:
        return _compare(line.value, line.comparator, RangeContent(low=line.reference_low, high=line.reference_high))
    expected, text = (line.reference_text or "").strip().lower(), (line.text or "").strip().lower()
    if expected not in _NEGATIVE or not text:
        return None
    if text in _NEGATIVE:
        return "N"
    return "A" if text.startswith(_POSITIVE) else None


def _compare(value: Decimal, comparator: str | None, usual: RangeContent) -> str | None:
    """H, L, HH, LL or N (HL7 table 0078); None where a bound such as <5 leaves it open, or there is no range."""
    if usual.low is None and usual.high is None:
        return None
    is_below = comparator in {"<", "<="}
    is_above = comparator in {">", ">="}
    if not is_above and _is_outside(usual.low, value, comparator, sign=1):
        return "LL" if _is_outside(usual.critical_low, value, comparator, sign=1) else "L"
    if not is_below and _is_outside(usual.high, value, comparator, sign=-1):
        return "HH" if _is_outside(usual.critical_high, value, comparator, sign=-1) else "H"
    if is_below and (usual.low is not None or usual.high is None or value > usual.high):
        return None
    if is_above and (usual.high is not None or usual.low is None or value < usual.low):
        return None
    return "N"


def _is_outside(bound: Decimal | None, value: Decimal, comparator: str | None, *, sign: int) -> bool:
    """Whether the value certainly lies beyond the bound: below a low one (``sign`` 1) or above a high one (-1)."""
    if bound is None:
        return False
    return (bound - value) * sign > 0 or (bound == value and comparator in {"<", ">"})


def _choose(ranges: list[RangeContent], patient: _Patient) -> RangeContent | None:
    return next((one for one in ranges if _applies(one, patient)), None)


def _applies(one: RangeContent, patient: _Patient) -> bool:
    if one.sex is not None and one.sex != patient.sex:
        return False
    if patient.age_days is None:
        return one.age_from_days == 0 and one.age_until_days is None
    return one.age_from_days <= patient.age_days and (
        one.age_until_days is None or patient.age_days < one.age_until_days
    )


def _age_in_days(person: health_card.Demographics, at: datetime) -> int | None:
    return (clock.in_city(at).date() - person.birth_date).days if person.birth_date else None


def _convert(line: IncomingObservation, meaning: Meaning | None) -> Decimal | None:
    if meaning is None or line.value is None or meaning.unit is None or meaning.decimals is None:
        return None
    return convert(
        line.value,
        unit=line.unit,
        unit_code=line.unit_code,
        wanted=meaning.unit,
        decimals=meaning.decimals,
        molar_mass=meaning.molar_mass,
    )


def _sent_code(line: IncomingObservation) -> tuple[str, str, str | None]:
    return line.code_system, line.code, line.unit


def _show_bounds(low: Decimal | None, high: Decimal | None) -> str:
    if low is not None and high is not None:
        return f"{low:f}–{high:f}"
    if low is not None:
        return f"≥ {low:f}"
    return f"≤ {high:f}" if high is not None else ""
