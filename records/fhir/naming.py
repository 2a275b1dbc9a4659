"""Whom and which visit the resources of a message name."""

import re
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from records.fhir import systems
from records.fhir.refusals import FhirContentUnsupported, FhirInvalid
from records.intake.subjects import Subject

_PERSON = re.compile(r"Patient/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")

Reference = dict[str, Any]


def read_subject(references: Iterable[tuple[Reference | None, bool]]) -> Subject:
    """Everything by which any resource names the patient: all of it must lead to one person.

    :param references: each with whether it may be missing.
    :raises FhirInvalid: it names nobody, or two names.
    :raises FhirContentUnsupported: by a system that is not known.
    """
    cards, numbers, certificates, person_ids = set(), set(), set(), set()
    names: set[str] = set()
    for reference, may_miss in references:
        if reference is None and may_miss:
            continue
        names |= {reference["display"]} if reference and reference.get("display") else set()
        known = _PERSON.fullmatch((reference and reference.get("reference")) or "")
        if known:
            person_ids.add(UUID(known[1]))
            continue
        system, value = _logical(reference, "subject")
        if system == systems.CARD:
            cards.add(value)
        elif system == systems.PATIENT_NUMBER:
            numbers.add(value)
        elif system.startswith(systems.CERTIFICATE):
            certificates.add((system.removeprefix(systems.CERTIFICATE), value))
        else:
            raise FhirContentUnsupported(("subject.identifier.system", "docs/interfaces/fhir.md lists the systems."))
    if len(names) > 1:
        raise FhirInvalid(("subject.display", "One name of the patient is expected."))
    return Subject(
        frozenset(cards), frozenset(numbers), frozenset(certificates), frozenset(person_ids), names=frozenset(names)
    )


def read_visit(encounters: Iterable[Reference]) -> UUID | None:
    """The visit that is named as the desk scan told it; encounters by our ids are looked at where things are filed.

    :raises FhirInvalid: two visits, or none that can be one.
    """
    named = {_logical(one, "encounter") for one in encounters if "identifier" in one or "reference" not in one}
    ours = {value for system, value in named if system == systems.VISIT}
    if not ours:
        return None
    try:
        (only,) = {UUID(value) for value in ours}
    except ValueError:
        raise FhirInvalid(
            ("encounter.identifier", "One visit id, as the desk scan returned it, is expected.")
        ) from None
    return only


def _logical(reference: Reference | None, at: str) -> tuple[str, str]:
    """System and value of a logical reference (FHIR R4, section 2.3.0.2)."""
    identifier = (reference or {}).get("identifier") or {}
    if not identifier.get("system") or not identifier.get("value"):
        raise FhirInvalid((f"{at}.identifier", "A logical reference is expected: an identifier with its system."))
    return identifier["system"], identifier["value"]
