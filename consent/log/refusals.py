"""How the access log says no."""

from core.errors import Invalid, NotFound


class LineNotFound(NotFound):
    code = "consent.access_not_found"
    title = "没有找到这条调阅记录"
    detail = "No such row of the access log of a person whom the signed-in login may act for."


class PlaceUnknown(Invalid):
    code = "consent.access_place_unknown"
    title = "翻页位置无效,请从第一页开始"
    detail = "Pass `next` of the page before as `after`, unchanged."
