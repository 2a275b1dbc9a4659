"""What the asker accepts (PS3.18, sections 8.3.3 and 8.7), chosen among what there is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Request
from werkzeug.http import parse_options_header

from records.refusals import RepresentationNotAvailable

DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
JSON = "application/json"
JPEG = "image/jpeg"
OCTETS = "application/octet-stream"
MULTIPART = "multipart/related"

_ANY = "*/*"


@dataclass(frozen=True)
class Offer:
    """One way in which a resource can go out.

    :ivar syntax: transfer syntax, where the media type leaves it open.
    :ivar is_multipart: as the parts of multipart/related, not bare.
    :ivar is_stored: in the transfer syntax in which it was stored: what ``transfer-syntax=*`` means.
    """

    media_type: str
    syntax: str | None = None
    is_multipart: bool = False
    is_stored: bool = True

    @property
    def part_type(self) -> str:
        """The content type of a part, or of the whole when it goes out bare."""
        return f"{self.media_type}; transfer-syntax={self.syntax}" if self.syntax else self.media_type

    def __str__(self) -> str:
        syntax = f"; transfer-syntax={self.syntax}" if self.syntax else ""
        return f'{MULTIPART}; type="{self.media_type}"{syntax}' if self.is_multipart else self.media_type + syntax


def choose(request: Request, offers: Sequence[Offer]) -> Offer:
    """The offer that the asker likes best; of several, the first.

    The query parameter ``accept`` counts before the header (section 8.3.3.1).

    :param offers: in our order; the first one goes to who names nothing.
    :raises RepresentationNotAvailable: he accepts none of them.
    """
    for media_range, options in _read(request.args.get("accept") or request.headers.get("Accept") or _ANY):
        for offer in offers:
            if _fits_type(media_range, options, offer) and _fits_syntax(options, offer):
                return offer
    raise RepresentationNotAvailable(available=[str(offer) for offer in offers])


def choose_json(request: Request) -> str:
    """The media type of an answer in the DICOM JSON model.

    :raises RepresentationNotAvailable: it is not accepted.
    """
    return choose(request, [Offer(DICOM_JSON), Offer(JSON)]).media_type


def _fits_type(media_range: str, options: dict[str, str], offer: Offer) -> bool:
    family = offer.media_type.split("/")[0] + "/*"
    if not offer.is_multipart:
        return media_range in {_ANY, family, offer.media_type}
    if media_range == MULTIPART:
        return options.get("type", _ANY).lower() in {_ANY, family, offer.media_type}
    return media_range in {_ANY, "multipart/*"}


def _fits_syntax(options: dict[str, str], offer: Offer) -> bool:
    asked = options.get("transfer-syntax")
    if asked is None or offer.syntax is None:
        return True
    return offer.is_stored if asked == "*" else asked == offer.syntax


def _read(accept: str) -> list[tuple[str, dict[str, str]]]:
    """Media ranges with their options, the liked ones first; what has the weight 0 is not accepted (RFC 9110)."""
    parts = (parse_options_header(text.strip()) for text in re.findall(r'(?:[^,"]|"[^"]*"?)+', accept))
    weighed = [(_weight(options.get("q", "1")), name.lower(), options) for name, options in parts]
    liked = sorted((one for one in weighed if one[0] > 0), key=lambda one: -one[0])
    return [(name, options) for _, name, options in liked]


def _weight(text: str) -> float:
    return float(text) if re.fullmatch(r"[01](\.\d{0,3})?", text) else 1.0
