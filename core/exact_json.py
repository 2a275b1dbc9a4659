"""JSON whose decimal numbers stay exactly as they were written: 5.10 does not become 5.1."""

import json
import re
from decimal import Decimal
from typing import Any

# U+0000 stands in no text that the platform keeps, so a marked number is never mistaken for one of the texts.
_MARKED = re.compile(r'"\\u0000([^"\\]*)"')


def load(text: str | bytes) -> Any:
    """Parse; numbers with a point or an exponent become ``Decimal``."""
    return json.loads(text, parse_float=Decimal)


def dump(document: Any, *, sort_keys: bool = False) -> str:
    """Write; a ``Decimal`` as a number with all its digits.

    :param sort_keys: for comparing two documents.
    """
    written = json.dumps(document, ensure_ascii=False, sort_keys=sort_keys, separators=(",", ":"), default=_mark)
    # Not a template such as r"\1", which is expanded anew for every number.
    return _MARKED.sub(lambda marked: marked[1], written)


def _mark(value: Any) -> str:
    if isinstance(value, Decimal) and value.is_finite():
        return f"\0{value:f}"
    raise TypeError(type(value).__name__)
