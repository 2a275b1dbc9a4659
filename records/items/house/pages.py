"""A hospital's own page of codes: what of its results means nothing yet, and what it has said."""

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from flask import Response, redirect, request, url_for
from sqlalchemy.orm import Session

from core import db
from core.errors import Refusal
from core.pages import read_form, show_page, show_refused
from core.web import Pages, current_actor, requires
from records.items import service
from records.items.schemas import MappingChosen, MappingShown, UnmappedShown

pages = Pages("code_pages", __name__, url_prefix="/codes")

TEMPLATE = "records/codes.html"
_LINES = 30


@pages.get("")
@requires("records:code_mapping:manage")
def show_codes() -> Response:
    """The hospital's codes without a meaning, with what they may mean; ``?before=`` the next page."""
    return show_page(TEMPLATE, **_read())


@pages.post("/mappings")
@requires("records:code_mapping:manage")
def map_code() -> Response:
    """Say what a code of the hospital means."""
    return _change(lambda session: service.map_code(session, current_actor(), wanted=read_form(MappingChosen).wanted()))


@pages.post("/mappings/<uuid:mapping_id>/end")
@requires("records:code_mapping:manage")
def end_mapping(mapping_id: UUID) -> Response:
    """It does not mean that any more."""
    return _change(lambda session: service.end_mapping(session, current_actor(), mapping_id=mapping_id))


def _change(act: Callable[[Session], object]) -> Response:
    try:
        with db.transaction() as session:
            act(session)
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, **_read())
    return cast(Response, redirect(url_for("code_pages.show_codes"), 303))


def _read() -> dict[str, Any]:
    before, actor = request.args.get("before", type=UUID), current_actor()
    with db.transaction() as session:
        found = service.list_unmapped(session, actor, before=before, limit=_LINES + 1)
        items = service.list_items(session, limit=5000)
        mappings = service.list_mappings(session, actor, hospital_id=actor.hospital_id, limit=_LINES)
    return {
        "codes": [UnmappedShown.model_validate(each) for each in found[:_LINES]],
        "has_more": len(found) > _LINES,
        "is_first": before is None,
        "items": items,
        "mappings": [MappingShown.model_validate(mapping) for mapping in mappings],
    }
