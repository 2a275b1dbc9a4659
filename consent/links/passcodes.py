"""Passcodes of share links: made, hashed, compared."""

import secrets
from uuid import UUID

from werkzeug.security import check_password_hash, generate_password_hash

from consent.links.refusals import PasscodeTooSimple
from core.vault import vault

# How passcodes are hashed from now on; each hash names its own method. Tests take a cheap one.
HASHING = "scrypt:32768:8:1"
_DIGITS = 8
_ROW = "0123456789" * 3
_NOBODY = UUID(int=0)


def make_passcode() -> str:
    """A random one that ``check_passcode`` lets pass."""
    while True:
        made = "".join(secrets.choice("0123456789") for _ in range(_DIGITS))
        if not _is_simple(made):
            return made


def check_passcode(passcode: str) -> None:
    """:raises PasscodeTooSimple: equal digits, or digits in a row."""
    if _is_simple(passcode):
        raise PasscodeTooSimple


def hash_passcode(link_id: UUID, passcode: str) -> str:
    """What is kept of it."""
    return generate_password_hash(_keyed(link_id, passcode), HASHING)


def is_passcode(kept: str, link_id: UUID, passcode: str) -> bool:
    """Whether it is the one of which this was kept."""
    return check_password_hash(kept, _keyed(link_id, passcode))


def compare_with_none(passcode: str) -> None:
    """Take as long as ``is_passcode`` does, where there is nothing to compare with."""
    generate_password_hash(_keyed(_NOBODY, passcode), HASHING)


def _is_simple(passcode: str) -> bool:
    return len(set(passcode)) == 1 or passcode in _ROW or passcode in _ROW[::-1]


def _keyed(link_id: UUID, passcode: str) -> str:
    # So few digits are soon tried by whoever steals the table; without the platform's key he tries in vain.
    return vault().blind_index(f"{link_id}:{passcode}", context="share_links").hex()
