"""Real-name registration: one person, one master record, one card."""

import secrets
import unicodedata
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import Actor
from core.ids import new_id
from core.vault import vault
from health_card.certificates import Certificate, CertificateType, check_certificate
from health_card.models import ApplyChannel, Assurance, Card, CardState, Holder, Person
from health_card.refusals import LoginHoldsAnother, PersonDetailsDiffer

CERTIFICATE = "persons.certificate"
NAME = "persons.name"
PHONE = "persons.phone"


@dataclass(frozen=True)
class Registration:
    """The outcome: the one card, and whether this login may already act for the person."""

    person_id: UUID
    card: Card
    is_new: bool
    is_confirmed: bool


def register_person(
    session: Session,
    actor: Actor,
    *,
    certificate_type: CertificateType,
    certificate_number: str,
    name: str,
    phone: str,
) -> Registration:
    """Register the signed-in login as this person and give out the card.

    However often and however concurrently it is asked, there is one person and one card. The first login is
    confirmed; a later one with the same details waits until a desk has seen the document.

    :raises CertificateInvalid: the number cannot be one of its type.
    :raises PersonDetailsDiffer: the certificate is registered with another name or phone.
    :raises LoginHoldsAnother: the login is somebody else already.
    """
    certificate = check_certificate(certificate_type, certificate_number)
    name = normalise_name(name)
    person, is_new = _find_or_create(session, certificate, name, phone)
    if not is_new:
        _check_same_details(person, name, phone)
    holder = _hold(session, actor, person)
    card = _find_or_issue_card(session, person)
    audit.record_act(
        session,
        actor,
        "health_card.person.registered" if is_new else "health_card.person.registered_again",
        subject_id=person.id,
        of=("card", card.id),
        facts={"confirmed": holder.confirmed_at is not None},
    )
    return Registration(person.id, card, is_new, holder.confirmed_at is not None)


def held_person_ids(actor: Actor) -> Select[tuple[UUID]]:
    """The persons whom a login may act for, to be used inside the ``where`` of a query."""
    return select(Holder.person_id).where(Holder.login_id == actor.id, Holder.confirmed_at.is_not(None))


def list_held_person_ids(session: Session, actor: Actor) -> list[UUID]:
    """The persons whom a login may act for."""
    return list(session.scalars(held_person_ids(actor)))


def normalise_name(name: str) -> str:
    """One spelling a name: composed characters, single spaces, one kind of middle dot."""
    composed = unicodedata.normalize("NFKC", name)
    for dot in "\u2022\u30fb\uff65\u2027":
        composed = composed.replace(dot, "\u00b7")
    return " ".join(composed.split())


def certificate_index(certificate: Certificate) -> bytes:
    """The blind index by which a certificate is found."""
    return vault().blind_index(certificate.identity, context=CERTIFICATE)


def _find_or_create(session: Session, certificate: Certificate, name: str, phone: str) -> tuple[Person, bool]:
    """The person's row, locked: whoever registers the same person at this moment waits for us."""
    index = certificate_index(certificate)
    data_key, wrapped = vault().new_key()
    created = session.scalar(
        insert(Person)
        .values(
            id=new_id(),
            data_key=wrapped,
            certificate_type=certificate.type.value,
            certificate_index=index,
            certificate_sealed=data_key.seal(certificate.number, context=CERTIFICATE),
            name_sealed=data_key.seal(name, context=NAME),
            phone_sealed=data_key.seal(phone, context=PHONE),
            sex=certificate.sex,
            birth_date=certificate.birth_date,
            assurance=Assurance.ASSERTED.value,
            created_at=clock.now(),
        )
        .on_conflict_do_nothing(index_elements=["certificate_index"])
        .returning(Person.id)
    )
    person = session.scalars(select(Person).filter_by(certificate_index=index).with_for_update()).one()
    return person, created is not None


def _check_same_details(person: Person, name: str, phone: str) -> None:
    key = vault().unwrap(person.data_key)
    known = (key.unseal(person.name_sealed, context=NAME), key.unseal(person.phone_sealed, context=PHONE))
    if known != (name, phone):
        raise PersonDetailsDiffer


def _hold(session: Session, actor: Actor, person: Person) -> Holder:
    # Registrations of one login wait for each other, so that two persons cannot both become its self.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"holders:{actor.id}", 0))))
    held = session.scalars(select(Holder).filter_by(login_id=actor.id, relation="self")).one_or_none()
    if held is not None and held.person_id != person.id:
        raise LoginHoldsAnother
    if held is not None:
        return held
    is_first = not session.scalar(
        select(Holder.id).where(Holder.person_id == person.id, Holder.confirmed_at.is_not(None)).limit(1)
    )
    now = clock.now()
    holder = Holder(
        login_id=actor.id,
        person_id=person.id,
        relation="self",
        created_at=now,
        confirmed_at=now if is_first else None,
    )
    session.add(holder)
    session.flush()
    return holder


def _find_or_issue_card(session: Session, person: Person) -> Card:
    card = session.scalars(select(Card).where(Card.person_id == person.id, Card.replaced_at.is_(None))).one_or_none()
    if card is None:
        card = Card(
            person_id=person.id,
            number=secrets.token_hex(32).upper(),
            state=CardState.NORMAL,
            channel=ApplyChannel.APP,
            issued_at=clock.now(),
        )
        session.add(card)
        session.flush()
    return card
