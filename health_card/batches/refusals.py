"""How batches say no."""

from core.errors import Conflict, Invalid, NotFound


class BatchUnreadable(Invalid):
    code = "health_card.batch_unreadable"
    title = "文件无法读取,请另存为 CSV(UTF-8 或 GB18030)后重试"
    detail = "The list must be CSV (RFC 4180) in UTF-8 or GB18030, with a header line and at least one more line."


class BatchHeaderUnknown(Invalid):
    code = "health_card.batch_header_unknown"
    title = "表头不正确,请按模板填写表头"
    detail = (
        "The first line names the columns: `missing` are needed and not there; `unknown` are the positions, counted "
        "from 1, of columns that mean nothing or stand there twice."
    )


class BatchTooLong(Invalid):
    code = "health_card.batch_too_long"
    title = "名单超过十万行,请分成几个文件"
    detail = "A list has at most 100,000 lines after its header. Split it and send the parts one by one."


class BatchNotFound(NotFound):
    code = "health_card.batch_not_found"
    title = "没有找到这个批次"
    detail = "No such batch; GET /api/v1/operator/batches lists them."


class BatchHasEnded(Conflict):
    code = "health_card.batch_has_ended"
    title = "该批次已经结束"
    detail = "The batch is done or cancelled: it cannot be paused, resumed or cancelled. Send what is missing anew."


class BatchUnderWay(Conflict):
    code = "health_card.batch_under_way"
    title = "该批次尚未结束"
    detail = "The result and the cards to print are there when the batch is done or cancelled; ask for its state."


class BatchResultExpired(Conflict):
    status = 410
    code = "health_card.batch_result_expired"
    title = "该批次的结果已过期"
    detail = "The result of a batch can be had for 30 days after its end. The cards themselves stay in force."
