"""The operator's page about release: the rules in force, and the form for one more."""

from typing import Any, cast
from uuid import UUID

from flask import Response, redirect, request, url_for

from core import db
from core.errors import Refusal
from core.pages import read_form, show_page, show_refused
from core.web import Pages, current_actor, requires
from records.releasing import service, words
from records.releasing.schemas import RuleForm

pages = Pages("releasing_pages", __name__)

TEMPLATE = "records/operator_release_rules.html"


@pages.get("/operator/release-rules")
@requires("records:release_rule:manage")
def show_rules() -> Response:
    """The rules in force."""
    return show_page(TEMPLATE, **_list())


@pages.post("/operator/release-rules")
@requires("records:release_rule:manage")
def set_rule() -> Response:
    """Set one; it replaces the one about the same matter."""
    try:
        body = read_form(RuleForm, **_read_matter())
        with db.transaction() as session:
            service.set_rule(
                session, current_actor(), matter=body.as_matter(), mode=body.mode, review_days=body.review_days
            )
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, form=request.form, **_list())
    return _back()


@pages.post("/operator/release-rules/<uuid:rule_id>/end")
@requires("records:release_rule:manage")
def end_rule(rule_id: UUID) -> Response:
    """End one."""
    try:
        with db.transaction() as session:
            service.end_rule(session, current_actor(), rule_id=rule_id)
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, **_list())
    return _back()


def _read_matter() -> dict[str, str]:
    """The list offers fields of several names: ``category:laboratory`` is a category."""
    name, _, value = request.form.get("matter", "").partition(":")
    return {name: value} if name in {"category", "sensitivity"} else {}


def _back() -> Response:
    return cast(Response, redirect(url_for("releasing_pages.show_rules"), 303))


def _list() -> dict[str, Any]:
    with db.snapshot() as session:
        return {"rules": service.list_rules(session), "words": words}
