"""Rows of a list to reports: the same rules when it is checked, filed, and tried again from quarantine. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from core import clock
from records.intake.subjects import Subject
from records.reports.incoming import (
    LOCAL_CODE,
    LOINC,
    Incoming,
    IncomingObservation,
    IncomingReport,
    is_plausible,
    read_decimal,
)
from records.uploads.columns import COLUMNS
from records.uploads.sheets import Row

REPORT_NUMBER = "urn:yimatong:upload:report"
EXAMPLE = "示例"

_SEXES = {"男": "male", "女": "female", "1": "male", "2": "female", "M": "male", "F": "female"}
_CATEGORIES = {"": "laboratory", "检验": "laboratory", "检查": "imaging", "其他": "other"}
_STATUSES = {"": "final", "正式": "final", "初步": "preliminary", "更正": "corrected", "作废": "cancelled"}
_FLAGS = {"高": "H", "↑": "H", "低": "L", "↓": "L", "正常": "N", "异常": "A", "阳性": "POS", "阴性": "NEG"}
_CODED_FLAGS = {"H", "HH", "L", "LL", "N", "A", "AA", "POS", "NEG"}
_WORDS: dict[str, dict[str, str]] = {"sex": _SEXES, "category": _CATEGORIES, "status": _STATUSES}
_MOMENTS = {"performed_at", "issued_at", "birth_date"}
_OF_AN_ITEM = {"report_number", "item_code", "item_name", "result", "unit", "reference", "flag"}
# These say the same in every row of a report, where they are said at all.
_OF_THE_REPORT = [name for name in COLUMNS if name not in _OF_AN_ITEM]
_MOMENT = re.compile(
    r"(\d{4})(?:[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d{2})(\d{2}))(?:[ T]*(\d{1,2}):(\d{2})(?::(\d{2}))?)?"
)
_BOUNDED = re.compile(r"(<=|>=|≤|≥|<|>)?\s*([+-]?\d.*)")
_RANGE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:-|~|～|—|--|至)\s*(\d+(?:\.\d+)?)")
_COMPARATORS = {"≤": "<=", "≥": ">="}


@dataclass(frozen=True)
class RowError:
    """What is wrong: a code of ``columns.ERRORS``, and where."""

    line: int
    column: str | None
    code: str


@dataclass
class Group:
    """The rows of one report number, as texts by column; what is wrong with them."""

    number: str
    lines: list[int] = field(default_factory=list)
    rows: list[dict[str, str]] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)


def group_rows(rows: Iterable[Row]) -> list[Group]:
    """Every row belongs to the report that it names; what is wrong with each is noted at its report."""
    groups: dict[str, Group] = {}
    for row in rows:
        texts, errors = _read_row(row)
        # A row without a number is a report of its own, which is never filed.
        number = texts.get("report_number", "")
        group = groups.setdefault(number or f"#{row.line}", Group(number))
        group.lines.append(row.line)
        group.rows.append(texts)
        group.errors += errors
    for group in groups.values():
        group.errors += _check_together(group)
    return list(groups.values())


def build_incoming(rows: list[dict[str, str]]) -> Incoming:
    """The report that these rows say; they were checked before.

    :raises ValueError: they were not.
    """
    said = _say_together(rows)
    status = _STATUSES[said.get("status", "")]
    performed_at = _read_moment(said["performed_at"])
    issued_at = _read_moment(said["issued_at"]) if "issued_at" in said else None
    observations = tuple(_build_observation(row, status) for row in rows)
    report = IncomingReport(
        identifier=(REPORT_NUMBER, said["report_number"]),
        status=status,
        category=_CATEGORIES[said.get("category", "")],
        code=said["report_name"],
        code_system=LOCAL_CODE,
        name=said["report_name"],
        effective_at=performed_at,
        issued_at=issued_at,
        conclusion=said.get("conclusion"),
        observations=observations,
    )
    return Incoming(_read_subject(said), None, (report,))


def _read_row(row: Row) -> tuple[dict[str, str], list[RowError]]:
    texts: dict[str, str] = {}
    errors = [RowError(row.line, None, "extra_cells")] if row.has_more else []
    for name, column in COLUMNS.items():
        cell = row.cells.get(name)
        text = cell.text if cell else ""
        if cell and cell.moment and name in _MOMENTS:
            text = cell.moment
        code = (cell.problem if cell else None) or _check_cell(name, text, column.longest)
        if code is None and not text and column.is_needed:
            code = "missing"
        if code:
            errors.append(RowError(row.line, name, code))
        elif text:
            texts[name] = text
    if not any(texts.get(name) for name in ("patient_number", "card_number", "certificate_number")) and not any(
        error.column in {"patient_number", "card_number", "certificate_number"} for error in errors
    ):
        errors.append(RowError(row.line, "patient_number", "number_missing"))
    return texts, errors


def _check_cell(name: str, text: str, longest: int) -> str | None:
    if len(text) > longest:
        return "too_long"
    if name == "report_number" and text.startswith(EXAMPLE):
        return "example"
    if name in _MOMENTS and text and not _is_moment(text):
        return "bad_date"
    if text and not _is_known_word(name, text):
        return "bad_word"
    return "bad_number" if name == "result" and not _is_result(text) else None


def _is_known_word(name: str, text: str) -> bool:
    if name == "flag":
        return text in _FLAGS or text.upper() in _CODED_FLAGS
    return name not in _WORDS or text in _WORDS[name]


def _check_together(group: Group) -> Iterator[RowError]:
    said: dict[str, str] = {}
    items: set[str] = set()
    for line, row in zip(group.lines, group.rows, strict=True):
        for name in _OF_THE_REPORT:
            if name in row and said.setdefault(name, row[name]) != row[name]:
                yield RowError(line, name, "differs_in_report")
        item = row.get("item_code") or row.get("item_name")
        if item in items:
            yield RowError(line, "item_name", "repeated_item")
        items |= {item} if item else set()


def _say_together(rows: list[dict[str, str]]) -> dict[str, str]:
    said: dict[str, str] = {}
    for row in rows:
        said = row | said
    return said


def _read_subject(said: dict[str, str]) -> Subject:
    number = said.get("certificate_number")
    return Subject(
        card_numbers=frozenset({said["card_number"]} if "card_number" in said else ()),
        patient_numbers=frozenset({said["patient_number"]} if "patient_number" in said else ()),
        certificates=frozenset({(said.get("certificate_type", "01").zfill(2), number.upper())} if number else ()),
        names=frozenset({said["name"]}),
        sex=_SEXES.get(said.get("sex", ""), "unknown"),
        birth_date=_read_day(said["birth_date"]) if "birth_date" in said else None,
    )


def _build_observation(row: dict[str, str], status: str) -> IncomingObservation:
    code = row.get("item_code") or row["item_name"]
    comparator, value, text = _read_result(row["result"])
    low, high = _read_range(row.get("reference", ""))
    flag = row.get("flag", "")
    return IncomingObservation(
        status=status,
        code=code,
        code_system=LOINC if re.fullmatch(r"\d{1,7}-\d", code) else LOCAL_CODE,
        name=row["item_name"],
        value=value,
        comparator=comparator,
        text=text,
        unit=row.get("unit"),
        reference_low=low,
        reference_high=high,
        reference_text=row.get("reference"),
        interpretation=_FLAGS.get(flag) or flag.upper() or None,
    )


def _read_result(text: str) -> tuple[str | None, Decimal | None, str | None]:
    """Comparator and number, or a text; ``5.10`` stays 5.10.

    :raises ValueError: a number with more digits than can be kept.
    """
    bounded = _BOUNDED.fullmatch(text)
    if bounded is None or not re.fullmatch(r"[+-]?\d+(\.\d*)?([eE][+-]?\d{1,3})?", bounded[2]):
        return None, None, text
    return _COMPARATORS.get(bounded[1] or "", bounded[1]), read_decimal(bounded[2]), None


def _read_range(text: str) -> tuple[Decimal | None, Decimal | None]:
    found = _RANGE.fullmatch(text.strip())
    return (read_decimal(found[1]), read_decimal(found[2])) if found else (None, None)


def _read_moment(text: str) -> datetime:
    """A moment on the clocks of the city; a day without a time means its beginning.

    :raises ValueError: it is none.
    """
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError("not a moment")
    year, *rest = found.groups()
    month, day = (int(part) for part in rest[:4] if part)
    hour, minute, second = (int(part or 0) for part in rest[4:])
    return datetime(int(year), month, day, hour, minute, second, tzinfo=clock.CITY_ZONE)


def _read_day(text: str) -> date:
    return _read_moment(text).date()


def _is_result(text: str) -> bool:
    try:
        _read_result(text)
    except ValueError:
        return False
    return True


def _is_moment(text: str) -> bool:
    try:
        return is_plausible(_read_moment(text))
    except ValueError:
        return False
