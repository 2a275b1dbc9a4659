"""How news of reports say no."""

from core.errors import NotFound


class CorrectionNotFound(NotFound):
    code = "records.correction_not_found"
    title = "没有找到这条报告更改提示"
    detail = "No such change of a report that the hospital of the signed-in account had read."
