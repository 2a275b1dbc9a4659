"""How filing a report says no. What is refused here is kept whole in quarantine: nothing sent is lost."""

from core.errors import Conflict, Invalid


class VisitNotMatched(Invalid):
    keeps_changes = True
    code = "records.visit_not_matched"
    title = "报告所指的就诊不属于这位患者,已转入待处理"
    detail = (
        "The visit that the message names is not one of this patient at this hospital. The message is kept in "
        "quarantine; send the visit_id that the desk scan returned, or none."
    )


class ReportOfAnotherPerson(Conflict):
    keeps_changes = True
    code = "records.report_of_another_person"
    title = "同一报告编号已登记在另一位患者名下,已转入待处理"
    detail = (
        "A report with this identifier was filed for another person. The message is kept in quarantine; correct the "
        "patient or the identifier and send it as a new message."
    )


class ReportOutdated(Conflict):
    keeps_changes = True
    code = "records.report_outdated"
    title = "已有更新版本的报告,此版本已转入待处理"
    detail = (
        "A later version of this report is filed: it was issued later, or it is past preliminary. The message is kept "
        "in quarantine and changes nothing."
    )


class ReportVersionDiffers(Conflict):
    status = 412
    code = "records.report_version_differs"
    title = "报告已被更新,请读取最新版本后重试"
    detail = "If-Match names another version than the current one. Read the report again and repeat the change on it."


class MessageKeyReused(Conflict):
    keeps_changes = True
    code = "records.message_key_reused"
    title = "消息编号已用于另一条消息,已转入待处理"
    detail = (
        "A message with this id (Bundle.identifier, MSH-10) and other content was accepted before. The message is "
        "kept in quarantine; send every new content under a new id."
    )
