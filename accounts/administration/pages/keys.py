"""The platform's signing keys."""

from typing import Any, cast

from flask import Response, redirect, url_for

from accounts.administration import wording
from accounts.administration.schemas import KeyKill, KeyRotation
from accounts.service import oversight
from core import db, keys
from core.errors import Refusal
from core.pages import read_form, show_page, show_refused
from core.web import Pages, current_actor, requires

pages = Pages("signing_key_pages", __name__)

TEMPLATE = "accounts/operator_keys.html"


@pages.get("/operator/keys")
@requires("accounts:signing_key:manage")
def show_keys() -> Response:
    """Every ring with its keys."""
    return show_page(TEMPLATE, **_list())


@pages.post("/operator/keys")
@requires("accounts:signing_key:manage")
def rotate_key() -> Response:
    """A new key signs from now on."""
    try:
        purpose = read_form(KeyRotation).purpose
        with db.transaction() as session:
            oversight.rotate_signing_key(session, current_actor(), purpose=purpose)
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, **_list())
    return _back()


@pages.post("/operator/keys/<kid>/kill")
@requires("accounts:signing_key:manage")
def kill_key(kid: str) -> Response:
    """Make a key worthless: here at once, in the other processes when they read the ring again."""
    try:
        confirmation = read_form(KeyKill).confirmation
        with db.transaction() as session:
            oversight.kill_signing_key(session, current_actor(), kid, confirmation=confirmation)
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, **_list())
    return _back()


def _back() -> Response:
    keys.forget_rings()
    return cast(Response, redirect(url_for("signing_key_pages.show_keys"), 303))


def _list() -> dict[str, Any]:
    with db.snapshot() as session:
        return {"keys": oversight.list_signing_keys(session), "words": wording}
