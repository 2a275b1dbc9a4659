"""The cookie of a view, as one more proof of who asks: at the addresses of its study and nowhere else."""

import hashlib
import hmac
from uuid import UUID

from flask import Response, request, url_for

from core import db
from core.web import Identify, Identity, current_config
from records.viewing import service

COOKIE = "yimatong_view"
_ADDRESSES = "/view/"


def also_by_view(identify: Identify) -> Identify:
    """:param identify: what finds out who asks everywhere else."""

    def identify_request() -> Identity | None:
        token, study_id = request.cookies.get(COOKIE), (request.view_args or {}).get("study_id")
        is_of_view = request.path.startswith(_ADDRESSES) and "Authorization" not in request.headers
        if not (token and is_of_view and isinstance(study_id, UUID)):
            return identify()
        with db.transaction() as session:
            actor = service.identify_view(session, study_id=study_id, token=token)
        return Identity(actor, hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest())

    return identify_request


def remember(reply: Response, token: str, study_id: UUID) -> Response:
    """Put a view into the browser. Not ``Strict``: the address is opened from another app, and leads on to the page."""
    reply.set_cookie(
        COOKIE,
        token,
        max_age=service.VIEW_LIFE,
        httponly=True,
        samesite="Lax",
        secure=current_config().is_secure_origin,
        path=url_for("viewing_pages.show", study_id=study_id),
    )
    return reply
