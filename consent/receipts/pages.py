"""Erasure receipts on pages: for the registrars of a hospital what it was asked, for the operator all of it."""

from flask import Response

from consent.receipts import service, words
from consent.receipts.schemas import ErasureQuery
from core import db
from core.pages import read_query, show_page
from core.web import Pages, current_actor, requires

pages = Pages("receipts_pages", __name__)


@pages.get("/erasures")
@requires("consent:house_erasure:read")
def show_of_house() -> Response:
    """What this hospital was asked, and what its systems answered."""
    query = read_query(ErasureQuery)
    with db.transaction() as session:
        found = service.list_of_house(session, current_actor(), before=query.before, is_open=query.is_open)
    return show_page("consent/erasures.html", erasures=found, query=query, words=words, most=service.PAGE)


@pages.get("/operator/erasures")
@requires("consent:erasure:oversee")
def show_all() -> Response:
    """What all hospitals were asked, and answered."""
    query = read_query(ErasureQuery)
    with db.transaction() as session:
        found = service.list_all(session, current_actor(), before=query.before, is_open=query.is_open)
    return show_page("consent/operator_erasures.html", erasures=found, query=query, words=words, most=service.PAGE)
