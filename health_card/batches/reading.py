"""A list of people as it was sent: CSV (RFC 4180) with a header, its cells as people write them. Pure."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from pydantic import ValidationError

from core.errors import MalformedRequest, Refusal
from health_card.batches.refusals import BatchHeaderUnknown, BatchTooLong, BatchUnreadable
from health_card.certificates import CertificateType
from health_card.models import ApplyChannel
from health_card.nations import NATIONS
from health_card.schemas import Application
from health_card.service.identities import Details, check_details

MOST_ROWS = 100_000
LARGEST_BYTES = 30 * 1024 * 1024

# What each column may be called.
HEADERS = {
    "certificate_type": ("证件类型", "证件类别"),
    "certificate_number": ("证件号码", "证件号"),
    "name": ("姓名",),
    "phone": ("手机号", "手机号码", "手机", "联系电话"),
    "sex": ("性别",),
    "birth_date": ("出生日期",),
    "nation": ("民族",),
    "address": ("地址", "住址"),
    "country": ("签发国家", "国籍"),
    "channel": ("申领渠道", "渠道"),
}
NEEDED = ("certificate_type", "certificate_number", "name", "phone")

_COLUMN_OF = {heard: column for column, names in HEADERS.items() for heard in (column, *names)}
_CERTIFICATES = {
    "居民身份证": CertificateType.RESIDENT_ID,
    "身份证": CertificateType.RESIDENT_ID,
    "户口簿": CertificateType.HOUSEHOLD_BOOK,
    "护照": CertificateType.PASSPORT,
    "军官证": CertificateType.OFFICER,
    "驾驶证": CertificateType.DRIVER,
    "港澳通行证": CertificateType.HONG_KONG_MACAU_PERMIT,
    "台湾通行证": CertificateType.TAIWAN_PERMIT,
    "出生医学证明": CertificateType.BIRTH_CERTIFICATE,
}
# Words, and the codes of GB/T 2261.1.
_SEXES = {"男": "male", "女": "female", "未知": "unknown", "1": "male", "2": "female", "0": "unknown", "9": "unknown"}
_DATE = re.compile(r"(\d{4})(?:([-/.])(\d{1,2})\2(\d{1,2})|(\d{2})(\d{2})|年(\d{1,2})月(\d{1,2})日)")
_NATION_CODES = {name: code for code, name in NATIONS.items()}
_CHANNELS = {str(channel.value): channel for channel in ApplyChannel}


@dataclass(frozen=True)
class Layout:
    """What a list looks like: its encoding, its columns, how many lines it has, and where the first one begins."""

    encoding: str
    columns: list[str]
    rows: int
    offset: int
    line: int


@dataclass(frozen=True)
class Entry:
    """One line that may be registered, or the code why not and the column at fault.

    :ivar line: where it stands in the file, counted from 1.
    """

    line: int
    details: Details | None = None
    channel: ApplyChannel = ApplyChannel.BATCH
    reason: str | None = None
    field: str | None = None


class Reader:
    """Reads rows from any place; ``offset`` and ``line`` say where the next one begins."""

    def __init__(self, stream: BinaryIO, encoding: str, *, offset: int = 0, line: int = 1) -> None:
        self._stream, self._encoding = stream, encoding
        self.offset, self.line = offset, line
        stream.seek(offset)

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        """Line number and cells; empty lines are passed over.

        :raises UnicodeDecodeError: not this encoding.
        :raises csv.Error: not CSV.
        """
        begins = self.line
        for cells in csv.reader(self._lines(), strict=True):
            if any(cell.strip() for cell in cells):
                yield begins, cells
            begins = self.line

    def _lines(self) -> Iterator[str]:
        # In GB18030 no character contains the byte of a line's end, so lines may be cut before they are decoded.
        while raw := self._stream.readline():
            self.offset += len(raw)
            self.line += 1
            yield raw.decode(self._encoding)


def examine_list(stream: BinaryIO) -> Layout:
    """Read a whole list once, to know that it can be read.

    :raises BatchUnreadable: neither UTF-8 nor GB18030, not CSV, or without a line.
    :raises BatchHeaderUnknown: a column is missing, unknown or there twice.
    :raises BatchTooLong: more than 100,000 lines.
    """
    for encoding in ("utf-8", "gb18030"):
        try:
            return _examine(stream, encoding)
        except UnicodeDecodeError:
            continue
        except csv.Error:
            break
    raise BatchUnreadable


def _examine(stream: BinaryIO, encoding: str) -> Layout:
    reader = Reader(stream, encoding)
    rows = iter(reader)
    header = next(rows, None)
    if header is None:
        raise BatchUnreadable
    columns = _find_columns(header[1])
    offset, line = reader.offset, reader.line
    count = sum(1 for _ in rows)
    if count == 0:
        raise BatchUnreadable
    if count > MOST_ROWS:
        raise BatchTooLong
    return Layout(encoding, columns, count, offset, line)


def _find_columns(header: Sequence[str]) -> list[str]:
    columns = [_COLUMN_OF.get(cell.lstrip("\ufeff").strip().lower(), "") for cell in header]
    unknown = [number for number, column in enumerate(columns, 1) if not column or column in columns[: number - 1]]
    missing = [column for column in NEEDED if column not in columns]
    if unknown or missing:
        raise BatchHeaderUnknown(missing=missing, unknown=unknown)
    return columns


def read_entry(line: int, columns: Sequence[str], cells: Sequence[str]) -> Entry:
    """What one line says, by the same rules as a single registration."""
    if len(cells) != len(columns):
        return Entry(line, reason=MalformedRequest.code)
    sent = {column: cell.strip() for column, cell in zip(columns, cells, strict=True) if cell.strip()}
    channel = _CHANNELS.get(sent.pop("channel", str(ApplyChannel.BATCH.value)))
    if channel is None:
        return Entry(line, reason=MalformedRequest.code, field="channel")
    try:
        details = check_details(Application.model_validate(_translate(sent)).as_details())
    except ValidationError as error:
        place = error.errors(include_url=False, include_context=False, include_input=False)[0]["loc"]
        return Entry(line, reason=MalformedRequest.code, field=str(place[0]) if place else None)
    except Refusal as refusal:
        return Entry(line, reason=refusal.code)
    return Entry(line, details=details, channel=channel)


def _translate(sent: dict[str, str]) -> dict[str, str]:
    """People write words where interfaces write codes; what is neither stays as it is, and is refused as that."""
    said = dict(sent)
    for column, words in (("certificate_type", _CERTIFICATES), ("sex", _SEXES), ("nation", _NATION_CODES)):
        if column in said:
            said[column] = words.get(said[column], said[column])
    found = _DATE.fullmatch(said.get("birth_date", ""))
    if found:
        year, _, *parts = found.groups()
        month, day = (part for part in parts if part)
        said["birth_date"] = f"{year}-{month:0>2}-{day:0>2}"
    return said
