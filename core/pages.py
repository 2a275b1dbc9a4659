"""Pages for people: how forms are read, answers shown, and times written."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from flask import Flask, Response, render_template, request
from pydantic import BaseModel, ValidationError

from core import clock, observe
from core.api import refuse_malformed
from core.errors import Refusal
from core.web import current_config

Schema = TypeVar("Schema", bound=BaseModel)

CSRF_FIELD = "csrf_token"

# A path of this site in plain characters. Browsers read "//host" and "/\host" as other sites, and skip tabs.
_LOCAL_PATH = re.compile(r"/(?!/)[!-\[\]-~]*")


def install(app: Flask) -> None:
    """Give all templates the filters that they write times with."""
    app.add_template_filter(city_time)
    app.add_template_filter(city_minute)


def show_page(template: str, *, status: int = 200, **context: Any) -> Response:
    """A rendered page. It may speak of persons, so nobody between us and the reader keeps a copy."""
    reply = Response(render_template(template, **context), status, mimetype="text/html")
    reply.headers["Cache-Control"] = "no-store"
    return reply


def show_refused(template: str, refusal: Refusal, **context: Any) -> Response:
    """A page that says in itself why it was refused: the template gets ``problem`` and ``retry_after`` (seconds)."""
    observe.REFUSALS.labels(refusal.code).inc()
    problem = refusal.problem(base_url=current_config().base_url, request_id=observe.request_id())
    retry_after = refusal.headers.get("Retry-After")
    reply = show_page(template, status=refusal.status, problem=problem, retry_after=retry_after, **context)
    reply.headers.update(refusal.headers)
    return reply


def read_form(schema: type[Schema], **read_already: Any) -> Schema:
    """The form that was sent, checked; a field left empty counts as not sent.

    :param read_already: fields that a form spells in its own way (several boxes of one name, a pasted document).
    :raises MalformedRequest: it does not fit the schema.
    """
    return _check(schema, _filled(request.form) | read_already)


def read_query(schema: type[Schema]) -> Schema:
    """The question in the page's address, checked in the same way.

    :raises MalformedRequest: it does not fit the schema.
    """
    return _check(schema, _filled(request.args))


def _filled(sent: Mapping[str, str]) -> dict[str, Any]:
    return {name: text for name, text in sent.items() if text.strip() and name != CSRF_FIELD}


def _check(schema: type[Schema], filled: dict[str, Any]) -> Schema:
    try:
        return schema.model_validate(filled)
    except ValidationError as error:
        refuse_malformed(error)


def find_local_path(text: str | None) -> str | None:
    """The text when it is a path of this site, where a visitor may safely be led; otherwise nothing."""
    return text if text and _LOCAL_PATH.fullmatch(text) else None


def city_time(moment: datetime) -> str:
    """Date and minute on the clocks of the city, for example 2026-11-22 12:03."""
    return clock.in_city(moment).strftime("%Y-%m-%d %H:%M")


def city_minute(moment: datetime) -> str:
    """The minute alone when it is today in the city, otherwise with month and day."""
    local = clock.in_city(moment)
    is_today = local.date() == clock.in_city(clock.now()).date()
    return local.strftime("%H:%M" if is_today else "%m-%d %H:%M")
