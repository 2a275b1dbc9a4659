"""Quarantine for people: staff of a hospital at /quarantine, the operator at /operator/quarantine."""

from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, redirect, request

from core import db
from core.errors import Refusal
from core.pages import read_form, read_query, show_page, show_refused
from core.web import Pages, current_actor, current_config, requires
from records.quarantine import service, words
from records.quarantine.schemas import (
    AssignmentForm,
    BulkReplayForm,
    DismissalForm,
    QuarantineQuery,
)

pages = Pages("quarantine_pages", __name__)


@pages.get("/quarantine")
@pages.get("/operator/quarantine")
@requires("records:quarantine:read")
def show_quarantine() -> Response:
    """What waits or was dismissed, filtered, with how many there are of each reason."""
    query = read_query(QuarantineQuery)
    with db.transaction() as session:
        messages = service.list_quarantine(
            session, current_actor(), wanted=query.as_filter(), before=query.before, limit=query.limit
        )
        counted = service.count_reasons(session, current_actor())
        replays = service.list_replays(session, current_actor())
    kept = query.model_dump(exclude_none=True, exclude_defaults=True, exclude={"before"}, mode="json")
    older = kept | {"before": str(messages[-1].id)} if len(messages) == query.limit else None
    return show_page(
        "records/quarantine.html",
        messages=messages,
        counted=counted,
        replays=replays,
        query=query,
        older=urlencode(older) if older else None,
        is_moving=any(replay.ended_at is None for replay in replays),
        **_surroundings(),
    )


@pages.get("/quarantine/<uuid:message_id>")
@pages.get("/operator/quarantine/<uuid:message_id>")
@requires("records:quarantine:read")
def show_message(message_id: UUID) -> Response:
    """One message: why it waits, what it says, and what can be done about it."""
    purpose = request.args.get("purpose")
    return show_page(
        "records/quarantine_message.html", **_read(message_id, purpose if purpose in words.PURPOSES else None)
    )


@pages.post("/quarantine/<uuid:message_id>/replay")
@requires("records:quarantine:replay")
def replay_message(message_id: UUID) -> Response:
    """The button: try it again."""
    try:
        with db.transaction() as session:
            issuer = current_config().issuer_code
            service.replay_message(
                session,
                current_actor(),
                message_id=message_id,
                card_issuer=issuer,
                visit_days=current_config().visit_days,
            )
    except Refusal as refusal:
        return _show_refused(message_id, refusal)
    return _lead_to(f"/{message_id}?tried=1")


@pages.post("/quarantine/<uuid:message_id>/assign")
@requires("records:quarantine:assign")
def assign_message(message_id: UUID) -> Response:
    """The form: whose it is."""
    try:
        form = read_form(AssignmentForm)
        with db.transaction() as session:
            service.assign_message(
                session,
                current_actor(),
                message_id=message_id,
                number=form.number,
                why=form.why,
                card_issuer=current_config().issuer_code,
                visit_days=current_config().visit_days,
                is_confirmed=form.is_confirmed,
            )
    except Refusal as refusal:
        return _show_refused(message_id, refusal)
    return _lead_to(f"/{message_id}?tried=1")


@pages.post("/quarantine/<uuid:message_id>/dismiss")
@requires("records:quarantine:dismiss")
def dismiss_message(message_id: UUID) -> Response:
    """The form: it is not to be filed."""
    try:
        form = read_form(DismissalForm)
        with db.transaction() as session:
            service.dismiss_message(session, current_actor(), message_id=message_id, why=form.why)
    except Refusal as refusal:
        return _show_refused(message_id, refusal)
    return _lead_to(f"/{message_id}")


@pages.post("/quarantine/<uuid:message_id>/reopen")
@requires("records:quarantine:dismiss")
def reopen_message(message_id: UUID) -> Response:
    """The button: it waits again."""
    try:
        with db.transaction() as session:
            service.reopen_message(session, current_actor(), message_id=message_id)
    except Refusal as refusal:
        return _show_refused(message_id, refusal)
    return _lead_to(f"/{message_id}")


@pages.post("/quarantine/replays")
@requires("records:quarantine:replay")
def open_replay() -> Response:
    """The button beside a reason: try all of it again."""
    form = read_form(BulkReplayForm)
    with db.transaction() as session:
        service.open_replay(session, current_actor(), reason=form.reason)
    return _lead_to("")


def _read(message_id: UUID, purpose: str | None = None) -> dict[str, Any]:
    actor = current_actor()
    may_read = actor.hospital_id is not None or purpose is not None
    with db.transaction() as session:
        message = service.get_message(session, actor, message_id=message_id)
        content = service.read_message(session, actor, message_id=message_id, purpose=purpose) if may_read else None
    return {
        "message": message,
        "content": content,
        "may_assign": actor.can("records:quarantine:assign"),
        "may_dismiss": actor.can("records:quarantine:dismiss"),
        "was_tried": "tried" in request.args,
    } | _surroundings()


def _show_refused(message_id: UUID, refusal: Refusal) -> Response:
    return show_refused("records/quarantine_message.html", refusal, **_read(message_id))


def _surroundings() -> dict[str, Any]:
    return {"place": _place(), "words": words, "titles": words.name_reasons()}


def _place() -> str:
    return "/operator/quarantine" if current_actor().hospital_id is None else "/quarantine"


def _lead_to(rest: str) -> Response:
    return cast(Response, redirect(f"{_place()}{rest}", 303))
