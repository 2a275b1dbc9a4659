"""The notices of a login's persons, in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit, clock
from core.actor import Actor
from health_card.notices.models import Notice, NoticeKind
from health_card.notices.refusals import NoticeNotFound
from health_card.notices.texts import TEXTS
from health_card.service.demographics import get_demographics
from health_card.service.persons import held_person_ids, own_person_ids

PAGE = 30


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


def _mine(actor: Actor) -> Select[tuple[Notice]]:
    for_me = Notice.own_only.is_(False) | Notice.person_id.in_(own_person_ids(actor))
    return select(Notice).where(Notice.person_id.in_(held_person_ids(actor)), for_me)


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
        for notice, hospitals in zip(notices, name_hospitals(session, notices), strict=True)
    ]


def _write(notice: Notice, hospitals: dict[str, str | None]) -> str:
    text = TEXTS[NoticeKind(notice.kind)]
    over = text.body_when_over if is_over(notice) else None
    return (over or text.body).format(
        hospital=hospitals["hospital"] or "平台",
        other_hospital=hospitals["other_hospital"] or "别处",
        terminal=notice.facts.get("terminal", "未知"),
        time=clock.in_city(notice.created_at).strftime("%Y-%m-%d %H:%M"),
    )


def expires_at(notice: Notice) -> datetime | None:
    """Until when the notice asks for something; None: it only tells."""
    named = notice.facts.get("expires_at")
    return datetime.fromisoformat(named) if named else None


def is_over(notice: Notice) -> bool:
    """Whether the time is over for which the notice asks for something."""
    until = expires_at(notice)
    return until is not None and clock.now() >= until


def name_hospitals(session: Session, notices: Iterable[Notice]) -> list[dict[str, str | None]]:
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
