"""How patient numbers say no."""

from core.errors import Conflict, NotFound


class PatientNumberUnknown(NotFound):
    code = "health_card.patient_number_unknown"
    title = "本院没有登记这个患者号"
    detail = "Nobody is known under this number at this hospital; of a merge, under neither of the two. Bind it first."


class PatientNotRegistered(NotFound):
    code = "health_card.patient_not_registered"
    title = "没有找到这位患者,或所给信息互相矛盾"
    detail = "What was sent leads to no registered person, or to several. Send the card number or the certificate."


class PatientNumbersReviewed(Conflict):
    """What the hospital said is kept for whoever judges it."""

    keeps_changes = True
    code = "health_card.patient_numbers_reviewed"
    title = "两个患者号属于不同的人,已转人工核对"
    detail = (
        "The two numbers lead to different persons. Nothing was changed; the platform's operator reviews whether they "
        "are one person. Send the merge again when they were merged there."
    )


class PatientNumberRetired(Conflict):
    code = "health_card.patient_number_retired"
    title = "该患者号已被合并到另一个号"
    detail = "One of the numbers was merged into another before. Use the number that stands, or undo that merge first."


class PatientNumberMergeNotFound(NotFound):
    code = "health_card.patient_number_merge_not_found"
    title = "没有找到这次患者号合并"
    detail = "This hospital has no merge of these two numbers in force."


class PatientNumberMergedSince(Conflict):
    code = "health_card.patient_number_merged_since"
    title = "之后还有其他合并,请先撤销后来的合并"
    detail = "One of the two numbers took part in a later merge. Merges are taken back in the order newest first."
