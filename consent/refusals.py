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
        "No grant of this patient is in force for this hospital: the card was not scanned here, or the grant expired "
        "or was revoked. Scan the patient's dynamic code."
    )


class HidingNotAllowed(Forbidden):
    code = "consent.hiding_not_allowed"
    title = "仅限年满十四周岁的本人设置"
    detail = "Only the person himself, from 14 years on and with his own login, hides an item or shows it again."


class NothingToShare(Invalid):
    code = "consent.nothing_to_share"
    title = "授权范围为空或期限已过"
    detail = "A grant needs a time that is still to come, a first day not after the last one, and at least one use."
