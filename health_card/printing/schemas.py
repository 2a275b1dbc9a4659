"""What printing takes in and gives out."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from core import clock
from core.api import Received, Shown
from health_card.printing.models import CardSheet

Layout = Annotated[
    Literal["card", "sheet"],
    Field(description="card: one page of 85.6 x 54 mm (ISO/IEC 7810 ID-1); sheet: an A4 page with cut marks"),
]


class PrintQuery(Received):
    layout: Layout = "card"


class CardPrint(Received):
    card_id: UUID = Field(description="one of the cards of the person of the look-up, in force")
    layout: Layout = "card"


class SheetPath(Received):
    sheet_id: UUID


class SheetShown(Shown):
    sheet_id: UUID
    number: int = Field(description="counted from 1, in the order of the list")
    state: Literal["waiting", "made", "expired"]
    first_line: int
    last_line: int
    cards: int = Field(description="cards on it, ten an A4 page; 0 until it is made")
    skipped: int = Field(description="cards left out because they are not in force any more")
    size_bytes: int
    expires_at: datetime | None = Field(description="absent until it is made")

    @classmethod
    def of(cls, sheet: CardSheet) -> "SheetShown":
        is_over = sheet.expires_at is not None and sheet.expires_at <= clock.now()
        return cls(
            sheet_id=sheet.id,
            number=sheet.number,
            state="waiting" if sheet.made_at is None else "expired" if is_over else "made",
            first_line=sheet.first_line,
            last_line=sheet.last_line,
            cards=sheet.cards,
            skipped=sheet.skipped,
            size_bytes=sheet.size_bytes,
            expires_at=sheet.expires_at,
        )


class SheetList(Shown):
    sheets: list[SheetShown]
