"""The operator's pages of the dictionary: what waits for a meaning, and the items."""

import re
from typing import Any, cast
from uuid import UUID

from flask import Response, redirect, request, url_for

from core import db
from core.errors import MalformedRequest, Refusal
from core.pages import read_form, read_query, show_page, show_refused
from core.web import Pages, current_actor, requires
from records.items import service
from records.items.schemas import (
    ItemQuery,
    ItemReceived,
    ItemShown,
    MappingChosen,
    MappingShown,
    UnmappedQuery,
    UnmappedShown,
)

pages = Pages("item_pages", __name__, url_prefix="/operator/items")

WORK_LIST, DICTIONARY, ITEM = (f"records/items_{name}.html" for name in ("work_list", "dictionary", "item"))
_LINES, _ITEMS = 30, 50
_BOUNDS = ("sex", "age_from", "age_until", "low", "high", "critical_low", "critical_high")
# An age as people write it: years, or days for the newborn.
_AGE = re.compile(r"([0-9]{1,5})\s*(岁|天)")


@pages.get("")
@requires("records:code_mapping:manage")
def show_work_list() -> Response:
    """Codes without a meaning, with what they may mean; ``?before=`` the next page."""
    return show_page(WORK_LIST, **_read_work_list())


@pages.post("/mappings")
@requires("records:code_mapping:manage")
def map_code() -> Response:
    """Say what a code means."""
    try:
        body = read_form(MappingChosen)
        with db.transaction() as session:
            service.map_code(session, current_actor(), wanted=body.wanted())
    except Refusal as refusal:
        return show_refused(WORK_LIST, refusal, **_read_work_list())
    return cast(Response, redirect(url_for("item_pages.show_work_list"), 303))


@pages.get("/dictionary")
@requires("records:item:read")
def show_dictionary() -> Response:
    """The items; ``?text=`` finds some, ``?after=`` the next page."""
    wanted = read_query(ItemQuery)
    with db.snapshot() as session:
        found = service.list_items(session, text=wanted.text, after=wanted.after, limit=_ITEMS + 1)
    items = [ItemShown.model_validate(item) for item in found[:_ITEMS]]
    return show_page(DICTIONARY, items=items, wanted=wanted, has_more=len(found) > _ITEMS)


@pages.get("/dictionary/<code>")
@requires("records:item:manage")
def show_item(code: str) -> Response:
    """One item: what it says, and which codes mean it."""
    return show_page(ITEM, **_read_item(code))


@pages.post("/dictionary/<code>")
@requires("records:item:manage")
def save_item(code: str) -> Response:
    """Its next version."""
    try:
        body = read_form(ItemReceived, loinc=request.form.get("loinc", "").split(), ranges=_read_ranges())
        with db.transaction() as session:
            item = service.get_item(session, code)
            service.save_item(
                session, current_actor(), code=item.code, content=body.content(), after_version=body.after_version
            )
    except Refusal as refusal:
        return show_refused(ITEM, refusal, **_read_item(code))
    return cast(Response, redirect(url_for("item_pages.show_item", code=code), 303))


@pages.post("/dictionary/<code>/mappings/<uuid:mapping_id>/end")
@requires("records:code_mapping:manage")
def end_mapping(code: str, mapping_id: UUID) -> Response:
    """A code does not mean this item any more."""
    try:
        with db.transaction() as session:
            service.end_mapping(session, current_actor(), mapping_id=mapping_id)
    except Refusal as refusal:
        return show_refused(ITEM, refusal, **_read_item(code))
    return cast(Response, redirect(url_for("item_pages.show_item", code=code), 303))


def _read_work_list() -> dict[str, Any]:
    wanted = UnmappedQuery(before=request.args.get("before", type=UUID), limit=_LINES + 1)
    with db.transaction() as session:
        found = service.list_unmapped(session, current_actor(), **dict(wanted))
        items = service.list_items(session, limit=5000)
    return {
        "codes": [UnmappedShown.model_validate(each) for each in found[:_LINES]],
        "has_more": len(found) > _LINES,
        "is_first": wanted.before is None,
        "items": items,
    }


def _read_item(code: str) -> dict[str, Any]:
    with db.transaction() as session:
        item = service.get_item(session, code)
        mappings = service.list_mappings(session, current_actor(), item=code)
    ranges = [_show_range(vars(one)) for one in item.ranges]
    return {
        "item": ItemShown.model_validate(item),
        "ranges": ranges + [dict.fromkeys(_BOUNDS, "")] * 2,
        "mappings": [MappingShown.model_validate(mapping) for mapping in mappings],
    }


def _read_ranges() -> list[dict[str, Any]]:
    """The rows of the table of ranges that were filled in; its boxes all have one name."""
    written = iter(text.strip() for text in request.form.getlist("ranges"))
    ranges = []
    for row in zip(*[written] * len(_BOUNDS), strict=False):
        filled: dict[str, Any] = {name: text for name, text in zip(_BOUNDS, row, strict=True) if text}
        if set(filled) - {"sex"}:
            for name in ("age_from", "age_until"):
                if name in filled:
                    filled[f"{name}_days"] = _read_age(filled.pop(name))
            ranges.append(filled)
    return ranges


def _read_age(written: str) -> int:
    """:raises MalformedRequest: not an age such as 18岁 or 28天."""
    found = _AGE.fullmatch(written)
    if found is None:
        raise MalformedRequest([{"field": "ranges", "message": "an age such as 18岁 or 28天 is expected"}])
    return service.days_of_years(int(found[1])) if found[2] == "岁" else int(found[1])


def _show_range(one: dict[str, Any]) -> dict[str, str]:
    ages = {"age_from": one["age_from_days"], "age_until": one["age_until_days"]}
    shown = {name: "" if one[name] is None else str(one[name]) for name in _BOUNDS if name not in ages}
    return shown | {name: _show_age(days) for name, days in ages.items()}


def _show_age(days: int | None) -> str:
    if not days:
        return ""
    years = round(days / 365.25)
    return f"{years}岁" if years and service.days_of_years(years) == days else f"{days}天"
