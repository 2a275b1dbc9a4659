"""The operator's page of what is kept longer than the law asks for."""

from flask import Response

from consent.rights import service as rights
from core import db
from core.pages import show_page
from core.web import Pages, requires
from records.rights import service

pages = Pages("retention_pages", __name__)


@pages.get("/operator/retention")
@requires("records:retention:read")
def show_retention() -> Response:
    """The rules, and the weekly counts."""
    with db.snapshot() as session:
        counts = service.list_counts(session)
    return show_page("records/operator_retention.html", counts=counts, rules=rights.list_rules())
