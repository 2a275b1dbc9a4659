"""Name, phone, sex, birth date, nation and address corrected at a desk."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.vault import DataKey, vault
from health_card.certificates import Certificate, CertificateType, check_certificate
from health_card.corrections.models import Field, Reason
from health_card.corrections.service.ledger import Correction, record_corrections
from health_card.desk.service.look_ups import get_seen_document
from health_card.models import CertificateState, Person, PersonCertificate
from health_card.refusals import DetailsContradictCertificate
from health_card.service.identities import (
    ADDRESS,
    CERTIFICATE,
    NAME,
    PHONE,
    lock_root,
    normalise_name,
    same_person_ids,
)

_SEALED = {Field.NAME: NAME, Field.PHONE: PHONE, Field.ADDRESS: ADDRESS}


@dataclass(frozen=True)
class NewDetails:
    """What is right; None: leave it. ``sex``: male, female or unknown. ``nation``: GB/T 3304."""

    name: str | None = None
    phone: str | None = None
    sex: str | None = None
    birth_date: date | None = None
    nation: str | None = None
    address: str | None = None


def correct_details(
    session: Session, actor: Actor, *, look_up_id: UUID, details: NewDetails, reason: Reason
) -> list[Field]:
    """Correct what is known of the person whose document the desk has seen; what it was before is kept.

    A merged person's standing record is corrected. What is right already changes nothing.

    :returns: what was changed.
    :raises LookUpNotFound: no such look-up, or it has run out.
    :raises DocumentNotSeen: no document was verified within it.
    :raises DetailsContradictCertificate: a current certificate's number tells another sex or birth date.
    """
    seen = get_seen_document(session, actor, look_up_id)
    person = lock_root(session, seen.person_id)
    for certificate in current_certificates(session, person):
        check_agrees(certificate, sex=details.sex, birth_date=details.birth_date)
    made = [
        correction
        for field, new in _wanted(details).items()
        if (correction := set_detail(person, field, new)) is not None
    ]
    if made:
        record_corrections(session, actor, person=person, seen=seen, reason=reason, made=made)
    return [correction.field for correction in made]


def set_detail(person: Person, field: Field, new: str) -> Correction | None:
    """Put a value into the record; None when it is there already."""
    key = vault().unwrap(person.data_key)
    old = _read(person, key, field)
    if old == new:
        return None
    _write(person, key, field, new)
    return Correction(field, old, new)


def check_agrees(certificate: Certificate, *, sex: str | None, birth_date: date | None) -> None:
    """:raises DetailsContradictCertificate: the number tells another sex or birth date."""
    if certificate.sex != "unknown" and sex not in {None, certificate.sex}:
        raise DetailsContradictCertificate
    if certificate.birth_date is not None and birth_date not in {None, certificate.birth_date}:
        raise DetailsContradictCertificate


def current_certificates(session: Session, person: Person, *, leaving_out: UUID | None = None) -> list[Certificate]:
    """The current certificates of a person, with all records, as their numbers tell them.

    :param leaving_out: the row of one that is about to end.
    """
    rows = session.execute(
        select(PersonCertificate, Person.data_key)
        .join(Person, Person.id == PersonCertificate.person_id)
        .where(PersonCertificate.person_id.in_(same_person_ids(person.id)))
        .where(PersonCertificate.state == CertificateState.CURRENT, PersonCertificate.id != leaving_out)
    )
    return [
        check_certificate(
            CertificateType(row.type),
            vault().unwrap(data_key).unseal(row.number_sealed, context=CERTIFICATE),
            row.country,
        )
        for row, data_key in rows
    ]


def _wanted(details: NewDetails) -> dict[Field, str]:
    said = {
        Field.NAME: normalise_name(details.name) if details.name else None,
        Field.PHONE: details.phone,
        Field.SEX: details.sex,
        Field.BIRTH_DATE: details.birth_date.isoformat() if details.birth_date else None,
        Field.NATION: details.nation,
        Field.ADDRESS: details.address,
    }
    return {field: value for field, value in said.items() if value is not None}


def _read(person: Person, key: DataKey, field: Field) -> str | None:
    if field in _SEALED:
        sealed: bytes | None = getattr(person, f"{field}_sealed")
        return key.unseal(sealed, context=_SEALED[field]) if sealed is not None else None
    if field is Field.BIRTH_DATE:
        return person.birth_date.isoformat() if person.birth_date else None
    return person.sex if field is Field.SEX else person.nation


def _write(person: Person, key: DataKey, field: Field, new: str) -> None:
    if field in _SEALED:
        setattr(person, f"{field}_sealed", key.seal(new, context=_SEALED[field]))
    elif field is Field.BIRTH_DATE:
        person.birth_date = date.fromisoformat(new)
    elif field is Field.SEX:
        person.sex = new
    else:
        person.nation = new
