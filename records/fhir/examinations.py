"""By what a report names its examination: the accession number (identifier of type ACSN, HL7 table 0203) and the
UID of its images (FHIR R4, section ImagingStudy: system urn:dicom:uid, value urn:oid:...).
"""

import re
from collections.abc import Iterator
from typing import Any

from records.fhir.parts import IDENTIFIER_TYPE, Part, kinds_of
from records.fhir.refusals import FhirContentUnsupported, FhirInvalid
from records.reports.incoming import LONGEST_ACCESSION_NUMBER

ACCESSION = "ACSN"
UID_SYSTEM = "urn:dicom:uid"

_UID = re.compile(r"urn:oid:([0-9.]{1,64})")


def read_examination(part: Part) -> tuple[str | None, str | None]:
    """Accession number and StudyInstanceUID. The number is said of the study (imagingStudy), of the report itself
    (identifier), or of the order (basedOn), in this order; the UID of the study.

    :raises FhirContentUnsupported: a study that is named in another way, or several of different numbers or UIDs.
    :raises FhirInvalid: a number of more than 64 characters.
    """
    numbers: list[str] = []
    uids: list[str] = []
    for place, study in enumerate(part.sent.get("imagingStudy") or []):
        number, uid = _read_study(part, place, study)
        numbers += [number] if number else []
        uids += [uid] if uid else []
    if len(set(numbers)) > 1 or len(set(uids)) > 1:
        raise FhirContentUnsupported((f"{part.at}.imagingStudy", "Studies of one examination are expected."))
    said = next(iter([*numbers, *_list_others(part)]), None)
    if said is not None and len(said) > LONGEST_ACCESSION_NUMBER:
        raise FhirInvalid((part.at, f"An accession number has at most {LONGEST_ACCESSION_NUMBER} characters."))
    return said, next(iter(uids), None)


def show_examination(number: str | None, study_instance_uid: str | None) -> list[dict[str, Any]]:
    """As ``DiagnosticReport.imagingStudy``, which can be sent again."""
    identifiers: list[dict[str, Any]] = []
    if study_instance_uid is not None:
        identifiers.append({"system": UID_SYSTEM, "value": f"urn:oid:{study_instance_uid}"})
    if number is not None:
        kind = {"coding": [{"system": IDENTIFIER_TYPE, "code": ACCESSION}]}
        identifiers.append({"type": kind, "value": number})
    return [{"type": "ImagingStudy", "identifier": identifier} for identifier in identifiers]


def _read_study(part: Part, place: int, study: dict[str, Any]) -> tuple[str | None, str | None]:
    """A number or a UID, or both: the UID also as a literal reference (urn:oid:...)."""
    identifier = study.get("identifier") or {}
    value, reference = str(identifier.get("value") or "").strip(), study.get("reference")
    referred = _UID.fullmatch(reference or "")
    if (reference and not referred) or not (value or referred):
        raise _not_named(part, place)
    uid = referred[1] if referred else None
    if not value:
        return None, uid
    if ACCESSION in kinds_of(identifier):
        return value, uid
    named = _UID.fullmatch(value if value.startswith("urn:") else f"urn:oid:{value}")
    if identifier.get("system") != UID_SYSTEM or named is None or uid not in {None, named[1]}:
        raise _not_named(part, place)
    return None, named[1]


def _not_named(part: Part, place: int) -> FhirContentUnsupported:
    said = (
        "A study is named by its accession number (identifier of type ACSN) or its StudyInstanceUID (identifier of "
        "the system urn:dicom:uid, value urn:oid:...)."
    )
    return FhirContentUnsupported((f"{part.at}.imagingStudy[{place}]", said))


def _list_others(part: Part) -> Iterator[str]:
    ordered = [one.get("identifier") or {} for one in part.sent.get("basedOn") or []]
    for identifier in [*(part.sent.get("identifier") or []), *ordered]:
        if identifier.get("value") and ACCESSION in kinds_of(identifier):
            yield str(identifier["value"]).strip()
