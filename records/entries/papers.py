"""Documents that came inside an entry (DocumentReference), in base 64 as FHIR has them. Pure."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

# What is handed out as what it says it is; anything else is a file of no type.
ENDINGS = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png", "text/plain": "txt"}
NO_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class Document:
    """One of them. ``number`` counts from 1, through those that hold their bytes."""

    number: int
    title: str
    content_type: str
    content: bytes

    @property
    def file_name(self) -> str:
        return f"{self.number}.{ENDINGS.get(self.content_type, 'bin')}"


def list_documents(resource_type: str, content: dict[str, Any]) -> list[Document]:
    """The documents inside; those that only name an address elsewhere are none.

    :param content: the resource, as it was accepted.
    """
    if resource_type != "DocumentReference":
        return []
    attachments = [part.get("attachment") or {} for part in content.get("content") or []]
    found = [(each, data) for each in attachments if (data := _read(each.get("data"))) is not None]
    return [
        Document(
            number,
            str(each.get("title") or "文件"),
            each["contentType"] if each.get("contentType") in ENDINGS else NO_TYPE,
            data,
        )
        for number, (each, data) in enumerate(found, 1)
    ]


def _read(written: Any) -> bytes | None:
    try:
        return base64.b64decode(written, validate=False) if isinstance(written, str) else None
    except binascii.Error:
        return None
