"""A message as a person reads it. Pure: what cannot be read is shown as well as it can be."""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from pydicom.datadict import keyword_for_tag

from core.errors import Refusal
from records.hl7v2 import parsing
from records.images.details import ADDRESS
from records.images.dicom import read_metadata

LONGEST_TEXT = 100_000


def read_text(channel: str, stream: BinaryIO) -> tuple[str, bool]:
    """The message as text, and whether its end was left out.

    JSON is indented; HL7 v2 has a line a segment; a DICOM file is shown as its attributes, without the picture.
    """
    text = _READERS[channel](stream)
    return text[:LONGEST_TEXT], len(text) > LONGEST_TEXT


def _read_json(stream: BinaryIO) -> str:
    body = stream.read()
    try:
        text = json.dumps(json.loads(body), ensure_ascii=False, indent=2)
        # Half a character is shown as it was escaped.
        return text.encode("utf-8", "backslashreplace").decode()
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")


def _read_segments(stream: BinaryIO) -> str:
    body = stream.read()
    try:
        charset = parsing.read_message(body).coding.charset
    except Refusal:
        charset = "utf-8"
    return "\n".join(line for line in body.decode(charset, "replace").splitlines() if line)


def _read_attributes(stream: BinaryIO) -> str:
    return "\n".join(_attribute_lines(json.loads(read_metadata(stream).replace(ADDRESS, b""))))


def _attribute_lines(dataset: dict[str, Any], indent: str = "") -> Iterator[str]:
    for tag, element in dataset.items():
        name, values = keyword_for_tag(int(tag, 16)) or tag, element.get("Value") or []
        if element.get("vr") == "SQ":
            yield f"{indent}{name}:"
            for item in values:
                yield from _attribute_lines(item, f"{indent}  ")
        else:
            yield f"{indent}{name}: " + "\\".join(_show(value) for value in values)


def _show(value: Any) -> str:
    return "=".join(value.values()) if isinstance(value, dict) else str(value)


_READERS = {
    "fhir": _read_json,
    "hl7v2": _read_segments,
    "dicomweb": _read_attributes,
    "dicom": _read_attributes,
    "upload": _read_json,
}
