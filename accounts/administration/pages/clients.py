"""Hospital systems and their keys."""

import json
from typing import Any, cast
from uuid import UUID

from flask import Response, redirect, request, url_for

from accounts.administration import wording
from accounts.administration.schemas import ClientChange, KeySet, NewClient
from accounts.refusals import ClientKeysInvalid
from accounts.service import clients, hospitals
from core import db
from core.errors import Refusal
from core.pages import read_form, show_page, show_refused
from core.web import Pages, current_actor, requires

pages = Pages("client_pages", __name__)

TEMPLATE = "accounts/operator_clients.html"


@pages.get("/operator/clients")
@requires("accounts:client:manage")
def show_clients() -> Response:
    """The systems that may sign in, and the form for a new one."""
    return show_page(TEMPLATE, **_list())


@pages.post("/operator/clients")
@requires("accounts:client:manage")
def register_client() -> Response:
    """Register a system."""
    try:
        body = read_form(NewClient, jwks=_read_jwks(), scopes=request.form.getlist("scopes"))
        with db.transaction() as session:
            clients.register_client(
                session,
                current_actor(),
                hospital_id=hospitals.find_hospital_id(session, body.hospital_code),
                client_id=body.client_id,
                name=body.name,
                jwks=body.jwks,
                scopes=body.scopes,
            )
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, form=request.form, **_list())
    return _back()


@pages.post("/operator/clients/<uuid:row_id>")
@requires("accounts:client:manage")
def change_client(row_id: UUID) -> Response:
    """Change its name, scopes and state."""
    try:
        body = read_form(ClientChange, scopes=request.form.getlist("scopes"))
        with db.transaction() as session:
            clients.change_client(session, current_actor(), row_id, **dict(body))
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, **_list())
    return _back()


@pages.post("/operator/clients/<uuid:row_id>/keys")
@requires("accounts:client:manage")
def replace_keys(row_id: UUID) -> Response:
    """Put a new key set in place of the earlier one."""
    try:
        body = read_form(KeySet, jwks=_read_jwks())
        with db.transaction() as session:
            clients.replace_client_keys(session, current_actor(), row_id, jwks=body.jwks)
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, **_list())
    return _back()


def _read_jwks() -> Any:
    """:raises ClientKeysInvalid: what was pasted is not JSON."""
    try:
        return json.loads(request.form.get("jwks", ""))
    except (ValueError, RecursionError):
        raise ClientKeysInvalid from None


def _back() -> Response:
    return cast(Response, redirect(url_for("client_pages.show_clients"), 303))


def _list() -> dict[str, Any]:
    with db.snapshot() as session:
        return {"clients": clients.list_clients(session), "words": wording}
