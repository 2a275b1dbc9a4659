"""How many messages each phone takes: WeChat allows one for each time that its user accepted.

Source: https://developers.weixin.qq.com/miniprogram/dev/api/open-api/subscribe-message/wx.requestSubscribeMessage.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import Actor
from core.config import Config, MessageTemplate
from health_card.notices.models import MessageCredit, NoticeKind
from health_card.notices.refusals import TemplateUnknown

# A template for every kind that has none of its own.
ANY_KIND = "*"
# A phone that reports without end must not grow a number without end.
MOST = 1000


@dataclass(frozen=True)
class Subscription:
    """A template, the kinds of notices that it carries, and how many messages the login has still accepted."""

    template_id: str
    kinds: list[str]
    remaining: int


def find_template(config: Config, kind: NoticeKind) -> MessageTemplate | None:
    """The template that a kind of notice is sent with; None: it stands in the app only."""
    return config.wechat_templates.get(kind, config.wechat_templates.get(ANY_KIND))


def list_subscriptions(
    session: Session, actor: Actor, *, templates: Mapping[str, MessageTemplate]
) -> list[Subscription]:
    """Every template of the platform, and what is left of the login's acceptances."""
    mine = select(MessageCredit.template_id, MessageCredit.remaining).where(MessageCredit.login_id == actor.id)
    remaining = dict(session.execute(mine).tuples().all())
    kinds: dict[str, list[str]] = {}
    for kind, template in templates.items():
        kinds.setdefault(template.id, []).append(kind)
    return [Subscription(template_id, of, remaining.get(template_id, 0)) for template_id, of in sorted(kinds.items())]


def record_answers(
    session: Session,
    actor: Actor,
    *,
    answers: Sequence[tuple[str, str]],
    templates: Mapping[str, MessageTemplate],
) -> list[Subscription]:
    """Count what the user accepted on the phone; a template that he banned has nothing left.

    An answer that is reported twice counts twice: WeChat itself refuses the message that is one too many, and then
    nothing is left (``end_credits``).

    :param answers: template id and what WeChat's dialog returned for it: accept, reject, ban or filter.
    :raises TemplateUnknown: one of them is none of the platform's; nothing was counted.
    """
    known = {template.id for template in templates.values()}
    if any(template_id not in known for template_id, _ in answers):
        raise TemplateUnknown
    for template_id, answer in answers:
        if answer == "accept":
            _add_credit(session, actor.id, template_id)
        elif answer == "ban":
            end_credits(session, login_id=actor.id, template_id=template_id)
    facts = {answer: sum(each == answer for _, each in answers) for answer in sorted({each for _, each in answers})}
    audit.record_act(session, actor, "health_card.messages.answered", of=("login", actor.id), facts=facts)
    return list_subscriptions(session, actor, templates=templates)


def may_send(session: Session, *, login_id: UUID, template_id: str) -> bool:
    """Whether WeChat may take a message to this login: one is left, or its phone has never said; then WeChat knows."""
    credit = session.get(MessageCredit, (login_id, template_id))
    return credit is None or credit.remaining > 0


def list_unaccepted(session: Session, login_ids: set[UUID]) -> set[tuple[UUID, str]]:
    """Of these logins, and with which template, those that ``may_send`` denies."""
    spent = select(MessageCredit.login_id, MessageCredit.template_id).where(
        MessageCredit.login_id.in_(login_ids), MessageCredit.remaining <= 0
    )
    return set(session.execute(spent).tuples())


def spend_credit(session: Session, *, login_id: UUID, template_id: str) -> None:
    """A message was sent."""
    mine = MessageCredit.login_id == login_id, MessageCredit.template_id == template_id
    spent = update(MessageCredit).where(*mine, MessageCredit.remaining > 0)
    session.execute(spent.values(remaining=MessageCredit.remaining - 1, changed_at=clock.now()))


def end_credits(session: Session, *, login_id: UUID, template_id: str) -> None:
    """WeChat says that nothing is accepted any more (43101), or the user does."""
    _set(session, login_id, template_id, first=0, then=literal(0))


def _add_credit(session: Session, login_id: UUID, template_id: str) -> None:
    _set(session, login_id, template_id, first=1, then=func.least(MessageCredit.remaining + 1, MOST))


def _set(session: Session, login_id: UUID, template_id: str, *, first: int, then: ColumnElement[int]) -> None:
    added = insert(MessageCredit).values(
        login_id=login_id, template_id=template_id, remaining=first, changed_at=clock.now()
    )
    changed = {"remaining": then, "changed_at": added.excluded.changed_at}
    session.execute(added.on_conflict_do_update(index_elements=["login_id", "template_id"], set_=changed))
