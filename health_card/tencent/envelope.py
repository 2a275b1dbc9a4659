"""The envelope of the older interface: how a body is read, and how it is signed. Pure: no database, no clock."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from health_card.tencent.refusals import BodyNotUtf8, BodyTooLarge, BodyUnreadable

MOST_BYTES = 256 * 1024

_decoder = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")

# Ways in which clients write a nested object into the text that they sign.
_WRITINGS: tuple[Callable[[str], str], ...] = (
    lambda sent: sent,
    lambda sent: _compact(sent, sort_keys=False),
    lambda sent: _compact(sent, sort_keys=True),
)


@dataclass(frozen=True)
class Envelope:
    """A body taken apart. ``texts``: the JSON text of each member, as it was sent."""

    common: dict[str, Any]
    req: dict[str, Any]
    texts: dict[str, str]

    def sign(self, secret: str) -> str:
        """The signature that belongs to what was sent, with nested objects as they were sent."""
        return _sign(self._signed_texts(secret, _WRITINGS[0]))

    def is_signed_with(self, secret: str) -> bool:
        """Whether ``sign`` holds, with nested objects as sent, without spaces, or also with sorted names."""
        offered = self.common.get("sign")
        if not isinstance(offered, str):
            return False
        texts = {self._signed_texts(secret, writing) for writing in _WRITINGS}
        return any(hmac.compare_digest(_sign(text).encode(), offered.encode()) for text in texts)

    def _signed_texts(self, secret: str, write: Callable[[str], str]) -> str:
        members = {name: _as_signed(text, write) for name, text in self.texts.items() if name != "sign"}
        pairs = sorted((name.encode(), name, text) for name, text in members.items() if text)
        return "&".join(f"{name}={text}" for _, name, text in pairs) + secret


def read_envelope(body: bytes) -> Envelope:
    """Take a body apart.

    :raises BodyTooLarge: more than 256 KiB.
    :raises BodyNotUtf8: in another encoding.
    :raises BodyUnreadable: not JSON, not ``{"commonIn": {...}, "req": {...}}``, or a name stands twice.
    """
    if len(body) > MOST_BYTES:
        raise BodyTooLarge
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BodyNotUtf8 from None
    try:
        read = json.loads(text, object_pairs_hook=_no_name_twice, parse_constant=_refuse_constant)
        _check_texts(read)
    except (ValueError, RecursionError):
        raise BodyUnreadable from None
    if not isinstance(read, dict) or set(read) != {"commonIn", "req"}:
        raise BodyUnreadable
    common, req = read["commonIn"], read["req"]
    if not isinstance(common, dict) or not isinstance(req, dict) or set(common) & set(req):
        raise BodyUnreadable
    parts = dict(_members(text))
    return Envelope(common, req, dict(_members(parts["commonIn"])) | dict(_members(parts["req"])))


def _members(text: str) -> Iterator[tuple[str, str]]:
    """Name and JSON text of each member of an object that is known to be well-formed."""
    at = _skip_space(text, _skip_space(text, 0) + 1)
    while text[at] != "}":
        name, at = _decoder.raw_decode(text, at)
        begin = _skip_space(text, _skip_space(text, at) + 1)
        _, end = _decoder.raw_decode(text, begin)
        yield name, text[begin:end]
        at = _skip_space(text, end)
        if text[at] == ",":
            at = _skip_space(text, at + 1)


def _skip_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _as_signed(text: str, write: Callable[[str], str]) -> str:
    if text == "null":
        return ""
    if text.startswith('"'):
        return str(json.loads(text))
    return write(text) if text.startswith(("{", "[")) else text


def _compact(text: str, *, sort_keys: bool) -> str:
    return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"), sort_keys=sort_keys)


def _sign(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise ValueError("a name stands twice")
    return read


def _refuse_constant(_text: str) -> NoReturn:
    raise ValueError("not JSON")


def _check_texts(value: Any) -> None:
    """Neither UTF-8 nor PostgreSQL can write half a surrogate pair, nor PostgreSQL U+0000."""
    if isinstance(value, dict):
        for name, member in value.items():
            _check_texts(name)
            _check_texts(member)
    elif isinstance(value, list):
        for member in value:
            _check_texts(member)
    elif isinstance(value, str) and re.search("[\0\ud800-\udfff]", value):
        raise ValueError("not writable")
