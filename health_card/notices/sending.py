"""What of a notice has to be sent, and what the worker sees in it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import exists, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from accounts import service as accounts
from core import audit, clock
from core.actor import SYSTEM
from health_card.models import Holder, Person, Relation
from health_card.notices import subscriptions
from health_card.notices.models import DeliveryOutcome, Notice, NoticeDelivery, NoticeKind
from health_card.notices.reading import expires_at, name_hospitals
from health_card.notices.service import tell
from health_card.notices.texts import TEXTS
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
    return next(iter(list_pushes(session, {notice_id})), None)


def list_pushes(session: Session, notice_ids: Collection[UUID]) -> list[Push]:
    """As ``find_push``, for some at once: of those of which anything is left."""
    notices = session.scalars(select(Notice).where(Notice.id.in_(notice_ids))).all()
    own, same = aliased(Person), aliased(Person)
    ended = exists().where(NoticeDelivery.notice_id == Notice.id, NoticeDelivery.login_id == Holder.login_id)
    waiting = (
        select(Notice.id, Holder.login_id)
        .join(own, own.id == Notice.person_id)
        .join(same, same.root_id == own.root_id)
        .join(Holder, Holder.person_id == same.id)
        .where(Notice.id.in_(notice_ids), is_holding(), ~ended)
        .where(or_(Notice.own_only.is_(False), Holder.relation == Relation.SELF))
    )
    phones: dict[UUID, set[UUID]] = {}
    for notice_id, login_id in session.execute(waiting).tuples():
        phones.setdefault(notice_id, set()).add(login_id)
    openids = accounts.list_openids(session, {login_id for each in phones.values() for login_id in each})
    left = [notice for notice in notices if notice.id in phones]
    return [
        Push(
            notice.id,
            NoticeKind(notice.kind),
            TEXTS[NoticeKind(notice.kind)].title,
            shown["hospital"],
            notice.created_at,
            expires_at(notice),
            {login_id: openids[login_id] for login_id in sorted(phones[notice.id])},
        )
        for notice, shown in zip(left, name_hospitals(session, left), strict=True)
    ]


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


def record_unsent(session: Session, ended: Iterable[tuple[UUID, UUID, DeliveryOutcome]]) -> None:
    """As ``record_delivery``, for what WeChat was not asked to send: notice, login, and why."""
    rows = [
        {"notice_id": notice_id, "login_id": login_id, "outcome": outcome.value, "ended_at": clock.now()}
        for notice_id, login_id, outcome in ended
    ]
    if rows:
        session.execute(insert(NoticeDelivery).on_conflict_do_nothing(), rows)


def raise_two_places_alarm(session: Session, notice_id: UUID) -> None:
    """Tell the person when this identification and another one at another hospital lie within five minutes.

    Called for each of the two after its commit, so that the later call sees both; the pair is told of once.
    """
    raise_two_places_alarms(session, {notice_id})


def raise_two_places_alarms(session: Session, notice_ids: Collection[UUID]) -> None:
    """As ``raise_two_places_alarm``, for some at once."""
    mine, other = aliased(Notice), aliased(Notice)
    own, same = aliased(Person), aliased(Person)
    pairs = (
        select(mine, other)
        .join(own, own.id == mine.person_id)
        .join(same, same.root_id == own.root_id)
        .join(other, other.person_id == same.id)
        .where(mine.id.in_(notice_ids), mine.kind == NoticeKind.IDENTIFIED, other.kind == NoticeKind.IDENTIFIED)
        .where(other.hospital_id != mine.hospital_id)
        .where(other.created_at.between(mine.created_at - TWO_PLACES_WITHIN, mine.created_at + TWO_PLACES_WITHIN))
        .order_by(mine.id, other.id)
    )
    for notice, near in session.execute(pairs).tuples():
        first, second = sorted((notice, near), key=lambda each: (each.created_at, each.id))
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
