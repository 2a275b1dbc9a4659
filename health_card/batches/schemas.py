"""What batches take in and give out."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from flask_openapi3.models import RawModel
from pydantic import Field

from core.api import Headers, Received, Shown
from health_card.batches.models import CardBatch
from health_card.batches.service import RESULT_LIFE

# Lines may be empty and cells may go over several, so there can be more than the rows that are allowed.
MOST_LINES = 100_000_000

NameText = Annotated[
    str,
    Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f<>]+$", description="to find it again; no person's name"),
]


class ListBody(RawModel):
    """The list itself: CSV (RFC 4180) with a header line, in UTF-8 or GB18030."""

    mimetypes = ["text/csv"]


class BatchHeader(Headers):
    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        description="required: 8 to 128 printable characters, new for each new list; the same key with the same list "
        "has one effect and the same reply (then with the header Idempotency-Replayed: true)",
    )


class BatchName(Received):
    name: NameText = "名单"


class BatchOpened(Shown):
    batch_id: UUID
    rows_total: int


class BatchPath(Received):
    batch_id: UUID


class BatchQuery(Received):
    before: UUID | None = Field(None, description="batch_id of the last one of the page before")


class BatchShown(Shown):
    batch_id: UUID
    name: str
    state: str = Field(description="running, paused, cancelled or done")
    rows_total: int
    rows_done: int
    rows_made: int = Field(description="cards issued")
    rows_existing: int = Field(description="persons who had a card already")
    rows_refused: int
    created_at: datetime
    moved_at: datetime = Field(description="last progress")
    ended_at: datetime | None
    result_until: datetime | None = Field(description="until when the result can be had")

    @classmethod
    def of(cls, batch: CardBatch) -> "BatchShown":
        return cls(
            batch_id=batch.id,
            name=batch.name,
            state=batch.state,
            rows_total=batch.rows_total,
            rows_done=batch.rows_done,
            rows_made=batch.rows_made,
            rows_existing=batch.rows_existing,
            rows_refused=batch.rows_refused,
            created_at=batch.created_at,
            moved_at=batch.moved_at,
            ended_at=batch.ended_at,
            result_until=batch.ended_at + RESULT_LIFE if batch.ended_at else None,
        )


class BatchList(Shown):
    batches: list[BatchShown]


class RefusedRowQuery(Received):
    after: int = Field(0, ge=0, le=MOST_LINES, description="line of the last one of the page before")


class RefusedRow(Shown):
    line: int = Field(description="where it stands in the file, counted from 1; the header is 1")
    code: str = Field(description="why; docs/errors says what to do")
    title: str = Field(description="the same in Chinese")
    column: str = Field(description="the column at fault, empty when it is not one alone")


class RefusedRowList(Shown):
    rows: list[RefusedRow]
