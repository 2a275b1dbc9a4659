"""Reading an HL7 v2 message (version 2.5.1, chapter 2): separators, character set, segments, escapes."""

import re
from dataclasses import dataclass, field
from functools import partial

from records.hl7v2.refusals import MessageUnreadable
from records.reports.incoming import is_storable

# HL7 table 0211, and how systems in the field write the same.
_CHARSETS = {
    "ASCII": "ascii",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "GB 18030-2000": "gb18030",
    "GB18030-2000": "gb18030",
    "GB18030": "gb18030",
    "GBK": "gb18030",
    "GB2312": "gb18030",
}
_LINE_END = re.compile(r"\r\n|\r|\n")
# What begins something of its own, and stands in no message.
_HEADERS = {"MSH", "FHS", "BHS", "BTS", "FTS"}
_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")


@dataclass(frozen=True)
class Coding:
    """How a message is written: its separators (MSH-1, MSH-2) and character set. Empty: it has no such separator."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    charset: str = "utf-8"

    def split(self, text: str, separator: str) -> list[str]:
        """The parts of a text."""
        return text.split(separator) if separator else [text]

    def unescape(self, text: str) -> str:
        """A text with its escape sequences resolved (section 2.7); highlighting is dropped, the unknown stays."""
        if not self.escape or self.escape not in text:
            return text
        mark = re.escape(self.escape)
        return re.sub(f"{mark}([^{mark}]*){mark}", partial(_resolve, self), text)

    def write(self, text: str) -> str:
        """A text as it stands inside a field."""
        if text.isalnum() or not text:
            return text
        marks = {self.escape: "E", self.field: "F", self.component: "S", self.repetition: "R", self.subcomponent: "T"}
        return "".join(f"{self.escape}{marks[sign]}{self.escape}" if sign in marks else sign for sign in text)


@dataclass(frozen=True)
class Segment:
    """One segment. Fields, repetitions and components are numbered as in the standard, repetitions from 0."""

    name: str
    fields: tuple[str, ...]
    coding: Coding
    # Fields that were looked into, taken apart: of each more than one component is asked for.
    _first: dict[int, list[str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def raw(self, field: int) -> str:
        """A field as sent; empty when it is missing, or explicitly null."""
        text = self.fields[field] if field < len(self.fields) else ""
        return "" if text == '""' else text

    def text(self, field: int) -> str:
        """A field that is one text (ST, TX, FT): escapes resolved, repetitions on lines of their own."""
        written, coding = self.raw(field), self.coding
        if coding.repetition and coding.repetition in written:
            written = "\n".join(coding.unescape(line) for line in written.split(coding.repetition))
            return written.strip()
        return coding.unescape(written).strip()

    def repetitions(self, field: int) -> list[list[str]]:
        """The components of each repetition, escapes resolved."""
        return [
            [self.coding.unescape(part).strip() for part in self.coding.split(one, self.coding.component)]
            for one in self.coding.split(self.raw(field), self.coding.repetition)
        ]

    def component(self, field: int, component: int = 1) -> str:
        """A component of the first repetition; empty when it is missing."""
        components = self._first.get(field)
        if components is None:
            components = self._first[field] = self._split_first(field)
        return components[component - 1] if component <= len(components) else ""

    def _split_first(self, field: int) -> list[str]:
        written, coding = self.raw(field), self.coding
        if not written:
            return []
        if written.isalnum():
            return [written]
        if coding.repetition and coding.repetition in written:
            written = written.split(coding.repetition, 1)[0]
        parts = written.split(coding.component) if coding.component else [written]
        if coding.escape and coding.escape in written:
            parts = [coding.unescape(part) for part in parts]
        return [part.strip() for part in parts]


@dataclass(frozen=True)
class Message:
    """A message whose header can be read."""

    coding: Coding
    segments: tuple[Segment, ...]

    @property
    def header(self) -> Segment:
        """MSH."""
        return self.segments[0]

    @property
    def control_id(self) -> str:
        """MSH-10: the sender's own id of the message."""
        return self.header.component(10)


def part(components: list[str], number: int) -> str:
    """A component by its number in the standard; empty when it is missing."""
    return components[number - 1] if number <= len(components) else ""


def read_message(body: bytes) -> Message:
    """Parse a message.

    :raises MessageUnreadable: it is none, or not in the character set that it names.
    """
    coding = _read_coding(_LINE_END.split(body[:4096].decode("latin-1"), maxsplit=1)[0].encode("latin-1"))
    try:
        text = body.decode(coding.charset)
    except UnicodeDecodeError:
        raise MessageUnreadable from None
    if not is_storable(text):
        raise MessageUnreadable
    lines = [line for line in _LINE_END.split(text) if line.strip()]
    message = Message(coding, tuple(_read_segment(line, coding) for line in lines))
    if not re.fullmatch(r"[!-~]{1,199}", message.control_id):
        raise MessageUnreadable
    if any(segment.name in _HEADERS for segment in message.segments[1:]):
        raise MessageUnreadable
    return message


def find_control_id(body: bytes) -> str:
    """What stands in MSH-10 of a message that cannot be read otherwise; empty when even that is not to be found."""
    first = _LINE_END.split(body[:4096].decode("latin-1"), maxsplit=1)[0]
    fields = first.split(first[3]) if first.startswith("MSH") and len(first) > 3 else []
    return fields[9] if len(fields) > 9 and re.fullmatch(r"[0-9A-Za-z._-]{1,199}", fields[9]) else ""


def _read_coding(first: bytes) -> Coding:
    """Separators and character set. The header itself may be in any of them, so it is read by trying."""
    if not re.match(rb"MSH[!-/:-@\[-`{-~]", first):
        raise MessageUnreadable
    for charset in ("utf-8", "gb18030"):
        try:
            fields = first.decode(charset).split(chr(first[3]))
        except UnicodeDecodeError:
            continue
        marks = fields[1] if len(fields) > 1 else ""
        if not re.fullmatch(r"[!-/:-@\[-`{-~]{1,5}", marks) or len(set(marks)) != len(marks):
            raise MessageUnreadable
        named = fields[17].split(marks[1:2] or "~")[0].strip().upper() if len(fields) > 17 else ""
        declared = _CHARSETS.get(named or "UNICODE UTF-8")
        if declared in {charset, "ascii"}:
            component, repetition, escape, subcomponent, _ = (*marks, *[""] * 5)[:5]
            return Coding(chr(first[3]), component, repetition, escape, subcomponent, declared)
    raise MessageUnreadable


def _read_segment(line: str, coding: Coding) -> Segment:
    fields = line.split(coding.field)
    if not _NAME.fullmatch(fields[0]):
        raise MessageUnreadable
    if fields[0] == "MSH":
        # The first separator is MSH-1 itself.
        fields.insert(1, coding.field)
    return Segment(fields[0], tuple(fields), coding)


def _resolve(coding: Coding, found: re.Match[str]) -> str:
    sequence = found[1]
    separators = {
        "F": coding.field,
        "S": coding.component,
        "R": coding.repetition,
        "E": coding.escape,
        "T": coding.subcomponent,
        "H": "",
        "N": "",
        ".br": "\n",
        ".sp": "\n",
    }
    if sequence in separators:
        return separators[sequence]
    if re.fullmatch(r"X([0-9A-Fa-f]{2})+", sequence):
        written = bytes.fromhex(sequence[1:]).decode(coding.charset, "replace")
        return written if is_storable(written) else ""
    return found[0]
