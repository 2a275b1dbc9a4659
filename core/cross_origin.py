"""Browsers that ask from a page of another origin (CORS; Fetch standard, section 3.2): known ones, and never by cookie.

Nothing here lets anybody in: what is asked has to prove who asks by a token of its own. A page of a known origin may
send that token and read the answer; of cookies the answer says nothing, so that browsers keep it from the page.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, Response, current_app, g, request

# As browsers write it: no path, no user, no capitals.
_ORIGIN = re.compile(r"https://[a-z0-9.-]{1,253}(:[0-9]{1,5})?", re.ASCII)
_METHODS = "GET, POST"
_HEADERS = "Accept, Authorization, Content-Type, Prefer"
_EXPOSED = "ETag, Last-Modified, Location, Retry-After, WWW-Authenticate, X-Request-Id"
_PREFLIGHT_SECONDS = "600"


@dataclass(frozen=True)
class CrossOrigin:
    """Where such pages may ask, and which.

    :ivar paths: each itself, and what is below it.
    :ivar is_known: of an origin: scheme, host and port.
    """

    paths: tuple[str, ...]
    is_known: Callable[[str], bool]

    def covers(self, path: str) -> bool:
        """Whether such pages may ask for this path."""
        return any(path == one or path.startswith(f"{one}/") for one in self.paths)


def install(app: Flask, *rules: CrossOrigin) -> None:
    """What ``core.web`` asks at each request; the first that covers a path counts."""
    app.extensions["yimatong.cross_origin"] = rules


def note_origin() -> None:
    """Find out, once a request, whether a page of a known origin asks for what such pages may ask for."""
    g.cross_origin = None
    origin, rules = request.headers.get("Origin"), _rules()
    if rules is not None and origin and _ORIGIN.fullmatch(origin):
        g.cross_origin = origin if rules.is_known(origin) else None


def is_let_in() -> bool:
    """Whether this request comes from a page that was found to be known."""
    return g.get("cross_origin") is not None


def add_headers(reply: Response) -> None:
    """Tell the browser which page may read the answer and, before it asks, what that page may ask for."""
    rules = _rules()
    if rules is None:
        return
    reply.vary.add("Origin")
    if not is_let_in():
        return
    reply.headers["Access-Control-Allow-Origin"] = g.cross_origin
    reply.headers["Access-Control-Expose-Headers"] = _EXPOSED
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        reply.headers["Access-Control-Allow-Methods"] = _METHODS
        reply.headers["Access-Control-Allow-Headers"] = _HEADERS
        reply.headers["Access-Control-Max-Age"] = _PREFLIGHT_SECONDS


def _rules() -> CrossOrigin | None:
    """Those for the path that is asked for."""
    known: tuple[CrossOrigin, ...] = current_app.extensions.get("yimatong.cross_origin", ())
    return next((rules for rules in known if rules.covers(request.path)), None)
