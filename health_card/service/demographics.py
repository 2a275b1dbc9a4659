"""Who a person is, for those who may know it."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import clock
from core.vault import DataKey, vault
from health_card.desk.models import AssuranceCheck
from health_card.masks import mask_name, mask_number, mask_phone
from health_card.models import Assurance, Person, PersonCertificate
from health_card.service.identities import ADDRESS, CERTIFICATE, NAME, PHONE, get_root, same_person_ids


@dataclass(frozen=True)
class Demographics:
    """A person as shown to somebody. ``sex``: male, female or unknown.

    ``certificate_type`` and ``certificate_number`` are None for a newborn who has no certificate yet. ``assured_at``,
    ``assured_by``: since when the identity is known so well, and by which hospital.
    """

    name: str
    sex: str
    birth_date: date | None
    age: int | None
    nation: str | None
    certificate_type: str | None
    certificate_number: str | None
    phone: str
    assurance: str
    assured_at: datetime | None = None
    assured_by: str | None = None


@dataclass(frozen=True)
class PlainDemographics:
    """A person's own details, whole: for himself and for interfaces whose answer needs them."""

    name: str
    sex: str
    birth_date: date | None
    nation: str | None
    certificate_type: str | None
    certificate_number: str | None
    phone: str
    address: str | None
    assurance: str


def get_demographics(session: Session, person_id: UUID, *, masked: bool = True) -> Demographics:
    """A person's demographics. The caller has decided, and recorded, that the asker may see them.

    :param masked: shorten the name as trust demands for desks; a treating doctor sees it whole. Numbers are always
        masked.
    """
    plain = get_plain_demographics(session, person_id)
    assured_at, assured_by = _find_assured(session, person_id, plain.assurance)
    return Demographics(
        name=mask_name(plain.name) if masked else plain.name,
        sex=plain.sex,
        birth_date=plain.birth_date,
        age=_age(plain.birth_date),
        nation=plain.nation,
        certificate_type=plain.certificate_type,
        certificate_number=mask_number(plain.certificate_number) if plain.certificate_number else None,
        phone=mask_phone(plain.phone),
        assurance=plain.assurance,
        assured_at=assured_at,
        assured_by=assured_by,
    )


def get_plain_demographics(session: Session, person_id: UUID) -> PlainDemographics:
    """As ``get_demographics``, with nothing masked."""
    person = get_root(session, person_id)
    key = vault().unwrap(person.data_key)
    certificate_type, certificate_number = _primary_certificate(session, person, key)
    return PlainDemographics(
        name=key.unseal(person.name_sealed, context=NAME),
        sex=person.sex,
        birth_date=person.birth_date,
        nation=person.nation,
        certificate_type=certificate_type,
        certificate_number=certificate_number,
        phone=key.unseal(person.phone_sealed, context=PHONE),
        address=key.unseal(person.address_sealed, context=ADDRESS) if person.address_sealed else None,
        assurance=person.assurance,
    )


def fits_person(session: Session, person_id: UUID, *, sex: str, birth_date: date | None) -> bool:
    """Whether one of the person's records says this sex and birth date, or leaves them open.

    A hospital goes on writing what the record that it knew said, also when another one stands for the person now.

    :param sex: ``unknown`` fits everybody, as does no birth date.
    """
    fitting = select(Person.id).where(Person.id.in_(same_person_ids(person_id)))
    if sex != "unknown":
        fitting = fitting.where(Person.sex.in_((sex, "unknown")))
    if birth_date is not None:
        fitting = fitting.where(or_(Person.birth_date == birth_date, Person.birth_date.is_(None)))
    return session.scalar(fitting.limit(1)) is not None


def _primary_certificate(session: Session, person: Person, key: DataKey) -> tuple[str | None, str | None]:
    shown = session.scalars(select(PersonCertificate).filter_by(person_id=person.id, is_primary=True)).one_or_none()
    return (shown.type, key.unseal(shown.number_sealed, context=CERTIFICATE)) if shown else (None, None)


def _find_assured(session: Session, person_id: UUID, level: str) -> tuple[datetime | None, str | None]:
    """When the identity was last checked at its level, and by which hospital; what was only asserted nobody checked."""
    if level == Assurance.ASSERTED:
        return None, None
    checks = select(AssuranceCheck.checked_at, AssuranceCheck.hospital_id).where(
        AssuranceCheck.person_id.in_(same_person_ids(person_id)), AssuranceCheck.level == level
    )
    last = session.execute(checks.order_by(AssuranceCheck.checked_at.desc()).limit(1)).one_or_none()
    if last is None:
        return None, None
    return last.checked_at, accounts.get_hospital(session, last.hospital_id).name if last.hospital_id else None


def _age(born: date | None) -> int | None:
    if born is None:
        return None
    today = clock.in_city(clock.now()).date()
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
