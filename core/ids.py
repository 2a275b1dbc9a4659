"""Identifiers: UUID version 7 (RFC 9562, section 5.7), so that new rows land at the end of an index."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A new UUIDv7. Not a secret: never use it where guessing must fail."""
    return uuid7()
