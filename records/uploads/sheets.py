"""A list as it was sent, CSV (RFC 4180) or Excel (ISO/IEC 29500), to rows of cells. Pure."""

import csv
import io
import re
import warnings
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import openpyxl
from openpyxl.utils.datetime import from_excel

from records.reports.incoming import is_storable
from records.uploads.columns import COLUMN_OF, NEEDED
from records.uploads.refusals import (
    UploadCellsMerged,
    UploadFormatUnsupported,
    UploadHeaderUnknown,
    UploadProtected,
    UploadTooLong,
    UploadUnreadable,
)

LARGEST_BYTES = 5 * 1024 * 1024
MOST_ROWS = 5000
# Of an unpacked workbook: many times what 5,000 rows need, and nothing that a zip bomb would be content with.
_LARGEST_UNPACKED = 30 * 1024 * 1024
_MOST_PARTS = 1000
# Numbers that can be meant as days by Excel's count: 1954 to 2119.
_DAYS = (20_000, 80_000)
_MOST_DIGITS = 15
_COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@dataclass(frozen=True)
class Cell:
    """``problem``: a code of ``columns.ERRORS``. ``moment``: what Excel's day number in it would mean."""

    text: str = ""
    problem: str | None = None
    moment: str | None = None


@dataclass(frozen=True)
class Row:
    """``line``: where it stands in the file, counted from 1. ``has_more``: cells beyond the header's."""

    line: int
    cells: dict[str, Cell]
    has_more: bool


def read_rows(body: bytes) -> list[Row]:
    """Every row below the header that is not empty.

    :raises UploadUnreadable: neither CSV nor a workbook, or without a row.
    :raises UploadFormatUnsupported: an old .xls.
    :raises UploadProtected: encrypted.
    :raises UploadTooLong: more than 5,000 rows, or much bigger than it looks.
    :raises UploadHeaderUnknown: a column is missing, unknown or there twice.
    :raises UploadCellsMerged: cells are merged.
    """
    if body.startswith(_COMPOUND_FILE):
        raise UploadProtected if "EncryptedPackage".encode("utf-16-le") in body else UploadFormatUnsupported
    lines = _read_workbook(body) if body.startswith(b"PK\x03\x04") else _read_csv(body)
    if not lines:
        raise UploadUnreadable
    header, *rest = lines
    columns = _find_columns([cell.text for cell in header[1]])
    rows = [_name_cells(line, cells, columns) for line, cells in rest]
    if not rows:
        raise UploadUnreadable
    if len(rows) > MOST_ROWS:
        raise UploadTooLong
    return rows


def _name_cells(line: int, cells: list[Cell], columns: list[str]) -> Row:
    more = any(cell.text or cell.problem for cell in cells[len(columns) :])
    return Row(line, {name: cell for name, cell in zip(columns, cells, strict=False) if name}, more)


def _find_columns(header: list[str]) -> list[str]:
    while header and not header[-1]:
        header.pop()
    columns = [COLUMN_OF.get(cell.rstrip("*＊").strip(), "") for cell in header]
    unknown = [number for number, column in enumerate(columns, 1) if not column or column in columns[: number - 1]]
    missing = [name for name in NEEDED if name not in columns]
    if unknown or missing:
        raise UploadHeaderUnknown(missing=missing, unknown=unknown)
    return columns


def _read_csv(body: bytes) -> list[tuple[int, list[Cell]]]:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = body.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise UploadUnreadable
    if not is_storable(text):
        raise UploadUnreadable
    reader, lines, begins = csv.reader(io.StringIO(text, newline=""), strict=True), [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                lines.append((begins, [_read_text(cell) for cell in cells]))
            begins = reader.line_num + 1
    except csv.Error:
        raise UploadUnreadable from None
    return lines


def _read_workbook(body: bytes) -> list[tuple[int, list[Cell]]]:
    sheet, epoch = _open_sheet(body)
    if sheet.merged_cells.ranges:
        raise UploadCellsMerged(len(sheet.merged_cells.ranges))
    if sheet.max_row > MOST_ROWS * 2 or sheet.max_column > len(COLUMN_OF):
        raise UploadTooLong
    lines = [
        (line, [_read_cell(cell, epoch) for cell in cells]) for line, cells in enumerate(sheet.iter_rows(), start=1)
    ]
    return [(line, cells) for line, cells in lines if _is_filled(cells)]


def _open_sheet(body: bytes) -> tuple[Any, datetime]:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as packed:
            parts = packed.infolist()
        if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > _LARGEST_UNPACKED:
            raise UploadTooLong
        with warnings.catch_warnings():
            # What openpyxl leaves out (pictures, validations, styles) says nothing here.
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(io.BytesIO(body), keep_links=False)
        return book.worksheets[0], book.epoch
    except UploadTooLong:
        raise
    except Exception:
        # A broken workbook breaks openpyxl in every way that there is; its message may quote a cell.
        raise UploadUnreadable from None


def _is_filled(cells: Iterable[Cell]) -> bool:
    return any(cell.text or cell.problem for cell in cells)


def _read_cell(cell: Any, epoch: datetime) -> Cell:
    value = cell.value
    if value is None:
        return Cell()
    if cell.data_type in {"f", "e"}:
        return Cell(problem="formula" if cell.data_type == "f" else "error_value")
    if isinstance(value, datetime):
        return Cell(f"{value:%Y-%m-%d %H:%M:%S}")
    if isinstance(value, date):
        return Cell(f"{value:%Y-%m-%d}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _read_number(value, cell.number_format, epoch)
    return _read_text(str(value))


def _read_number(value: float, shown_as: str, epoch: datetime) -> Cell:
    """A number as Excel shows it: 5.1 with two decimals is 5.10."""
    if abs(value) >= 10**_MOST_DIGITS:
        return Cell(problem="lost_digits")
    decimals = re.fullmatch(r"(?:#,##)?0(?:\.(0+))?(?:_ )?", shown_as)
    if decimals and shown_as != "General":
        text = f"{value:.{len(decimals[1] or '')}f}"
    else:
        text = f"{value:.15g}" if isinstance(value, float) and not value.is_integer() else str(int(value))
    moment = from_excel(value, epoch) if _DAYS[0] < value < _DAYS[1] else None
    return Cell(text, moment=f"{moment:%Y-%m-%d %H:%M:%S}" if isinstance(moment, datetime) else None)


def _read_text(text: str) -> Cell:
    text = text.strip()
    if not is_storable(text) or re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", text):
        return Cell(problem="bad_character")
    # In CSV a formula is a text; a spreadsheet that opens our answer would run it.
    return Cell(problem="formula") if text.startswith(("=", "@")) else Cell(text)
