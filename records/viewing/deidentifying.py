"""A copy of an image for somebody else's eyes: what the picture needs to be shown, and nothing that says whose it is.

PS3.15, annex E, lists some six hundred attributes to be removed. Here it is the other way round: what is not listed is
not copied, at any depth, so that neither a private attribute nor one of a later edition is forgotten. All texts that
people write go; dates and times go; identifiers are replaced by new ones that fit each other within one copy. What may
be written into the pixels themselves cannot be removed by any of this: such pictures are left out whole.
"""

import io

import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, generate_uid

from records.images.dicom import quietly

# A machine's own pictures of a body; what a person or a program has drawn over them is of other kinds.
_WITHOUT_WRITING = {"CT", "MR", "PT", "NM", "CR", "DX", "MG", "XA", "RF", "IO", "PX"}
_KEPT_VRS = {"CS", "DS", "IS", "US", "SS", "UL", "SL", "FD", "FL", "OB", "OW", "OB or OW", "US or SS", "US or OW", "SQ"}
_KEPT = frozenset(
    [
        "SOPClassUID",
        "Modality",
        "ImageType",
        "BodyPartExamined",
        "Laterality",
        "ImageLaterality",
        "ViewPosition",
        "PatientPosition",
        "PatientOrientation",
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "ImagerPixelSpacing",
        "SliceThickness",
        "SpacingBetweenSlices",
        "SliceLocation",
        "SeriesNumber",
        "InstanceNumber",
        "NumberOfFrames",
        "FrameTime",
        "CineRate",
        "RecommendedDisplayFrameRate",
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "PlanarConfiguration",
        "Rows",
        "Columns",
        "PixelAspectRatio",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "SmallestImagePixelValue",
        "LargestImagePixelValue",
        "PixelPaddingValue",
        "PixelPaddingRangeLimit",
        "PixelData",
        "WindowCenter",
        "WindowWidth",
        "VOILUTFunction",
        "VOILUTSequence",
        "ModalityLUTSequence",
        "LUTDescriptor",
        "LUTData",
        "ModalityLUTType",
        "RescaleSlope",
        "RescaleIntercept",
        "PresentationLUTShape",
        "PixelIntensityRelationship",
        "PixelIntensityRelationshipSign",
        "LossyImageCompression",
        "LossyImageCompressionRatio",
        "RedPaletteColorLookupTableDescriptor",
        "GreenPaletteColorLookupTableDescriptor",
        "BluePaletteColorLookupTableDescriptor",
        "RedPaletteColorLookupTableData",
        "GreenPaletteColorLookupTableData",
        "BluePaletteColorLookupTableData",
        "SharedFunctionalGroupsSequence",
        "PerFrameFunctionalGroupsSequence",
        "PixelMeasuresSequence",
        "PlanePositionSequence",
        "PlaneOrientationSequence",
        "FrameVOILUTSequence",
        "PixelValueTransformationSequence",
        "BurnedInAnnotation",
    ]
)
_NEW_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
_METHOD = "Yimatong: listed attributes only; PS3.15 annex E, basic profile, exceeded"


class NewNames:
    """The identifiers of one copy: the same old one becomes the same new one, and none can be traced back."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def of(self, old: str) -> str:
        return self._known.setdefault(old, str(generate_uid(None)))


def is_without_writing(image: pydicom.Dataset) -> bool:
    """Whether nobody is named in the pixels, as far as can be told: the machine's own picture, or one that says so."""
    said = str(image.get("BurnedInAnnotation") or "")
    is_derived = "SECONDARY" in list(image.get("ImageType") or [])
    return said == "NO" or (said != "YES" and image.get("Modality") in _WITHOUT_WRITING and not is_derived)


def copy_without_person(image: pydicom.Dataset, names: NewNames) -> bytes:
    """The image as a new DICOM file. Pixels go over as they are stored.

    :param image: read whole.
    """
    copied = _copy(image)
    for keyword in _NEW_UIDS:
        if image.get(keyword):
            setattr(copied, keyword, names.of(str(image.get(keyword))))
    copied.PatientName, copied.PatientID, copied.PatientIdentityRemoved = "", "", "YES"
    copied.DeidentificationMethod = _METHOD
    copied.file_meta = FileMetaDataset()
    copied.file_meta.MediaStorageSOPClassUID = UID(str(image.SOPClassUID))
    copied.file_meta.MediaStorageSOPInstanceUID = UID(copied.SOPInstanceUID)
    copied.file_meta.TransferSyntaxUID = image.file_meta.TransferSyntaxUID
    out = io.BytesIO()
    with quietly():
        pydicom.dcmwrite(out, copied, enforce_file_format=True)
    return out.getvalue()


def _copy(source: pydicom.Dataset) -> pydicom.Dataset:
    copied = pydicom.Dataset()
    for element in source:
        if element.keyword not in _KEPT or (element.VR not in _KEPT_VRS and element.keyword != "SOPClassUID"):
            continue
        if element.VR == "SQ":
            copied.add_new(element.tag, "SQ", [_copy(item) for item in element.value])
        else:
            copied.add(element)
    return copied
