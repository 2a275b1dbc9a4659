"""The query of a search (FHIR R4, section 3.1.1) to what is asked of the rows."""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from core import clock
from records.fhir import trimming
from records.fhir.catalogue import DATE, KINDS, OF_A_PERSON, REFERENCE, TOKEN, Kind
from records.fhir.refusals import FhirSearchUnsupported
from records.reports.incoming import is_storable

PAGE, LONGEST_PAGE = 20, 200
_PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")
_MOMENT = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d\d)(-(?P<day>\d\d)(T(?P<clock>\d\d:\d\d)(?P<second>:\d\d(\.\d{1,6})?)?"
    r"(?P<zone>Z|[+ -]\d\d:\d\d)?)?)?)?"
)
# Asks for what is given anyway, or changes only how much of it.
_PASSED_OVER = {"_format": {"json", "application/json", "application/fhir+json"}, "_pretty": {"true", "false"}}
# The person, by an identifier of his: chained, or of the reference itself.
_CHAINED = re.compile(r"(patient|subject)((:Patient)?\.|:)identifier")
CHAINED = "patient.identifier"
# Names that are told again in a refusal.
_NAME = re.compile(r"[A-Za-z_][\w.:-]{0,63}", re.ASCII)
# Of $everything: to what of a row, and how it must lie.
_EVERYTHING_DATES = {"_since": ("_lastUpdated", "ge"), "start": ("date", "ge"), "end": ("date", "le")}


@dataclass(frozen=True)
class TokenValue:
    """``system|code``; the system is None when any will do, empty when there is to be none."""

    system: str | None
    code: str


@dataclass(frozen=True)
class DateValue:
    """A period of time as precise as it was written, and how a row's moment must lie to it."""

    prefix: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class ReferenceValue:
    """``Type/id`` or an id alone."""

    resource_type: str | None
    id: str


Value = TokenValue | DateValue | ReferenceValue


@dataclass(frozen=True)
class Filter:
    """One parameter: any of its values must hold. ``asks``: what of a row (see ``catalogue``)."""

    asks: str
    values: tuple[Value, ...]

    @property
    def tokens(self) -> list[TokenValue]:
        return [value for value in self.values if isinstance(value, TokenValue)]

    @property
    def dates(self) -> list[DateValue]:
        return [value for value in self.values if isinstance(value, DateValue)]

    @property
    def references(self) -> list[ReferenceValue]:
        return [value for value in self.values if isinstance(value, ReferenceValue)]


@dataclass(frozen=True)
class Place:
    """Where a row stands in the order: its moment, its id, and its position within that."""

    moment: datetime
    id: UUID
    position: int = 0

    @property
    def key(self) -> tuple[datetime, UUID, int]:
        return self.moment, self.id, self.position


@dataclass(frozen=True)
class Search:
    """All filters must hold. ``by_update``: in order of when it was filed, not of when it happened.

    :ivar count: of rows on a page; 0: only how many there are.
    :ivar elements: what of each resource is given; None: all.
    """

    filters: tuple[Filter, ...] = ()
    by_update: bool = False
    is_descending: bool = True
    count: int = PAGE
    after: Place | None = None
    includes: tuple[str, ...] = ()
    with_origins: bool = False
    with_total: bool = False
    elements: tuple[str, ...] | None = None

    def of(self, asks: str) -> list[Filter]:
        """The filters that ask for this."""
        return [one for one in self.filters if one.asks == asks]

    def for_persons(self, ids: Iterable[UUID]) -> "Search":
        """The same, of these persons only."""
        values = tuple(ReferenceValue("Patient", str(one)) for one in ids)
        return replace(self, filters=(*self.filters, Filter("patient", values)))


def read_search(kind: Kind, given: Sequence[tuple[str, str]], *, is_lenient: bool = False) -> Search:
    """What is asked for.

    :param is_lenient: pass over parameters that the type does not know (``Prefer: handling=lenient``).
    :raises FhirSearchUnsupported: a parameter, modifier or value that is not understood.
    """
    search = Search()
    filters: list[Filter] = []
    for given_name, given_value in given:
        if not is_storable(given_value):
            raise FhirSearchUnsupported((given_name, "The value holds NUL or half a character."))
        name, value = _read_type(kind, given_name, given_value)
        if name in _CONTROLS:
            search = _CONTROLS[name](kind, search, value)
        elif name in kind.parameters:
            if value:
                filters.append(_read_filter(name, *kind.parameters[name], value))
        elif kind.is_versioned and is_chained(name) and re.split("[.:]", name)[0] in kind.parameters:
            filters.append(Filter(CHAINED, tuple(_read_token(name, part) for part in value.split(",") if part)))
        elif value not in _PASSED_OVER.get(name, ()) and not is_lenient:
            known = f"{kind.name} knows: {', '.join([*kind.parameters, *list_controls(kind)])}."
            if name in _PASSED_OVER:
                known = f"What is given is {', '.join(sorted(_PASSED_OVER[name]))}."
            raise FhirSearchUnsupported((name if _NAME.fullmatch(name) else "(query)", known))
    return replace(search, filters=tuple(filters))


def read_everything(kind: Kind, given: Sequence[tuple[str, str]]) -> tuple[Search, frozenset[str] | None]:
    """What of a person's record is asked for (FHIR R4, Patient-everything).

    :param kind: of the person.
    :returns: also the types that are wanted; None: all.
    :raises FhirSearchUnsupported: a parameter or value that is not understood.
    """
    types: frozenset[str] | None = None
    plain, filters = [], []
    for name, value in given:
        if name == "_type":
            types = frozenset(one for one in value.split(",") if one)
        elif name in _EVERYTHING_DATES:
            asks, prefix = _EVERYTHING_DATES[name]
            filters.append(_read_filter(name, DATE, asks, f"{prefix}{value}"))
        elif name in {"_count", "_cursor", *_PASSED_OVER}:
            plain.append((name, value))
        else:
            known = f"$everything knows: _type, {', '.join(_EVERYTHING_DATES)}, _count."
            raise FhirSearchUnsupported((name if _NAME.fullmatch(name) else "(query)", known))
    if types is not None and not types <= {kind.name, *OF_A_PERSON}:
        raise FhirSearchUnsupported(("_type", f"Some of {', '.join((kind.name, *OF_A_PERSON))} are expected."))
    return replace(read_search(kind, plain), filters=tuple(filters)), types


def is_chained(name: str) -> bool:
    """Whether a parameter names the person by an identifier."""
    return _CHAINED.fullmatch(name) is not None


def write_cursor(place: Place) -> str:
    """Where the next page begins; opaque to the client."""
    text = json.dumps([place.moment.isoformat(), str(place.id), place.position])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_type(kind: Kind, name: str, value: str) -> tuple[str, str]:
    """``subject:Patient=id`` is ``subject=Patient/id`` (FHIR R4, section 3.1.1.4.14)."""
    plain, colon, resource_type = name.partition(":")
    if colon and kind.parameters.get(plain, ("", ""))[0] == REFERENCE and resource_type in KINDS:
        return plain, ",".join(one if "/" in one else f"{resource_type}/{one}" for one in value.split(",") if one)
    return name, value


def _read_filter(name: str, kind: str, asks: str, value: str) -> Filter:
    read = {TOKEN: _read_token, DATE: _read_date, REFERENCE: _read_reference}[kind]
    return Filter(asks, tuple(read(name, part) for part in value.split(",") if part))


def _read_token(_name: str, text: str) -> Value:
    system, bar, code = text.rpartition("|")
    return TokenValue(system if bar else None, code)


def _read_reference(_name: str, text: str) -> Value:
    resource_type, slash, found = text.rpartition("/")
    return ReferenceValue(resource_type.rpartition("/")[2] if slash else None, found)


def _read_date(name: str, text: str) -> Value:
    prefix, rest = (text[:2], text[2:]) if text[:2] in _PREFIXES else ("eq", text)
    found = _MOMENT.fullmatch(rest)
    try:
        if found is None:
            raise ValueError("no date")
        start, end = _period(found)
    except (ValueError, OverflowError):
        raise FhirSearchUnsupported((name, "A date such as 2026, 2026-03, ge2026-03-20 is expected.")) from None
    return DateValue(prefix, start, end)


def _period(found: re.Match[str]) -> tuple[datetime, datetime]:
    year, month, day = (int(found[part] or 1) for part in ("year", "month", "day"))
    if found["clock"]:
        # A plus sign in a query string is a space.
        zone = (found["zone"] or "").replace(" ", "+")
        start = datetime.fromisoformat(
            f"{found['year']}-{month:02}-{day:02}T{found['clock']}{found['second'] or ''}{zone}"
        )
        start = start if start.tzinfo else start.replace(tzinfo=clock.CITY_ZONE)
        return start, start + (timedelta(seconds=1) if found["second"] else timedelta(minutes=1))
    first = date(year, month, day)
    if found["day"]:
        last = first + timedelta(days=1)
    elif found["month"]:
        last = date(year + month // 12, month % 12 + 1, 1)
    else:
        last = date(year + 1, 1, 1)
    start, end = (datetime(one.year, one.month, one.day, tzinfo=clock.CITY_ZONE) for one in (first, last))
    return start, end


def _read_count(kind: Kind, search: Search, value: str) -> Search:
    if not re.fullmatch(r"[0-9]{1,6}", value) or (int(value) < 1 and not kind.is_versioned):
        raise FhirSearchUnsupported(("_count", f"A number from 1; at most {LONGEST_PAGE} are given."))
    return replace(search, count=min(int(value), LONGEST_PAGE), with_total=search.with_total or int(value) == 0)


def _read_total(kind: Kind, search: Search, value: str) -> Search:
    if value not in {"none", "estimate", "accurate"} or (value != "none" and not kind.is_versioned):
        raise FhirSearchUnsupported(("_total", f"none, estimate or accurate is expected; of {kind.name} only none."))
    return replace(search, with_total=search.with_total or value != "none")


def _read_summary(kind: Kind, search: Search, value: str) -> Search:
    if value == "count":
        return _read_count(kind, search, "0")
    return replace(search, elements=trimming.read_summary(kind.name, value))


def _read_elements(_kind: Kind, search: Search, value: str) -> Search:
    return replace(search, elements=tuple(one.rpartition(".")[2] for one in value.split(",") if one))


def _read_revinclude(kind: Kind, search: Search, value: str) -> Search:
    if value != "Provenance:target" or not kind.is_versioned:
        raise FhirSearchUnsupported(("_revinclude", "Provenance:target is known, of types with versions."))
    return replace(search, with_origins=True)


def _read_sort(kind: Kind, search: Search, value: str) -> Search:
    name = value.removeprefix("-")
    if name != "date" and kind.parameters.get(name, ("", ""))[0] != DATE:
        raise FhirSearchUnsupported(("_sort", "date, -date, _lastUpdated or -_lastUpdated is expected."))
    return replace(search, by_update=name == "_lastUpdated", is_descending=value.startswith("-"))


def _read_include(kind: Kind, search: Search, value: str) -> Search:
    if value in {"*", f"{kind.name}:*"} and kind.includes:
        return replace(search, includes=(*search.includes, *kind.includes))
    if value not in kind.includes:
        raise FhirSearchUnsupported(("_include", f"{kind.name} knows: {', '.join(kind.includes) or 'none'}."))
    return replace(search, includes=(*search.includes, value))


def _read_cursor(_kind: Kind, search: Search, value: str) -> Search:
    try:
        moment, found, position = json.loads(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)))
        after = Place(datetime.fromisoformat(moment), UUID(found), int(position))
        if after.moment.tzinfo is None or not 0 <= after.position <= 32767:
            raise ValueError("no place")
    except (ValueError, TypeError, AttributeError, binascii.Error, RecursionError):
        raise FhirSearchUnsupported(("_cursor", "Follow the link `next` as it was given.")) from None
    return replace(search, after=after)


_CONTROLS = {
    "_count": _read_count,
    "_sort": _read_sort,
    "_include": _read_include,
    "_revinclude": _read_revinclude,
    "_total": _read_total,
    "_summary": _read_summary,
    "_elements": _read_elements,
    "_cursor": _read_cursor,
}


def list_controls(kind: Kind) -> list[str]:
    """The parameters beside those of the type."""
    unknown = set() if kind.is_versioned else {"_revinclude", "_total"}
    return [name for name in _CONTROLS if name not in unknown and (name != "_include" or kind.includes)]
