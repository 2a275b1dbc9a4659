"""The machine interface of notices, for the patient's phone."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, current_config, present, requires
from health_card.notices import reading, subscriptions
from health_card.notices.schemas import (
    NoticeList,
    NoticePath,
    NoticeQuery,
    NoticeShown,
    SubscriptionAnswers,
    SubscriptionList,
    SubscriptionShown,
)

api = Api("notices", tag="Notices 通知", url_prefix="/api/v1")


@api.get("/notices", responses={200: NoticeList})
@requires("health_card:notice:read")
def list_notices(query: NoticeQuery) -> Response:
    """What happened with my card, and my family's: which hospital, which desk, when"""
    with db.snapshot() as session:
        notices = reading.list_notices(session, current_actor(), **dict(query))
        unread = reading.count_unread(session, current_actor())
    return present(NoticeList(notices=[NoticeShown.model_validate(each) for each in notices], unread=unread))


@api.post("/notices/<uuid:notice_id>/seen", responses={200: NoticeShown})
@requires("health_card:notice:read")
def see_notice(path: NoticePath) -> Response:
    """Mark a notice as seen"""
    with db.transaction() as session:
        notice = reading.see_notice(session, current_actor(), notice_id=path.notice_id)
    return present(NoticeShown.model_validate(notice))


@api.get("/notices/subscriptions", responses={200: SubscriptionList})
@requires("health_card:notice:read")
def list_subscriptions() -> Response:
    """Which message templates the phone may ask for, and how many messages of each it has accepted"""
    with db.snapshot() as session:
        found = subscriptions.list_subscriptions(session, current_actor(), templates=current_config().wechat_templates)
    return present(SubscriptionList(subscriptions=[SubscriptionShown.model_validate(each) for each in found]))


@api.post("/notices/subscriptions", responses={200: SubscriptionList})
@requires("health_card:notice:read")
def record_answers(body: SubscriptionAnswers) -> Response:
    """What the user answered when WeChat asked: each acceptance allows one message"""
    answers = [(each.template_id, each.answer) for each in body.answers]
    with db.transaction() as session:
        found = subscriptions.record_answers(
            session, current_actor(), answers=answers, templates=current_config().wechat_templates
        )
    return present(SubscriptionList(subscriptions=[SubscriptionShown.model_validate(each) for each in found]))
