"""The operator's desk: pairs that may be one person, side by side, and what was put together."""

from typing import Any, cast
from uuid import UUID

from flask import Response, redirect, request, url_for

from core import db
from core.errors import Refusal
from core.pages import read_form, show_page, show_refused
from core.web import Pages, current_actor, requires
from health_card.matching import service
from health_card.matching.models import MatchState
from health_card.matching.schemas import (
    LinkShown,
    MatchDecision,
    MatchLineShown,
    MatchShown,
    MergeDecision,
)
from health_card.matching.service.review import PAGE
from health_card.matching.weights import REVIEW_THRESHOLD, WEIGHTS

pages = Pages("matching_pages", __name__, url_prefix="/operator")

LIST, PAIR, MERGES = (f"health_card/matching_{name}.html" for name in ("list", "pair", "merges"))


@pages.get("/matches")
@requires("health_card:match:review")
def show_matches() -> Response:
    """The queue; ``?state=`` merged or refused pairs, ``?before=`` the next page."""
    state, before = request.args.get("state", MatchState.OPEN, type=MatchState), request.args.get("before", type=UUID)
    with db.transaction() as session:
        lines = service.list_matches(session, current_actor(), state=state, before=before)
    matches = [MatchLineShown.model_validate(line) for line in lines]
    return show_page(LIST, matches=matches, state=state, has_more=len(lines) == PAGE, threshold=REVIEW_THRESHOLD)


@pages.get("/matches/<uuid:match_id>")
@requires("health_card:match:review")
def show_match(match_id: UUID) -> Response:
    """One pair side by side."""
    return show_page(PAIR, **_read_pair(match_id))


@pages.post("/matches/<uuid:match_id>/merge")
@requires("health_card:person:merge")
def merge(match_id: UUID) -> Response:
    """They are one person."""
    try:
        body = read_form(MergeDecision)
        with db.transaction() as session:
            service.merge_match(session, current_actor(), match_id=match_id, **dict(body))
    except Refusal as refusal:
        return show_refused(PAIR, refusal, **_read_pair(match_id))
    return _lead_to_pair(match_id)


@pages.post("/matches/<uuid:match_id>/refuse")
@requires("health_card:match:review")
def refuse(match_id: UUID) -> Response:
    """They are two persons."""
    try:
        body = read_form(MatchDecision)
        with db.transaction() as session:
            service.refuse_match(session, current_actor(), match_id=match_id, reason=body.reason)
    except Refusal as refusal:
        return show_refused(PAIR, refusal, **_read_pair(match_id))
    return _lead_to_pair(match_id)


@pages.post("/matches/<uuid:match_id>/postpone")
@requires("health_card:match:review")
def postpone(match_id: UUID) -> Response:
    """Not now."""
    try:
        body = read_form(MatchDecision)
        with db.transaction() as session:
            service.postpone_match(session, current_actor(), match_id=match_id, reason=body.reason)
    except Refusal as refusal:
        return show_refused(PAIR, refusal, **_read_pair(match_id))
    return cast(Response, redirect(url_for("matching_pages.show_matches"), 303))


@pages.post("/matches/<uuid:match_id>/reopen")
@requires("health_card:match:review")
def reopen(match_id: UUID) -> Response:
    """Off the do-not-match list."""
    try:
        with db.transaction() as session:
            service.reopen_match(session, current_actor(), match_id=match_id)
    except Refusal as refusal:
        return show_refused(PAIR, refusal, **_read_pair(match_id))
    return _lead_to_pair(match_id)


@pages.get("/merges")
@requires("health_card:match:review")
def show_merges() -> Response:
    """What was put together and taken apart; ``?before=`` the next page."""
    return show_page(MERGES, **_read_merges())


@pages.post("/merges/<uuid:link_id>/undo")
@requires("health_card:person:merge")
def undo(link_id: UUID) -> Response:
    """Take a merge back."""
    try:
        body = read_form(MatchDecision)
        with db.transaction() as session:
            service.unmerge_persons(session, current_actor(), link_id=link_id, reason=body.reason)
    except Refusal as refusal:
        return show_refused(MERGES, refusal, **_read_merges())
    return cast(Response, redirect(url_for("matching_pages.show_merges"), 303))


def _lead_to_pair(match_id: UUID) -> Response:
    return cast(Response, redirect(url_for("matching_pages.show_match", match_id=match_id), 303))


def _read_pair(match_id: UUID) -> dict[str, Any]:
    with db.transaction() as session:
        match = service.get_match(session, current_actor(), match_id=match_id)
    return {"match": MatchShown.of(match), "weights": WEIGHTS, "reason": request.form.get("reason", "")}


def _read_merges() -> dict[str, Any]:
    before = request.args.get("before", type=UUID)
    with db.transaction() as session:
        links = service.list_links(session, current_actor(), before=before)
    return {"merges": [LinkShown.of(link) for link in links], "has_more": len(links) == PAGE}
