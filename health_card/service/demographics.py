"""Who a person is, for those who may know it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from accounts import service as accounts
from core import clock, statements
from core.actor import Actor
from core.vault import vault
from health_card.masks import mask_name, mask_number, mask_phone
from health_card.service.identities import ADDRESS, CERTIFICATE, NAME, PHONE
from health_card.service.numbers import PATIENT_NUMBER


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


class _KnownPerson(NamedTuple):
    """What ``VISITOR`` finds. ``assured_at``, ``assured_by``: the last check at the level, and its hospital."""

    data_key: bytes
    name_sealed: bytes
    phone_sealed: bytes
    address_sealed: bytes | None
    sex: str
    birth_date: date | None
    nation: str | None
    assurance: str
    certificate_type: str | None
    certificate_sealed: bytes | None
    assured_at: datetime | None
    assured_by: UUID | None
    patient_number: str | None


# The record that stands for the person, with the checks of all its records and its number at a hospital. Asked at every
# scan, as a part of the statement that enters a visit: hence by hand.
VISITOR = statements.compose(
    """
SELECT p.data_key, p.name_sealed, p.phone_sealed, p.address_sealed, p.sex, p.birth_date, p.nation, p.assurance,
    c.type AS certificate_type, c.number_sealed, last.checked_at, last.hospital_id,
    ({number}) AS patient_number
FROM persons own
    JOIN persons p ON p.id = own.root_id
    LEFT JOIN person_certificates c ON c.person_id = p.id AND c.is_primary
    LEFT JOIN LATERAL (
        SELECT a.checked_at, a.hospital_id
        FROM assurance_checks a JOIN persons same ON same.id = a.person_id
        WHERE same.root_id = p.root_id AND a.level = p.assurance
        ORDER BY a.checked_at DESC LIMIT 1
    ) last ON true
WHERE own.id = %(person_id)s
""",
    number=PATIENT_NUMBER,
)


def get_visitor(session: Session, actor: Actor, person_id: UUID) -> tuple[Demographics, str | None]:
    """Who stands at a desk of the actor's hospital, masked, and the number under which it knows the person."""
    return show_visitor(session, _read_person(session, person_id, hospital_id=actor.house_id))


def show_visitor(session: Session, row: Sequence[Any]) -> tuple[Demographics, str | None]:
    """As ``get_visitor``, of a row that ``VISITOR`` found."""
    known = _KnownPerson(*row)
    return _show(session, known, masked=True), known.patient_number


def get_demographics(session: Session, person_id: UUID, *, masked: bool = True) -> Demographics:
    """A person's demographics. The caller has decided, and recorded, that the asker may see them.

    :param masked: shorten the name as trust demands for desks; a treating doctor sees it whole. Numbers are always
        masked.
    """
    return _show(session, _read_person(session, person_id), masked=masked)


def get_plain_demographics(session: Session, person_id: UUID) -> PlainDemographics:
    """As ``get_demographics``, with nothing masked."""
    return _unseal(_read_person(session, person_id))


def _read_person(session: Session, person_id: UUID, *, hospital_id: UUID | None = None) -> _KnownPerson:
    row = statements.run(session, VISITOR, {"person_id": person_id, "hospital_id": hospital_id})
    assert row is not None
    return _KnownPerson(*row)


def _show(session: Session, known: _KnownPerson, *, masked: bool) -> Demographics:
    plain = _unseal(known)
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
        assured_at=known.assured_at,
        assured_by=accounts.get_hospital(session, known.assured_by).name if known.assured_by else None,
    )


def _unseal(known: _KnownPerson) -> PlainDemographics:
    key = vault().unwrap(known.data_key)
    number = known.certificate_sealed
    return PlainDemographics(
        name=key.unseal(known.name_sealed, context=NAME),
        sex=known.sex,
        birth_date=known.birth_date,
        nation=known.nation,
        certificate_type=known.certificate_type,
        certificate_number=key.unseal(number, context=CERTIFICATE) if number else None,
        phone=key.unseal(known.phone_sealed, context=PHONE),
        address=key.unseal(known.address_sealed, context=ADDRESS) if known.address_sealed else None,
        assurance=known.assurance,
    )


def _age(born: date | None) -> int | None:
    if born is None:
        return None
    today = clock.in_city(clock.now()).date()
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
