"""How exports say no."""

from core.errors import Conflict, NotFound


class ExportPersonNotFound(NotFound):
    code = "records.export_person_not_found"
    title = "没有找到可以导出档案的人"
    detail = "person_id is not a person whom the signed-in login may act for; GET /api/v1/family lists them."


class ExportNotFound(NotFound):
    code = "records.export_not_found"
    title = "没有找到这次导出"
    detail = "No such export that the signed-in login asked for, of a person whom it may still act for."


class ExportUnderWay(Conflict):
    code = "records.export_under_way"
    title = "该档案正在导出,请等待完成或先取消"
    detail = "One export of a person is made at a time. Wait for the one under way, or cancel it if it is yours."


class ExportNotReady(Conflict):
    code = "records.export_not_ready"
    title = "档案尚未导出完成"
    detail = "The file is not made yet, or the export was cancelled; GET /api/v1/exports tells its state."


class ExportHasEnded(Conflict):
    code = "records.export_has_ended"
    title = "这次导出已结束"
    detail = "Only an export that is being made can be cancelled; a file that is ready goes by itself after 7 days."


class ExportExpired(Conflict):
    status = 410
    code = "records.export_expired"
    title = "导出文件已过期,请重新申请"
    detail = "The file of an export is kept for 7 days and then made unreadable. Ask for a new export."
