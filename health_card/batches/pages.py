"""Pages for operators: lists sent, how far they have come, what was refused, and cards to print."""

from typing import Any, cast
from uuid import UUID

from flask import Response, redirect, request, url_for
from pydantic import Field

from core import db, idempotency
from core.api import Received
from core.errors import Refusal
from core.ids import new_id
from core.pages import read_form, show_page, show_refused
from core.web import Pages, current_actor, current_config, requires
from health_card.batches import service
from health_card.batches.reading import HEADERS, LARGEST_BYTES, NEEDED
from health_card.batches.refusals import BatchUnreadable
from health_card.batches.routes import take_list
from health_card.batches.schemas import MOST_LINES, BatchShown, NameText
from health_card.printing import service as printing
from health_card.printing.schemas import SheetShown

pages = Pages("batch_pages", __name__)

_ACTS = {
    "pause": service.pause_batch,
    "resume": service.resume_batch,
    "cancel": service.cancel_batch,
    "sheets": printing.order_sheets,
}


class SentForm(Received):
    name: NameText
    key: str = Field(max_length=128)


@pages.get("/operator/batches")
@requires("health_card:batch:manage")
def show_batches() -> Response:
    """All batches, and the form for a new list."""
    return show_page("health_card/batches.html", **_list_batches())


@pages.post("/operator/batches")
@requires("health_card:batch:manage", largest_bytes=LARGEST_BYTES)
def send_list() -> Response:
    """A new list; its progress is shown under an address of its own, so that a reload sends nothing again."""
    try:
        form, sent = read_form(SentForm), request.files.get("list")
        if sent is None or not sent.filename:
            raise BatchUnreadable
        opened, _ = take_list(sent.stream, key=idempotency.check_key(form.key), name=form.name)
    except Refusal as refusal:
        words = {column: names[0] for column, names in HEADERS.items()}
        return show_refused("health_card/batches.html", refusal, words=words, **_list_batches())
    return cast(Response, redirect(url_for("batch_pages.show_batch", batch_id=opened.batch_id), 303))


@pages.get("/operator/batches/<uuid:batch_id>")
@requires("health_card:batch:manage")
def show_batch(batch_id: UUID) -> Response:
    """One batch: progress, refused lines, cards to print."""
    after = min(request.args.get("after", 0, type=int), MOST_LINES)
    with db.snapshot() as session:
        batch = service.get_batch(session, batch_id)
        rows = service.list_refused_rows(session, batch_id=batch_id, after=after)
        sheets = printing.list_sheets(session, batch_id=batch_id)
        names = service.count_names(session, batch_id=batch_id) if current_config().realname else {}
    shown = [SheetShown.of(sheet) for sheet in sheets]
    return show_page(
        "health_card/batch.html",
        batch=BatchShown.of(batch),
        rows=service.describe_rows(rows),
        next_after=rows[-1].line if len(rows) == service.PAGE else None,
        after=after,
        sheets=shown,
        names=names,
        is_moving=batch.state == "running" or any(sheet.state == "waiting" for sheet in shown),
    )


@pages.post("/operator/batches/<uuid:batch_id>/<any(pause,resume,cancel,sheets):act>")
@requires("health_card:batch:manage")
def change_batch(batch_id: UUID, act: str) -> Response:
    """Pause, resume, cancel, or have the cards printed."""
    with db.transaction() as session:
        _ACTS[act](session, current_actor(), batch_id=batch_id)
    return cast(Response, redirect(url_for("batch_pages.show_batch", batch_id=batch_id), 303))


def _list_batches() -> dict[str, Any]:
    before = request.args.get("before", type=UUID)
    with db.snapshot() as session:
        batches = service.list_batches(session, before=before)
    return {
        "batches": [BatchShown.of(batch) for batch in batches],
        "next_before": batches[-1].id if len(batches) == service.PAGE else None,
        "is_first_page": before is None,
        "key": str(new_id()),
        "headers": [(names[0], column in NEEDED) for column, names in HEADERS.items()],
    }
