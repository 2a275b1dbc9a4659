"""Files as people make them: what is read, and what is refused whole."""

import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import openpyxl
import pytest

from core.errors import Refusal, list_refusals
from records.uploads.columns import COLUMNS
from records.uploads.rows import group_rows
from records.uploads.sheets import read_rows
from records.uploads.template import write_csv, write_workbook

TITLES = ["报告编号", "患者号", "姓名", "报告名称", "采样时间", "项目名称", "结果"]
GOOD = ["R1", "P1", "张测试", "血常规", "2026-03-05 08:30", "血红蛋白", "5.10"]


def workbook(*rows: list[Any], change: Callable[[Any], object] | None = None) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in [TITLES, *rows]:
        sheet.append(row)
    if change:
        change(sheet)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def cells(document: bytes) -> list[tuple[int, dict[str, str], list[str]]]:
    """Line, texts and error codes of each row."""
    return [
        (group.lines[0], group.rows[0], [error.code for error in group.errors])
        for group in group_rows(read_rows(document))
    ]


def refusal_of(document: bytes) -> str:
    with pytest.raises(Refusal) as refused:
        read_rows(document)
    return refused.value.code


def test_a_workbook_says_what_the_csv_says() -> None:
    written = ",".join(TITLES) + "\r\n\r\n" + ",".join(GOOD) + "\r\n"
    assert cells(workbook([None] * 7, GOOD))[0][:2] == (3, dict(cells(written.encode())[0][1]))
    assert cells(written.encode("gb18030"))[0][0] == 3


@pytest.mark.parametrize(
    ("column", "value", "shown_as", "read"),
    [
        (4, datetime(2026, 3, 5, 8, 30, tzinfo=UTC).replace(tzinfo=None), "yyyy-mm-dd hh:mm", "2026-03-05 08:30:00"),
        (4, 46086.354166666664, "General", "2026-03-05 08:30:00"),
        (4, 20260305, "General", "20260305"),
        (1, 10023, "General", "10023"),
        (6, 5.1, "0.00", "5.10"),
        (6, 5.1, "General", "5.1"),
        (6, 0.1 + 0.2, "General", "0.3"),
        (6, "5.10", "@", "5.10"),
    ],
)
def test_numbers_and_days_are_read_as_excel_shows_them(column: int, value: Any, shown_as: str, read: str) -> None:
    def change(sheet: Any) -> None:
        sheet.cell(2, column + 1).number_format = shown_as

    row = [*GOOD]
    row[column] = value
    ((_, texts, errors),) = cells(workbook(row, change=change))
    assert (texts[column_of(column)], errors) == (read, [])


def column_of(number: int) -> str:
    return next(name for name, column in COLUMNS.items() if TITLES[number] in column.names)


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [(6, "=1+1", "formula"), (1, 110105194912310000, "lost_digits"), (6, "#N/A", "error_value"), (4, 5, "bad_date")],
)
def test_a_cell_that_cannot_be_trusted_is_an_error_of_its_row(column: int, value: Any, code: str) -> None:
    row = [*GOOD]
    row[column] = value
    ((_, _, errors),) = cells(workbook(row))
    assert code in errors


def test_more_cells_than_columns_are_an_error_of_the_row() -> None:
    ((_, _, errors),) = cells((",".join(TITLES) + "\n" + ",".join([*GOOD, "x"]) + "\n").encode())
    assert errors == ["extra_cells"]


def bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("xl/worksheets/sheet1.xml", b"0" * (31 * 1024 * 1024))
    return packed.getvalue()


OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: b"", "records.upload_unreadable"),
        (lambda: b"PK\x03\x04 broken", "records.upload_unreadable"),
        (lambda: b"\xff\xfe\x00\x81", "records.upload_unreadable"),
        (lambda: ",".join(TITLES).encode(), "records.upload_unreadable"),
        (lambda: OLD, "records.upload_format_unsupported"),
        (lambda: OLD + "EncryptedPackage".encode("utf-16-le"), "records.upload_protected"),
        (bomb, "records.upload_too_long"),
        (lambda: workbook(GOOD, change=lambda sheet: sheet.cell(900_000, 1, "R2")), "records.upload_too_long"),
        ((",".join(TITLES) + "\n" + ("," * 5 + "1\n") * 5001).encode, "records.upload_too_long"),
        (lambda: workbook(GOOD, GOOD, change=lambda sheet: sheet.merge_cells("A2:A3")), "records.upload_cells_merged"),
        (lambda: b"a,b\n1,2\n", "records.upload_header_unknown"),
        ((",".join([*TITLES, "姓名"]) + "\n1").encode, "records.upload_header_unknown"),
    ],
)
def test_a_file_that_is_no_list_is_refused_whole(make: Callable[[], bytes], code: str) -> None:
    assert refusal_of(make()) == code
    assert code in {refusal.code for refusal in list_refusals()}


@pytest.mark.parametrize("write", [write_csv, write_workbook])
def test_the_template_can_be_read_and_its_example_row_is_never_filed(write: Callable[[], bytes]) -> None:
    ((line, texts, errors),) = cells(write())
    assert (line, errors) == (2, ["example"])
    assert (texts["name"], texts["result"]) == ("示例患者", "132")
