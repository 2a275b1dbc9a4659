"""How an emergency access, or its review, is refused."""

from core.errors import Conflict, Invalid, NotFound


class SensitiveNotOpened(Invalid):
    code = "consent.sensitive_not_opened"
    title = "敏感内容仅在生命垂危时可以一并开启"
    detail = "Sensitive matters are opened with the reason life_at_risk alone; leave `sensitivities` out."


class EmergencyOpen(Conflict):
    code = "consent.emergency_open"
    title = "您对该患者的紧急访问仍在有效期内"
    detail = (
        "This doctor has an emergency access to this person that has not ended; `access_id` and `visit_id` name it."
    )


class EmergencyNotFound(NotFound):
    code = "consent.emergency_not_found"
    title = "没有找到这次紧急访问"
    detail = "No such emergency access: a doctor finds his own, a reviewer those of his hospital, a patient his own."


class OwnEmergency(Conflict):
    code = "consent.own_emergency"
    title = "不能复核自己开启的紧急访问"
    detail = "An emergency access is reviewed by somebody else than who opened it."


class EmergencyReviewed(Conflict):
    code = "consent.emergency_reviewed"
    title = "这次紧急访问已由他人复核"
    detail = "This emergency access has been reviewed; a review is written once and stays."


class AlarmNotFound(NotFound):
    code = "consent.alarm_not_found"
    title = "没有找到这条警报"
    detail = "No alarm with this id; look it up in the list of alarms."
