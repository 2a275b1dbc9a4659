"""Requests as the person reads them, and as the doctor does who asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, or_, select, tuple_
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent.models import Grant, Purpose
from consent.requests.models import AccessRequest, RequestState
from consent.requests.refusals import AccessRequestNotFound
from consent.scope import Recipient, Scope, read_scope
from core import audit, clock, statements
from core.actor import Actor, ActorKind
from health_card import service as health_card

PAGE = 30
WORDS = "access_requests.reason"

# Asked again and again by a page that waits, hence by hand.
_STATE = """
SELECT version, CASE WHEN state = 'requested' AND lapses_at <= %(now)s THEN 'lapsed' ELSE state END, asked_at
FROM access_requests
WHERE id = %(request_id)s AND hospital_id = %(hospital_id)s AND (asked_by = %(staff_id)s OR asked_by IS NULL)
"""


@dataclass(frozen=True)
class RequestView:
    """A request. ``state``: also ``lapsed`` as soon as its time is over; then nothing answers it.

    :ivar person_name: masked.
    :ivar asker_name: None: a code was shown, and the standing policy says to ask.
    :ivar words: why, in the asker's own words.
    :ivar grant_id: what was granted of it.
    """

    id: UUID
    person_id: UUID
    person_name: str
    hospital_id: UUID
    hospital_name: str
    recipient: Recipient
    asker_name: str | None
    visit_id: UUID | None
    purpose: str
    reason: str
    words: str | None
    scope: Scope
    access_until: datetime
    notice_hash: str
    asked_at: datetime
    lapses_at: datetime
    state: RequestState
    version: int
    ended_at: datetime | None
    grant_id: UUID | None


@dataclass(frozen=True)
class RequestFilter:
    """Which requests are wanted; None: any."""

    state: RequestState | None = None
    person_id: UUID | None = None
    hospital_id: UUID | None = None
    purpose: Purpose | None = None


@dataclass(frozen=True)
class Standing:
    """How a request stands, for who waits for the answer. ``version`` rises with the state."""

    state: RequestState
    version: int
    asked_at: datetime


_ANY = RequestFilter()


def list_requests(
    session: Session, actor: Actor, *, wanted: RequestFilter = _ANY, before: UUID | None = None, limit: int = PAGE
) -> list[RequestView]:
    """What the persons were asked for whom the login decides, newest first.

    :param before: the id of the last one of the page before.
    """
    return _page(session, _confided(actor), wanted, before, limit)


def get_request(session: Session, actor: Actor, *, request_id: UUID) -> RequestView:
    """One of ``list_requests``.

    :raises AccessRequestNotFound: none of theirs.
    """
    return _get(session, _confided(actor), request_id)


def list_sent_requests(
    session: Session, actor: Actor, *, wanted: RequestFilter = _ANY, before: UUID | None = None, limit: int = PAGE
) -> list[RequestView]:
    """What the actor has asked, newest first. That he read it is recorded.

    :param before: the id of the last one of the page before.
    """
    found = _page(session, _sent(actor), wanted, before, limit)
    audit.record_act(session, actor, "consent.request.listed", facts={"lines": len(found)})
    return found


def get_sent_request(session: Session, actor: Actor, *, request_id: UUID) -> RequestView:
    """What the actor has asked, or what a code shown at his hospital asks.

    :raises AccessRequestNotFound: none such.
    """
    of_house = select(AccessRequest).where(
        AccessRequest.hospital_id == actor.house_id,
        or_(AccessRequest.asked_by == actor.id, AccessRequest.asked_by.is_(None)),
    )
    return _get(session, of_house, request_id)


def find_of_visit(session: Session, actor: Actor, *, visit_id: UUID) -> RequestView | None:
    """The newest request at this visit of the actor's hospital: his own, or what the code asks."""
    of_visit = select(AccessRequest).where(
        AccessRequest.hospital_id == actor.house_id,
        AccessRequest.visit_id == visit_id,
        or_(AccessRequest.asked_by == actor.id, AccessRequest.asked_by.is_(None)),
    )
    newest = of_visit.order_by(AccessRequest.asked_at.desc(), AccessRequest.id.desc()).limit(1)
    return next(iter(_show(session, session.scalars(newest).all())), None)


def find_waiting_code(session: Session, actor: Actor, *, visit_id: UUID) -> UUID | None:
    """The request that a code shown for this visit of the actor's hospital has made, as long as it waits."""
    waiting = select(AccessRequest.id).where(
        AccessRequest.hospital_id == actor.house_id,
        AccessRequest.visit_id == visit_id,
        AccessRequest.asked_by.is_(None),
        _is_in(RequestState.REQUESTED),
    )
    return session.scalar(waiting.limit(1))


def look_at_state(actor: Actor, *, request_id: UUID) -> Standing:
    """How a request stands, in a transaction of its own. Needs an app context.

    :raises AccessRequestNotFound: as ``get_sent_request``.
    """
    asked = {"request_id": request_id, "hospital_id": actor.house_id, "staff_id": actor.id, "now": clock.now()}
    row = statements.look(_STATE, asked)
    if row is None:
        raise AccessRequestNotFound
    return Standing(RequestState(row[1]), row[0], row[2])


def scope_of(asked: AccessRequest) -> Scope:
    """What was asked for."""
    return read_scope(asked, uses=asked.uses)


def recipient_of(asked: AccessRequest) -> Recipient:
    """Who would see it."""
    return Recipient(asked.hospital_id, asked.department, asked.staff_id)


def _confided(actor: Actor) -> Select[tuple[AccessRequest]]:
    return select(AccessRequest).where(AccessRequest.person_id.in_(health_card.confided_person_ids(actor)))


def _sent(actor: Actor) -> Select[tuple[AccessRequest]]:
    return select(AccessRequest).where(AccessRequest.hospital_id == actor.house_id, AccessRequest.asked_by == actor.id)


def _get(session: Session, mine: Select[tuple[AccessRequest]], request_id: UUID) -> RequestView:
    found = session.scalars(mine.where(AccessRequest.id == request_id)).all()
    if not found:
        raise AccessRequestNotFound
    return _show(session, found)[0]


def _page(
    session: Session, mine: Select[tuple[AccessRequest]], wanted: RequestFilter, before: UUID | None, limit: int
) -> list[RequestView]:
    if wanted.state is not None:
        mine = mine.where(_is_in(wanted.state))
    if wanted.person_id is not None:
        mine = mine.where(AccessRequest.person_id.in_(health_card.same_person_ids(wanted.person_id)))
    if wanted.hospital_id is not None:
        mine = mine.where(AccessRequest.hospital_id == wanted.hospital_id)
    if wanted.purpose is not None:
        mine = mine.where(AccessRequest.purpose == wanted.purpose)
    if before is not None:
        last = select(AccessRequest.asked_at, AccessRequest.id).where(AccessRequest.id == before)
        mine = mine.where(tuple_(AccessRequest.asked_at, AccessRequest.id) < last.scalar_subquery())
    newest_first = mine.order_by(AccessRequest.asked_at.desc(), AccessRequest.id.desc()).limit(limit)
    return _show(session, session.scalars(newest_first).all())


def _is_in(state: RequestState) -> ColumnElement[bool]:
    waits = AccessRequest.state == RequestState.REQUESTED
    is_over = AccessRequest.lapses_at <= clock.now()
    if state is RequestState.REQUESTED:
        return and_(waits, ~is_over)
    if state is RequestState.LAPSED:
        return or_(AccessRequest.state == state, and_(waits, is_over))
    return AccessRequest.state == state


def _show(session: Session, found: Sequence[AccessRequest]) -> list[RequestView]:
    hospitals = accounts.list_hospitals(session, {asked.hospital_id for asked in found})
    askers = accounts.describe_actors(
        session, {(ActorKind.STAFF.value, asked.asked_by) for asked in found if asked.asked_by}
    )
    names = {id_: health_card.get_demographics(session, id_).name for id_ in {asked.person_id for asked in found}}
    granted = select(Grant.request_id, Grant.id).where(Grant.request_id.in_([asked.id for asked in found]))
    grants: dict[UUID | None, UUID] = dict(session.execute(granted).tuples().all())
    now = clock.now()
    return [
        RequestView(
            id=asked.id,
            person_id=asked.person_id,
            person_name=names[asked.person_id],
            hospital_id=asked.hospital_id,
            hospital_name=hospitals[asked.hospital_id].name,
            recipient=recipient_of(asked),
            asker_name=askers.get(asked.asked_by, "") if asked.asked_by else None,
            visit_id=asked.visit_id,
            purpose=asked.purpose,
            reason=asked.reason,
            words=_unseal(session, asked),
            scope=scope_of(asked),
            access_until=asked.access_until,
            notice_hash=asked.notice_hash,
            asked_at=asked.asked_at,
            lapses_at=asked.lapses_at,
            state=RequestState.LAPSED
            if asked.state == RequestState.REQUESTED and asked.lapses_at <= now
            else RequestState(asked.state),
            version=asked.version,
            ended_at=asked.ended_at,
            grant_id=grants.get(asked.id),
        )
        for asked in found
    ]


def _unseal(session: Session, asked: AccessRequest) -> str | None:
    if asked.reason_sealed is None:
        return None
    return health_card.unseal_text(session, person_id=asked.person_id, sealed=asked.reason_sealed, context=WORDS)
