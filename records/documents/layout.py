"""Setting Chinese text into lines and pages: what ``drawing`` needs and knows nothing of reports. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reportlab.lib.colors import Color
from reportlab.pdfgen.canvas import Canvas

# Marks that do not begin a line.
_NEVER_FIRST = "，。、；：！？）】》”’,.;:!?)]}%"


@dataclass(frozen=True)
class Pen:
    """A document and the font that its texts are set in."""

    canvas: Canvas
    font: str

    def write(self, at: tuple[float, float], text: str, size: float, color: Color, *, anchor: str = "left") -> None:
        """One line of text; ``anchor``: left, middle or right of where it stands."""
        self.canvas.setFont(self.font, size)
        self.canvas.setFillColor(color)
        draw = {
            "left": self.canvas.drawString,
            "middle": self.canvas.drawCentredString,
            "right": self.canvas.drawRightString,
        }[anchor]
        draw(*at, text)

    def width(self, text: str, size: float) -> float:
        """In points."""
        return float(self.canvas.stringWidth(text, self.font, size))

    def fit(self, text: str, size: float, room: float) -> float:
        """The size at which one line of text goes into its room: this one, or smaller."""
        width = self.width(text, size)
        return size if width <= room else size * room / width

    def wrap(self, text: str, size: float, room: float) -> list[str]:
        """The lines of a text: broken at its own line ends, at spaces, and otherwise between any two characters."""
        lines: list[str] = []
        for paragraph in text.splitlines() or [""]:
            rest = paragraph.strip()
            while rest:
                end = self._find_end(rest, size, room)
                lines.append(rest[:end].rstrip())
                rest = rest[end:].lstrip()
        return lines

    def _find_end(self, text: str, size: float, room: float) -> int:
        used, end = 0.0, 0
        for end, character in enumerate(text):
            used += self.width(character, size)
            if used > room and end > 0:
                break
        else:
            return len(text)
        if text[end] in _NEVER_FIRST and end > 1:
            end -= 1
        space = text.rfind(" ", 0, end)
        return space + 1 if space > end // 2 and text[end - 1].isascii() and text[end].isascii() else end


@dataclass(frozen=True)
class Block:
    """Something that stays together. ``draw`` gets the height of its upper edge. ``heading``: again on each page."""

    height: float
    draw: Callable[[float], None]
    heading: "Block | None" = None


def paginate(blocks: Sequence[Block], *, first_room: float, room: float) -> list[list[Block]]:
    """Spread blocks over pages; a block under a heading is never on a page without it.

    :param first_room: points on the first page; ``room``: on each other one.
    """
    pages: list[list[Block]] = [[]]
    left, heading = first_room, None
    for block in blocks:
        needed = block.height + (block.heading.height if block.heading and block.heading is not heading else 0)
        if needed > left and pages[-1]:
            pages.append([])
            left, heading = room, None
        if block.heading and block.heading is not heading:
            pages[-1].append(block.heading)
            left -= block.heading.height
        heading = block.heading
        pages[-1].append(block)
        left -= block.height
    return pages


def clean(text: str) -> str:
    """Without characters that nothing can print; line ends stay."""
    return "".join(each if each.isprintable() or each == "\n" else " " for each in text.replace("\r\n", "\n"))
