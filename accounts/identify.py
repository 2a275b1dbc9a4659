"""Who sends a request: a bearer token, or the page session in a cookie."""

import hashlib
import hmac

from flask import Response, request

from accounts import service
from accounts.refusals import SessionEnded
from core import db
from core.web import Identity, current_config

COOKIE = "yimatong_staff"


def identify_request() -> Identity | None:
    """The identity of the current request; None when it carries no proof at all.

    :raises SessionEnded: a bearer token is presented that does not hold. A cookie that has run out is only forgotten.
    """
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return _identify(bearer.strip())
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        return None
    try:
        return _identify(cookie, csrf_token=csrf_token_of(cookie))
    except SessionEnded:
        return None


def csrf_token_of(session_token: str) -> str:
    """The token that forms of this session carry; worthless without the cookie itself."""
    return hmac.new(session_token.encode(), b"csrf", hashlib.sha256).hexdigest()


def remember(reply: Response, token: str) -> Response:
    """Put a staff session into the browser: scripts cannot read it, other sites cannot send it."""
    reply.set_cookie(
        COOKIE, token, httponly=True, samesite="Strict", secure=current_config().is_secure_origin, path="/"
    )
    return reply


def forget(reply: Response) -> Response:
    """Take the staff session out of the browser."""
    reply.delete_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
    return reply


def _identify(token: str, csrf_token: str | None = None) -> Identity:
    issuer = current_config().base_url
    actor = service.find_actor(token, issuer=issuer)
    if actor is None:
        with db.transaction() as session:
            actor = service.identify_bearer(session, token, issuer=issuer)
    return Identity(actor, csrf_token)
