"""Notices as they go out."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from core.api import Received, Shown
from health_card.notices.reading import PAGE


class NoticeQuery(Received):
    before: UUID | None = Field(None, description="the id of the last notice of the page before")
    limit: int = Field(PAGE, ge=1, le=100)


class NoticePath(Received):
    notice_id: UUID


class NoticeShown(Shown):
    id: UUID
    person_id: UUID = Field(description="whom it concerns")
    person_name: str = Field(description="masked")
    kind: str = Field(description="for example identified, code_replayed, two_places, card_lost")
    title: str = Field(description="at most 20 characters, in Chinese; also sent through WeChat")
    body: str = Field(
        description="what happened and what to do, in Chinese; of a request that has expired, that it has"
    )
    facts: dict[str, Any] = Field(
        description="ids and codes: terminal, step (medical step), department (4 digits), other_hospital_id, "
        "expires_at (of what can be answered until then) ..."
    )
    hospital_name: str | None
    object_kind: str | None = Field(description="for example visit: then it can be disowned with not-me")
    object_id: UUID | None
    created_at: datetime
    seen_at: datetime | None


class NoticeList(Shown):
    notices: list[NoticeShown]
    unread: int = Field(description="of all notices, not only of this page")


class SubscriptionAnswer(Received):
    template_id: str = Field(max_length=64)
    answer: Literal["accept", "reject", "ban", "filter"] = Field(
        description="as wx.requestSubscribeMessage returned it for this template"
    )


class SubscriptionAnswers(Received):
    answers: list[SubscriptionAnswer] = Field(
        min_length=1, max_length=3, description="of one tap: WeChat shows 3 at most"
    )


class SubscriptionShown(Shown):
    template_id: str
    kinds: list[str] = Field(description="of notices that are sent with it; * is every kind that has none of its own")
    remaining: int = Field(description="messages that may still be sent; at 0 notices stand in the app only")


class SubscriptionList(Shown):
    subscriptions: list[SubscriptionShown]
