"""How records says no."""

from core.errors import Invalid, NotFound


class VisitNotFound(NotFound):
    code = "records.visit_not_found"
    title = "没有找到这次就诊"
    detail = "No such visit at the hospital of the signed-in account."


class ReportNotFound(NotFound):
    code = "records.report_not_found"
    title = "没有找到这份报告"
    detail = "No such report that the signed-in account may see."


class ImageNotFound(NotFound):
    code = "records.image_not_found"
    title = "没有找到这份影像"
    detail = "No such study, series, instance or frame that the signed-in account may see."


class PersonNotMatched(Invalid):
    """Kept in quarantine: nothing that a hospital sent is lost."""

    keeps_changes = True
    code = "records.person_not_matched"
    title = "无法确认报告属于哪位患者,已转入待处理"
    detail = (
        "Nothing sent leads to one person, or it contradicts itself. The message is kept whole in quarantine; send the "
        "card number, this hospital's patient number or the certificate of a registered person."
    )
