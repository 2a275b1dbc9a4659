"""What of an audit row is sealed: every column, as canonical JSON (RFC 8785).

All members are texts, whole numbers or booleans, so that no rule about decimals is needed: ids and times (UTC,
microseconds) are texts, ``facts`` is the text in which PostgreSQL writes its jsonb, which is one text for one value. A
column that is NULL is left out; so one that is added later changes no leaf that was sealed before.
"""

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Boolean, Column, DateTime, Integer, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from core import canonical_json
from core.audit import AuditEntry
from core.sealing.merkle import hash_leaf

SALT_BYTES = 16
_SALT = "salt"


def _read_column(column: Column[Any]) -> str:
    """How a column of the table ``entry`` is read, so that it stands in JSON as it is."""
    named = f"entry.{column.name}"
    if isinstance(column.type, DateTime):
        return f"""to_char({named} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    if isinstance(column.type, Uuid | JSONB):
        return f"{named}::text"
    if isinstance(column.type, Text | Integer | Boolean):
        return named
    raise TypeError(f"nobody has said how {column} is written into a leaf")


_TABLE = cast(Table, AuditEntry.__table__)
_COLUMNS = sorted(_TABLE.columns, key=lambda column: column.name)
_NAMES = [column.name for column in _COLUMNS]
# In the order in which ``write_leaf`` takes them.
READ_COLUMNS = ", ".join(_read_column(column) for column in _COLUMNS)


def write_leaf(salt: bytes, columns: Sequence[Any]) -> bytes:
    """One leaf.

    :param columns: of one row, as ``READ_COLUMNS`` reads them.
    """
    leaf = {name: value for name, value in zip(_NAMES, columns, strict=True) if value is not None}
    leaf[_SALT] = salt.hex()
    return canonical_json.write(leaf)


def hash_row(salt: bytes, columns: Sequence[Any]) -> bytes:
    """The hash of the leaf."""
    return hash_leaf(write_leaf(salt, columns))
