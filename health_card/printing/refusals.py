"""How printing says no."""

from core.errors import Conflict, NotFound


class SheetNotFound(NotFound):
    code = "health_card.card_sheet_not_found"
    title = "没有找到这份打印文件"
    detail = "No such file of printed cards; GET /api/v1/operator/batches/{batch_id}/sheets lists them."


class SheetUnderWay(Conflict):
    code = "health_card.card_sheet_under_way"
    title = "打印文件正在生成,请稍后再来"
    detail = "The file is being made; ask for the list of sheets until its state is made."


class SheetExpired(Conflict):
    status = 410
    code = "health_card.card_sheet_expired"
    title = "打印文件已过期"
    detail = "A file of printed cards is kept for 30 days. Holders can print their own cards at any time."


class NothingToPrint(Conflict):
    code = "health_card.nothing_to_print"
    title = "该批次没有可打印的健康卡"
    detail = "Not one line of this batch got a card; see its refused rows."
