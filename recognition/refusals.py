"""How recognition says no."""

from core.errors import Conflict, Invalid, NotFound


class ReminderNotFound(NotFound):
    code = "recognition.reminder_not_found"
    title = "没有可互认的结果"
    detail = "This report is not (or no longer) a valid result of this item for the visit; check the order again."


class AlreadyAnswered(Conflict):
    code = "recognition.already_answered"
    title = "该结果已作出互认选择"
    detail = "This visit has an answer for this item and report already, and it is another one."


class ReasonMismatch(Invalid):
    code = "recognition.reason_mismatch"
    title = "不予互认时须填写原因,互认时不填"
    detail = "A refused recognition needs a reason code (01 to 08, 98, 99); a recognised one has none."
