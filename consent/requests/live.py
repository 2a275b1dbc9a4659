"""How a page that waits for an answer is told: server-sent events (WHATWG HTML, section 9.2) that hold no thread.

Each answer is complete at once and tells the browser when to come again; the browser does that by itself, and says what
it knows (``Last-Event-ID``). See docs/adr/0026.
"""

import json
from datetime import timedelta

from flask import Response

from consent.requests.models import RequestState
from consent.requests.service import Standing
from core import clock

EVENT_STREAM = "text/event-stream"

# How long ago it was asked, and after how many milliseconds the browser is to ask again: whoever answers at once is
# seen at once, and a request that waits for a day costs little.
_PATIENCE = ((timedelta(minutes=2), 1_000), (timedelta(minutes=15), 4_000))
_LONGEST = 30_000


def present_event(standing: Standing, *, last_event_id: str | None) -> Response:
    """What is new since ``last_event_id``, and when to ask again; 204, which ends it, when that was the last."""
    # A request that lapses by the clock is told of before its row says so.
    event_id = f"{standing.version}-{standing.state}"
    is_known = last_event_id == event_id
    if is_known and standing.state is not RequestState.REQUESTED:
        return _whole(Response(status=204))
    waited = clock.now() - standing.asked_at
    retry = next((pause for limit, pause in _PATIENCE if waited < limit), _LONGEST)
    said = json.dumps({"state": standing.state, "version": standing.version})
    event = ": \n\n" if is_known else f"id: {event_id}\nevent: state\ndata: {said}\n\n"
    return _whole(Response(f"retry: {retry}\n{event}", mimetype=EVENT_STREAM))


def _whole(reply: Response) -> Response:
    reply.headers["Cache-Control"] = "no-store"
    return reply
