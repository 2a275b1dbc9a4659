"""Whom a message is about: one rule for every channel."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from consent import service as consent
from core.actor import Actor
from health_card import service as health_card
from records.refusals import PersonContradicts, PersonNotMatched


@dataclass(frozen=True)
class Assignment:
    """Somebody of the hospital has said who it is.

    ``is_confirmed``: also that a name, sex or birth date which differs is a mistake of the sender.
    """

    person_id: UUID
    is_confirmed: bool = False


@dataclass(frozen=True)
class Subject:
    """Everything by which a message names its patient, and what else it says of him.

    :ivar certificates: type (WS 364.3 CV02.01.101) and number each.
    :ivar person_ids: our own ids, which count only where the sender may know the person by them.
    :ivar names: ways in which one name is written; of these one must be the person's.
    :ivar sex: male, female or unknown.
    :ivar assigned: stands in the place of all numbers.
    """

    card_numbers: frozenset[str] = frozenset()
    patient_numbers: frozenset[str] = frozenset()
    certificates: frozenset[tuple[str, str]] = frozenset()
    person_ids: frozenset[UUID] = frozenset()
    names: frozenset[str] = frozenset()
    sex: str = "unknown"
    birth_date: date | None = None
    assigned: Assignment | None = None


def match_person(session: Session, actor: Actor, subject: Subject) -> UUID:
    """The one person whom a message is about. All numbers must lead to him, and nothing sent may speak against him.

    A mistyped number may be somebody else's: then name, sex or birth date tell it.

    :raises PersonNotMatched: the numbers lead to nobody, or to more than one person.
    :raises PersonContradicts: they lead to a person of clearly another name, another sex or another birth date.
    """
    assigned = subject.assigned
    person_id = assigned.person_id if assigned else _find_person(session, actor, subject)
    check_agrees(session, person_id, subject)
    return person_id


def check_agrees(session: Session, person_id: UUID, subject: Subject) -> None:
    """Nothing that a message says of its patient may speak against this person, unless the hospital has said so since.

    :raises PersonContradicts: clearly another name, another sex or another birth date.
    """
    is_told = subject.names or subject.birth_date or subject.sex != "unknown"
    if not is_told or (subject.assigned and subject.assigned.is_confirmed):
        return
    compared = health_card.compare_with_person(
        session, person_id, names=subject.names, sex=subject.sex, birth_date=subject.birth_date
    )
    if compared.differing:
        raise PersonContradicts(compared.differing)


def _find_person(session: Session, actor: Actor, subject: Subject) -> UUID:
    found = [health_card.find_person(session, actor, card_number=number) for number in subject.card_numbers]
    found += [health_card.find_person(session, actor, patient_number=number) for number in subject.patient_numbers]
    found += [health_card.find_person(session, actor, certificate=certificate) for certificate in subject.certificates]
    found += [_find_known(session, actor, person_id) for person_id in subject.person_ids]
    # An identifier that leads to nobody counts as a contradiction: better asked about than filed on half the proof.
    if not found or None in found:
        raise PersonNotMatched
    first, *others = [person_id for person_id in found if person_id is not None]
    if not all(health_card.is_same_person(session, first, other) for other in others):
        raise PersonNotMatched
    return first


def _find_known(session: Session, actor: Actor, person_id: UUID) -> UUID | None:
    """A person by our own id, when the sender can know it: it has a number for him, or he shares with it now."""
    if health_card.get_patient_number(session, actor, person_id) is not None:
        return person_id
    return person_id if consent.find_access_until(session, actor, person_id=person_id) else None
