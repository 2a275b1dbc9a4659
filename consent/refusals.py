"""How consent says no."""

from core.errors import Conflict, Forbidden, Invalid, NotFound


class GrantNotFound(NotFound):
    code = "consent.grant_not_found"
    title = "没有找到这项授权"
    detail = "No such grant of a person whom the signed-in login may act for."


class NothingShared(Forbidden):
    code = "consent.nothing_shared"
    title = "患者未授权查看,请扫描患者健康卡或请患者授权"
    detail = (
        "No grant of this patient that is in force shows this to whom asks: the card was not scanned here, the grant "
        "expired, was revoked or is used up, or it is narrower. Scan the patient's dynamic code, or ask the patient."
    )


class ViewOnly(Forbidden):
    code = "consent.view_only"
    title = "患者只授权在线查看,不能下载"
    detail = "The patient's grant shows this on the platform's pages and lets nobody take a file of it away."


class HidingNotAllowed(Forbidden):
    code = "consent.hiding_not_allowed"
    title = "仅限年满十四周岁的本人设置"
    detail = "Only the person himself, from 14 years on and with his own login, hides an item or shows it again."


class NothingToShare(Invalid):
    code = "consent.nothing_to_share"
    title = "授权范围为空或期限已过"
    detail = "A grant needs a time that is still to come, a first day not after the last one, and at least one use."


class GrantPersonNotFound(NotFound):
    code = "consent.grant_person_not_found"
    title = "不能为此人授权"
    detail = "Nobody for whom the signed-in login decides: itself, a child under 14, or an adult ward."


class RecipientNotFound(NotFound):
    code = "consent.recipient_not_found"
    title = "没有找到被授权的医院、科室或医生"
    detail = "No such hospital, standard department code, or working staff member of that hospital."


class ItemNotShareable(NotFound):
    code = "consent.item_not_shareable"
    title = "指定的就诊或记录不存在"
    detail = "A visit or an item that is named is not among what the signed-in login sees of this person."


class GrantTooLong(Invalid):
    code = "consent.grant_too_long"
    title = "授权期限最长一年"
    detail = "A grant ends within 366 days; give another one then."


class GrantChanged(Conflict):
    code = "consent.grant_changed"
    title = "授权内容已变更,请刷新后重试"
    detail = "The grant says something else than the version that was named; `version` is the one it has now."


class GrantEnded(Conflict):
    code = "consent.grant_ended"
    title = "授权已结束"
    detail = "The grant expired, was revoked or is used up; nothing of it can be changed any more."


class GrantWider(Conflict):
    code = "consent.grant_wider"
    title = "授权范围只能缩小,不能扩大"
    detail = "A grant is only ever made narrower: fewer kinds, visits, items, days or uses, less time. Give another."
