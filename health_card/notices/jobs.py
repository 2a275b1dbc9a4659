"""Notices go to the phones, outside every transaction; what they say stands in the app in any case."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from accounts import service as accounts
from accounts.service import MessageFate
from core import clock, db
from core.circuit import Circuit
from core.config import MessageTemplate
from core.dispatch import Handler, Left, Together, TryLater
from core.web import current_config
from health_card.notices import sending, subscriptions
from health_card.notices.models import DeliveryOutcome
from health_card.notices.sending import Push
from health_card.notices.service import WRITTEN_TOPIC
from health_card.notices.texts import LONGEST_THING

_RETRY_SECONDS = 30
# What could not be sent for so long is no news any more.
GIVE_UP_AFTER = timedelta(hours=24)

circuit = Circuit(rest_seconds=10)

_OUTCOMES = {
    MessageFate.SENT: DeliveryOutcome.SENT,
    MessageFate.REFUSED: DeliveryOutcome.REFUSED,
    MessageFate.UNDELIVERABLE: DeliveryOutcome.UNDELIVERABLE,
}


def deliver_notice(payload: dict[str, Any]) -> None:
    """Send a notice to each confirmed holder's phone, once each; without a template of its kind it is sent to none.

    A phone that has accepted no more messages is not tried: the notice stands in the app.

    A worker killed between WeChat's answer and our row sends that one again: WeChat takes no key that would prevent it.

    :raises TryLater: WeChat does not answer or is busy.
    """
    notice_id = UUID(payload["notice_id"])
    with db.transaction() as session:
        sending.raise_two_places_alarm(session, notice_id)
        push = sending.find_push(session, notice_id)
    template = _template(push) if push else None
    if push is None or template is None:
        return
    data = {keyword: _words(push)[word] for keyword, word in template.data.items()}
    fates = [_deliver(push, login_id, template.id, data) for login_id in push.openids]
    if MessageFate.LATER in fates:
        raise TryLater(_RETRY_SECONDS)


def deliver_notices(session: Session, payloads: Sequence[dict[str, Any]]) -> Left:
    """Of many notices whatever needs no WeChat; those of which anything is to be sent are left."""
    notice_ids = [UUID(payload["notice_id"]) for payload in payloads]
    sending.raise_two_places_alarms(session, set(notice_ids))
    pushes = sending.list_pushes(session, set(notice_ids))
    unaccepted = subscriptions.list_unaccepted(session, {login_id for push in pushes for login_id in push.openids})
    ended = {push.notice_id: dict(_end_unsent(push, unaccepted)) for push in pushes}
    sending.record_unsent(
        session, [(notice_id, *phone) for notice_id, phones in ended.items() for phone in phones.items()]
    )
    left = {push.notice_id for push in pushes if _template(push) and push.openids.keys() - ended[push.notice_id].keys()}
    seconds = _RETRY_SECONDS if circuit.is_open else None
    return {place: seconds for place, notice_id in enumerate(notice_ids) if notice_id in left}


HANDLERS: dict[str, Handler] = {WRITTEN_TOPIC: Together(alone=deliver_notice, many=deliver_notices)}


def _template(push: Push) -> MessageTemplate | None:
    return subscriptions.find_template(current_config(), push.kind)


def _end_unsent(push: Push, unaccepted: set[tuple[UUID, str]]) -> Iterator[tuple[UUID, DeliveryOutcome]]:
    """The phones to which nothing is sent, and why."""
    template = _template(push)
    if template is None:
        return
    for login_id in push.openids:
        if _is_too_late(push):
            yield login_id, DeliveryOutcome.TOO_LATE
        elif (login_id, template.id) in unaccepted:
            yield login_id, DeliveryOutcome.NOT_ACCEPTED


def _is_too_late(push: Push) -> bool:
    return clock.now() >= (push.expires_at or push.created_at + GIVE_UP_AFTER)


def _deliver(push: Push, login_id: UUID, template_id: str, data: Mapping[str, str]) -> MessageFate | None:
    if _is_too_late(push):
        _record(push, login_id, template_id, DeliveryOutcome.TOO_LATE)
        return None
    with db.snapshot() as session:
        may_send = subscriptions.may_send(session, login_id=login_id, template_id=template_id)
    if not may_send:
        _record(push, login_id, template_id, DeliveryOutcome.NOT_ACCEPTED)
        return None
    if circuit.is_open:
        return MessageFate.LATER
    fate = accounts.send_message(current_config(), openid=push.openids[login_id], template_id=template_id, data=data)
    if fate is MessageFate.LATER:
        circuit.trip()
    else:
        _record(push, login_id, template_id, _OUTCOMES[fate])
    return fate


def _record(push: Push, login_id: UUID, template_id: str, outcome: DeliveryOutcome) -> None:
    with db.transaction() as session:
        sending.record_delivery(
            session, notice_id=push.notice_id, login_id=login_id, template_id=template_id, outcome=outcome
        )


def _words(push: Push) -> dict[str, str]:
    """What a template's keywords can be filled with."""
    return {
        "title": push.title,
        "hospital": (push.hospital_name or "一码通")[:LONGEST_THING],
        "time": clock.in_city(push.created_at).strftime("%Y-%m-%d %H:%M"),
    }
