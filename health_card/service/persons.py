"""Real-name registration: one person, one master record, one card."""

import secrets
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import Actor
from core.vault import vault
from health_card.models import ApplyChannel, Card, CardState, Holder, Person, Relation
from health_card.refusals import LoginHoldsAnother, PersonDetailsDiffer
from health_card.service.identities import (
    NAME,
    PHONE,
    Details,
    check_details,
    find_or_create_person,
    get_root,
    is_same_person,
    same_persons,
)


@dataclass(frozen=True)
class Registration:
    """The outcome: the one card, and whether this login may already act for the person."""

    person_id: UUID
    card: Card
    is_new: bool
    is_confirmed: bool


def register_person(session: Session, actor: Actor, *, details: Details) -> Registration:
    """Register the signed-in login as this person and give out the card.

    However often and however concurrently it is asked, there is one person and one card. The first login is
    confirmed; a later one with the same details waits until a desk has seen the document.

    :param details: with a certificate.
    :raises DetailsContradictCertificate: the certificate's number tells another sex or birth date.
    :raises PersonDetailsDiffer: the certificate is registered with another name or phone.
    :raises LoginHoldsAnother: the login is somebody else already.
    """
    details = check_details(details)
    person, is_new = find_or_create_person(session, details)
    if not is_new:
        check_same_details(session, person, details)
    holder = _hold(session, actor, person)
    card = find_or_issue_card(session, person, ApplyChannel.APP)
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
    """The persons whom a login may act for, with all their records; to be used inside the ``where`` of a query."""
    return same_persons(select(Holder.person_id).where(Holder.login_id == actor.id, is_holding()))


def find_own_person_id(session: Session, actor: Actor) -> UUID | None:
    """Who the holder of the login is himself, when that is confirmed."""
    own = select(Holder.person_id).where(Holder.login_id == actor.id, Holder.relation == Relation.SELF, is_holding())
    return session.scalar(own)


def is_holding() -> ColumnElement[bool]:
    """Whether a holder may act now: confirmed, not ended, and not run out."""
    return (
        Holder.confirmed_at.is_not(None)
        & Holder.ended_at.is_(None)
        & or_(Holder.valid_until.is_(None), Holder.valid_until > clock.now())
    )


def lock_holders(session: Session, login_id: UUID) -> None:
    """Whatever changes whom a login holds waits for its turn, so that no two persons can both become its self."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"holders:{login_id}", 0))))


def find_or_issue_card(session: Session, person: Person, channel: ApplyChannel) -> Card:
    """The living card of a record. The caller has locked the record."""
    card = session.scalars(select(Card).where(Card.person_id == person.id, Card.replaced_at.is_(None))).one_or_none()
    return card or issue_card(session, person, channel)


def issue_card(session: Session, person: Person, channel: ApplyChannel) -> Card:
    """A new card for a record that has no living one. The caller has locked the record."""
    card = Card(
        person_id=person.id,
        number=secrets.token_hex(32).upper(),
        state=CardState.NORMAL,
        channel=channel,
        issued_at=clock.now(),
    )
    session.add(card)
    session.flush()
    return card


def check_same_details(session: Session, person: Person, details: Details) -> None:
    """The details of the record itself count, and those of the one that stands for it after a merge.

    :raises PersonDetailsDiffer: another name or phone is known of this person.
    """
    known = {name_and_phone(person), name_and_phone(get_root(session, person.id))}
    if (details.name, details.phone) not in known:
        raise PersonDetailsDiffer


def name_and_phone(person: Person) -> tuple[str, str]:
    """As this record itself says, whole."""
    key = vault().unwrap(person.data_key)
    return key.unseal(person.name_sealed, context=NAME), key.unseal(person.phone_sealed, context=PHONE)


def _hold(session: Session, actor: Actor, person: Person) -> Holder:
    lock_holders(session, actor.id)
    mine = select(Holder).where(Holder.login_id == actor.id, Holder.ended_at.is_(None))
    held = session.scalars(mine.where(Holder.relation == Relation.SELF)).one_or_none()
    if held is not None and not is_same_person(session, held.person_id, person.id):
        raise LoginHoldsAnother
    if held is not None:
        return held
    is_first = not session.scalar(select(Holder.id).where(Holder.person_id == person.id, is_holding()).limit(1))
    now = clock.now()
    holder = Holder(
        login_id=actor.id,
        person_id=person.id,
        relation=Relation.SELF.value,
        created_at=now,
        confirmed_at=now if is_first else None,
    )
    session.add(holder)
    session.flush()
    return holder
