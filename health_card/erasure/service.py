"""Making a person unreadable: the data key goes, and everything by which he could be found."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit, clock
from core.actor import SYSTEM, Actor
from core.vault import vault
from health_card.card_life.states import MOVES, CardAct, move_card
from health_card.carriers.models import Carrier
from health_card.confirmation.models import CodePin
from health_card.desk.models import LookUp
from health_card.devices.models import CodeDevice
from health_card.family.models import Newborn
from health_card.masks import ERASED_NAME
from health_card.matching.models import MatchCandidate, MatchState, PersonTrait
from health_card.models import Assurance, Card, Holder, PatientNumber, Person, PersonCertificate, Relation
from health_card.service.identities import NAME, PHONE, lock_root, same_person_ids
from health_card.service.living import end_shown_codes
from health_card.service.persons import is_holding
from health_card.showings.models import HealthCode

_REASON = "person_erased"
# What names a person or leads to him, a row each.
_NAMING = (PersonCertificate, Carrier, Newborn, PersonTrait, PatientNumber)


def lock_root_id(session: Session, person_id: UUID) -> UUID:
    """The record that stands for the person, locked against merges and corrections until the transaction ends."""
    return lock_root(session, person_id).id


def has_dependents(session: Session, person_id: UUID) -> bool:
    """Whether the person's own login acts for somebody else now: who that is would be left without him."""
    return bool(
        session.scalar(select(exists().where(_own_login(person_id), Holder.relation != Relation.SELF, is_holding())))
    )


def has_open_match(session: Session, person_id: UUID) -> bool:
    """Whether it is being looked at if one of his records is another person's too."""
    records = same_person_ids(person_id)
    concerned = or_(MatchCandidate.first_id.in_(records), MatchCandidate.second_id.in_(records))
    return bool(session.scalar(select(exists().where(concerned, MatchCandidate.state == MatchState.OPEN.value))))


def erase_person(session: Session, actor: Actor, *, person_id: UUID) -> None:
    """Take the data key of each of the person's records out of the database, with all that names him or leads to him.

    The rows stay, under their ids, for what is kept by law hangs on them; in place of a name they say that the record
    was deleted. Cards, codes, logins and devices end. Whoever registers with the same certificate is a new person.
    """
    root = lock_root(session, person_id)
    theirs = select(Person).where(Person.root_id == root.id).order_by(Person.id)
    records = session.scalars(theirs.with_for_update(), execution_options={"populate_existing": True}).all()
    ids = [record.id for record in records]
    _end_cards(session, ids)
    _end_logins(session, ids)
    for naming in _NAMING:
        session.execute(delete(naming).where(naming.person_id.in_(ids)))
    concerned = or_(MatchCandidate.first_id.in_(ids), MatchCandidate.second_id.in_(ids))
    session.execute(
        update(MatchCandidate)
        .where(concerned, MatchCandidate.state == MatchState.OPEN.value)
        .values(state=MatchState.REFUSED.value, decided_at=clock.now(), reason=_REASON)
    )
    for record in records:
        _shred(record)
        session.flush()
        audit.record_act(session, actor, "health_card.person.erased", subject_id=record.id)


def _shred(record: Person) -> None:
    """The wrapped key is overwritten by a fresh one, under which nothing is sealed but that there is nothing."""
    key, record.data_key = vault().new_key()
    record.name_sealed = key.seal(ERASED_NAME, context=NAME)
    record.phone_sealed = key.seal("", context=PHONE)
    record.address_sealed = record.birth_date = record.nation = None
    record.sex, record.assurance = "unknown", Assurance.ASSERTED.value
    record.erased_at = clock.now()


def _end_cards(session: Session, ids: Sequence[UUID]) -> None:
    for card in end_shown_codes(session, ids):
        if card.state in MOVES[CardAct.CANCEL].leaves:
            move_card(session, SYSTEM, card, CardAct.CANCEL)
    cards, now = select(Card.id).where(Card.person_id.in_(ids)), clock.now()
    running = CodeDevice.card_id.in_(cards), CodeDevice.revoked_at.is_(None)
    session.execute(update(CodeDevice).where(*running).values(revoked_at=now))
    unused = HealthCode.card_id.in_(cards), HealthCode.used_at.is_(None), HealthCode.expires_at > now
    session.execute(update(HealthCode).where(*unused).values(expires_at=now))
    session.execute(update(LookUp).where(LookUp.person_id.in_(ids), LookUp.expires_at > now).values(expires_at=now))


def _end_logins(session: Session, ids: Sequence[UUID]) -> None:
    held = select(Holder).where(Holder.person_id.in_(ids), Holder.ended_at.is_(None))
    for holder in session.scalars(held.order_by(Holder.id).with_for_update()).all():
        holder.ended_at, holder.end_reason = clock.now(), _REASON
        if holder.relation == Relation.SELF and holder.confirmed_at is not None:
            session.execute(delete(CodePin).where(CodePin.login_id == holder.login_id))
            accounts.end_sessions_of_login(session, login_id=holder.login_id, reason=_REASON)
            accounts.forget_login(session, login_id=holder.login_id)
    session.flush()


def _own_login(person_id: UUID) -> ColumnElement[bool]:
    own = select(Holder.login_id).where(
        Holder.person_id.in_(same_person_ids(person_id)), Holder.relation == Relation.SELF, is_holding()
    )
    return Holder.login_id.in_(own)
