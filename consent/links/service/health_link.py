"""The address of a link: for people, and for programs that open SMART Health Links.

Source: HL7 SMART Health Cards and Links STU1, links specification (https://hl7.org/fhir/uv/smart-health-cards-and-links).
"""

import base64
import json
from dataclasses import dataclass
from datetime import datetime

FLAGS = "LP"
# The longest label that the specification allows.
LABEL = "一码通 健康档案分享"


@dataclass(frozen=True)
class Addresses:
    """``page``: for chats and mails. ``health_link``: the same page with a SMART Health Link behind the hash sign,
    which our page and other programs open; None: of a link that is for viewing only.
    """

    page: str
    health_link: str | None

    @property
    def for_picture(self) -> str:
        """What is drawn as a QR code."""
        return self.health_link or self.page


def write_addresses(base_url: str, *, secret: str, file_key: bytes | None, until: datetime) -> Addresses:
    """What stands behind the hash sign is never sent to a server by a browser.

    :param file_key: None: the link hands out no files.
    :param until: the last moment at which the link can be of use, however often it is extended.
    """
    page = f"{base_url}/share#{secret}"
    if file_key is None:
        return Addresses(page, None)
    payload = {
        "url": f"{base_url}/shl/{secret}",
        "key": encode(file_key),
        "exp": int(until.timestamp()),
        "flag": FLAGS,
        "label": LABEL,
        "v": 1,
    }
    written = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    return Addresses(page, f"{base_url}/share#shlink:/{encode(written)}")


def encode(data: bytes) -> str:
    """base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
