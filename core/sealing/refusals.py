"""How the sealed log says no."""

from core.errors import NotFound


class LogEmpty(NotFound):
    code = "core.log_empty"
    title = "日志尚未封存"
    detail = "Nothing has been sealed yet: there is no checkpoint. Ask again in a few seconds."


class TileNotFound(NotFound):
    code = "core.tile_not_found"
    title = "没有这一段日志"
    detail = "The log as last signed has no such tile. Entries are not published: who a row is about has its proofs."
