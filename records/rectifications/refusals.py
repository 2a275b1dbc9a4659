"""How wishes for a correction say no."""

from core.errors import Conflict, Forbidden, Invalid, NotFound


class RectificationNotFound(NotFound):
    code = "records.rectification_not_found"
    title = "没有找到这项更正申请"
    detail = "No such request of a person for whom the login decides, or about an item of the signed-in hospital."


class RectificationNotYours(Forbidden):
    code = "records.rectification_not_yours"
    title = "只能由本人或其监护人申请更正"
    detail = "Only the person himself asks for this, or the guardian of a child under 14 or of an adult ward."


class RectificationUnderWay(Conflict):
    code = "records.rectification_under_way"
    title = "该项目已有一项更正申请待答复"
    detail = "A request about this item waits for its answer; withdraw it or wait."


class RectificationOver(Conflict):
    code = "records.rectification_over"
    title = "该更正申请已办结"
    detail = "The request was answered or withdrawn before; ask again if something is still wrong."


class NotCorrectedYet(Conflict):
    code = "records.rectification_not_corrected"
    title = "请先上传更正后的新版本,再确认接受"
    detail = "The item is still in the version that the request is about: file the corrected one first, then accept."


class ReasonMissing(Invalid):
    code = "records.rectification_reason"
    title = "不接受更正须说明原因,接受则不填"
    detail = "Declining needs a reason; accepting takes none, since the corrected version is the answer."
