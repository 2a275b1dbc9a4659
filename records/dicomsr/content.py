"""The content tree of a structured report (PS3.3, section C.17.3). Files in the field break every rule of it: what
cannot be read is left out, and costs the rest nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydicom import Dataset

from records.images.dicom import read_text
from records.images.service import Pointed
from records.reports.incoming import LOCAL_CODE, LOINC, UCUM, read_decimal

DEEPEST = 32
MOST_ITEMS = 20_000
_LONGEST_NAME = 255
_LONGEST_TEXT = 100_000
# Coding Scheme Designators (PS3.16, table 8-1) whose names elsewhere are known.
_SYSTEMS = {
    "LN": LOINC,
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "SCT": "http://snomed.info/sct",
    "UCUM": UCUM,
}
# Items about the items around them, not of what was found (section C.17.3.2.4).
_ASIDE = {"HAS CONCEPT MOD", "HAS OBS CONTEXT", "HAS ACQ CONTEXT"}


@dataclass(frozen=True)
class Code:
    """A coded concept (section 8.1). ``scheme``: Coding Scheme Designator."""

    value: str
    scheme: str
    meaning: str

    @property
    def system(self) -> str:
        """The code system as the record names it; one that is not known is the hospital's own."""
        if self.scheme in _SYSTEMS:
            return _SYSTEMS[self.scheme]
        return LOCAL_CODE if not self.scheme or self.scheme.startswith(("99", "L")) else f"{LOCAL_CODE}:{self.scheme}"

    def is_one_of(self, codes: frozenset[tuple[str, str]]) -> bool:
        """Whether it is one of these, as scheme and value."""
        return (self.scheme, self.value) in codes


@dataclass(frozen=True)
class Item:
    """One content item with those below it.

    :ivar kind: Value Type: CONTAINER, TEXT, CODE, NUM, IMAGE ...
    :ivar text: its value as a person reads it; None: it has none, or none that can be read.
    :ivar number: of a NUM; ``unit``: its units.
    :ivar is_sentence: of a CONTAINER: its items are the parts of one sentence (Continuity of Content).
    :ivar images: what an IMAGE or COMPOSITE refers to: SOP instance UID and frames; the study is not said there.
    """

    kind: str
    relation: str
    concept: Code | None
    text: str | None = None
    number: Decimal | None = None
    unit: Code | None = None
    is_sentence: bool = False
    images: tuple[Pointed, ...] = ()
    below: tuple["Item", ...] = ()

    @property
    def is_aside(self) -> bool:
        """Whether it tells about what stands around it: language, observer, subject, tracking of a measurement."""
        return self.relation in _ASIDE

    def walk(self) -> Iterator["Item"]:
        """The item and everything below it, in the order of the document."""
        yield self
        for one in self.below:
            yield from one.walk()


def read_tree(found: Dataset) -> Item:
    """The document as one item; of a broken one what can be read."""
    return _Reader().read(found, depth=0)


def read_sequence(found: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; none when it is missing or broken."""
    value = _get(found, keyword)
    return [one for one in value or () if isinstance(one, Dataset)] if _is_sequence(value) else []


def read_value(found: Dataset, keyword: str) -> str | None:
    """A value as text, on one line; None when it is missing or broken."""
    try:
        return read_text(found, keyword)
    except Exception:
        # What a broken value makes the parser raise is anything at all.
        return None


def read_code(found: Dataset, keyword: str) -> Code | None:
    """The first code of a code sequence; None without a value or a meaning."""
    for one in read_sequence(found, keyword):
        values = (read_value(one, name) for name in ("CodeValue", "LongCodeValue", "URNCodeValue"))
        value = next((value for value in values if value), None)
        meaning = read_value(one, "CodeMeaning") or value
        if value and meaning:
            return Code(value, read_value(one, "CodingSchemeDesignator") or "", meaning[:_LONGEST_NAME])
    return None


def read_name(found: Dataset, keyword: str) -> str | None:
    """A person's name as it is written here: ideographic where there is that, else alphabetic (PS3.5, 6.2.1.1)."""
    groups = (read_value(found, keyword) or "").split("=")
    written = [group for group in (*groups[1:2], *groups[:1]) if group.strip(" ^")]
    parts = [part.strip() for part in written[0].split("^")[:3] if part.strip()] if written else []
    name = " ".join(parts)
    return (name if name.isascii() else name.replace(" ", ""))[:_LONGEST_NAME] or None


class _Reader:
    """Reads at most so many items, at most so deep."""

    def __init__(self) -> None:
        self._left = MOST_ITEMS

    def read(self, found: Dataset, *, depth: int) -> Item:
        self._left -= 1
        below: list[Item] = []
        for one in read_sequence(found, "ContentSequence") if depth < DEEPEST else ():
            if self._left <= 0:
                break
            below.append(self.read(one, depth=depth + 1))
        kind = (read_value(found, "ValueType") or "").upper()
        number, unit = _read_number(found) if kind == "NUM" else (None, None)
        return Item(
            kind=kind,
            relation=(read_value(found, "RelationshipType") or "").upper(),
            concept=read_code(found, "ConceptNameCodeSequence"),
            text=_read_shown(found, kind),
            number=number,
            unit=unit,
            is_sentence=read_value(found, "ContinuityOfContent") == "CONTINUOUS",
            images=tuple(_list_references(found)) if kind in {"IMAGE", "COMPOSITE"} else (),
            below=tuple(below),
        )


def _read_shown(found: Dataset, kind: str) -> str | None:
    match kind:
        case "TEXT":
            return read_lines(found, "TextValue")
        case "CODE":
            code = read_code(found, "ConceptCodeSequence")
            return code.meaning if code else None
        case "PNAME":
            return read_name(found, "PersonName")
        case "DATE" | "TIME" | "DATETIME" | "UIDREF":
            return read_value(found, {"DATETIME": "DateTime", "UIDREF": "UID"}.get(kind, kind.capitalize()))
        case "NUM":
            qualifier = read_code(found, "NumericValueQualifierCodeSequence")
            return qualifier.meaning if qualifier else None
    return None


def read_lines(found: Dataset, keyword: str) -> str | None:
    """A text of many lines (VR UT, LT)."""
    text = str(_get(found, keyword) or "").replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(sign for sign in text if sign.isprintable() or sign in "\n\t")
    # Half a surrogate pair comes out of a text whose declared character set is wrong; no database takes it.
    return kept.encode("utf-8", "replace").decode()[:_LONGEST_TEXT].strip() or None


def _read_number(found: Dataset) -> tuple[Decimal | None, Code | None]:
    for one in read_sequence(found, "MeasuredValueSequence"):
        try:
            number = read_decimal(read_value(one, "NumericValue") or "")
            return number, read_code(one, "MeasurementUnitsCodeSequence")
        except ValueError:
            return None, None
    return None, None


def _list_references(found: Dataset) -> Iterator[Pointed]:
    for one in read_sequence(found, "ReferencedSOPSequence"):
        uid = read_value(one, "ReferencedSOPInstanceUID")
        if uid:
            yield Pointed("", uid, tuple(_list_frames(_get(one, "ReferencedFrameNumber"))))


def _list_frames(value: Any) -> Iterator[int]:
    for one in value if _is_sequence(value) else [value]:
        try:
            number = int(one)
        except (TypeError, ValueError, OverflowError):
            continue
        if 1 <= number < 2**31:
            yield number


def _get(found: Dataset, keyword: str) -> Any:
    try:
        return found.get(keyword)
    except Exception:
        # What a broken value makes the parser raise is anything at all.
        return None


def _is_sequence(value: Any) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, (str, bytes))
