"""The sections and measurements of a structured report as lines and a conclusion."""

from collections.abc import Iterator
from dataclasses import dataclass

from records.dicomsr.content import Code, Item
from records.reports.incoming import UCUM, IncomingObservation

# Diagnostic imaging study: what a document without a title of its own is.
UNTITLED = Code("18748-4", "LN", "Diagnostic imaging study")
# Headings and items that say what is concluded (PS3.16, CID 7001 and CID 7002).
_CONCLUDING = frozenset(
    {("DCM", "121072"), ("DCM", "121073"), ("DCM", "121076"), ("DCM", "121077"), ("LN", "19005-8"), ("LN", "55110-1")}
)
# Of the document as a whole, or of who observes: language, country, kind and identity of the observer, and so on.
_NOT_SHOWN = frozenset(("DCM", str(code)) for code in (121049, 121046, *range(121004, 121037)))
_PIECES = {"TEXT", "CODE", "PNAME", "DATE", "TIME", "DATETIME", "UIDREF"}


@dataclass(frozen=True)
class Said:
    """What a document says. ``conclusion``: its impressions and conclusions, which are no lines then."""

    lines: tuple[IncomingObservation, ...]
    conclusion: str | None


def read_lines_of(root: Item, *, status: str) -> Said:
    """The lines of a document in its order.

    :param status: of every line.
    """
    lines: list[IncomingObservation] = []
    concluded: list[str] = []
    for line, code in _list_lines(root, root, status):
        if code.is_one_of(_CONCLUDING) and line.text is not None and line.value is None:
            concluded.append(line.text)
        else:
            lines.append(line)
    return Said(tuple(lines), "\n".join(concluded) or None)


def _list_lines(section: Item, root: Item, status: str) -> Iterator[tuple[IncomingObservation, Code]]:
    """A section is one line, its measurements and the sections within it are others; of the whole, each item is one."""
    heading = section.concept or root.concept or UNTITLED
    shown = [one for one in section.below if not one.is_aside]
    if section is root:
        for one in shown:
            text = "\n".join(_list_pieces(one, heading)) if one.kind in _PIECES else ""
            # The item's own name stands before the line.
            name = one.concept or heading
            if text:
                yield _text_line(name, text.removeprefix(f"{name.meaning}：") or text, status), name
    else:
        if section.is_sentence:
            pieces = [" ".join(word for one in shown if (word := _write_word(one)))]
        else:
            pieces = [piece for one in shown if one.kind in _PIECES for piece in _list_pieces(one, heading)]
        if any(pieces):
            yield _text_line(heading, "\n".join([*_list_asides(section), *pieces]), status), heading
    for one in shown:
        if one.kind == "CONTAINER":
            yield from _list_lines(one, root, status)
        else:
            for measured, asides in _list_measured(one, section):
                code = measured.concept or heading
                yield _number_line(measured, code, asides, status), code


def _list_pieces(one: Item, heading: Code, indent: str = "") -> Iterator[str]:
    """What an item says, and what is said of it below, on a line each."""
    if one.text is not None:
        name = one.concept.meaning if one.concept else ""
        # "Findings: Finding: ..." would say it twice.
        is_named = bool(name) and name.lower() not in heading.meaning.lower()
        written = one.text.replace("\n", f"\n{indent}")
        yield f"{indent}{name}：{written}" if is_named else f"{indent}{written}"
    for below in one.below:
        if below.kind in _PIECES and not (below.concept and below.concept.is_one_of(_NOT_SHOWN)):
            yield from _list_pieces(below, heading, indent + "  ")


def _write_word(one: Item) -> str:
    """A part of a sentence, a measurement too."""
    if one.number is None:
        return one.text or "" if one.kind in {*_PIECES, "NUM"} else ""
    return f"{one.number:f} {_write_unit(one) or ''}".strip()


def _list_measured(one: Item, section: Item) -> Iterator[tuple[Item, list[str]]]:
    """The measurements at or below an item, each with what it says about itself and its group."""
    around = _list_asides(section) if section.kind == "CONTAINER" else []
    for item in one.walk():
        if item.kind == "NUM":
            yield item, [*around, *_list_asides(item)]


def _list_asides(item: Item) -> list[str]:
    return [
        f"{one.concept.meaning}：{one.text}"
        for one in item.below
        if one.is_aside
        and one.concept is not None
        and one.text is not None
        and one.kind != "UIDREF"
        and not one.concept.is_one_of(_NOT_SHOWN)
    ]


def _text_line(code: Code, text: str, status: str) -> IncomingObservation:
    return IncomingObservation(status=status, code=code.value, code_system=code.system, name=code.meaning, text=text)


def _number_line(measured: Item, code: Code, asides: list[str], status: str) -> IncomingObservation:
    unit = measured.unit
    return IncomingObservation(
        status=status,
        code=code.value,
        code_system=code.system,
        name=code.meaning,
        value=measured.number,
        text=measured.text if measured.number is None else None,
        unit=_write_unit(measured),
        unit_code=unit.value if unit is not None and unit.system == UCUM else None,
        note="\n".join(asides) or None,
    )


def _write_unit(measured: Item) -> str | None:
    unit = measured.unit
    if unit is None or unit.system != UCUM:
        return unit.meaning if unit else None
    # The unit 1 of a bare number is not written.
    return None if unit.value == "1" else unit.value
