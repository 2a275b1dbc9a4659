"""The page on which a study is looked at, by its patient on a phone and by a doctor under a grant."""

from typing import cast
from uuid import UUID

from flask import Response, redirect, url_for

from core import db
from core.pages import read_query, show_page
from core.web import Pages, current_actor, public, requires
from records.viewing import identify, service
from records.viewing.schemas import (
    TicketQuery,
    choose_start,
    describe_rest,
    describe_series,
    picture_address,
    thumbnail_address,
)

pages = Pages("viewing_pages", __name__)

# The script holds pictures as blobs, so that it can let go of them.
_POLICY = (
    "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


@pages.get("/view/<uuid:study_id>/enter")
@public("the one-time ticket in the address says who asks, and for which study")
def enter(study_id: UUID) -> Response:
    """Use the ticket up; the cookie that takes its place is good for this study alone."""
    ticket = read_query(TicketQuery).ticket
    with db.transaction() as session:
        token = service.enter_view(session, study_id=study_id, ticket=ticket)
    shown = cast(Response, redirect(url_for("viewing_pages.show", study_id=study_id), 303))
    shown.headers["Cache-Control"] = "no-store"
    return identify.remember(shown, token, study_id)


@pages.get("/view/<uuid:study_id>")
@requires("records:image:read")
def show(study_id: UUID) -> Response:
    """The study: its first picture stands in the page, the script fetches the others around it."""
    with db.transaction() as session:
        viewing = service.read_study(session, current_actor(), study_id=study_id)
    return show_viewer(viewing, url_for("viewing_pages.show", study_id=study_id))


def show_viewer(viewing: service.Viewing, base: str) -> Response:
    """The page itself, shared with other addresses.

    :param base: the page's own address; its pictures stand below it.
    """
    series = describe_series(viewing.study, base)
    start = choose_start(series)
    reply = show_page(
        "records/view.html",
        viewing=viewing,
        base=base,
        series=series,
        start=start,
        rest=describe_rest(viewing.study),
        first=picture_address(series[start[0]], start[1]) if series else None,
        thumbnails=[thumbnail_address(one) for one in series],
    )
    reply.headers["Content-Security-Policy"] = _POLICY
    return reply
