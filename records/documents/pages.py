"""The public page where a document is proven genuine."""

import hashlib
from typing import cast

from flask import Response, redirect, request, url_for

from core import db
from core.errors import RateExceeded
from core.pages import read_query, show_page, show_refused
from core.web import Pages, public
from records.documents import proof, service
from records.documents.routes import count_proof, prove
from records.documents.schemas import NumberQuery

pages = Pages("document_pages", __name__)

_REASON = "whoever is handed a document may ask whether it is genuine; the answer holds no result"


@pages.get("/verify")
@public(_REASON)
def ask() -> Response:
    """The form; ``?number=`` leads to the answer."""
    number = read_query(NumberQuery).number
    if number:
        return cast(Response, redirect(url_for("document_pages.show", number=proof.read_number(number) or number)))
    return show_page("records/verify.html", proven=None)


@pages.get("/verify/<number>")
@public(_REASON)
def show(number: str) -> Response:
    """What can be said of the document with this number: where its code leads."""
    try:
        proven = prove(number)
    except RateExceeded as refusal:
        return show_refused("records/verify.html", refusal, proven=None)
    return _show(proven)


@pages.post("/verify")
@public(_REASON)
def send_file() -> Response:
    """As ``show``, for a file: only its fingerprint is looked at, and it is not kept."""
    sent = request.files.get("document")
    try:
        count_proof()
    except RateExceeded as refusal:
        return show_refused("records/verify.html", refusal, proven=None)
    if sent is None or not sent.filename:
        return cast(Response, redirect(url_for("document_pages.ask"), 303))
    with db.transaction() as session:
        return _show(service.prove_file(session, sha256=hashlib.sha256(sent.read()).digest()), is_file=True)


def _show(proven: service.Proven, *, is_file: bool = False) -> Response:
    number = proof.show_number(proven.number) if proven.number else None
    return show_page("records/verify.html", proven=proven, number=number, is_file=is_file)
