"""How the viewing of images says no."""

from core.errors import NotFound, Unauthenticated


class ViewTicketInvalid(NotFound):
    """A ticket that comes twice may have been read by somebody: what it opened is closed, and stays closed."""

    keeps_changes = True
    code = "records.view_ticket_invalid"
    title = "打开影像的链接已失效,请回到小程序重新打开"
    detail = "The ticket is unknown, older than a minute, or was used before, which ends its view. Ask for a new one."


class ViewEnded(Unauthenticated):
    code = "records.view_ended"
    title = "本次查看已结束,请回到小程序重新打开"
    detail = "The page session of this study has run out, or its login has signed out. Ask for a new address."


class WorkstationMissing(NotFound):
    code = "records.workstation_missing"
    title = "本平台没有安装专业阅片工具,请使用网页阅片"
    detail = "OHIF was not fetched on this installation (`make ohif`, OHIF_DIR); /view/{study_id} shows the study."
