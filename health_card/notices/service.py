"""The notices of a login's persons, and what has to be sent of one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit, clock
from core.actor import SYSTEM, Actor
from health_card.models import Holder
from health_card.notices.models import DeliveryOutcome, Notice, NoticeDelivery, NoticeKind
from health_card.notices.refusals import NoticeNotFound
from health_card.notices.telling import tell_person
from health_card.notices.texts import TEXTS
from health_card.service.demographics import get_demographics
from health_card.service.persons import held_person_ids

PAGE = 30
# Two hospitals identify one person within this time: nobody travels so fast by chance.
TWO_PLACES_WITHIN = timedelta(minutes=5)


@dataclass(frozen=True)
class NoticeView:
    """A notice in words. ``person_name`` is masked: a login may act for several persons."""

    id: UUID
    person_id: UUID
    person_name: str
    kind: str
    title: str
    body: str
    facts: dict[str, Any]
    hospital_name: str | None
    object_kind: str | None
    object_id: UUID | None
    created_at: datetime
    seen_at: datetime | None


@dataclass(frozen=True)
class Push:
    """A notice on its way to phones: what it says, and who has not ended yet (login id to openid)."""

    notice_id: UUID
    kind: NoticeKind
    title: str
    hospital_name: str | None
    created_at: datetime
    openids: dict[UUID, str]


def list_notices(session: Session, actor: Actor, *, before: UUID | None = None, limit: int = PAGE) -> list[NoticeView]:
    """What the persons whom the login may act for were told, newest first.

    :param before: the id of the last notice of the page before.
    """
    page = _mine(actor)
    if before is not None:
        last = select(Notice.created_at, Notice.id).where(Notice.id == before)
        page = page.where(tuple_(Notice.created_at, Notice.id) < last.scalar_subquery())
    newest_first = page.order_by(Notice.created_at.desc(), Notice.id.desc())
    return _show(session, list(session.scalars(newest_first.limit(limit))))


def count_unread(session: Session, actor: Actor) -> int:
    """How many notices of the login's persons nobody has seen yet."""
    unread = _mine(actor).where(Notice.seen_at.is_(None)).with_only_columns(func.count(Notice.id))
    return session.scalar(unread) or 0


def see_notice(session: Session, actor: Actor, *, notice_id: UUID) -> NoticeView:
    """Mark a notice as seen. Whoever acts for the person sees it for all; seeing it again changes nothing.

    :raises NoticeNotFound: not to a person whom the login may act for.
    """
    notice = session.scalars(_mine(actor).where(Notice.id == notice_id).with_for_update()).one_or_none()
    if notice is None:
        raise NoticeNotFound
    if notice.seen_at is None:
        notice.seen_at = clock.now()
        audit.record_act(
            session, actor, "health_card.notice.seen", subject_id=notice.person_id, of=("notice", notice.id)
        )
    return _show(session, [notice])[0]


def find_push(session: Session, notice_id: UUID) -> Push | None:
    """What is left to send of a notice: to the confirmed holders at whose phones it has not ended."""
    notice = session.get_one(Notice, notice_id)
    ended = select(NoticeDelivery.login_id).where(NoticeDelivery.notice_id == notice_id)
    waiting = session.scalars(
        select(Holder.login_id).where(
            Holder.person_id == notice.person_id, Holder.confirmed_at.is_not(None), Holder.login_id.not_in(ended)
        )
    )
    openids = {login_id: accounts.get_openid(session, login_id) for login_id in waiting}
    if not openids:
        return None
    (shown,) = _name_hospitals(session, [notice])
    kind = NoticeKind(notice.kind)
    return Push(notice.id, kind, TEXTS[kind].title, shown["hospital"], notice.created_at, openids)


def record_delivery(session: Session, *, notice_id: UUID, login_id: UUID, outcome: DeliveryOutcome) -> None:
    """Remember how a notice ended at a phone. What is recorded stays."""
    session.execute(
        insert(NoticeDelivery)
        .values(notice_id=notice_id, login_id=login_id, outcome=outcome.value, ended_at=clock.now())
        .on_conflict_do_nothing()
    )


def raise_two_places_alarm(session: Session, notice_id: UUID) -> None:
    """Tell the person when this identification and another one at another hospital lie within five minutes.

    Called for each of the two after its commit, so that the later call sees both; the pair is told of once.
    """
    notice = session.get_one(Notice, notice_id)
    if notice.kind != NoticeKind.IDENTIFIED:
        return
    others = session.scalars(
        select(Notice)
        .where(Notice.person_id == notice.person_id, Notice.kind == NoticeKind.IDENTIFIED)
        .where(Notice.hospital_id != notice.hospital_id)
        .where(Notice.created_at.between(notice.created_at - TWO_PLACES_WITHIN, notice.created_at + TWO_PLACES_WITHIN))
    )
    for other in others:
        first, second = sorted((notice, other), key=lambda each: (each.created_at, each.id))
        told = tell_person(
            session,
            person_id=notice.person_id,
            kind=NoticeKind.TWO_PLACES,
            facts={"other_hospital_id": str(first.hospital_id), "other_visit_id": str(first.object_id)},
            hospital_id=second.hospital_id,
            of=("visit", second.object_id) if second.object_id else None,
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


def _mine(actor: Actor) -> Select[tuple[Notice]]:
    return select(Notice).where(Notice.person_id.in_(held_person_ids(actor)))


def _show(session: Session, notices: list[Notice]) -> list[NoticeView]:
    names = {
        person_id: get_demographics(session, person_id).name for person_id in {notice.person_id for notice in notices}
    }
    return [
        NoticeView(
            id=notice.id,
            person_id=notice.person_id,
            person_name=names[notice.person_id],
            kind=notice.kind,
            title=TEXTS[NoticeKind(notice.kind)].title,
            body=_write(notice, hospitals),
            facts=notice.facts,
            hospital_name=hospitals["hospital"],
            object_kind=notice.object_kind,
            object_id=notice.object_id,
            created_at=notice.created_at,
            seen_at=notice.seen_at,
        )
        for notice, hospitals in zip(notices, _name_hospitals(session, notices), strict=True)
    ]


def _write(notice: Notice, hospitals: dict[str, str | None]) -> str:
    return TEXTS[NoticeKind(notice.kind)].body.format(
        hospital=hospitals["hospital"] or "平台",
        other_hospital=hospitals["other_hospital"] or "别处",
        terminal=notice.facts.get("terminal", "未知"),
        time=clock.in_city(notice.created_at).strftime("%Y-%m-%d %H:%M"),
    )


def _name_hospitals(session: Session, notices: Iterable[Notice]) -> list[dict[str, str | None]]:
    """For each notice the names of the hospital where it happened and of the other one, where there is one."""
    ids = [(notice.hospital_id, _other_hospital_id(notice)) for notice in notices]
    cards = accounts.list_hospitals(session, {each for pair in ids for each in pair if each})
    return [
        {
            "hospital": cards[first].name if first else None,
            "other_hospital": cards[other].name if other in cards else None,
        }
        for first, other in ids
    ]


def _other_hospital_id(notice: Notice) -> UUID | None:
    named = notice.facts.get("other_hospital_id")
    return UUID(named) if named else None
