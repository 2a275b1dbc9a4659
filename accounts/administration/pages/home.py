"""The first page of whoever runs the platform."""

from flask import Response

from accounts.administration import wording
from accounts.service import oversight
from core import db
from core.pages import show_page
from core.web import Pages, requires

pages = Pages("administration_home", __name__)


@pages.get("/operator")
@requires("accounts:overview:read")
def show_home() -> Response:
    """How much there is of everything, and where to go."""
    with db.snapshot() as session:
        overview = oversight.get_overview(session)
    return show_page("accounts/operator_home.html", overview=overview, words=wording)
