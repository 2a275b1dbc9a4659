"""The edge: who asks is found out, the gate is checked, refusals become problem details."""

import hmac
import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import IO, Any, TypeVar, cast
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Flask, Request, Response, current_app, g, redirect, render_template, request
from pydantic import BaseModel, TypeAdapter
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from core import cross_origin, observe
from core.actor import Actor
from core.config import Config
from core.errors import (
    CrossSiteRequest,
    DatabaseUnavailable,
    HttpProblem,
    InternalError,
    NotSignedIn,
    PermissionMissing,
    Refusal,
)

View = TypeVar("View", bound=Callable[..., Any])
Reply = Response | tuple[Response, int]

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_METHODS = _SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE"}


@dataclass(frozen=True)
class Guard:
    """What a route demands: a permission, or nothing and the reason why. ``largest_bytes``: of a request's body."""

    permission: str | None
    reason: str | None = None
    largest_bytes: int | None = None


@dataclass(frozen=True)
class Identity:
    """Who sent this request. ``csrf_token`` is set when a cookie proved it: then unsafe methods must carry it."""

    actor: Actor
    csrf_token: str | None = None


Identify = Callable[[], Identity | None]


def requires(permission: str, *, largest_bytes: int | None = None) -> Callable[[View], View]:
    """Declare the permission (``package:thing:verb``) that a route demands.

    :param largest_bytes: how big a body it takes, for those who hold the permission, when that is more than elsewhere.
    """
    return _guarded(Guard(permission, largest_bytes=largest_bytes))


def public(reason: str) -> Callable[[View], View]:
    """Declare that a route is open to everybody, and why."""
    return _guarded(Guard(None, reason))


def _guarded(guard: Guard) -> Callable[[View], View]:
    def mark(view: View) -> View:
        view.__guard__ = guard  # type: ignore[attr-defined]
        return view

    return mark


def guard_of(app: Flask, endpoint: str) -> Guard | None:
    """The guard that an endpoint's view declares."""
    return cast("Guard | None", getattr(app.view_functions[endpoint], "__guard__", None))


def current_config() -> Config:
    """The configuration of the running application."""
    return cast(Config, current_app.extensions["yimatong.config"])


def current_actor() -> Actor:
    """Who sent this request.

    :raises NotSignedIn: nobody did (a public route that asks all the same).
    """
    identity = current_identity()
    if identity is None:
        raise NotSignedIn
    return identity.actor


def current_identity() -> Identity | None:
    """Who sent this request, when that is known; found out once a request."""
    if "identity" not in g:
        g.identity = cast(Identify, current_app.extensions["yimatong.identify"])()
    return cast("Identity | None", g.identity)


def present(model: BaseModel, status: int = 200) -> Response:
    """A schema as JSON. Answers about persons are never cached by anyone between us and the asker."""
    return _present_json(model.model_dump_json(by_alias=True, exclude_none=True), status)


def present_view(view: object) -> Response:
    """A dataclass as JSON, where making a schema of it costs more than reading it: for long answers of hot paths.

    :param view: its fields are those of the schema that the route declares, which a test compares.
    """
    kind: type = type(view)
    return _present_json(_writer_of(kind).dump_json(view, exclude_none=True), 200)


@cache
def _writer_of(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _present_json(text: str | bytes, status: int) -> Response:
    reply = Response(text, status, mimetype="application/json")
    reply.headers["Cache-Control"] = "no-store"
    return reply


def install(app: Flask, config: Config, identify: Identify, *, sign_in_page: str) -> None:
    """Put the gate, the request log and the refusal handlers onto the application.

    :param sign_in_page: the path where visitors of pages are led who have to sign in first.
    """
    app.request_class = FormRequest
    app.extensions["yimatong.config"] = config
    app.extensions["yimatong.identify"] = identify
    app.extensions["yimatong.sign_in_page"] = sign_in_page
    app.before_request(_begin)
    app.before_request(_check_gate)
    app.after_request(_finish)
    app.register_error_handler(Refusal, _answer_refusal)
    app.register_error_handler(HTTPException, _answer_http_exception)
    for unavailable in (OperationalError, PoolTimeout):
        app.register_error_handler(unavailable, lambda _error: _answer_refusal(DatabaseUnavailable()))
    app.register_error_handler(Exception, _answer_mistake)


def _begin() -> None:
    observe.begin_request(request.headers.get("X-Request-Id"))
    # Under an outer application context (a shell, a test) g outlives the request.
    g.pop("identity", None)
    g.pop("cross_origin", None)
    g.started = time.perf_counter()


def _check_gate() -> None:
    if request.endpoint is None:
        return
    guard = guard_of(current_app._get_current_object(), request.endpoint)  # type: ignore[attr-defined]
    if guard is None:
        if request.endpoint == "static":
            return
        raise RuntimeError(f"{request.endpoint} declares neither @requires nor @public")
    cross_origin.note_origin()
    _check_same_site()
    if guard.permission is None or request.method == "OPTIONS":
        return
    identity = current_identity()
    if identity is None:
        raise NotSignedIn
    if not identity.actor.can(guard.permission):
        raise PermissionMissing(permission=guard.permission)
    if guard.largest_bytes is not None:
        request.max_content_length = guard.largest_bytes
    _check_csrf(identity)


def _check_same_site() -> None:
    """A browser says where a form comes from; other clients say nothing and carry no cookies."""
    origin = request.headers.get("Origin")
    if request.method in _SAFE_METHODS or not origin:
        return
    if cross_origin.is_let_in():
        return
    if origin != current_config().base_url and _host_of(origin) != request.host:
        raise CrossSiteRequest


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _check_csrf(identity: Identity) -> None:
    if identity.csrf_token is None or request.method in _SAFE_METHODS:
        return
    offered = request.headers.get("X-CSRF-Token") or request.form.get("csrf_token", "")
    if not hmac.compare_digest(offered.encode(), identity.csrf_token.encode()):
        raise CrossSiteRequest


def _finish(reply: Response) -> Response:
    route = request.url_rule.rule if request.url_rule else "(none)"
    # A caller may invent any word as a method; each would be a series of its own in the metrics.
    method = request.method if request.method in _METHODS else "(other)"
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    observe.REQUESTS.labels(method, route, reply.status_code).inc()
    observe.REQUEST_SECONDS.labels(method, route).observe(seconds)
    reply.headers["X-Request-Id"] = observe.request_id()
    reply.headers["X-Content-Type-Options"] = "nosniff"
    # Not no-referrer: with it browsers say "Origin: null" even for our own forms, and the check above refuses them.
    reply.headers.setdefault("Referrer-Policy", "same-origin")
    reply.headers.setdefault("X-Frame-Options", "DENY")
    reply.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    )
    cross_origin.add_headers(reply)
    identity = g.get("identity")
    observe.log.info(
        "request",
        method=method,
        route=route,
        status=reply.status_code,
        milliseconds=round(seconds * 1000, 1),
        actor=identity.actor.kind if identity else None,
    )
    return reply


def _answer_refusal(refusal: Refusal) -> Response:
    observe.REFUSALS.labels(refusal.code).inc()
    problem = refusal.problem(base_url=current_config().base_url, request_id=observe.request_id())
    if isinstance(refusal, NotSignedIn) and _wants_page():
        reply = _lead_to_sign_in()
    else:
        reply = _presenter()(problem)
        reply.headers.update(refusal.headers)
    reply.headers["Cache-Control"] = "no-store"
    return reply


def _wants_page() -> bool:
    if request.endpoint is None:
        # Nothing stands at this address: only the visitor says whether a person or a program reads the answer.
        return request.accept_mimetypes.best_match(["application/problem+json", "text/html"]) == "text/html"
    return isinstance(current_app.blueprints.get(request.blueprint or ""), Pages)


def _presenter() -> Callable[[dict[str, Any]], Response]:
    """How refusals look where the request went: a page, the form of an outside protocol, or problem details."""
    if _wants_page():
        return _present_page
    blueprint = current_app.blueprints.get(request.blueprint or "")
    return getattr(blueprint, "present_problem", None) or _present_problem


def _present_page(problem: dict[str, Any]) -> Response:
    page = render_template("core/refusal.html", problem=problem)
    return Response(page, problem["status"], mimetype="text/html")


def _present_problem(problem: dict[str, Any]) -> Response:
    body = json.dumps(problem, ensure_ascii=False)
    return Response(body, problem["status"], mimetype="application/problem+json")


def _lead_to_sign_in() -> Response:
    sign_in_page: str = current_app.extensions["yimatong.sign_in_page"]
    query = request.query_string.decode("ascii", "replace")
    wanted = f"{request.path}?{query}" if query else request.path
    router = current_app.create_url_adapter(request)
    if request.method == "GET" or (router is not None and router.test(request.path, "GET")):
        sign_in_page += "?" + urlencode({"next": wanted})
    return cast(Response, redirect(sign_in_page, 303))


def _answer_http_exception(error: HTTPException) -> Response:
    reply = _answer_refusal(HttpProblem(error.code or 500, error.name))
    for name, value in error.get_headers():
        if name not in {"Content-Type", "Content-Length"}:
            reply.headers.setdefault(name, value)
    return reply


def _answer_mistake(error: Exception) -> Response:
    # Only the type and where it happened: the text of an error may quote a person's data.
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
    observe.log.error("mistake", error=type(error).__name__, place=place)
    return _answer_refusal(InternalError())


class FormRequest(Request):
    """A request whose forms are read into memory, files too: nothing stands on a disk in clear, ever."""

    def _get_file_stream(self, *_told: Any, **_named: Any) -> IO[bytes]:
        return io.BytesIO()


class Pages(Blueprint):
    """A blueprint whose answers, refusals included, are pages for people."""
