"""What of a notice has to be sent, and what the worker sees in it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit, clock
from core.actor import SYSTEM
from health_card.models import Holder, Relation
from health_card.notices import subscriptions
from health_card.notices.models import DeliveryOutcome, Notice, NoticeDelivery, NoticeKind
from health_card.notices.reading import expires_at, name_hospitals
from health_card.notices.service import tell
from health_card.notices.texts import TEXTS
from health_card.service.identities import same_person_ids
from health_card.service.persons import is_holding

# Two hospitals identify one person within this time: nobody travels so fast by chance.
TWO_PLACES_WITHIN = timedelta(minutes=5)


@dataclass(frozen=True)
class Push:
    """A notice on its way to phones: what it says, and who has not ended yet (login id to openid).

    :ivar expires_at: what it asks for can be answered until then.
    """

    notice_id: UUID
    kind: NoticeKind
    title: str
    hospital_name: str | None
    created_at: datetime
    expires_at: datetime | None
    openids: dict[UUID, str]


def find_push(session: Session, notice_id: UUID) -> Push | None:
    """What is left to send of a notice: to the confirmed holders at whose phones it has not ended."""
    notice = session.get_one(Notice, notice_id)
    ended = select(NoticeDelivery.login_id).where(NoticeDelivery.notice_id == notice_id)
    waiting = select(Holder.login_id).where(
        Holder.person_id.in_(same_person_ids(notice.person_id)), is_holding(), Holder.login_id.not_in(ended)
    )
    if notice.own_only:
        waiting = waiting.where(Holder.relation == Relation.SELF)
    openids = {login_id: accounts.get_openid(session, login_id) for login_id in session.scalars(waiting)}
    if not openids:
        return None
    (shown,) = name_hospitals(session, [notice])
    kind = NoticeKind(notice.kind)
    return Push(notice.id, kind, TEXTS[kind].title, shown["hospital"], notice.created_at, expires_at(notice), openids)


def record_delivery(
    session: Session, *, notice_id: UUID, login_id: UUID, template_id: str, outcome: DeliveryOutcome
) -> None:
    """Remember how a notice ended at a phone, and what it cost. What is recorded stays."""
    recorded = (
        insert(NoticeDelivery)
        .values(notice_id=notice_id, login_id=login_id, outcome=outcome.value, ended_at=clock.now())
        .on_conflict_do_nothing()
        .returning(NoticeDelivery.login_id)
    )
    if session.scalar(recorded) is None:
        return
    if outcome is DeliveryOutcome.SENT:
        subscriptions.spend_credit(session, login_id=login_id, template_id=template_id)
    elif outcome is DeliveryOutcome.REFUSED:
        subscriptions.end_credits(session, login_id=login_id, template_id=template_id)


def raise_two_places_alarm(session: Session, notice_id: UUID) -> None:
    """Tell the person when this identification and another one at another hospital lie within five minutes.

    Called for each of the two after its commit, so that the later call sees both; the pair is told of once.
    """
    notice = session.get_one(Notice, notice_id)
    if notice.kind != NoticeKind.IDENTIFIED:
        return
    others = session.scalars(
        select(Notice)
        .where(Notice.person_id.in_(same_person_ids(notice.person_id)), Notice.kind == NoticeKind.IDENTIFIED)
        .where(Notice.hospital_id != notice.hospital_id)
        .where(Notice.created_at.between(notice.created_at - TWO_PLACES_WITHIN, notice.created_at + TWO_PLACES_WITHIN))
    )
    for other in others:
        first, second = sorted((notice, other), key=lambda each: (each.created_at, each.id))
        told = tell(
            session,
            person_id=notice.person_id,
            kind=NoticeKind.TWO_PLACES,
            # A visit at most desks; older systems identify the card and open none.
            facts={"other_hospital_id": str(first.hospital_id), f"other_{first.object_kind}_id": str(first.object_id)},
            hospital_id=second.hospital_id,
            of=(second.object_kind, second.object_id) if second.object_kind and second.object_id else None,
            key=f"two_places:{first.id}:{second.id}",
        )
        if told is not None:
            audit.record_act(
                session,
                SYSTEM,
                "health_card.alarm.raised",
                subject_id=notice.person_id,
                of=("notice", told),
                facts={"alarm": NoticeKind.TWO_PLACES.value},
            )
