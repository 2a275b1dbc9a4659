"""What the real-name source is asked, and what its answers do: to the person's card, and to how well he is known."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import SYSTEM, Actor
from core.vault import vault
from health_card.card_life.states import CardAct, move_card
from health_card.desk.service.assurance import raise_assurance
from health_card.family.refusals import RegisterYourselfFirst
from health_card.models import Assurance, Card, CardState, Person, PersonCertificate
from health_card.notices import service as notices
from health_card.notices.models import NoticeKind
from health_card.realname.asking import find_real_name_state
from health_card.realname.models import Outcome, RealNameCheck
from health_card.realname.refusals import (
    VerificationDisagreed,
    VerificationNotPossible,
    VerificationOvertaken,
    VerificationTokenInvalid,
)
from health_card.realname.source import Method, Proof
from health_card.service.identities import CERTIFICATE, NAME, get_root, lock_root
from health_card.service.persons import find_own_person_id


@dataclass(frozen=True)
class Identity:
    """What is asked about, opened for this one question."""

    name: str = field(repr=False)
    certificate_type: str
    number: str = field(repr=False)


@dataclass(frozen=True)
class Answered:
    """An answer and the source that gave it, under its own reference."""

    outcome: Outcome
    source: str
    reference: str


@dataclass(frozen=True)
class Verified:
    """What a face or bank check proved, by which source and under its own reference."""

    method: Method
    proof: Proof
    source: str
    reference: str


def find_identity(session: Session, *, person_id: UUID, asking_id: UUID) -> Identity | None:
    """Name and certificate as they stand now.

    :returns: None when this asking was answered already, or there is no certificate: a newborn may have none yet.
    """
    if session.scalar(select(RealNameCheck.id).filter_by(asking_id=asking_id)):
        return None
    return _open_identity(session, session.get_one(Person, person_id))


def list_answered(session: Session, asking_ids: Iterable[UUID]) -> set[UUID]:
    """Which of these askings were answered."""
    answered = select(RealNameCheck.asking_id).where(RealNameCheck.asking_id.in_(list(asking_ids)))
    return set(session.scalars(answered))


def record_real_name(
    session: Session, *, person_id: UUID, asking_id: UUID, asked: Identity, answered: Answered
) -> None:
    """Keep the source's answer, and let the card follow it.

    Disagreed: the card of a person whose document no desk has seen is no longer issued, its codes are dead, and the
    person is told. Agreed after that (the details were corrected): the card is in force again.

    :param asked: what was asked about. When the details were corrected in the meantime, the answer is about nobody any
        more and is dropped; the correction has asked anew.
    """
    person = session.get_one(Person, person_id, with_for_update={"key_share": True})
    is_answered = session.scalar(select(RealNameCheck.id).filter_by(asking_id=asking_id)) is not None
    if is_answered or _open_identity(session, person) != asked:
        return
    before = find_real_name_state(session, person_id)
    session.add(
        RealNameCheck(
            person_id=person_id,
            asking_id=asking_id,
            outcome=answered.outcome.value,
            source=answered.source,
            reference=answered.reference,
            checked_at=clock.now(),
        )
    )
    audit.record_act(
        session,
        SYSTEM,
        "health_card.real_name.checked",
        subject_id=person_id,
        facts={"outcome": answered.outcome.value},
    )
    living = select(Card).where(Card.person_id == person_id, Card.replaced_at.is_(None))
    card = session.scalars(living.with_for_update(key_share=True)).one_or_none()
    if card is not None:
        _let_card_follow(session, person, card, before=before, outcome=answered.outcome)


def get_own_identity(session: Session, actor: Actor) -> Identity:
    """Name and certificate of the login's own person, as the record says that stands for him.

    :raises RegisterYourselfFirst: the login has no confirmed person of its own.
    :raises VerificationNotPossible: he has no certificate.
    """
    identity = _open_identity(session, get_root(session, _get_own_person_id(session, actor)))
    if identity is None:
        raise VerificationNotPossible
    return identity


def record_verification(session: Session, actor: Actor, *, asked: Identity, verified: Verified) -> Assurance:
    """The login's own person has passed a face or bank check: his identity is known so well from now on.

    Returns the level now; a higher one stays.

    :param asked: whom the check was asked to prove, of ``get_own_identity``.
    :raises RegisterYourselfFirst: the login has lost its own person meanwhile.
    :raises VerificationTokenInvalid: the source knows no such check.
    :raises VerificationDisagreed: the check proved somebody else; this is kept in the audit trail.
    :raises VerificationOvertaken: name or certificate were corrected, or the record was merged, meanwhile.
    """
    person = lock_root(session, _get_own_person_id(session, actor))
    if verified.proof is Proof.UNKNOWN:
        raise VerificationTokenInvalid
    if _open_identity(session, person) != asked:
        raise VerificationOvertaken
    if verified.proof is Proof.DISAGREED:
        audit.record_act(
            session,
            actor,
            "health_card.person.not_verified",
            subject_id=person.id,
            facts={"evidence": verified.method.value},
        )
        raise VerificationDisagreed
    return raise_assurance(
        session,
        actor,
        person_id=person.id,
        level=Assurance(verified.method.value),
        evidence=verified.method.value,
        reference=(verified.source, verified.reference),
    )


def _get_own_person_id(session: Session, actor: Actor) -> UUID:
    person_id = find_own_person_id(session, actor)
    if person_id is None:
        raise RegisterYourselfFirst
    return person_id


def _let_card_follow(session: Session, person: Person, card: Card, *, before: str, outcome: Outcome) -> None:
    is_only_asserted = person.assurance == Assurance.ASSERTED
    if outcome is Outcome.DISAGREED and card.state == CardState.NORMAL and is_only_asserted:
        _change_card(session, card, CardAct.WITHHOLD, NoticeKind.REAL_NAME_DISAGREED)
    if outcome is Outcome.AGREED and card.state == CardState.NOT_ISSUED and before == Outcome.DISAGREED:
        _change_card(session, card, CardAct.ISSUE, NoticeKind.REAL_NAME_AGREED)


def _change_card(session: Session, card: Card, act: CardAct, kind: NoticeKind) -> None:
    move_card(session, SYSTEM, card, act)
    notices.tell(session, person_id=card.person_id, kind=kind, of=("card", card.id))


def _open_identity(session: Session, person: Person) -> Identity | None:
    """Name and certificate that stand in the record itself, whatever it was merged into."""
    shown = session.scalars(select(PersonCertificate).filter_by(person_id=person.id, is_primary=True)).one_or_none()
    if shown is None:
        return None
    key = vault().unwrap(person.data_key)
    return Identity(
        name=key.unseal(person.name_sealed, context=NAME),
        certificate_type=shown.type,
        number=key.unseal(shown.number_sealed, context=CERTIFICATE),
    )
