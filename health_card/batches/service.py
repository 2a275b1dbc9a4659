"""Issuing cards to a whole list of people: taken in, looked after, and read again as a result."""

import csv
import io
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from core import audit, clock, idempotency, outbox, storage
from core.actor import Actor
from core.errors import list_refusals
from health_card.batches.issuing import end_batch
from health_card.batches.models import BatchState, CardBatch, CardBatchRow, RowOutcome
from health_card.batches.reading import HEADERS, Layout
from health_card.batches.refusals import BatchHasEnded, BatchNotFound, BatchResultExpired, BatchUnderWay
from health_card.models import Card
from health_card.realname.asking import UNCHECKED
from health_card.realname.models import RealNameCheck

DUE_TOPIC = "health_card.batch_due"
RESULT_LIFE = timedelta(days=30)
PAGE = 50

_OUTCOME_WORDS = {RowOutcome.MADE: "已发卡", RowOutcome.EXISTING: "已有卡", RowOutcome.REFUSED: "未发卡"}


def open_batch(
    session: Session, actor: Actor, *, key: str, name: str, listed: storage.Staged, layout: Layout
) -> tuple[dict[str, Any], bool]:
    """Take a list in; its cards are issued in the background.

    :param key: the client's Idempotency-Key.
    :param listed: the list, finished; it is kept when, and only when, the batch is new.
    :returns: the reply as JSON, and whether it is a replay.
    :raises IdempotencyKeyReused: the key belongs to another list.
    """
    return idempotency.do_once(
        session,
        owner_id=actor.id,
        operation="health_card.open_batch",
        key=key,
        request={"name": name, "sha256": listed.sha256.hex()},
        act=lambda: _open(session, actor, name, listed, layout),
    )


def _open(session: Session, actor: Actor, name: str, listed: storage.Staged, layout: Layout) -> dict[str, Any]:
    now = clock.now()
    batch = CardBatch(
        name=name,
        created_by=actor.id,
        created_at=now,
        encoding=layout.encoding,
        columns=layout.columns,
        storage_key=storage.keep(listed),
        data_key=listed.wrapped_key,
        size_bytes=listed.size_bytes,
        rows_total=layout.rows,
        next_offset=layout.offset,
        next_line=layout.line,
        moved_at=now,
    )
    session.add(batch)
    session.flush()
    outbox.announce(session, DUE_TOPIC, {"batch_id": str(batch.id)})
    facts = {"rows": layout.rows, "bytes": listed.size_bytes}
    audit.record_act(session, actor, "health_card.batch.opened", of=("card_batch", batch.id), facts=facts)
    return {"batch_id": str(batch.id), "rows_total": layout.rows}


def get_batch(session: Session, batch_id: UUID) -> CardBatch:
    """:raises BatchNotFound: none such."""
    batch = session.get(CardBatch, batch_id)
    if batch is None:
        raise BatchNotFound
    return batch


def list_batches(session: Session, *, before: UUID | None = None) -> list[CardBatch]:
    """All batches, newest first, 50 a page.

    :param before: the id of the last one of the page before.
    """
    batches = select(CardBatch).order_by(CardBatch.id.desc()).limit(PAGE)
    return list(session.scalars(batches.where(CardBatch.id < before) if before else batches))


def pause_batch(session: Session, actor: Actor, *, batch_id: UUID) -> CardBatch:
    """Stop after the chunk that is under way. Paused already: nothing changes.

    :raises BatchNotFound: none such.
    :raises BatchHasEnded: it is done or cancelled.
    """
    batch = _lock_unended(session, batch_id)
    if batch.state != BatchState.PAUSED:
        batch.state = BatchState.PAUSED.value
        audit.record_act(session, actor, "health_card.batch.paused", of=("card_batch", batch.id))
    return batch


def resume_batch(session: Session, actor: Actor, *, batch_id: UUID) -> CardBatch:
    """Go on where it stopped. Running already: it is only called again, for the case that its worker gave up.

    :raises BatchNotFound: none such.
    :raises BatchHasEnded: it is done or cancelled.
    """
    batch = _lock_unended(session, batch_id)
    batch.state = BatchState.RUNNING.value
    outbox.announce(session, DUE_TOPIC, {"batch_id": str(batch.id)})
    audit.record_act(session, actor, "health_card.batch.resumed", of=("card_batch", batch.id))
    return batch


def cancel_batch(session: Session, actor: Actor, *, batch_id: UUID) -> CardBatch:
    """Issue no more cards from this list. Those that were issued stay in force.

    :raises BatchNotFound: none such.
    :raises BatchHasEnded: it is done or cancelled.
    """
    batch = _lock_unended(session, batch_id)
    end_batch(session, batch, BatchState.CANCELLED)
    facts = {"done": batch.rows_done, "total": batch.rows_total}
    audit.record_act(session, actor, "health_card.batch.cancelled", of=("card_batch", batch.id), facts=facts)
    return batch


def list_refused_rows(session: Session, *, batch_id: UUID, after: int = 0) -> list[CardBatchRow]:
    """Lines that got no card, in the order of the list, 50 a page.

    :param after: the last line of the page before.
    :raises BatchNotFound: none such.
    """
    get_batch(session, batch_id)
    refused = _rows(batch_id).where(CardBatchRow.outcome == RowOutcome.REFUSED, CardBatchRow.line > after)
    return list(session.scalars(refused.order_by(CardBatchRow.line).limit(PAGE)))


def count_names(session: Session, *, batch_id: UUID) -> dict[str, int]:
    """What the real-name source answered about those whom a batch gave a card: how many of each outcome.

    ``unchecked``: not asked yet.

    :raises BatchNotFound: none such.
    """
    get_batch(session, batch_id)
    outcome = func.coalesce(RealNameCheck.outcome, UNCHECKED)
    made = (
        select(outcome, func.count())
        .select_from(CardBatchRow)
        .outerjoin(RealNameCheck, RealNameCheck.asking_id == CardBatchRow.card_id)
        .where(CardBatchRow.batch_id == batch_id, CardBatchRow.outcome == RowOutcome.MADE)
    )
    return dict(session.execute(made.group_by(outcome)).tuples().all())


def export_result(session: Session, actor: Actor, *, batch_id: UUID) -> bytes:
    """What became of every line, as CSV (UTF-8 with a byte order mark, for spreadsheets). It is kept nowhere.

    Line, outcome, card number, code of the reason, the reason, column at fault, what to do.

    :raises BatchNotFound: none such.
    :raises BatchUnderWay: it has not ended.
    :raises BatchResultExpired: it ended more than 30 days ago.
    """
    batch = get_ended(session, batch_id)
    titles, advice = _reasons(), {refusal.code: refusal.detail for refusal in list_refusals()}
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet)
    writer.writerow(["行号", "结果", "健康卡号", "原因代码", "原因", "有误的列", "处理办法"])
    found = (
        select(CardBatchRow.line, CardBatchRow.outcome, Card.number, CardBatchRow.reason, CardBatchRow.field)
        .outerjoin(Card, Card.id == CardBatchRow.card_id)
        .where(CardBatchRow.batch_id == batch_id)
        .order_by(CardBatchRow.line)
    )
    for line, outcome, number, reason, field in session.execute(found):
        words = [reason, titles[reason], column_word(field), advice.get(reason, "")] if reason else []
        writer.writerow([line, _OUTCOME_WORDS[RowOutcome(outcome)], number or "", *words])
    audit.record_act(
        session, actor, "health_card.batch.result_read", of=("card_batch", batch_id), facts={"rows": batch.rows_done}
    )
    return sheet.getvalue().encode("utf-8-sig")


def get_ended(session: Session, batch_id: UUID) -> CardBatch:
    """A batch whose result may be read.

    :raises BatchNotFound: none such.
    :raises BatchUnderWay: it has not ended.
    :raises BatchResultExpired: it ended more than 30 days ago.
    """
    batch = get_batch(session, batch_id)
    if batch.ended_at is None:
        raise BatchUnderWay
    if batch.ended_at + RESULT_LIFE <= clock.now():
        raise BatchResultExpired
    return batch


def describe_rows(rows: Sequence[CardBatchRow]) -> list[dict[str, Any]]:
    """Refused lines with the reason in words: line, code, title, column."""
    titles = _reasons()
    return [
        {"line": row.line, "code": row.reason, "title": titles[row.reason or ""], "column": column_word(row.field)}
        for row in rows
    ]


def column_word(field: str | None) -> str:
    """What a column is called on paper."""
    return HEADERS[field][0] if field in HEADERS else ""


def _reasons() -> dict[str, str]:
    return {refusal.code: refusal.title for refusal in list_refusals()}


def _rows(batch_id: UUID) -> Select[tuple[CardBatchRow]]:
    return select(CardBatchRow).where(CardBatchRow.batch_id == batch_id)


def _lock_unended(session: Session, batch_id: UUID) -> CardBatch:
    batch = session.scalars(select(CardBatch).where(CardBatch.id == batch_id).with_for_update()).one_or_none()
    if batch is None:
        raise BatchNotFound
    if batch.ended_at is not None:
        raise BatchHasEnded
    return batch
