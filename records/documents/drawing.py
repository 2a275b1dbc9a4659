"""A report as PDF: A4, Chinese, with a code that leads to the page where it is proven genuine. Pure."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from core import clock
from core.matrix import draw_matrix
from core.typeface import typeface
from records.documents import proof, words
from records.documents.layout import Block, Pen, clean, paginate
from records.documents.service import PrintedReport
from records.reports.service import ObservationView

_INK, _SOFT, _LINE = HexColor("#16252b"), HexColor("#53666e"), HexColor("#b9c6ca")
_BAD, _WASH = HexColor("#b3261e"), HexColor("#f2f5f5")
_WIDTH, _HEIGHT = A4
_MARGIN = 18 * mm
_BOTTOM = 24 * mm
_CODE = 27 * mm
_FIRST_TOP, _TOP = _HEIGHT - 66 * mm, _HEIGHT - 24 * mm
_SIZE, _LEADING = 9.5, 13
_WIDTHS = (62, 36, 24, 20, 32)
# A long text takes the place of flag, unit and reference too.
_WIDE = (62, 112)
_LONG_TEXT = 20
# A longer result is cut into rows, so that every page has room for one.
_MOST_LINES = 36


@dataclass(frozen=True)
class _Row:
    """One line of the table, or what of it stands on one page. ``color``: of the result."""

    cells: list[list[str]]
    widths: tuple[int, ...]
    notes: list[str]
    color: HexColor

    @property
    def height(self) -> float:
        lines = max(1, *(len(cell) for cell in self.cells), len(self.cells[0]) + len(self.notes))
        return lines * _LEADING + 6


def draw_report(printed: PrintedReport, *, base_url: str, issuer_name: str) -> bytes:
    """The document as PDF.

    :param base_url: of this platform: the code is ``<base_url>/verify/<number>``.
    """
    printed = _printable(printed)
    address = f"{base_url}/verify/{printed.number}"
    written = io.BytesIO()
    canvas = Canvas(written, pagesize=A4, pageCompression=1)
    canvas.setTitle("检查检验报告")
    canvas.setAuthor(issuer_name)
    with typeface(_characters(printed, base_url, issuer_name)) as font:
        pen = Pen(canvas, font)
        blocks = [*_notices(pen, printed), *_rows(pen, printed), *_conclusion(pen, printed), *_authors(pen, printed)]
        pages = paginate(blocks, first_room=_FIRST_TOP - _BOTTOM, room=_TOP - _BOTTOM)
        for number, on_page in enumerate(pages, 1):
            if number == 1:
                _draw_head(pen, printed, address)
            else:
                _draw_running_head(pen, printed)
            y = _FIRST_TOP if number == 1 else _TOP
            for block in on_page:
                block.draw(y)
                y -= block.height
            _draw_foot(pen, printed, (number, len(pages)), f"{base_url}/verify", issuer_name)
            canvas.showPage()
        canvas.save()
    return written.getvalue()


def _printable(printed: PrintedReport) -> PrintedReport:
    def cleaned(line: ObservationView) -> ObservationView:
        texts: dict[str, Any] = {name: clean(text) for name, text in vars(line).items() if isinstance(text, str)}
        return replace(line, **texts)

    report = printed.report
    return replace(
        printed,
        report=replace(
            report,
            name=clean(report.name),
            conclusion=clean(report.conclusion) if report.conclusion else None,
            observations=[cleaned(line) for line in report.observations],
            authors=[
                replace(one, name=clean(one.name or ""), number=clean(one.number or "")) for one in report.authors
            ],
        ),
    )


def _characters(printed: PrintedReport, *others: str) -> set[str]:
    report = printed.report
    texts = [words.ALL, report.name, report.hospital_name, report.conclusion or "", printed.person.name, *others]
    for line in report.observations:
        texts += [line.name, line.unit or "", words.show_result(line), words.show_flag(line)]
        texts += [words.show_reference(line), words.show_note(line)]
    texts += [*words.show_authors(report), words.INDENT]
    return set("：").union(*texts) - {"\n"}


def _draw_head(pen: Pen, printed: PrintedReport, address: str) -> None:
    report, canvas = printed.report, pen.canvas
    right = _WIDTH - _MARGIN
    draw_matrix(canvas, address, (right - _CODE, _HEIGHT - 14 * mm - _CODE), size=_CODE, color=_INK)
    pen.write((right - _CODE / 2, _HEIGHT - 44 * mm), proof.show_number(printed.number), 8.5, _INK, anchor="middle")
    room = right - _CODE - _MARGIN - 4 * mm
    pen.write((_MARGIN, _HEIGHT - 24 * mm), report.hospital_name, pen.fit(report.hospital_name, 17, room), _INK)
    title = pen.wrap(report.name, 13, room)[:2] or [""]
    for number, line in enumerate(title):
        pen.write((_MARGIN, _HEIGHT - 33 * mm - number * 6 * mm), line, 13, _INK)
    canvas.setStrokeColor(_LINE)
    canvas.line(_MARGIN, _HEIGHT - 46.5 * mm, right, _HEIGHT - 46.5 * mm)
    state = words.VERSION.format(status=words.STATUS[report.status], version=report.version)
    facts = (
        (words.NAME, printed.person.name),
        (words.SEX_WORD, words.SEX[printed.person.sex]),
        (words.AGE, _age_at(printed.person.birth_date, report.performed_at)),
        (words.PERFORMED, _moment(report.performed_at)),
        (words.ISSUED, _moment(report.issued_at) if report.issued_at else words.MISSING),
        (words.STATE, state),
    )
    third = (right - _MARGIN) / 3
    for place, (word, text) in enumerate(facts):
        row, column = divmod(place, 3)
        x, y = _MARGIN + column * third, _HEIGHT - (52.5 + 7 * row) * mm
        pen.write((x, y), word, 8, _SOFT)
        start = pen.width(word, 8) + 2.5 * mm
        pen.write((x + start, y), text, pen.fit(text, 10, third - start - 2 * mm), _INK)


def _draw_running_head(pen: Pen, printed: PrintedReport) -> None:
    report = printed.report
    y = _HEIGHT - 17 * mm
    text = f"{report.hospital_name}  {report.name}  {printed.person.name}"
    room = _WIDTH - 2 * _MARGIN - 36 * mm
    pen.write((_MARGIN, y), text, pen.fit(text, 9, room), _SOFT)
    pen.write((_WIDTH - _MARGIN, y), proof.show_number(printed.number), 9, _SOFT, anchor="right")
    pen.canvas.setStrokeColor(_LINE)
    pen.canvas.line(_MARGIN, y - 2.5 * mm, _WIDTH - _MARGIN, y - 2.5 * mm)


def _draw_foot(pen: Pen, printed: PrintedReport, page: tuple[int, int], address: str, issuer_name: str) -> None:
    right, y = _WIDTH - _MARGIN, 16 * mm
    pen.canvas.setStrokeColor(_LINE)
    pen.canvas.line(_MARGIN, y + 4 * mm, right, y + 4 * mm)
    proven = words.PROVEN.format(number=proof.show_number(printed.number), address=address)
    pen.write((_MARGIN, y), proven, pen.fit(proven, 8, right - _MARGIN - 34 * mm), _INK)
    pen.write((right, y), words.PAGE.format(number=page[0], pages=page[1]), 8, _INK, anchor="right")
    told = words.MADE_BY.format(issuer=issuer_name, time=_moment(printed.printed_at))
    pen.write((_MARGIN, y - 4.5 * mm), told, pen.fit(told, 7.5, right - _MARGIN), _SOFT)


def _notices(pen: Pen, printed: PrintedReport) -> Iterator[Block]:
    report = printed.report
    changed = words.CHANGED.format(version=report.version) if report.version > 1 else ""
    text = words.NOT_FINAL.get(report.status, changed)
    if text:
        yield Block(24, lambda top: pen.write((_MARGIN, top - 13), text, 11, _BAD))


def _rows(pen: Pen, printed: PrintedReport) -> Iterator[Block]:
    head = Block(20, partial(_draw_table_head, pen))
    for line in printed.report.observations:
        texts, widths = _texts(line)
        cells = [pen.wrap(text, _SIZE, width * mm - 6) for text, width in zip(texts, widths, strict=True)]
        notes = pen.wrap(words.show_note(line), 8, _WIDTHS[0] * mm - 6)
        color = _SOFT if line.status in words.VOID else _BAD if words.show_flag(line) else _INK
        count = max(len(cells[0]) + len(notes), *(len(cell) for cell in cells))
        for start in range(0, count, _MOST_LINES):
            part = [cell[start : start + _MOST_LINES] for cell in cells]
            row = _Row(part, widths, _lines_of(notes, start - len(cells[0])), color)
            yield Block(row.height, partial(_draw_row, pen, row), heading=head)
    if not printed.report.observations and not printed.report.conclusion:
        yield Block(30, lambda top: pen.write((_MARGIN, top - 18), words.NO_LINES, 10, _SOFT))


def _lines_of(notes: list[str], start: int) -> list[str]:
    """The notes that belong to the rows from this one on: they follow the name."""
    first = max(0, start)
    return notes[first : max(0, start + _MOST_LINES)]


def _texts(line: ObservationView) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The cells of a line, and how wide they are in millimetres."""
    result, flag, reference = words.show_result(line), words.show_flag(line), words.show_reference(line)
    if len(result) > _LONG_TEXT and not line.unit and not reference:
        return (words.show_name(line), f"{flag}：{result}" if flag else result), _WIDE
    return (words.show_name(line), result, flag, line.unit or "", reference), _WIDTHS


def _draw_table_head(pen: Pen, top: float) -> None:
    pen.canvas.setFillColor(_WASH)
    pen.canvas.rect(_MARGIN, top - 18, _WIDTH - 2 * _MARGIN, 17, stroke=0, fill=1)
    x = _MARGIN
    for word, width in zip(words.COLUMNS, _WIDTHS, strict=True):
        pen.write((x + 3, top - 13), word, 8.5, _SOFT)
        x += width * mm


def _draw_row(pen: Pen, row: _Row, top: float) -> None:
    x = _MARGIN
    for column, (lines, width) in enumerate(zip(row.cells, row.widths, strict=True)):
        for number, text in enumerate(lines):
            ink = row.color if column in (1, 2) or row.color == _SOFT else _INK
            pen.write((x + 3, top - 12 - number * _LEADING), text, _SIZE, ink)
        x += width * mm
    for number, text in enumerate(row.notes, len(row.cells[0])):
        pen.write((_MARGIN + 3, top - 12 - number * _LEADING), text, 8, _SOFT)
    pen.canvas.setStrokeColor(_LINE)
    pen.canvas.setLineWidth(0.4)
    pen.canvas.line(_MARGIN, top - row.height, _WIDTH - _MARGIN, top - row.height)


def _conclusion(pen: Pen, printed: PrintedReport) -> Iterator[Block]:
    if not printed.report.conclusion:
        return
    yield Block(30, lambda top: pen.write((_MARGIN, top - 20), words.CONCLUSION, 10.5, _SOFT))
    for text in pen.wrap(printed.report.conclusion, 10.5, _WIDTH - 2 * _MARGIN):
        yield Block(16, partial(_draw_line, pen, text))


def _authors(pen: Pen, printed: PrintedReport) -> Iterator[Block]:
    lines = [line for text in words.show_authors(printed.report) for line in pen.wrap(text, 9.5, _WIDTH - 2 * _MARGIN)]
    for number, text in enumerate(lines):
        yield Block(26 if number == 0 else 14, partial(_draw_author, pen, text, 20 if number == 0 else 10))


def _draw_author(pen: Pen, text: str, down: float, top: float) -> None:
    pen.write((_MARGIN, top - down), text, 9.5, _SOFT)


def _draw_line(pen: Pen, text: str, top: float) -> None:
    pen.write((_MARGIN, top - 12), text, 10.5, _INK)


def _age_at(born: date | None, moment: datetime) -> str:
    if born is None:
        return words.MISSING
    day = clock.in_city(moment).date()
    years = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    return words.YEARS.format(years=max(0, years))


def _moment(moment: datetime) -> str:
    return clock.in_city(moment).strftime("%Y-%m-%d %H:%M")
