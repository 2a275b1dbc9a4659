"""The log as c2sp.org/tlog-tiles serves it: signed checkpoint and hashes. Entries are for those whom they are about."""

from flask import Response
from pydantic import Field

from core import db
from core.api import Api, Described
from core.sealing.notes import ADDRESS, list_keys, name_log
from core.sealing.reading import find_last, find_tile
from core.sealing.refusals import LogEmpty, TileNotFound
from core.sealing.tiles import find_tile as find_tile_of_path
from core.web import current_config, public

api = Api("audit_log", tag="Audit log 访问日志存证", url_prefix=ADDRESS)

_WHY = "the signed hashes of the audit trail are for everybody who wants to hold us to it; they tell of no row"
_TEXT = {"x-also-produces": ["text/plain"]}


class TilePath(Described):
    """A tile's address."""

    level: str = Field(description="0: hashes of leaves; n: hashes of whole tiles of level n - 1")
    place: str = Field(description="index of the tile, such as `x001/x234/067`, a partial one followed by `.p/<width>`")


@api.get("/checkpoint", openapi_extensions=_TEXT)
@public(_WHY)
def read_checkpoint() -> Response:
    """The newest checkpoint of the audit log, a signed note (c2sp.org/tlog-checkpoint)"""
    with db.snapshot() as session:
        last = find_last(session)
    if last is None:
        raise LogEmpty
    return _answer(last[1], "text/plain; charset=utf-8", "no-cache")


@api.get("/keys", openapi_extensions=_TEXT)
@public(_WHY)
def read_keys() -> Response:
    """The public keys of the audit log, a line each (c2sp.org/signed-note), the oldest first"""
    with db.snapshot() as session:
        last = find_last(session)
        origin = last[0].origin if last else name_log(current_config().base_url)
        keys = list_keys(session, origin)
    return _answer("".join(f"{key}\n" for key in keys), "text/plain; charset=utf-8", "no-cache")


@api.get("/tile/<level>/<path:place>", openapi_extensions={"x-also-produces": ["application/octet-stream"]})
@public(_WHY)
def read_tile(path: TilePath) -> Response:
    """Up to 256 hashes of the audit log's tree, 32 bytes each (c2sp.org/tlog-tiles)"""
    tile = find_tile_of_path(path.level, path.place)
    if tile is None:
        raise TileNotFound
    with db.snapshot() as session:
        hashes = find_tile(session, tile)
    if hashes is None:
        raise TileNotFound
    return _answer(hashes, "application/octet-stream", "public, max-age=31536000, immutable")


def _answer(content: str | bytes, media_type: str, caching: str) -> Response:
    reply = Response(content, content_type=media_type)
    reply.headers["Cache-Control"] = caching
    return reply
