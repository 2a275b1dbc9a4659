"""The pages of a share link, for somebody without an account: on a phone first."""

from uuid import UUID

from flask import Response, url_for

from core import db
from core.pages import read_query, show_page
from core.web import Pages, current_actor, public, requires
from records.entries import wording
from records.releasing.words import SENSITIVITIES
from records.sharing import service
from records.sharing.schemas import SharedQuery
from records.trends.drawing import draw
from records.trends.service import read_line
from records.viewing.pages import show_viewer

pages = Pages("sharing_pages", __name__)


@pages.get("/share")
@public("whoever was sent a link comes here; what opens it stands behind the hash sign, and is never sent")
def show_door() -> Response:
    """Where name and passcode are typed; the script sends them with what stands behind the hash sign."""
    return show_page("records/share_door.html")


@pages.get("/share/records")
@requires("records:shared_page:read")
def show_records() -> Response:
    """What is shared: a list, and one thing of it opened."""
    asked = read_query(SharedQuery)
    actor = current_actor()
    with db.transaction() as session:
        page = service.open_page(
            session,
            actor,
            open_id=asked.open,
            item=asked.trend,
            trend_before=read_line(asked.trend_before) if asked.trend_before else None,
            before=asked.before,
        )
    return show_page(
        "records/share.html",
        status=404 if page.is_missing else 200,
        page=page,
        trend=page.trend,
        drawing=draw(page.trend) if page.trend else None,
        asked=asked,
        may_take=actor.can("records:shared_page:take"),
        sensitivities=SENSITIVITIES,
        entry_words=wording,
    )


@pages.get("/share/studies/<uuid:study_id>")
@requires("records:shared_page:read")
def show_study(study_id: UUID) -> Response:
    """A study in the viewer."""
    with db.transaction() as session:
        viewing = service.read_study(session, current_actor(), study_id=study_id)
    return show_viewer(viewing, url_for("sharing_pages.show_study", study_id=study_id))
