"""How an uploaded list is refused whole. What is wrong with single rows is listed, not refused."""

from core.errors import Conflict, Invalid, NotFound


class UploadUnreadable(Invalid):
    code = "records.upload_unreadable"
    title = "文件无法读取"
    detail = "Send CSV in UTF-8 or GB18030, or an .xlsx workbook, with the header of the template and at least one row."


class UploadFormatUnsupported(Invalid):
    code = "records.upload_format_unsupported"
    title = "不支持旧版 Excel 文件(.xls),请另存为 .xlsx 或 CSV"
    detail = "Files of Excel 97-2003 (.xls) are not taken in; save the list as .xlsx or CSV."


class UploadProtected(Invalid):
    code = "records.upload_protected"
    title = "文件设有打开密码,请取消密码后再上传"
    detail = "The workbook is encrypted with a password; save it without one."


class UploadTooLong(Invalid):
    code = "records.upload_too_long"
    title = "文件过大,请分成几份上传"
    detail = "At most 5,000 rows, 1,000 reports and 5 MB; delete formatted empty rows below the list, or split it."


class UploadHeaderUnknown(Invalid):
    code = "records.upload_header_unknown"
    title = "表头与模板不符"
    detail = "`missing` names columns that are needed, `unknown` numbers those that are unknown or there twice."


class UploadCellsMerged(Invalid):
    code = "records.upload_cells_merged"
    title = "表中有合并单元格,请取消合并后再上传"
    detail = "Merged cells do not say to which rows they belong; unmerge them (`cells` counts them) and fill every row."

    def __init__(self, cells: int) -> None:
        super().__init__(cells=cells)


class UploadNotFound(NotFound):
    code = "records.upload_not_found"
    title = "没有找到这份上传文件"
    detail = "No such upload of the signed-in account's hospital."


class UploadHasErrors(Conflict):
    code = "records.upload_has_errors"
    title = "部分报告有误,未提交"
    detail = "Some rows have errors. Correct them and upload the list again, or send `leaves_out_errors`: true."


class UploadExpired(Conflict):
    code = "records.upload_expired"
    title = "检查结果已过期,请重新上传"
    detail = "A checked list waits 24 hours for being confirmed; then its file is discarded. Upload it again."
