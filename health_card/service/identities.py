"""The master record: made once a certificate, and standing for one person together with those merged into it."""

import unicodedata
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import Date, Select, Uuid, column, func, select, table
from sqlalchemy.orm import Session

from core import clock, outbox, statements
from core.ids import new_id
from core.vault import vault
from health_card.certificates import Certificate
from health_card.models import Assurance, CertificateState, Person, PersonCertificate
from health_card.realname.asking import ask_real_name
from health_card.refusals import DetailsContradictCertificate

CERTIFICATE = "persons.certificate"
NAME = "persons.name"
PHONE = "persons.phone"
ADDRESS = "persons.address"

# What a name or an address may hold, and how a phone number is written.
PLAIN_TEXT = r"^[^\x00-\x1f<>]+$"
PHONE_SHAPE = r"^(1[3-9][0-9]{9}|\+[1-9][0-9]{5,14})$"

CHANGED_TOPIC = "health_card.person_changed"


@dataclass(frozen=True)
class Details:
    """Who somebody says he is.

    :ivar certificate: None for a newborn who has none yet.
    :ivar sex: male, female or unknown; as the certificate's number says, when it says it.
    :ivar nation: ethnic group, two digits of GB/T 3304.
    """

    name: str
    phone: str
    certificate: Certificate | None
    sex: str = "unknown"
    birth_date: date | None = None
    nation: str | None = None
    address: str | None = None


def check_details(details: Details) -> Details:
    """One spelling of the name; sex and birth date taken from the certificate's number when it tells them.

    :raises DetailsContradictCertificate: the number tells another sex or birth date.
    """
    certificate = details.certificate
    told_sex = certificate.sex if certificate else "unknown"
    told_birth = certificate.birth_date if certificate else None
    if "unknown" not in (told_sex, details.sex) and told_sex != details.sex:
        raise DetailsContradictCertificate
    if None not in (told_birth, details.birth_date) and told_birth != details.birth_date:
        raise DetailsContradictCertificate
    return Details(
        name=normalise_name(details.name),
        phone=details.phone,
        certificate=certificate,
        sex=details.sex if told_sex == "unknown" else told_sex,
        birth_date=told_birth or details.birth_date,
        nation=details.nation,
        address=details.address,
    )


def normalise_name(name: str) -> str:
    """One spelling a name: composed characters, single spaces, one kind of middle dot."""
    composed = unicodedata.normalize("NFKC", name)
    for dot in "\u2022\u30fb\uff65\u2027":
        composed = composed.replace(dot, "\u00b7")
    return " ".join(composed.split())


def find_or_create_person(session: Session, details: Details) -> tuple[Person, bool]:
    """The record of this certificate, locked: whoever registers the same person at this moment waits for us.

    :param details: checked (``check_details``), with a certificate.
    :returns: the record, and whether it is new. An older one keeps its own details.
    """
    assert details.certificate is not None
    lock_certificate(session, details.certificate)
    # Exactly this one: a foreign passport may have the number of one of ours.
    same = certificate_owners(details.certificate).where(PersonCertificate.country == details.certificate.country)
    known = session.scalar(same)
    if known is not None:
        return lock_person(session, known), False
    return create_person(session, details), True


def create_person(session: Session, details: Details) -> Person:
    """A new master record. The caller holds the lock of the certificate, or there is none."""
    data_key, wrapped = vault().new_key()
    person_id = new_id()
    person = Person(
        id=person_id,
        root_id=person_id,
        data_key=wrapped,
        name_sealed=data_key.seal(details.name, context=NAME),
        phone_sealed=data_key.seal(details.phone, context=PHONE),
        address_sealed=data_key.seal(details.address, context=ADDRESS) if details.address else None,
        sex=details.sex,
        birth_date=details.birth_date,
        nation=details.nation,
        assurance=Assurance.ASSERTED.value,
        created_at=clock.now(),
    )
    session.add(person)
    session.flush()
    if details.certificate is not None:
        add_certificate(session, person, details.certificate, is_primary=True)
        ask_real_name(session, person_id=person.id)
    announce_change(session, person_id)
    return person


def announce_change(session: Session, person_id: UUID) -> None:
    """A record was made or corrected: what it can be found by is noted, and who may be the same person is looked up."""
    # Nobody waits for it: commits that carry a NOTIFY wait for each other.
    outbox.announce(session, CHANGED_TOPIC, {"person_id": str(person_id)}, wakes=False)


def add_certificate(
    session: Session, person: Person, certificate: Certificate, *, is_primary: bool
) -> PersonCertificate:
    """One more certificate that leads to this person. The caller holds its lock and has seen that it is nobody's."""
    added = PersonCertificate(
        person_id=person.id,
        type=certificate.type.value,
        country=certificate.country,
        number_index=certificate_index(certificate),
        number_sealed=vault().unwrap(person.data_key).seal(certificate.number, context=CERTIFICATE),
        is_primary=is_primary,
        added_at=clock.now(),
    )
    session.add(added)
    session.flush()
    return added


def lock_certificate(session: Session, certificate: Certificate) -> None:
    """Whoever registers, adds or corrects this certificate at this moment waits until we have committed."""
    number = func.hashtextextended(certificate_index(certificate).hex(), 0)
    session.execute(select(func.pg_advisory_xact_lock(number)))


def lock_person(session: Session, person_id: UUID) -> Person:
    """The record, locked against everybody who changes it, and as it is now."""
    mine = select(Person).where(Person.id == person_id).with_for_update()
    return session.scalars(mine, execution_options={"populate_existing": True}).one()


def lock_root(session: Session, person_id: UUID) -> Person:
    """The record that stands for the person, locked. A merge at this moment moves the place, so it is looked at again.

    Corrections go there, whichever of its records a desk came through.
    """
    while True:
        root = lock_person(session, get_root(session, person_id).id)
        if root.root_id == root.id:
            return root


def find_by_certificate(session: Session, certificate: Certificate) -> UUID | None:
    """Whose certificate this is or was. A foreign number sent without its country is found when only one has it."""
    found = set(session.scalars(certificate_owners(certificate)))
    return found.pop() if len(found) == 1 else None


def certificate_owners(certificate: Certificate) -> Select[tuple[UUID]]:
    """The query behind ``find_by_certificate``."""
    leading = select(PersonCertificate.person_id).where(
        PersonCertificate.number_index == certificate_index(certificate),
        PersonCertificate.state != CertificateState.WITHDRAWN,
    )
    return leading.where(PersonCertificate.country == certificate.country) if certificate.country else leading


def certificate_index(certificate: Certificate) -> bytes:
    """The blind index by which a certificate is found."""
    return index_identity(certificate.identity)


def index_identity(identity: str) -> bytes:
    """As ``certificate_index``, from what was sealed of a certificate (``Certificate.identity``)."""
    return vault().blind_index(identity, context=CERTIFICATE)


# What tells which records are one person's: three columns and not the whole table, whose aliases cost milliseconds.
RECORDS = table("persons", column("id", Uuid), column("root_id", Uuid), column("birth_date", Date))

# Made once: these stand in nearly every query.
_NAMED, _MEMBER = RECORDS.alias(), RECORDS.alias()
_SAME = select(_MEMBER.c.id).select_from(_MEMBER.join(_NAMED, _NAMED.c.root_id == _MEMBER.c.root_id))
# As ``same_person_ids``, inside a statement written by hand, which says whose records it asks for.
SAME_PERSON_IDS = "SELECT same.id FROM persons own JOIN persons same ON same.root_id = own.root_id WHERE own.id = {0}"


def same_persons(ids: Select[tuple[UUID]]) -> Select[tuple[UUID]]:
    """The ids of all records of the persons that ``ids`` selects, to be used inside the ``where`` of a query."""
    # Such queries may stand inside each other, and share their aliases: none may lean on the one around it.
    return _SAME.where(_NAMED.c.id.in_(ids)).correlate(None)


def same_person_ids(person_id: UUID) -> Select[tuple[UUID]]:
    """As ``same_persons``, for one person."""
    return same_persons(select(Person.id).where(Person.id == person_id))


def get_root(session: Session, person_id: UUID) -> Person:
    """The record that stands for the person."""
    root = select(Person.root_id).where(Person.id == person_id).scalar_subquery()
    return session.scalars(select(Person).where(Person.id == root)).one()


def list_roots(session: Session, ids: set[UUID]) -> dict[UUID, UUID]:
    """The id of the record that stands for the person, for each of these."""
    asked = {"ids": list(ids)}
    return dict(statements.list_rows(session, "SELECT id, root_id FROM persons WHERE id = ANY(%(ids)s)", asked))


def is_same_person(session: Session, one: UUID, other: UUID) -> bool:
    """Whether two records are of one person."""
    return one == other or get_root(session, one).id == get_root(session, other).id
