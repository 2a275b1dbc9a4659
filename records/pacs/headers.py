"""What an archive says of an instance, as a DICOM file without pixels: so it is filed as any other."""

import io
import warnings
from typing import Any

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian

from records.refusals import ImageIncomplete, ImageUnreadable

# The file's own description, overlays, and pixels.
_LEFT_OUT = ("0002", "60", "7FE0")
_AVAILABLE_SYNTAX = "00083002"


def to_header_file(metadata: dict[str, Any]) -> bytes:
    """One instance of a metadata answer (PS3.18, annex F) as a file. The same answer makes the same file.

    Where the archive does not say in which transfer syntax the pixels are (0008,3002), the file names Explicit VR
    Little Endian; what is fetched says for itself.

    :raises ImageIncomplete: without its identifiers.
    :raises ImageUnreadable: it cannot be understood.
    """
    try:
        with warnings.catch_warnings():
            # pydicom's warnings quote values, and a patient's data does not belong into a log.
            warnings.simplefilter("ignore")
            found = Dataset.from_json(_without_bulk(metadata))
            found.SpecificCharacterSet = "ISO_IR 192"
            sop_class, sop_uid = str(found.get("SOPClassUID", "")), str(found.get("SOPInstanceUID", ""))
            if not sop_class or not sop_uid:
                raise ImageIncomplete
            found.file_meta = FileMetaDataset()
            found.file_meta.MediaStorageSOPClassUID = UID(sop_class)
            found.file_meta.MediaStorageSOPInstanceUID = UID(sop_uid)
            found.file_meta.TransferSyntaxUID = _syntax(metadata)
            out = io.BytesIO()
            dcmwrite(out, found, enforce_file_format=True)
            return out.getvalue()
    except ImageIncomplete:
        raise
    except Exception as error:
        # What a broken answer makes the parser raise is anything at all; each of it means the same.
        raise ImageUnreadable from error


def _syntax(metadata: dict[str, Any]) -> UID:
    element = metadata.get(_AVAILABLE_SYNTAX)
    values = element.get("Value") if isinstance(element, dict) else None
    named = UID(str(values[0])) if isinstance(values, list) and values else UID("")
    # Those, and no others, are written as Explicit VR Little Endian too (PS3.5, annex A.4).
    is_encapsulated = named.is_transfer_syntax and named.is_compressed and not named.is_deflated
    return named if is_encapsulated else ExplicitVRLittleEndian


def _without_bulk(metadata: dict[str, Any]) -> dict[str, Any]:
    kept = {}
    for tag, element in metadata.items():
        if tag.upper().startswith(_LEFT_OUT) or not isinstance(element, dict) or "BulkDataURI" in element:
            continue
        if element.get("vr") == "SQ":
            items = [_without_bulk(item) for item in element.get("Value") or [] if isinstance(item, dict)]
            kept[tag] = {"vr": "SQ", "Value": items}
        else:
            kept[tag] = element
    return kept
