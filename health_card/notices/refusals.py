"""How notices say no."""

from core.errors import Invalid, NotFound


class NoticeNotFound(NotFound):
    code = "health_card.notice_not_found"
    title = "没有找到这条通知"
    detail = "No such notice to a person whom the signed-in login may act for."


class TemplateUnknown(Invalid):
    code = "health_card.message_template_unknown"
    title = "未知的消息模板"
    detail = (
        "A template is not one of this platform; GET /api/v1/notices/subscriptions lists them. Nothing was counted."
    )
