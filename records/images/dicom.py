"""Reading DICOM files: the few attributes that filing needs, and all of them as DICOM JSON."""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, BinaryIO

import pydicom
from pydicom import config as pydicom_config
from pydicom.filereader import _read_file_meta_info, read_preamble
from pydicom.uid import UID

from core import clock
from core.errors import Refusal
from records.images import details, geometry
from records.images.details import Details
from records.refusals import ImageIncomplete, ImageIsDirectory, ImageUnreadable, TransferSyntaxNotSupported

# Real files break the rules of value representations all the time; and what pydicom says about a value quotes it.
pydicom_config.settings.reading_validation_mode = pydicom_config.IGNORE
pydicom_config.settings.writing_validation_mode = pydicom_config.IGNORE
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)

REQUEST_IDS = ("ScheduledProcedureStepID", "RequestedProcedureID")
MOST_REQUESTS = 50

_LARGEST_INTEGER = 2**31 - 1


@dataclass(frozen=True)
class Header:
    """What filing needs to know of an instance. Texts are trimmed; what is missing or senseless is None."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    patient_id: str | None
    issuer_of_patient_id: str | None
    patient_names: tuple[str, ...]
    birth_date: date | None
    sex: str | None
    accession_number: str | None
    study_description: str | None
    studied_at: datetime | None
    modality: str
    series_number: int | None
    series_description: str | None
    body_part: str | None
    instance_number: int | None
    rows: int | None
    columns: int | None
    frames: int
    study_local_id: str | None = None
    referring_physician: str | None = None
    performed_at: datetime | None = None
    requests: tuple[dict[str, str], ...] = ()
    bits_allocated: int | None = None
    orientation: str | None = None
    details: Details = field(default=Details(), compare=False, repr=False)


@contextmanager
def quietly() -> Iterator[None]:
    """Without pydicom's warnings: they quote values of the file, and a patient's data does not belong into a log."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_header(stream: BinaryIO) -> Header:
    """Read a DICOM file up to its pixel data.

    :raises ImageUnreadable: not a DICOM file, or broken before its pixel data.
    :raises ImageIsDirectory: a DICOMDIR.
    :raises ImageIncomplete: without the identifiers of PS3.3, sections C.7.2.1, C.7.3.1 and C.12.1.
    :raises TransferSyntaxNotSupported: deflated; a few bytes of it may inflate without bound.
    """
    try:
        with quietly():
            syntax = _read_transfer_syntax(stream)
            stream.seek(0)
            found = pydicom.dcmread(stream, stop_before_pixels=True)
            if "DirectoryRecordSequence" in found:
                raise ImageIsDirectory
            # First: whatever is asked for by its name is no longer as it was read, and costs more to write.
            described = details.describe(found, stream, syntax)
            return replace(_header(found, syntax), details=described)
    except Refusal:
        raise
    except Exception as error:
        # What a broken file makes the parser raise is anything at all; each of it means the same.
        raise ImageUnreadable from error


def read_metadata(stream: BinaryIO) -> bytes:
    """All attributes as ``details.write_metadata`` writes them.

    :raises ImageUnreadable: broken before its pixel data.
    """
    try:
        with quietly():
            syntax = _read_transfer_syntax(stream)
            stream.seek(0)
            found = pydicom.dcmread(stream, stop_before_pixels=True)
            return details.write_metadata(found, details.find_pixel_data(stream, syntax, stream.tell()))
    except Refusal:
        raise
    except Exception as error:
        raise ImageUnreadable from error


def _read_transfer_syntax(stream: BinaryIO) -> str:
    read_preamble(stream, False)
    syntax = UID(_read_file_meta_info(stream).get("TransferSyntaxUID", ""))
    if not re.fullmatch(r"[0-9.]{1,64}", syntax):
        raise ImageUnreadable
    if syntax.is_transfer_syntax and syntax.is_deflated:
        raise TransferSyntaxNotSupported
    return str(syntax)


def _header(found: pydicom.Dataset, syntax: str) -> Header:
    rows, columns = _integer(found, "Rows"), _integer(found, "Columns")
    is_picture = bool(rows and columns)
    return Header(
        sop_class_uid=_uid(found, "SOPClassUID"),
        sop_instance_uid=_uid(found, "SOPInstanceUID"),
        study_instance_uid=_uid(found, "StudyInstanceUID"),
        series_instance_uid=_uid(found, "SeriesInstanceUID"),
        transfer_syntax_uid=syntax,
        patient_id=read_text(found, "PatientID"),
        issuer_of_patient_id=read_text(found, "IssuerOfPatientID"),
        patient_names=_names(found),
        birth_date=read_date(read_text(found, "PatientBirthDate")),
        sex=read_text(found, "PatientSex"),
        accession_number=read_text(found, "AccessionNumber"),
        study_description=read_text(found, "StudyDescription"),
        studied_at=read_moment(found, "StudyDate", "StudyTime"),
        modality=read_text(found, "Modality") or "OT",
        series_number=_integer(found, "SeriesNumber"),
        series_description=read_text(found, "SeriesDescription"),
        body_part=read_text(found, "BodyPartExamined"),
        instance_number=_integer(found, "InstanceNumber"),
        rows=rows if is_picture else None,
        columns=columns if is_picture else None,
        frames=max(1, _integer(found, "NumberOfFrames") or 1),
        study_local_id=read_text(found, "StudyID"),
        referring_physician=read_text(found, "ReferringPhysicianName"),
        performed_at=read_moment(found, "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime"),
        requests=_requests(found),
        bits_allocated=_bits_allocated(found) if is_picture else None,
        orientation=geometry.read_orientation(found) if is_picture else None,
    )


def _uid(found: pydicom.Dataset, keyword: str) -> str:
    text = str(found.get(keyword) or "")
    if not re.fullmatch(r"[0-9.]{1,64}", text):
        raise ImageIncomplete
    return text


def read_text(found: pydicom.Dataset, keyword: str) -> str | None:
    """The first value of an attribute as one trimmed line of at most 256 characters."""
    value = _first(found.get(keyword))
    printable = "".join(character for character in str(value or "") if character.isprintable())
    # Half a surrogate pair comes out of a text whose declared character set is wrong; no database takes it.
    return printable.encode("utf-8", "replace").decode()[:256].strip() or None


def _requests(found: pydicom.Dataset) -> tuple[dict[str, str], ...]:
    """What the series answers (Request Attributes Sequence; PS3.3, section 10.6)."""
    asked = found.get("RequestAttributesSequence")
    items = [one for one in asked if isinstance(one, pydicom.Dataset)] if isinstance(asked, pydicom.Sequence) else []
    said = [{name: text for name in REQUEST_IDS if (text := read_text(one, name))} for one in items[:MOST_REQUESTS]]
    return tuple(one for one in said if one)


def _bits_allocated(found: pydicom.Dataset) -> int | None:
    bits = _integer(found, "BitsAllocated")
    return bits if bits is not None and 1 <= bits <= 64 else None


def _names(found: pydicom.Dataset) -> tuple[str, ...]:
    """The alphabetic, ideographic and phonetic ways of writing the name (PS3.5, section 6.2.1.1)."""
    return tuple(group.replace("^", " ").strip() for group in (read_text(found, "PatientName") or "").split("="))


def _integer(found: pydicom.Dataset, keyword: str) -> int | None:
    try:
        value = int(_first(found.get(keyword)))
    except (TypeError, ValueError, OverflowError):
        return None
    return value if abs(value) <= _LARGEST_INTEGER else None


def _first(value: Any) -> Any:
    if isinstance(value, (list, pydicom.multival.MultiValue)):
        return value[0] if value else None
    return value


def read_date(text: str | None) -> date | None:
    """A DICOM date (PS3.5, section 6.2: YYYYMMDD, formerly YYYY.MM.DD); None when it is none."""
    try:
        return datetime.strptime((text or "").replace(".", ""), "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def read_moment(found: pydicom.Dataset, date_keyword: str, time_keyword: str) -> datetime | None:
    """A day and the time that belongs to it, in the file's own zone; without a time, the day's beginning."""
    zone = _zone(read_text(found, "TimezoneOffsetFromUTC"))
    return _to_moment(read_date(read_text(found, date_keyword)), read_text(found, time_keyword) or "", zone)


def read_datetime(found: pydicom.Dataset, keyword: str, *, root: pydicom.Dataset) -> datetime | None:
    """A date with its time (VR DT), in its own zone, else in that of the file.

    :param root: the data set of the file, when ``found`` is within it.
    """
    written = re.fullmatch(r"(\d{8})(\d{0,6})(?:\.\d*)?([+-]\d{4})?", read_text(found, keyword) or "")
    if written is None:
        return None
    zone = _zone(written[3] or read_text(root, "TimezoneOffsetFromUTC"))
    return _to_moment(read_date(written[1]), written[2], zone)


def _to_moment(day: date | None, time_text: str, zone: Any) -> datetime | None:
    if day is None or not 1900 <= day.year <= 2200:
        return None
    digits = re.match(r"\d{0,6}", time_text.replace(":", ""))
    text = (digits.group() if digits else "").ljust(6, "0")
    hour, minute, second = int(text[:2]), int(text[2:4]), int(text[4:])
    if hour > 23 or minute > 59:
        hour = minute = second = 0
    local = datetime(day.year, day.month, day.day, hour, minute, min(second, 59), tzinfo=zone)
    return local.astimezone(UTC)


def _zone(offset: str | None) -> Any:
    """The zone that a file names; the city's when it names none (PS3.3, section C.12.1.1.8)."""
    named = re.fullmatch(r"([+-])(\d{2})(\d{2})", offset or "")
    if named is None:
        return clock.CITY_ZONE
    distance = timedelta(hours=int(named[2]), minutes=int(named[3]))
    if distance >= timedelta(hours=24):
        return clock.CITY_ZONE
    return timezone(-distance if named[1] == "-" else distance)
