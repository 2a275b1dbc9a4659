"""What a machine can see of the quality of an instance and a series: from the header alone."""

from dataclasses import dataclass
from typing import Any, BinaryIO

import pydicom

from records.images.dicom import quietly

# Body Part Examined (PS3.16, annex L) of which a person has two.
_PAIRED = frozenset(
    {
        *("ANKLE", "ARM", "BREAST", "CALCANEUS", "CLAVICLE", "ELBOW", "EYE", "FEMUR", "FINGER", "FOOT", "FOREARM"),
        *("HAND", "HIP", "HUMERUS", "KNEE", "LEG", "LOWERLEG", "ORBIT", "PATELLA", "RADIUS", "SCAPULA", "SHOULDER"),
        *("THIGH", "THUMB", "TIBIA", "TOE", "ULNA", "WRIST"),
    }
)
_LATERALITIES = ("Laterality", "ImageLaterality", "FrameLaterality")
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
# Where a distance on the image has to mean one in the body.
_MEASURED = frozenset({"CT", "MR", "PT", "CR", "DX", "MG"})
_ALWAYS = ("Modality", "StudyDate", "InstanceNumber")
# Image Pixel module (PS3.3, section C.7.6.3), type 1.
_OF_PICTURES = ("Rows", "Columns", "BitsAllocated", "BitsStored", "SamplesPerPixel", "PhotometricInterpretation")
# These are no pictures by their nature: reports, marks, plans, curves.
_WITHOUT_PICTURES = frozenset({"SR", "KO", "PR", "DOC", "RTPLAN", "RTSTRUCT", "RTRECORD", "REG", "ECG", "FID", "PLAN"})
_WANTED = [
    *_ALWAYS,
    *_OF_PICTURES,
    *_LATERALITIES,
    *_SPACINGS,
    "BodyPartExamined",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "PatientName",
    "PatientBirthDate",
    "InstitutionalDepartmentName",
    "StationName",
    "Manufacturer",
    "NumberOfSeriesRelatedInstances",
    "NumberOfStudyRelatedInstances",
]


@dataclass(frozen=True)
class Facts:
    """One instance, as far as its quality can be told from it. ``told_...``: how many there should be, if it says."""

    department: str | None
    station: str | None
    manufacturer: str | None
    missing: tuple[str, ...]
    lacks_spacing: bool
    lacks_laterality: bool
    lacks_picture: bool
    is_verifiable: bool
    told_in_series: int | None
    told_in_study: int | None


def read_facts(stream: BinaryIO) -> Facts:
    """Read the header of a DICOM file that was filed."""
    with quietly():
        found = pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=list(_WANTED))
        modality = _text(found, "Modality") or "OT"
        is_picture = modality not in _WITHOUT_PICTURES
        expected = (*_ALWAYS, *_OF_PICTURES) if is_picture else _ALWAYS
        part = (_text(found, "BodyPartExamined") or "").upper().replace(" ", "")
        return Facts(
            department=_text(found, "InstitutionalDepartmentName"),
            station=_text(found, "StationName"),
            manufacturer=_text(found, "Manufacturer"),
            missing=tuple(name for name in expected if _text(found, name) is None),
            lacks_spacing=modality in _MEASURED and is_picture and not _is_anywhere(found, _SPACINGS),
            lacks_laterality=part in _PAIRED and not _is_anywhere(found, _LATERALITIES),
            lacks_picture=is_picture and _text(found, "Rows") is None,
            is_verifiable=bool(_text(found, "PatientName") or _text(found, "PatientBirthDate")),
            told_in_series=_count(found, "NumberOfSeriesRelatedInstances"),
            told_in_study=_count(found, "NumberOfStudyRelatedInstances"),
        )


def _text(found: pydicom.Dataset, keyword: str) -> str | None:
    value = found.get(keyword)
    printable = "".join(character for character in str("" if value is None else value) if character.isprintable())
    return printable.encode("utf-8", "replace").decode()[:64].strip() or None


def _is_anywhere(found: pydicom.Dataset, keywords: tuple[str, ...]) -> bool:
    """In the data set itself or, of enhanced images, in a functional group (PS3.3, section C.7.6.16)."""
    groups: list[Any] = [
        *(found.get("SharedFunctionalGroupsSequence") or []),
        *(found.get("PerFrameFunctionalGroupsSequence") or [])[:1],
    ]
    inner = [item for group in groups for element in group if element.VR == "SQ" for item in element.value]
    return any(_text(each, keyword) is not None for each in (found, *inner) for keyword in keywords)


def _count(found: pydicom.Dataset, keyword: str) -> int | None:
    text = _text(found, keyword) or ""
    return int(text) if text.isdecimal() and len(text) < 7 else None
