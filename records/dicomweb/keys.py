"""Query keys of a search (PS3.18, sections 8.3.4 and 10.6.1): what is not understood is refused, never ignored."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from pydicom.datadict import keyword_for_tag, tag_for_keyword
from werkzeug.datastructures import MultiDict

from records.images.dicom import read_date
from records.images.service import ATTRIBUTES, Criterion, Kind, Level, Search
from records.refusals import SearchNotUnderstood

MOST_RESULTS = 1000
RESULTS = 100
LONGEST_VALUE = 256
MOST_DOTS = 8

_OWN = {"limit", "offset", "fuzzymatching", "includefield", "emptyvaluematching", "accept"}
_ALL = "all"


@dataclass(frozen=True)
class Query:
    """A search as it was asked for. ``fields``: tags that shall come along, None for all that there are."""

    search: Search
    fields: frozenset[str] | None
    is_fuzzy: bool


def read_query(
    arguments: "MultiDict[str, str]", level: Level, *, study_uid: str | None = None, series_uid: str | None = None
) -> Query:
    """The search that an address describes.

    :raises SearchNotUnderstood: a key or value is none that is matched here; it says which and why.
    """
    keys = {name: values for name, values in arguments.lists() if name not in _OWN}
    criteria = [_read_criterion(name, values, level) for name, values in keys.items()]
    fields = _read_fields(arguments.getlist("includefield"))
    search = Search(
        level,
        tuple(one for one in criteria if one is not None),
        study_uid,
        series_uid,
        min(_read_number(arguments, "limit", RESULTS, at_least=1), MOST_RESULTS),
        _read_number(arguments, "offset", 0, at_least=0),
        with_metadata=level is Level.INSTANCE and fields != frozenset(),
    )
    if _read_flag(arguments, "emptyvaluematching"):
        raise _not_understood("emptyvaluematching", "empty values are not matched here")
    return Query(search, fields, _read_flag(arguments, "fuzzymatching"))


def _not_understood(name: str, reason: str) -> SearchNotUnderstood:
    # What was sent may be anything, a name too.
    return SearchNotUnderstood(parameter=name if re.fullmatch(r"[A-Za-z0-9.]{1,64}", name) else "", reason=reason)


def _read_criterion(name: str, values: list[str], level: Level) -> Criterion | None:
    # With a dot, of the items of a sequence (section 8.3.4.1).
    keyword = ".".join(map(_read_keyword, name.split(".", MOST_DOTS)))
    attribute = ATTRIBUTES.get(keyword)
    if attribute is None:
        raise _not_understood(name, f"not matched here; matched are {', '.join(ATTRIBUTES)}")
    if attribute.level > level:
        raise _not_understood(name, "an attribute of a lower level than the one that is searched")
    if len(values) > 1:
        raise _not_understood(name, "given more than once")
    text = values[0].strip()
    if len(text) > LONGEST_VALUE or not text.isprintable():
        raise _not_understood(name, "too long, or with characters that no value has")
    if not text.strip("*"):
        # Universal matching (PS3.4, section C.2.2.2.3).
        return None
    found = _READERS[attribute.kind](text)
    if found is None:
        raise _not_understood(name, _FORMS[attribute.kind])
    return Criterion(keyword, found)


def _read_keyword(name: str) -> str:
    """An attribute is named by its keyword or its tag.

    :raises SearchNotUnderstood: it is none of the standard's.
    """
    if re.fullmatch(r"[0-9A-Fa-f]{8}", name):
        keyword = keyword_for_tag(int(name, 16))
    else:
        keyword = name if tag_for_keyword(name) is not None else ""
    if not keyword:
        raise _not_understood(name, "no attribute of the standard; keywords and tags name one")
    return keyword


def _read_fields(given: list[str]) -> frozenset[str] | None:
    names = [name.strip() for text in given for name in text.split(",") if name.strip()]
    if _ALL in names:
        return None
    return frozenset(f"{tag_for_keyword(_read_keyword(name)) or 0:08X}" for name in names)


def _read_number(arguments: "MultiDict[str, str]", name: str, default: int, *, at_least: int) -> int:
    text = arguments.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < at_least:
        raise _not_understood(name, f"must be a number of at least {at_least}")
    return int(text)


def _read_flag(arguments: "MultiDict[str, str]", name: str) -> bool:
    text = arguments.get(name, "false")
    if text not in {"true", "false"}:
        raise _not_understood(name, "must be true or false")
    return text == "true"


def _read_uids(text: str) -> tuple[str, ...] | None:
    uids = tuple(re.split(r"[,\\]", text))
    return uids if all(re.fullmatch(r"[0-9.]{1,64}", uid) for uid in uids) else None


def _read_integer(text: str) -> tuple[int] | None:
    return (int(text),) if re.fullmatch(r"[+-]?[0-9]{1,9}", text) else None


def _read_person(text: str) -> tuple[str] | None:
    return None if set(text) & set("*?\\") else (text,)


def _read_days(text: str) -> tuple[date | None, date | None] | None:
    if not re.fullmatch(r"[0-9]{8}|[0-9]{8}-([0-9]{8})?|-[0-9]{8}", text):
        return None
    first, dash, last = text.partition("-")
    days = read_date(first), read_date(last if dash else first)
    return None if (first and days[0] is None) or (last and days[1] is None) else days


def _read_times(text: str) -> tuple[time | None, time | None] | None:
    if not re.fullmatch(r"[0-9.]{2,13}|[0-9.]{2,13}-([0-9.]{2,13})?|-[0-9.]{2,13}", text):
        return None
    first, dash, last = text.partition("-")
    last = last if dash else first
    times = _read_time(first, "000000.000000"), _read_time(last, "995959.999999")
    return None if (first and times[0] is None) or (last and times[1] is None) else times


def _read_time(text: str, rest: str) -> time | None:
    """A time (PS3.5, section 6.2) whose missing parts are those of ``rest``."""
    if not re.fullmatch(r"([0-9]{2}){1,3}|[0-9]{6}\.[0-9]{1,6}", text):
        return None
    whole = text + rest[len(text) :]
    try:
        return time(int(whole[:2]), int(whole[2:4]), int(whole[4:6]), int(whole[7:]))
    except ValueError:
        return None


_READERS: dict[Kind, Callable[[str], tuple[Any, ...] | None]] = {
    Kind.UID: _read_uids,
    Kind.TEXT: lambda text: (text,),
    Kind.NUMBER: _read_integer,
    Kind.DATE: _read_days,
    Kind.TIME: _read_times,
    Kind.PERSON: _read_person,
}
_FORMS = {
    Kind.UID: "must be one UID, or several with commas between them",
    Kind.NUMBER: "must be a whole number",
    Kind.DATE: "must be YYYYMMDD, YYYYMMDD-, -YYYYMMDD or YYYYMMDD-YYYYMMDD",
    Kind.TIME: "must be HHMMSS or shorter, or a range of them",
    Kind.PERSON: "must be a whole number of a person, without wildcards",
}
