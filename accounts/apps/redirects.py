"""Where an app is answered: its registered addresses, compared exactly (RFC 9700, section 4.1.3)."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlencode, urlsplit

LONGEST = 512
# Nothing that a header, a policy or a page could take for something else; no fragment, no user, no wildcard.
_ADDRESS = re.compile(
    r"(https://[A-Za-z0-9.-]{1,253}|http://127\.0\.0\.1|http://\[::1\])(:\d{1,5})?(/[\w./~%-]*)?(\?[\w.~%=&+-]*)?",
    re.ASCII,
)
_LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::\d{1,5})?(?=[/?]|$)")


def check_address(text: str) -> str:
    """:raises ValueError: not an address at which an app may be answered."""
    if len(text) > LONGEST or not _ADDRESS.fullmatch(text):
        raise ValueError("not an address of an app")
    return text


def is_registered(text: str, registered: Iterable[str]) -> bool:
    """Whether it is one of these, character by character. On the device itself any port will do (RFC 8252, 7.3)."""
    if len(text) > LONGEST or not _ADDRESS.fullmatch(text):
        return False
    return any(text == one or _without_port(text) == _without_port(one) for one in registered)


def add_query(address: str, members: Mapping[str, str]) -> str:
    """The address with these added to its query."""
    return f"{address}{'&' if '?' in address else '?'}{urlencode(members)}"


def origin_of(address: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _without_port(address: str) -> str:
    """Of an address on the device itself; any other stays as it is."""
    return _LOOPBACK.sub(r"\1", address)
