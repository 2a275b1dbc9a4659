"""The machine interface of the access log, for the patient's phone."""

from uuid import UUID

from flask import Response

from consent.log import service
from consent.log.refusals import PlaceUnknown
from consent.log.schemas import (
    AccessLines,
    AccessLineShown,
    AccessLinesQuery,
    AccessLog,
    AccessLogQuery,
    AccessShown,
    AccessWanted,
)
from consent.log.service import Place
from consent.service.access_log import AccessFilter
from core import db
from core.api import Api
from core.web import current_actor, present, requires

api = Api("access_log", tag="Consent 授权", url_prefix="/api/v1")


@api.get("/access-log", responses={200: AccessLog})
@requires("consent:access_log:read")
def list_rows(query: AccessLogQuery) -> Response:
    """Who looked at or changed my data: who, which hospital, what, why, how"""
    with db.snapshot() as session:
        rows = service.list_rows(
            session,
            current_actor(),
            line_id=query.fold,
            wanted=_wanted(query),
            before=query.before,
            limit=query.limit,
        )
    return present(AccessLog(rows=[AccessShown.model_validate(row) for row in rows]))


@api.get("/access-log/lines", responses={200: AccessLines})
@requires("consent:access_log:read")
def list_lines(query: AccessLinesQuery) -> Response:
    """The same by lines: what one system of a hospital did in the same way on one day is one line"""
    after = _read_place(query.after) if query.after else None
    with db.snapshot() as session:
        page = service.list_lines(session, current_actor(), after=after, wanted=_wanted(query), limit=query.limit)
    following = f"{page.next.began}.{page.next.last}" if page.next else None
    return present(AccessLines(lines=[AccessLineShown.model_validate(line) for line in page.lines], next=following))


def _wanted(query: AccessWanted) -> AccessFilter:
    return AccessFilter(**{name: getattr(query, name) for name in AccessFilter.__dataclass_fields__})


def _read_place(text: str) -> Place:
    began, _, last = text.partition(".")
    try:
        return Place(UUID(began), UUID(last))
    except ValueError:
        raise PlaceUnknown from None
