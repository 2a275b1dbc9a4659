"""How resolving a message says no."""

from core.errors import Conflict, Invalid, NotFound


class MessageNotFound(NotFound):
    code = "records.message_not_found"
    title = "没有找到这条消息"
    detail = "No such message of the signed-in account's hospital; the operator sees every hospital's."


class MessageNotWaiting(Conflict):
    code = "records.message_not_waiting"
    title = "这条消息已不在待处理区"
    detail = "It was filed, dismissed or reopened in the meantime; read it again for its state."


class PurposeMissing(Invalid):
    code = "records.purpose_missing"
    title = "查看其他机构的消息内容须说明事由"
    detail = "Whoever acts for no hospital says why the content is opened: send `purpose` (support, complaint, audit)."


class AssigneeNotFound(Invalid):
    code = "records.assignee_not_found"
    title = "该号码没有对应的患者"
    detail = "Send a card number, or a patient number of the hospital that sent the message, of a registered person."


class ReplayNotFound(NotFound):
    code = "records.replay_not_found"
    title = "没有找到这次批量重试"
    detail = "No such bulk replay that the signed-in account's hospital asked for."
