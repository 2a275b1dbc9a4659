"""How requests say no."""

from core.errors import Conflict, Invalid, NotFound, TooMany


class CannotBeAsked(NotFound):
    code = "consent.cannot_be_asked"
    title = "目前无法向该患者发出申请"
    detail = (
        "Nobody can be asked here under this visit or number: it is not an open visit or a patient number of the own "
        "hospital, or the patient takes no requests of this hospital. Which of these it is, is not told."
    )


class RequestWaiting(Conflict):
    code = "consent.request_waiting"
    title = "您已有一项申请在等待该患者答复"
    detail = "A request of this doctor for this purpose waits for the patient's answer: withdraw it to ask otherwise."


class AskedTooOften(TooMany):
    code = "consent.asked_too_often"
    title = "申请次数已达上限,请勿反复打扰患者"
    detail = (
        "Too many requests within 24 hours, by this doctor or to this patient; wait for the seconds in Retry-After."
    )

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__()
        self.headers = {"Retry-After": str(retry_after_seconds)}


class NothingAsked(Invalid):
    code = "consent.nothing_asked"
    title = "申请范围为空或期限不正确"
    detail = "A request needs a first day not after the last one, and what it names must not be empty."


class DepartmentNotKnown(Invalid):
    code = "consent.department_not_known"
    title = "您的账号没有登记科室,不能以科室名义申请"
    detail = "The hospital has not said in which department this member of staff works: ask for yourself or the house."


class AccessRequestNotFound(NotFound):
    code = "consent.access_request_not_found"
    title = "没有找到这项查看申请"
    detail = "No such request to a person for whom the login decides, or of the signed-in doctor."


class RequestOver(Conflict):
    code = "consent.request_over"
    title = "这项申请已经答复、撤回或过期"
    detail = (
        "The request is not in the `version` that was sent any more, or its time is over; `state` says how it ended."
    )


class WiderThanAsked(Invalid):
    code = "consent.wider_than_asked"
    title = "同意的范围不能超出申请的范围"
    detail = "A part of what was asked can be granted, never more: not in kinds, days, visits, items, uses or time."
