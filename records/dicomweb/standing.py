"""Long answers ask again while they are sent: a revoke stops them at the next instance."""

from collections.abc import Callable

from flask import Flask, current_app

from core.web import current_actor
from records.images import service
from records.images.service import InstanceFile

MayGo = Callable[[InstanceFile], bool]


def ask_again() -> MayGo:
    """For whoever makes the answer to this request, after the request itself is over: may this instance go out now?"""
    # The proxy leads nowhere once the request is over.
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    actor = current_actor()

    def may_go(file: InstanceFile) -> bool:
        with app.app_context():
            return service.is_still_readable(actor, file)

    return may_go
