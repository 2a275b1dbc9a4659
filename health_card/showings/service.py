"""What a hospital has seen of a card, what it may therefore read, and the codes that it may show."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit, clock
from core.actor import Actor
from core.ids import new_id
from health_card.certificates import Certificate, CertificateType, check_certificate
from health_card.models import Card, CardState, CodeRedemption
from health_card.refusals import CardNotFound, CardNotInForce, CertificateInvalid
from health_card.service import scans
from health_card.service.codes import ShownCode, write_code
from health_card.service.demographics import PlainDemographics, get_plain_demographics
from health_card.service.identities import find_by_certificate, is_same_person, normalise_name, same_person_ids
from health_card.service.living import living_cards
from health_card.service.persons import held_person_ids
from health_card.showings.models import CardUse, HealthCode, UseKind
from health_card.showings.refusals import (
    CardNotShownHere,
    DynamicCodeNotAllowed,
    HealthCodeInvalid,
    HospitalUnknown,
    PersonNotFoundHere,
    UseInFuture,
)

SHOWN_FOR = timedelta(days=30)
HEALTH_CODE_LIFE = timedelta(minutes=5)
CLOCK_SKEW = timedelta(minutes=5)

# What a hospital only says afterwards opens nothing to it.
_SEEN = (UseKind.REGISTERED, UseKind.VERIFIED, UseKind.AUTHORISED)


@dataclass(frozen=True)
class Use:
    """How a card was used. ``used_at``: now, when left out."""

    kind: UseKind
    used_at: datetime | None = None
    redemption_id: UUID | None = None
    scene: str = ""
    department: str = ""
    channel: str = ""
    cost_type: str = ""


def record_use(session: Session, actor: Actor, *, card: Card, use: Use) -> bool:
    """Keep one use of a card at the actor's hospital. The same use again is not a second one.

    :returns: whether it was new.
    :raises UseInFuture: ``used_at`` is later than now.
    """
    now = clock.now()
    used_at = use.used_at or now
    if used_at > now + CLOCK_SKEW:
        raise UseInFuture
    values = {
        "id": new_id(),
        "hospital_id": actor.house_id,
        "person_id": card.person_id,
        "card_id": card.id,
        "use_kind": use.kind.value,
        "redemption_id": use.redemption_id,
        "scene": use.scene,
        "department": use.department,
        "channel": use.channel,
        "cost_type": use.cost_type,
        "recorded_by": actor.id,
        "used_at": used_at,
        "recorded_at": now,
    }
    recorded = session.scalar(insert(CardUse).values(values).on_conflict_do_nothing().returning(CardUse.id))
    if recorded is None:
        return False
    facts = {"kind": use.kind.value, "scene": use.scene, "department": use.department}
    audit.record_act(
        session, actor, "health_card.card.used", subject_id=card.person_id, of=("card", card.id), facts=facts
    )
    return True


def read_shown_card(session: Session, actor: Actor, card: Card) -> PlainDemographics:
    """The person of a card that was shown to the actor's hospital in the last 30 days.

    :raises CardNotShownHere: it was not.
    :raises CardNotInForce: the card is lost, cancelled, replaced or not issued.
    """
    check_shown_here(session, actor, card)
    check_in_force(card)
    audit.record_act(session, actor, "health_card.card.read", subject_id=card.person_id, of=("card", card.id))
    return get_plain_demographics(session, card.person_id)


def check_shown_here(session: Session, actor: Actor, card: Card) -> None:
    """:raises CardNotShownHere: nobody showed a card of this person to the actor's hospital in the last 30 days."""
    since, persons = clock.now() - SHOWN_FOR, same_person_ids(card.person_id)
    used = exists().where(
        CardUse.person_id.in_(persons),
        CardUse.hospital_id == actor.house_id,
        CardUse.use_kind.in_([kind.value for kind in _SEEN]),
        CardUse.recorded_at > since,
    )
    # At the platform's own desk page a dynamic code was redeemed, which is as good.
    scanned = exists().where(
        CodeRedemption.terminal_id.in_(accounts.list_terminal_ids(session, actor)),
        CodeRedemption.redeemed_at > since,
        CodeRedemption.card_id.in_(select(Card.id).where(Card.person_id.in_(persons))),
    )
    if not session.scalar(select(used | scanned)):
        raise CardNotShownHere


def check_in_force(card: Card) -> None:
    """:raises CardNotInForce: the card is lost, cancelled, replaced or not issued."""
    if card.state != CardState.NORMAL or card.replaced_at is not None:
        raise CardNotInForce


def find_card(session: Session, *, number: str) -> Card:
    """:raises CardNotFound: no card has this number (64 hexadecimal digits)."""
    card = session.scalars(select(Card).where(Card.number == number.upper())).one_or_none()
    if card is None:
        raise CardNotFound
    return card


def find_card_of_code(session: Session, *, text: str, issuer: str) -> Card:
    """The card that a genuine code names, however old the code is: it only says which card is meant.

    :raises CodeMalformed: not a code.
    :raises CodeForged: not genuine, or of no card.
    """
    return scans.find_card(session, scans.read_genuine(session, text, issuer))


def find_card_of_person(session: Session, *, certificate: Certificate, name: str) -> Card:
    """The living card of the person with this certificate and this name.

    :raises PersonNotFoundHere: no such person, another name, or no card.
    """
    person_id = find_by_certificate(session, certificate)
    if person_id is None or get_plain_demographics(session, person_id).name != normalise_name(name):
        raise PersonNotFoundHere
    card = find_living_card(session, person_id)
    if card is None:
        raise PersonNotFoundHere
    return card


def find_living_card(session: Session, person_id: UUID) -> Card | None:
    """The card of a person that was not replaced. Each record of one person may have one: then this record's own."""
    living = living_cards(same_person_ids(person_id))
    return session.scalars(living.order_by(Card.person_id != person_id, Card.issued_at).limit(1)).one_or_none()


def check_certificate_of_card(session: Session, card: Card, *, kind: CertificateType, number: str) -> None:
    """:raises PersonNotFoundHere: the certificate is not of the card's person."""
    try:
        owner = find_by_certificate(session, check_certificate(kind, number))
    except CertificateInvalid:
        raise PersonNotFoundHere from None
    if owner is None or not is_same_person(session, owner, card.person_id):
        raise PersonNotFoundHere


def show_code_here(session: Session, actor: Actor, *, card: Card, kind: str, issuer: str) -> ShownCode:
    """A code that the actor's hospital shows or prints for a patient whose card was shown to it.

    :param kind: ``static``, or ``dynamic`` for a card that this very system registered on the patient's own phone.
    :raises CardNotShownHere: not shown here.
    :raises CardNotInForce: lost, cancelled, replaced or not issued.
    :raises DynamicCodeNotAllowed: dynamic, and registered elsewhere.
    """
    check_shown_here(session, actor, card)
    check_in_force(card)
    if kind == "dynamic":
        _check_registered_by(session, actor, card)
    return write_code(session, actor, card=card, kind=kind, issuer=issuer)


def authorise_hospital(session: Session, actor: Actor, *, card_id: UUID, hospital_code: str) -> tuple[str, datetime]:
    """A text with which this hospital may read the card, once, within 5 minutes.

    :returns: the text, and until when it is good.
    :raises CardNotFound: not a card of this login.
    :raises CardNotInForce: lost, cancelled or not issued.
    :raises HospitalUnknown: no such hospital.
    """
    held = select(Card).where(Card.id == card_id, Card.person_id.in_(held_person_ids(actor)))
    card = session.scalars(held).one_or_none()
    if card is None:
        raise CardNotFound
    check_in_force(card)
    houses = accounts.find_hospitals_by_code(session, [hospital_code])
    if not houses:
        raise HospitalUnknown
    text, now = secrets.token_hex(16).upper(), clock.now()
    code = HealthCode(
        code_hash=_hash(text),
        card_id=card.id,
        hospital_id=houses[0].id,
        created_at=now,
        expires_at=now + HEALTH_CODE_LIFE,
    )
    session.add(code)
    session.flush()
    audit.record_act(
        session, actor, "health_card.hospital.authorised", subject_id=card.person_id, of=("hospital", houses[0].id)
    )
    return text, code.expires_at


def take_authorisation(session: Session, actor: Actor, *, text: str) -> Card:
    """The card that a phone authorised the actor's hospital to read. It counts as shown from now on.

    :raises HealthCodeInvalid: unknown, used, expired, or for another hospital.
    """
    now = clock.now()
    mine = select(HealthCode).where(HealthCode.code_hash == _hash(text), HealthCode.hospital_id == actor.house_id)
    code = session.scalars(mine.with_for_update()).one_or_none()
    if code is None or code.used_at is not None or code.expires_at < now:
        raise HealthCodeInvalid
    code.used_at = now
    card = session.get_one(Card, code.card_id)
    record_use(session, actor, card=card, use=Use(UseKind.AUTHORISED))
    return card


def _check_registered_by(session: Session, actor: Actor, card: Card) -> None:
    registered = exists().where(
        CardUse.card_id == card.id,
        CardUse.hospital_id == actor.house_id,
        CardUse.recorded_by == actor.id,
        CardUse.use_kind == UseKind.REGISTERED.value,
        CardUse.channel == "phone",
    )
    if not session.scalar(select(registered)):
        raise DynamicCodeNotAllowed


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
