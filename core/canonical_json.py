"""One text for one value: as RFC 8785 writes JSON, of objects whose names are ASCII and whose numbers are whole."""

import json
from typing import Any

_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


def write(content: Any) -> bytes:
    """What is hashed, signed or compared, in UTF-8."""
    return _encode(content).encode()
