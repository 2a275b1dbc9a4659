"""Where we let ourselves be sent: an address is registered by a person, and names are resolved by others."""

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from core.config import Profile
from records.pacs.refusals import ArchiveAddressUnfit

_DEVELOPMENT_HOST = "127.0.0.1"


def check_address(base_url: str, profile: Profile) -> str:
    """The address as it is kept: without a slash at its end.

    :raises ArchiveAddressUnfit: see its text.
    """
    try:
        parts = urlsplit(base_url)
        _ = parts.port
    except ValueError:
        raise ArchiveAddressUnfit from None
    is_plain = re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?", base_url) is not None
    if not is_plain or not parts.hostname or ".." in parts.path:
        raise ArchiveAddressUnfit
    is_here = _is_development(base_url)
    if (parts.scheme == "http" and not is_here) or (is_here and profile == "production"):
        raise ArchiveAddressUnfit
    if not is_here:
        try:
            literal = ipaddress.ip_address(parts.hostname)
        except ValueError:
            # A name: where it leads is looked at each time it is asked.
            return base_url.rstrip("/")
        _check_public(literal)
    return base_url.rstrip("/")


def check_resolved(base_url: str) -> None:
    """Look where the name leads now. Private addresses are allowed: hospitals' archives stand in private networks.

    Between this look and the connection a name may change; then TLS finds no certificate for it.

    :raises ArchiveAddressUnfit: to this machine, or to what speaks for its network.
    :raises OSError: nowhere.
    """
    if _is_development(base_url):
        return
    parts = urlsplit(base_url)
    for *_, found in socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM):
        _check_public(ipaddress.ip_address(str(found[0]).partition("%")[0]))


def _is_development(base_url: str) -> bool:
    # Registered outside production only.
    return urlsplit(base_url).hostname == _DEVELOPMENT_HOST


def _check_public(found: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    inner = getattr(found, "ipv4_mapped", None) or found
    # Link-local is also where clouds tell a machine its own secrets.
    if inner.is_loopback or inner.is_link_local or inner.is_multicast or inner.is_unspecified or inner.is_reserved:
        raise ArchiveAddressUnfit
