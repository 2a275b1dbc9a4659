"""The cookie of an opened link, as one more proof of who asks: at the addresses of its pages and nowhere else."""

from flask import Response, request

from consent.links import service as links
from core import db
from core.web import Identify, Identity, current_config

COOKIE = "yimatong_share"
PAGES = "/share/"


def also_by_link(identify: Identify) -> Identify:
    """:param identify: what finds out who asks everywhere else."""

    def identify_request() -> Identity | None:
        if not request.path.startswith(PAGES):
            return identify()
        token = request.cookies.get(COOKIE)
        if not token:
            raise links.ShareOpeningEnded
        with db.transaction() as session:
            # These addresses only give: no form needs a token of its own.
            return Identity(links.identify_opening(session, token=token))

    return identify_request


def remember(reply: Response, token: str) -> Response:
    """Put an opening into the browser: scripts cannot read it, other sites cannot send it."""
    reply.set_cookie(
        COOKIE,
        token,
        max_age=links.PAGE_LIFE,
        httponly=True,
        samesite="Strict",
        secure=current_config().is_secure_origin,
        path=PAGES,
    )
    return reply
