"""The accession number of a report's examination (identifier of type ACSN, HL7 table 0203)."""

from collections.abc import Iterator
from typing import Any

from records.fhir.parts import IDENTIFIER_TYPE, Part, kinds_of
from records.fhir.refusals import FhirContentUnsupported, FhirInvalid
from records.reports.incoming import LONGEST_ACCESSION_NUMBER

ACCESSION = "ACSN"


def read_accession_number(part: Part) -> str | None:
    """Said of the study (imagingStudy), of the report itself (identifier), or of the order (basedOn), in this order.

    :raises FhirContentUnsupported: a study that is named in another way, or several of different numbers.
    :raises FhirInvalid: a number of more than 64 characters.
    """
    of_studies = [_read_study(part, number, one) for number, one in enumerate(part.sent.get("imagingStudy") or [])]
    if len(set(of_studies)) > 1:
        raise FhirContentUnsupported((f"{part.at}.imagingStudy", "Studies of one accession number are expected."))
    said = next(iter([*of_studies, *_list_others(part)]), None)
    if said is not None and len(said) > LONGEST_ACCESSION_NUMBER:
        raise FhirInvalid((part.at, f"An accession number has at most {LONGEST_ACCESSION_NUMBER} characters."))
    return said


def show_accession_number(number: str | None) -> list[dict[str, Any]]:
    """As ``DiagnosticReport.imagingStudy``, which can be sent again."""
    if number is None:
        return []
    kind = {"coding": [{"system": IDENTIFIER_TYPE, "code": ACCESSION}]}
    return [{"type": "ImagingStudy", "identifier": {"type": kind, "value": number}}]


def _read_study(part: Part, number: int, study: dict[str, Any]) -> str:
    identifier = study.get("identifier") or {}
    if not identifier.get("value") or ACCESSION not in kinds_of(identifier) or study.get("reference"):
        at = f"{part.at}.imagingStudy[{number}]"
        raise FhirContentUnsupported((at, "A study is named by its accession number (identifier of type ACSN)."))
    return str(identifier["value"]).strip()


def _list_others(part: Part) -> Iterator[str]:
    ordered = [one.get("identifier") or {} for one in part.sent.get("basedOn") or []]
    for identifier in [*(part.sent.get("identifier") or []), *ordered]:
        if identifier.get("value") and ACCESSION in kinds_of(identifier):
            yield str(identifier["value"]).strip()
