"""DICOM files for tests: those that pydicom ships, given to test patients."""

import io
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pydicom
import pydicom.data
from pydicom.uid import generate_uid

SHIPPED = Path(pydicom.data.__file__).parent / "test_files"
BOUNDARY = "a-boundary-of-tests"
CONTENT_TYPE = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'


def shipped_files() -> list[Path]:
    """Every file that pydicom ships for its own tests, the broken ones and those that are no DICOM at all too."""
    return sorted(path for path in SHIPPED.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"})


def read_shipped(name: str) -> pydicom.Dataset:
    """One of them, without what names or describes the patient in it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return anonymous(pydicom.dcmread(SHIPPED / name))


def anonymous(image: pydicom.Dataset) -> pydicom.Dataset:
    for keyword in ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"):
        if keyword in image:
            delattr(image, keyword)
    return image


def make_image(name: str = "CT_small.dcm", **attributes: Any) -> pydicom.Dataset:
    """A shipped image as a new instance of a new study, with ``attributes`` set (None removes one)."""
    image = read_shipped(name)
    fresh = {keyword: generate_uid() for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")}
    for keyword, value in (fresh | attributes).items():
        if value is not None:
            setattr(image, keyword, value)
        elif keyword in image:
            delattr(image, keyword)
    return image


def to_bytes(image: pydicom.Dataset) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "SOPInstanceUID" in image:
            image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        out = io.BytesIO()
        pydicom.dcmwrite(out, image, enforce_file_format=False)
        return out.getvalue()


def multipart(files: Iterable[bytes]) -> bytes:
    """A STOW-RS body."""
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return b"".join(head + content + b"\r\n" for content in files) + f"--{BOUNDARY}--\r\n".encode()


def path_of(image: pydicom.Dataset) -> str:
    """The instance's address."""
    return (
        f"/dicomweb/studies/{image.StudyInstanceUID}/series/{image.SeriesInstanceUID}/instances/{image.SOPInstanceUID}"
    )
