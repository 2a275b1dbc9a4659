"""Secrets that are handed out once and kept only as hashes."""

import hashlib
import secrets


def new_secret() -> tuple[str, bytes]:
    """A random 256-bit text for its bearer, and the hash to keep.

    A plain hash is enough: nobody can try 2**256 texts.
    """
    text = secrets.token_urlsafe(32)
    return text, hash_secret(text)


def hash_secret(text: str) -> bytes:
    """The hash under which a handed-out secret is found again."""
    return hashlib.sha256(text.encode()).digest()
