"""What is written of persons themselves: registering one, and taking back what he let a hospital see."""

import re
from datetime import date
from typing import Any
from urllib.parse import unquote, unquote_plus

from sqlalchemy.orm import Session

from consent import service as consent
from core.actor import Actor
from health_card import service as health_card
from records.fhir import people, reading, systems
from records.fhir.catalogue import KINDS
from records.fhir.finding import get_resource
from records.fhir.presenting import Resource
from records.fhir.refusals import (
    FhirConsentUnchangeable,
    FhirConsentVersionDiffers,
    FhirIfMatchMissing,
    FhirInvalid,
    FhirPatientInvalid,
    FhirResourceNotFound,
)
from records.fhir.service.conditions import read_id
from records.fhir.service.registry import PersonFile
from records.reports.incoming import LONGEST_IDENTIFIER

# Of a Patient. Nothing is dropped silently; id, meta and narrative are not the sender's to say.
_TAKEN_IN = {"resourceType", "id", "meta", "text", "identifier", "active"} | {
    "name", "telecom", "gender", "birthDate", "address"
}  # fmt: skip
_LONGEST_NAME, _LONGEST_ADDRESS = 50, 200
# What of a Consent is as it was read, except that it is over.
_CHANGES = frozenset({"status", "meta", "text"})


def is_registration(entry: dict[str, Any]) -> bool:
    """Whether an entry of a batch creates a Patient."""
    resource, asked = entry.get("resource"), entry.get("request") or {}
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    return kind == "Patient" and (asked.get("method"), asked.get("url")) == ("POST", "Patient")


def read_patient(document: dict[str, Any], condition: str | None) -> health_card.Registrant:
    """Who is to be registered.

    :param condition: If-None-Exist.
    :raises FhirPatientInvalid: it is no valid Patient, something is missing, or it says what is not taken in.
    """
    try:
        reading.check_resource(document, "Patient")
    except FhirInvalid as refusal:
        errors = [(one["field"], one["message"]) for one in refusal.members["errors"]]
        raise FhirPatientInvalid(*errors) from None
    others = sorted(document.keys() - _TAKEN_IN)
    if others or document.get("active") is False:
        raise FhirPatientInvalid((f"Patient.{(others or ['active'])[0]}", "This is not taken in of a registration."))
    certificate, number = _read_identifiers(document)
    if condition is not None:
        _check_condition(document, condition)
    addresses, gender = document.get("address") or [], str(document.get("gender"))
    return health_card.Registrant(
        certificate=certificate,
        name=_read_name(document),
        phone=_read_phone(document),
        sex=gender if gender in {"male", "female"} else "unknown",
        birth_date=_read_birth_date(document.get("birthDate")),
        address=_read_address(addresses) if addresses else None,
        patient_number=number,
    )


def register(session: Session, actor: Actor, registrant: health_card.Registrant) -> tuple[Resource, bool]:
    """The person of the certificate, as the hospital that sent him may know him, and whether he is new.

    :raises CertificateInvalid: the number cannot be one of its type.
    :raises DetailsContradictCertificate: the certificate's number tells another sex or birth date.
    :raises PersonDetailsDiffer: the certificate is registered with another name or phone.
    :raises PatientNumberTaken: the number is somebody else's, or the person has another number here.
    """
    done = health_card.register_patient(session, actor, registrant=registrant)
    number = health_card.get_patient_number(session, actor, done.person_id)
    file = PersonFile(
        id=health_card.list_roots(session, {done.person_id})[done.person_id],
        person=health_card.get_demographics(session, done.person_id, masked=True),
        cards=[done.card.number],
        patient_number=(actor.house_id, number) if number else None,
    )
    return people.show_person(file), done.is_new


def revoke_consent(
    session: Session, actor: Actor, resource_id: str, document: dict[str, Any], *, if_match: str | None
) -> Resource:
    """End a grant of a person whom the login may act for, from the next request on.

    :raises FhirIfMatchMissing: it is not said of which version.
    :raises FhirResourceNotFound: no such grant.
    :raises FhirConsentVersionDiffers: it is another version by now.
    :raises FhirConsentUnchangeable: it says more than that it is over.
    """
    if if_match is None:
        raise FhirIfMatchMissing
    grant_id = read_id(resource_id)
    if grant_id is None:
        raise FhirResourceNotFound
    known = get_resource(session, actor, KINDS["Consent"], resource_id)
    same = {name: value for name, value in document.items() if name not in _CHANGES}
    if document.get("status") != "inactive" or same != {k: v for k, v in known.items() if k not in _CHANGES}:
        raise FhirConsentUnchangeable
    if if_match.removeprefix("W/").strip('"') != known["meta"]["versionId"]:
        raise FhirConsentVersionDiffers
    consent.revoke_grant(session, actor, grant_id=grant_id)
    return get_resource(session, actor, KINDS["Consent"], resource_id)


def _read_identifiers(document: dict[str, Any]) -> tuple[tuple[str, str], str | None]:
    """The one certificate, and the hospital's number."""
    certificates, numbers = set(), set()
    for place, one in enumerate(document.get("identifier") or []):
        system, value = one.get("system") or "", one.get("value") or ""
        if system.startswith(systems.CERTIFICATE) and value:
            certificates.add((system.removeprefix(systems.CERTIFICATE), value))
        elif system == systems.PATIENT_NUMBER and 0 < len(value) <= LONGEST_IDENTIFIER:
            numbers.add(value)
        else:
            known = f"{systems.CERTIFICATE}<type> or {systems.PATIENT_NUMBER}"
            raise FhirPatientInvalid((f"Patient.identifier[{place}]", f"{known} and a value are expected."))
    if len(certificates) != 1 or len(numbers) > 1:
        raise FhirPatientInvalid(("Patient.identifier", "One certificate and at most one patient number are expected."))
    return certificates.pop(), numbers.pop() if numbers else None


def _check_condition(document: dict[str, Any], condition: str) -> None:
    own = {f"identifier={one['system']}|{one['value']}" for one in document["identifier"]}
    if not own & {condition, unquote(condition), unquote_plus(condition)}:
        raise FhirPatientInvalid(("Patient.identifier", "A condition names an identifier of the resource itself."))


def _read_name(document: dict[str, Any]) -> str:
    for name in document.get("name") or []:
        parts = [part for part in (name.get("family"), *(name.get("given") or [])) if part]
        joined = " ".join(parts)
        written = str(name.get("text") or (joined if joined.isascii() else "".join(parts)))
        if re.fullmatch(health_card.PLAIN_TEXT, written) and len(written) <= _LONGEST_NAME:
            return written
    raise FhirPatientInvalid(("Patient.name", f"The name as it is written, of at most {_LONGEST_NAME} characters."))


def _read_phone(document: dict[str, Any]) -> str:
    phones = [one.get("value") or "" for one in document.get("telecom") or [] if one.get("system") == "phone"]
    if len(phones) != 1 or len(document["telecom"]) != 1 or not re.fullmatch(health_card.PHONE_SHAPE, phones[0]):
        raise FhirPatientInvalid(("Patient.telecom", "One mobile number is expected; of another country with + first."))
    return str(phones[0])


def _read_birth_date(written: str | None) -> date | None:
    try:
        return date.fromisoformat(written) if written else None
    except ValueError:
        raise FhirPatientInvalid(("Patient.birthDate", "A whole date is expected.")) from None


def _read_address(addresses: list[dict[str, Any]]) -> str:
    first = addresses[0]
    parts = (first.get("state"), first.get("city"), first.get("district"), *(first.get("line") or []))
    written = str(first.get("text") or "".join(part for part in parts if part))
    if len(addresses) > 1 or not re.fullmatch(health_card.PLAIN_TEXT, written) or len(written) > _LONGEST_ADDRESS:
        raise FhirPatientInvalid(("Patient.address", f"One, as text of at most {_LONGEST_ADDRESS} characters."))
    return written
