"""A request ends without an answer: it lapses, or who asked takes it back."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from consent.requests.models import AccessRequest, RequestState
from consent.requests.refusals import AccessRequestNotFound, RequestOver
from core import audit, clock
from core.actor import SYSTEM, Actor
from health_card import service as health_card

LAPSING_TOPIC = "consent.access_request_lapsing"
REMINDING_TOPIC = "consent.access_request_reminding"


def end_request(session: Session, asked: AccessRequest, state: RequestState, *, login_id: UUID | None = None) -> None:
    """Compare and set: only one that waits, in the version that was read, gets this state.

    :raises RequestOver: it has ended otherwise, or its time is over.
    """
    now = clock.now()
    waits = update(AccessRequest).where(
        AccessRequest.id == asked.id,
        AccessRequest.version == asked.version,
        AccessRequest.state == RequestState.REQUESTED,
    )
    if state is not RequestState.LAPSED:
        waits = waits.where(AccessRequest.lapses_at > now)
    changed = waits.values(state=state, version=AccessRequest.version + 1, answered_by=login_id, ended_at=now)
    if session.scalar(changed.returning(AccessRequest.id).execution_options(synchronize_session=False)) is None:
        raise over(session, asked)
    session.refresh(asked)


def over(session: Session, asked: AccessRequest) -> RequestOver:
    """The refusal that says how it ended."""
    session.refresh(asked)
    return RequestOver(state=RequestState.LAPSED if asked.state == RequestState.REQUESTED else asked.state)


def withdraw_request(session: Session, actor: Actor, *, request_id: UUID) -> None:
    """The doctor who asked takes it back. Withdrawing again changes nothing.

    :raises AccessRequestNotFound: the actor has not asked this.
    :raises RequestOver: it was answered, or has lapsed.
    """
    mine = select(AccessRequest).where(
        AccessRequest.id == request_id,
        AccessRequest.hospital_id == actor.house_id,
        AccessRequest.asked_by == actor.id,
    )
    asked = session.scalars(mine.with_for_update()).one_or_none()
    if asked is None:
        raise AccessRequestNotFound
    if asked.state == RequestState.WITHDRAWN:
        return
    end_request(session, asked, RequestState.WITHDRAWN)
    record(session, actor, asked)


def withdraw_of_visit(session: Session, actor: Actor, *, visit_id: UUID) -> None:
    """A visit is over, or was disowned: what its code asks the phone is not asked any more."""
    of_code = select(AccessRequest).where(
        AccessRequest.visit_id == visit_id,
        AccessRequest.asked_by.is_(None),
        AccessRequest.state == RequestState.REQUESTED,
        AccessRequest.lapses_at > clock.now(),
    )
    for asked in session.scalars(of_code.with_for_update()).all():
        end_request(session, asked, RequestState.WITHDRAWN)
        record(session, actor, asked)


def lapse_request(session: Session, *, request_id: UUID) -> datetime | None:
    """Close a request that nobody has answered in time.

    :returns: when its time is over, if that is not yet; None: it has ended, thus or otherwise.
    """
    asked = session.scalars(select(AccessRequest).where(AccessRequest.id == request_id).with_for_update()).one()
    if asked.state != RequestState.REQUESTED:
        return None
    if asked.lapses_at > clock.now():
        return asked.lapses_at
    end_request(session, asked, RequestState.LAPSED)
    record(session, SYSTEM, asked)
    return None


def remind_patient(session: Session, *, request_id: UUID) -> None:
    """Tell the phone, once, that a request still waits."""
    asked = session.get_one(AccessRequest, request_id)
    if asked.state != RequestState.REQUESTED or asked.lapses_at <= clock.now():
        return
    health_card.tell_person(
        session,
        person_id=asked.person_id,
        kind=health_card.NoticeKind.ACCESS_REMINDED,
        facts={"expires_at": asked.lapses_at.isoformat()},
        hospital_id=asked.hospital_id,
        of=("access_request", asked.id),
        key=f"access_request_reminded/{asked.id}",
        own_only=is_for_himself(session, asked.person_id),
    )


def record(session: Session, actor: Actor, asked: AccessRequest) -> None:
    """Record how it ended."""
    audit.record_act(
        session,
        actor,
        f"consent.request.{asked.state}",
        subject_id=asked.person_id,
        of=("access_request", asked.id),
        purpose=asked.purpose,
    )


def is_for_himself(session: Session, person_id: UUID) -> bool:
    """Whether only the person himself learns of a request: from 14 on he answers, and no guardian."""
    return health_card.get_life_stage(session, person_id) is health_card.LifeStage.MINOR
