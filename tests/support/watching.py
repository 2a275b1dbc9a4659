"""Over the whole suite: whoever is answered with something of a person's records stands in that person's access log.

The spies note what is placed on timelines and which rows are appended to the log, and let it happen. What they prove:
no answer of these routes names an item of somebody without a row about him, written (or folded into one) in the same
request. What they do not: answers that name no item by our own id, which the canaries look at
(``tests/canary``), and processes of their own.
"""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from flask import Flask, Response, has_request_context, request
from sqlalchemy import select

from core import audit, db
from health_card.models import Person
from records.timeline import service as timeline
from records.timeline.models import TimelineEntry

_ID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Routes that show records. Others may name an item without showing it: a notice, the access log, an acknowledgement.
_SHOWING = re.compile(
    r"timeline\.read|reports\.read_(report|version)|images\.read|entries\.read_entry|chart_pages\.show|viewing_pages\.show"
    r"|life\.read|trends\.read|orders\.list_orders"
    r"|fhir\.(read|vread|history|search|post_search)_(?!AuditEvent|Consent|Patient|Practitioner|Organization)"
)
_NOTED = "tests.watching"


class Watch:
    """Which items there are, and what was found wrong since the last look."""

    def __init__(self) -> None:
        self.placed: set[str] = set()
        self.unlogged: list[str] = []
        self.answers = 0

    def note_placed(self, placements: Any) -> None:
        self.placed |= {str(placed.object_id) for placed in placements}

    def look_at(self, reply: Response) -> Response:
        """What an answer names, against the rows of its request."""
        if reply.status_code >= 300 or reply.is_streamed or not _SHOWING.match(request.endpoint or ""):
            return reply
        # What was asked for by name stands in the answer's own address, found or not.
        asked = {found.decode() for found in _ID.findall(request.query_string)}
        named = _find_owners({found.decode() for found in _ID.findall(reply.get_data())} & self.placed - asked)
        self.answers += bool(named)
        missing = named - request.environ.get(_NOTED, set())
        if missing and not _stand_for(missing) <= _stand_for(request.environ.get(_NOTED, set())):
            self.unlogged.append(f"{request.method} {request.path} shows records of {missing} and has no access row")
        return reply


def _find_owners(object_ids: set[str]) -> set[UUID]:
    """Whose these items are by now."""
    if not object_ids:
        return set()
    with db.transaction() as session:
        asked = select(TimelineEntry.person_id).where(TimelineEntry.object_id.in_(object_ids))
        return set(session.scalars(asked))


def _stand_for(person_ids: set[Any]) -> set[UUID]:
    """Records that were merged are one person's."""
    with db.transaction() as session:
        return set(session.scalars(select(Person.root_id).where(Person.id.in_(person_ids))))


def watch(app: Flask) -> Watch:
    """Look at every answer of the application from now on."""
    watching = Watch()

    def placing(place: Callable[..., None]) -> Callable[..., None]:
        @wraps(place)
        def placed(session: Any, placements: Any) -> None:
            watching.note_placed(placements)
            place(session, placements)

        return placed

    def recording(record: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(record)
        def recorded(*args: Any, **named: Any) -> Any:
            if has_request_context() and named.get("subject_id"):
                request.environ.setdefault(_NOTED, set()).add(named["subject_id"])
            return record(*args, **named)

        return recorded

    timeline.place_entries = placing(timeline.place_entries)
    # Whether a row is new or folds into one that stands is the log's affair.
    audit.record_act, audit.record_act_once = recording(audit.record_act), recording(audit.record_act_once)
    app.after_request(watching.look_at)
    return watching
