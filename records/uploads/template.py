"""The list to fill in: a header, one plainly synthetic example row, and what each column means."""

import csv
import io

import openpyxl
from openpyxl.styles import Font

from records.uploads.columns import COLUMNS

_TITLES = [column.names[0] + ("*" if column.is_needed else "") for column in COLUMNS.values()]
_EXAMPLE = [column.example for column in COLUMNS.values()]


def write_csv() -> bytes:
    """UTF-8 with a byte order mark, so that spreadsheets read it."""
    sheet = io.StringIO(newline="")
    csv.writer(sheet).writerows([_TITLES, _EXAMPLE])
    return sheet.getvalue().encode("utf-8-sig")


def write_workbook() -> bytes:
    """The same as .xlsx, every column as text, with a second sheet that explains the columns."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "报告"
    for number, (title, example) in enumerate(zip(_TITLES, _EXAMPLE, strict=True), start=1):
        head = sheet.cell(1, number, title)
        head.font = Font(bold=title.endswith("*"))
        sheet.cell(2, number, example).number_format = "@"
        column = sheet.column_dimensions[head.column_letter]
        column.width, column.number_format = max(12, len(title) * 2.4), "@"
    sheet.freeze_panes = "A2"
    notes = book.create_sheet("填写说明")
    notes.append(["列名", "是否必填", "说明"])
    for column in COLUMNS.values():
        notes.append([column.names[0], "必填" if column.is_needed else "选填", column.hint])
    for letter, width in (("A", 14), ("B", 10), ("C", 60)):
        notes.column_dimensions[letter].width = width
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()
