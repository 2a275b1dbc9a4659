"""Changed reports on a page, for the doctors of a hospital that had read them."""

from typing import cast
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, redirect, url_for

from core import db
from core.pages import read_query, show_page
from core.web import Pages, current_actor, requires
from records.news import service
from records.news.schemas import CorrectionQuery

pages = Pages("news_pages", __name__, url_prefix="/corrections")


@pages.get("")
@requires("records:correction:read")
def show_corrections() -> Response:
    """What changed after the hospital had read it; ``?is_seen=`` what was taken note of, or what was not; of days."""
    query = read_query(CorrectionQuery)
    with db.transaction() as session:
        found = service.list_corrections(session, current_actor(), **dict(query))
    asked = {"is_seen": None if query.is_seen is None else str(query.is_seen).lower()}
    days = {name: str(day) for name in ("since", "until") if (day := getattr(query, name))}
    kept = {name: one for name, one in asked.items() if one} | days
    older = urlencode(kept | {"before": str(found[-1].id)}) if len(found) == query.limit else None
    return show_page("records/changed_reports.html", corrections=found, query=query, older=older, days=urlencode(days))


@pages.post("/<uuid:correction_id>/seen")
@requires("records:correction:read")
def see_correction(correction_id: UUID) -> Response:
    """The hospital has taken note."""
    with db.transaction() as session:
        service.see_correction(session, current_actor(), correction_id=correction_id)
    return cast(Response, redirect(url_for("news_pages.show_corrections", is_seen="false"), 303))
