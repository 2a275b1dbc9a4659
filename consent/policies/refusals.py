"""How standing policies say no."""

from core.errors import Conflict, Invalid, NotFound


class PolicyPersonNotFound(NotFound):
    code = "consent.policy_person_not_found"
    title = "没有找到可由您决定共享的居民"
    detail = (
        "The signed-in login decides for nobody of this id: it does for itself, a child under 14 and an adult ward. "
        "From 14 years on a person decides with a login of his own."
    )


class PolicyChanged(Conflict):
    code = "consent.policy_changed"
    title = "共享设置已在别处更改,请查看后重新设置"
    detail = "The policy is not in the `version` that was sent any more: read it again and send the new version."


class NoticeOutdated(Conflict):
    code = "consent.notice_outdated"
    title = "告知内容已更新,请阅读后重新确认"
    detail = "`notice_hash` is not that of the newest notice: show the text that is given now, and send its hash."


class HospitalUnknown(Invalid):
    code = "consent.hospital_unknown"
    title = "没有找到这家医院"
    detail = "A hospital that was named does not exist; take ids from grants, requests or the list of hospitals."


class NoticeTextNotFound(NotFound):
    code = "consent.notice_text_not_found"
    title = "没有找到这份告知文本"
    detail = "No notice text has this hash; take it from a policy, a grant or a request."
