"""How notices say no."""

from core.errors import NotFound


class NoticeNotFound(NotFound):
    code = "health_card.notice_not_found"
    title = "没有找到这条通知"
    detail = "No such notice to a person whom the signed-in login may act for."
