"""What the asker accepts (PS3.18, section 8.7)."""

import re

from werkzeug.http import parse_options_header

from records.refusals import RepresentationNotAvailable

DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
JPEG = "image/jpeg"
MULTIPART = "multipart/related"


def check_accepts(accept: str | None, *media_types: str) -> None:
    """:raises RepresentationNotAvailable: none of these types is among what the Accept header names."""
    ranges = {media_range for media_range, _ in _read(accept)}
    families = {media_type.split("/")[0] + "/*" for media_type in media_types}
    if not ranges & {"*/*", *families, *media_types}:
        raise RepresentationNotAvailable(available=list(media_types))


def choose_instance_type(accept: str | None, transfer_syntax: str) -> str:
    """How an instance goes out: as the one part of multipart/related, or, when only that is asked for, bare.

    An instance goes out in the transfer syntax in which it was stored; who names no syntax gets that one.

    :raises RepresentationNotAvailable: only other media types or other transfer syntaxes are accepted.
    """
    for media_range, options in _read(accept):
        fits = options.get("transfer-syntax", "*") in {"*", transfer_syntax}
        if not fits:
            continue
        if media_range in {"*/*", "multipart/*"}:
            return MULTIPART
        if media_range == MULTIPART and options.get("type", DICOM) in {DICOM, "*/*"}:
            return MULTIPART
        if media_range in {DICOM, "application/*"}:
            return DICOM
    raise RepresentationNotAvailable(available=[f'{MULTIPART}; type="{DICOM}"; transfer-syntax={transfer_syntax}'])


def _read(accept: str | None) -> list[tuple[str, dict[str, str]]]:
    ranges = re.findall(r'(?:[^,"]|"[^"]*")+', accept or "*/*")
    return [(found[0].lower(), found[1]) for found in (parse_options_header(text.strip()) for text in ranges)]
