"""Real-name registration: one person, one master record, one card."""

import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import Actor
from core.vault import vault
from health_card.card_life.states import CardAct, move_card
from health_card.models import ApplyChannel, Card, CardState, Holder, Person, Relation
from health_card.refusals import LoginHoldsAnother, PersonDetailsDiffer, UnderFourteen
from health_card.service.ages import ADULT_AGE, CONSENT_AGE, LifeStage, last_birth_date, life_stage
from health_card.service.identities import (
    NAME,
    PHONE,
    RECORDS,
    Details,
    check_details,
    find_or_create_person,
    get_root,
    same_person_ids,
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
    confirmed; a later one with the same details waits until a desk has seen the document. For a confirmed one, a
    cancelled card comes back into force.

    :param details: with a certificate.
    :raises DetailsContradictCertificate: the certificate's number tells another sex or birth date.
    :raises PersonDetailsDiffer: the certificate is registered with another name or phone.
    :raises LoginHoldsAnother: the login is somebody else already, or holds this person as a relative.
    :raises UnderFourteen: for a child a guardian acts.
    """
    details = check_details(details)
    person, is_new = find_or_create_person(session, details)
    if not is_new:
        check_same_details(session, person, details)
    if life_stage(get_root(session, person.id).birth_date) is LifeStage.CHILD:
        raise UnderFourteen
    holder = _hold(session, actor, person)
    card = find_or_issue_card(session, person, ApplyChannel.APP)
    if holder.confirmed_at is not None:
        revive_cancelled_card(session, actor, card)
    record_registered(session, actor, card, is_new=is_new, facts={"confirmed": holder.confirmed_at is not None})
    return Registration(person.id, card, is_new, holder.confirmed_at is not None)


def held_person_ids(actor: Actor) -> Select[tuple[UUID]]:
    """The persons whom a login may act for, with all their records; to be used inside the ``where`` of a query."""
    return same_persons(select(Holder.person_id).where(Holder.login_id == actor.id, is_holding()))


def own_person_ids(actor: Actor) -> Select[tuple[UUID]]:
    """Of ``held_person_ids`` the login's own person alone, with all its records."""
    own = Holder.login_id == actor.id, Holder.relation == Relation.SELF, is_holding()
    return same_persons(select(Holder.person_id).where(*own))


def confided_person_ids(actor: Actor) -> Select[tuple[UUID]]:
    """Of ``held_person_ids`` those about whom the login learns everything: itself, children under 14, adult wards.

    From 14 on a person decides alone who learns of sensitive matters; whoever else acts for him does not.
    """
    own, root = RECORDS.alias(), RECORDS.alias()
    born = root.c.birth_date
    is_adult = or_(born.is_(None), born <= last_birth_date(ADULT_AGE))
    confided = or_(
        Holder.relation == Relation.SELF,
        born > last_birth_date(CONSENT_AGE),
        and_(Holder.relation == Relation.WARD, is_adult),
    )
    return same_persons(
        select(Holder.person_id)
        .join(own, own.c.id == Holder.person_id)
        .join(root, root.c.id == own.c.root_id)
        .where(Holder.login_id == actor.id, is_holding(), confided)
    )


def entrusted_person_ids(actor: Actor) -> Select[tuple[UUID]]:
    """Of ``held_person_ids`` those for whom the login may take back what others were allowed: all but minors from 14 on
    whom it acts for. They allow and take back themselves (PIPL 15 and 31: the consent of who is 14 is his own).
    """
    own, root = RECORDS.alias(), RECORDS.alias()
    born = root.c.birth_date
    is_child_or_adult = or_(born.is_(None), born > last_birth_date(CONSENT_AGE), born <= last_birth_date(ADULT_AGE))
    return same_persons(
        select(Holder.person_id)
        .join(own, own.c.id == Holder.person_id)
        .join(root, root.c.id == own.c.root_id)
        .where(Holder.login_id == actor.id, is_holding(), or_(Holder.relation == Relation.SELF, is_child_or_adult))
    )


# As ``held_person_ids``, ``own_person_ids`` and ``confided_person_ids`` together, inside a statement written by hand
# with ``holder_values``: each record once, with the relation that ``find_holding`` tells.
HELD_RECORDS = """
SELECT member.id, member.root_id,
    (array_agg(holder.relation ORDER BY holder.relation <> 'self', holder.created_at))[1] AS relation,
    bool_or(holder.relation = 'self') AS is_own,
    coalesce(bool_or(
        holder.relation = 'self' OR root.birth_date > %(newest_to_consent)s
        OR (holder.relation = 'ward' AND coalesce(root.birth_date <= %(newest_adult)s, true))
    ), false) AS is_confided
FROM holders holder
    JOIN persons held ON held.id = holder.person_id
    JOIN persons root ON root.id = held.root_id
    JOIN persons member ON member.root_id = held.root_id
WHERE holder.login_id = %(login_id)s AND holder.confirmed_at IS NOT NULL AND holder.ended_at IS NULL
    AND (holder.valid_until IS NULL OR holder.valid_until > %(now)s)
GROUP BY member.id
"""


def holder_values(actor: Actor) -> dict[str, Any]:
    """What ``HELD_RECORDS`` asks of the login."""
    return {
        "login_id": actor.id,
        "now": clock.now(),
        "newest_to_consent": last_birth_date(CONSENT_AGE),
        "newest_adult": last_birth_date(ADULT_AGE),
    }


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


def record_registered(session: Session, actor: Actor, card: Card, *, is_new: bool, facts: dict[str, Any]) -> None:
    """Write down that a person was registered, or registered once more, and which card came of it."""
    action = "health_card.person.registered" if is_new else "health_card.person.registered_again"
    audit.record_act(session, actor, action, subject_id=card.person_id, of=("card", card.id), facts=facts)


def revive_cancelled_card(session: Session, actor: Actor, card: Card) -> None:
    """Applying again brings a cancelled card back into force; any other card stays as it is."""
    if card.state == CardState.CANCELLED:
        move_card(session, actor, card, CardAct.APPLY_AGAIN)


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
    the_same = Holder.person_id.in_(same_person_ids(person.id))
    mine = select(Holder, the_same.label("is_same")).where(Holder.login_id == actor.id, Holder.ended_at.is_(None))
    for held, is_same in session.execute(mine.order_by(Holder.relation != Relation.SELF)).tuples():
        is_self = held.relation == Relation.SELF
        if is_self and is_same:
            return held
        if is_self or is_same:
            raise LoginHoldsAnother
    # Not only who holds now: what was once somebody's is not given to the first who asks when that one has left.
    was_ever_held = select(Holder.id).where(the_same, Holder.confirmed_at.is_not(None))
    is_first = session.scalar(was_ever_held.limit(1)) is None
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
