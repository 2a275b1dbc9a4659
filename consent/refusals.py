"""How consent says no."""

from core.errors import Forbidden, Invalid, NotFound


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


class MinorDecides(Forbidden):
    code = "consent.minor_decides"
    title = "年满十四周岁的未成年人由本人决定"
    detail = "From 14 on a minor allows others and takes that back himself, with his own login; a guardian reads it."


class NothingToShare(Invalid):
    code = "consent.nothing_to_share"
    title = "授权范围为空或期限已过"
    detail = "A grant needs a time that is still to come, a first day not after the last one, and at least one use."
