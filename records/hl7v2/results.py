"""OBX to an observation (HL7 v2.5.1, section 7.4.2)."""

import base64
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from operator import itemgetter
from typing import Any

from core import clock
from records.hl7v2.parsing import Coding, Segment, part
from records.hl7v2.refusals import MessageNotUnderstood
from records.reports.incoming import (
    COMPARATORS,
    INTERPRETATIONS,
    LOCAL_CODE,
    LOINC,
    IncomingAttachment,
    IncomingObservation,
    find_attachment_type,
    is_plausible,
    read_decimal,
)
from records.reports.models import ObservationStatus

# HL7 table 0085. U is missing: it makes final what a former message said, without saying it again.
_STATUSES = {
    "": ObservationStatus.FINAL,
    "F": ObservationStatus.FINAL,
    "C": ObservationStatus.CORRECTED,
    "P": ObservationStatus.PRELIMINARY,
    "R": ObservationStatus.PRELIMINARY,
    "S": ObservationStatus.PRELIMINARY,
    "I": ObservationStatus.REGISTERED,
    "N": ObservationStatus.REGISTERED,
    "O": ObservationStatus.REGISTERED,
    "X": ObservationStatus.CANCELLED,
    "D": ObservationStatus.WITHDRAWN,
    "W": ObservationStatus.WITHDRAWN,
}
# Systems in the field also send the arrow that they print.
_ARROWS = {"↑": "H", "↓": "L", "↑↑": "HH", "↓↓": "LL"}
# HL7 table 0396.
_CODE_SYSTEMS = {"": LOCAL_CODE, "L": LOCAL_CODE, "LN": LOINC}

# Code, unit, range, flags and status; together no longer than this they are remembered.
_REPEATED = (3, 6, 7, 8, 11)
_take_repeated = itemgetter(*_REPEATED)
_LONGEST_REMEMBERED = 500

_BOUND = re.compile(r"(<=|>=|<|>|≤|≥)?\s*(\S+)")
_WRITTEN_BOUNDS = {"≤": "<=", "≥": ">="}
_DECIMAL = r"[+-]?[0-9]+(?:\.[0-9]+)?"
_RANGE = re.compile(rf"({_DECIMAL})\s*(?:-|~|～|—|–|至)\s*({_DECIMAL})")
_LIMIT = re.compile(rf"(<=|>=|<|>|≤|≥)\s*({_DECIMAL})")
_MOMENT = re.compile(r"([0-9]{8})([0-9]{2})?([0-9]{2})?([0-9]{2})?(?:\.[0-9]{1,6})?([+-])?([0-9]{2})?([0-9]{2})?")


def translate_observation(obx: Segment, notes: list[str]) -> IncomingObservation:
    """One OBX, with the text of the NTE segments that follow it.

    :raises MessageNotUnderstood: a field does not hold what its type says.
    """
    fields = obx.fields if len(obx.fields) > max(_REPEATED) else (*obx.fields, *[""] * max(_REPEATED))
    said = _take_repeated(fields)
    is_short = sum(map(len, said)) <= _LONGEST_REMEMBERED
    line = _read_line(obx.coding, said) if is_short else _read_line.__wrapped__(obx.coding, said)
    if line["status"] == ObservationStatus.WITHDRAWN:
        return IncomingObservation(**line)
    return IncomingObservation(**line, **_read_value(obx), note="\n".join(notes) or None)


@lru_cache(maxsize=4096)
def _read_line(coding: Coding, said: tuple[str, ...]) -> dict[str, Any]:
    """All of an OBX but the value; a laboratory says it of the same item in thousands of messages."""
    fields = dict(zip(_REPEATED, said, strict=True))
    obx = Segment("OBX", tuple(fields.get(number, "") for number in range(max(_REPEATED) + 1)), coding)
    code, code_system, name = read_code(obx, 3)
    status = _STATUSES.get(obx.component(11))
    if status is None:
        raise MessageNotUnderstood("OBX-11", "Not a result status that is taken in (HL7 table 0085).")
    line: dict[str, Any] = {"status": status.value, "code": code, "code_system": code_system, "name": name}
    if status is ObservationStatus.WITHDRAWN:
        return line
    return line | _read_unit(obx) | _read_range(obx.text(7)) | {"interpretation": _read_flag(obx)}


def read_code(segment: Segment, field: int) -> tuple[str, str, str]:
    """Code, code system and name of a CE or CWE field.

    :raises MessageNotUnderstood: it has no code.
    """
    code, name, system = (segment.component(field, number) for number in (1, 2, 3))
    if not code:
        raise MessageNotUnderstood(f"{segment.name}-{field}", "A code is expected: results are matched by code.")
    return code, _CODE_SYSTEMS.get(system, system), name or code


def read_moment(segment: Segment, field: int) -> datetime | None:
    """A time; without a zone it is the city's. None when the field is empty.

    :raises MessageNotUnderstood: not a time of at least a whole day.
    """
    written = segment.component(field) if segment.raw(field) else ""
    if not written:
        return None
    found = _MOMENT.fullmatch(written)
    if found is None or (found[5] and not found[7]):
        raise MessageNotUnderstood(f"{segment.name}-{field}", "A time of at least a whole day is expected (TS).")
    moment = _moment_of(found)
    if moment is None or not is_plausible(moment):
        raise MessageNotUnderstood(f"{segment.name}-{field}", "There is no such time, or it is still to come.")
    return moment


def _moment_of(found: re.Match[str]) -> datetime | None:
    day, sign = found[1], found[5]
    zone: tzinfo = clock.CITY_ZONE
    try:
        if sign is not None:
            offset = timedelta(hours=int(found[6]), minutes=int(found[7]))
            zone = timezone(-offset if sign == "-" else offset)
        hour, minute, second = (int(found[number] or 0) for number in (2, 3, 4))
        return datetime(int(day[:4]), int(day[4:6]), int(day[6:]), hour, minute, second, tzinfo=zone)
    except ValueError:
        return None


def read_document(obx: Segment) -> IncomingAttachment:
    """OBX of type ED: a document inside the message (section 2.A.24), titled by what OBX-3 names.

    :raises MessageNotUnderstood: not Base64, or neither PDF, JPEG nor PNG.
    """
    if obx.component(5, 4).upper() not in {"BASE64", "BASE-64"}:
        raise MessageNotUnderstood("OBX-5", "The encoding of a document (ED.4) must be Base64.")
    try:
        content = base64.b64decode(re.sub(r"\s", "", obx.component(5, 5)), validate=True)
    except ValueError:
        raise MessageNotUnderstood("OBX-5", "The document (ED.5) is not Base64.") from None
    content_type = find_attachment_type(content)
    if content_type is None:
        raise MessageNotUnderstood("OBX-5", "A document must be PDF, JPEG or PNG.")
    return IncomingAttachment(read_code(obx, 3)[2], content_type, content)


def _read_value(obx: Segment) -> dict[str, Any]:
    kind = obx.component(2)
    if not obx.raw(5):
        return {}
    reader = _READERS.get(kind)
    if kind == "RP":
        raise MessageNotUnderstood("OBX-2", "A reference (RP) leads out of the message; send the document itself (ED).")
    if reader is None:
        raise MessageNotUnderstood(
            "OBX-2", "Not a type of value that is taken in: NM, SN, ST, TX, FT, CE, CWE, DT, TM, TS, ED."
        )
    return reader(obx)


def _read_number(obx: Segment) -> dict[str, Any]:
    """NM. Systems in the field put a bound such as <0.01 there as well, which belongs into SN."""
    found = _BOUND.fullmatch(obx.text(5))
    if found is None:
        raise MessageNotUnderstood("OBX-5", "One number is expected (NM).")
    return {"comparator": _WRITTEN_BOUNDS.get(found[1], found[1]), "value": _decimal(found[2])}


def _read_structured(obx: Segment) -> dict[str, Any]:
    """SN: comparator, number, separator or suffix, number."""
    comparator, first, separator, second = (obx.component(5, number) for number in (1, 2, 3, 4))
    if comparator in {"", "=", *COMPARATORS} and not separator and not second:
        return {"comparator": comparator if comparator in COMPARATORS else None, "value": _decimal(first)}
    if not (first or second):
        raise MessageNotUnderstood("OBX-5", "A structured number is expected (SN).")
    return {"text": f"{comparator}{first}{separator}{second}"}


def _read_text(obx: Segment) -> dict[str, Any]:
    return {"text": obx.text(5) or None}


def _read_coded(obx: Segment) -> dict[str, Any]:
    return {"text": "\n".join(part(one, 2) or part(one, 9) or part(one, 1) for one in obx.repetitions(5)) or None}


def _decimal(written: str) -> Any:
    try:
        return read_decimal(written)
    except ValueError:
        raise MessageNotUnderstood("OBX-5", "A decimal number of at most 38 digits is expected.") from None


def _read_unit(obx: Segment) -> dict[str, Any]:
    code, text, system = (obx.component(6, number) for number in (1, 2, 3))
    # Systems in the field write 10^9/L without escaping: that is one unit, not a code and its text.
    if code.endswith("10") and re.match(r"[0-9]", text):
        return {"unit": obx.text(6)}
    return {"unit": text or code or None, "unit_code": code if system == "UCUM" else None}


def _read_range(written: str) -> dict[str, Any]:
    """Bounds where the text has them: 3.5-9.5, <5, >=1.2; any other text is shown as it is."""
    if not written:
        return {}
    bounds: dict[str, Any] = {"reference_text": written}
    if (found := _RANGE.fullmatch(written)) is not None:
        low, high = _bound(found[1]), _bound(found[2])
        # The wrong way round it means something else, such as 3.5--9.5 with a doubled hyphen: shown, not compared.
        bounds |= {"reference_low": low, "reference_high": high} if low <= high else {}
    elif (found := _LIMIT.fullmatch(written)) is not None:
        side = "reference_high" if found[1] in {"<", "<=", "≤"} else "reference_low"
        bounds[side] = _bound(found[2])
    return bounds


def _bound(written: str) -> Any:
    try:
        return read_decimal(written)
    except ValueError:
        raise MessageNotUnderstood("OBX-7", "A bound of at most 38 digits is expected.") from None


def _read_flag(obx: Segment) -> str | None:
    if not obx.raw(8):
        return None
    flags = [_ARROWS.get(part(one, 1), part(one, 1)) for one in obx.repetitions(8)]
    given = [flag for flag in flags if flag]
    if any(flag not in INTERPRETATIONS for flag in given):
        raise MessageNotUnderstood("OBX-8", "Codes of HL7 table 0078 are expected (H, L, HH, LL, N, A ...).")
    return given[0] if given else None


_READERS: dict[str, Callable[[Segment], dict[str, Any]]] = {
    "NM": _read_number,
    "SN": _read_structured,
    **dict.fromkeys(("ST", "TX", "FT", "DT", "TM", "TS", "DTM"), _read_text),
    **dict.fromkeys(("CE", "CWE", "CNE", "IS", "ID"), _read_coded),
    # Only of a document that was cancelled: all others are attached.
    "ED": lambda _obx: {},
}
