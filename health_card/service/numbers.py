"""The numbers under which hospitals know persons, and finding a person by what a hospital sends."""

from uuid import UUID

from sqlalchemy import Select, false, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit, clock, statements
from core.actor import Actor
from health_card.certificates import CertificateType, check_certificate
from health_card.models import Card, PatientNumber, Person
from health_card.refusals import CertificateInvalid, PatientNumberTaken
from health_card.service.identities import certificate_owners, is_same_person

# The number that counts at a hospital, of any record of the person. Asked at every scan, hence by hand.
PATIENT_NUMBER = """
SELECT n.number
FROM patient_numbers n JOIN persons same ON same.id = n.person_id
WHERE n.hospital_id = %(hospital_id)s AND n.replaced_by IS NULL
    AND same.root_id = (SELECT root_id FROM persons WHERE id = %(person_id)s)
ORDER BY n.bound_at DESC LIMIT 1
"""


def bind_patient_number(session: Session, actor: Actor, *, person_id: UUID, number: str) -> None:
    """Remember under which number the actor's hospital knows the person. Binding the same again changes nothing.

    :raises PatientNumberTaken: the number is somebody else's, or the person has another number here.
    """
    bound = session.scalar(
        insert(PatientNumber)
        .values(hospital_id=actor.house_id, number=number, person_id=person_id, bound_at=clock.now())
        .on_conflict_do_nothing()
        .returning(PatientNumber.number)
    )
    if bound is None:
        _check_bound_already(session, actor, person_id, number)
        return
    audit.record_act(session, actor, "health_card.patient_number.bound", subject_id=person_id)


def get_patient_number(session: Session, actor: Actor, person_id: UUID) -> str | None:
    """The person's number at the actor's hospital, when one is bound: the one that counts."""
    row = statements.run(session, PATIENT_NUMBER, {"hospital_id": actor.house_id, "person_id": person_id})
    return row[0] if row else None


def find_person(
    session: Session,
    actor: Actor,
    *,
    patient_number: str | None = None,
    card_number: str | None = None,
    certificate: tuple[str, str] | None = None,
) -> UUID | None:
    """The one person to whom everything given leads; None when nothing does, or when they contradict.

    :param patient_number: of the actor's own hospital; one that it merged into another is as good.
    :param card_number: 64 hexadecimal digits.
    :param certificate: type (WS 364.3 CV02.01.101) and number.
    """
    asked = [
        question
        for question in (
            _by_patient_number(actor, patient_number),
            _by_card_number(card_number),
            _by_certificate(certificate),
        )
        if question is not None
    ]
    found = [session.scalars(question).all() for question in asked]
    if not found or any(len(owners) != 1 for owners in found):
        return None
    owners = [owner for (owner,) in found]
    return owners[0] if all(is_same_person(session, owners[0], owner) for owner in owners[1:]) else None


def _check_bound_already(session: Session, actor: Actor, person_id: UUID, number: str) -> None:
    owner = session.scalar(select(PatientNumber.person_id).filter_by(hospital_id=actor.house_id, number=number))
    if owner is None or not is_same_person(session, owner, person_id):
        raise PatientNumberTaken


def _by_patient_number(actor: Actor, number: str | None) -> Select[tuple[UUID]] | None:
    if not number:
        return None
    return select(PatientNumber.person_id).filter_by(hospital_id=actor.house_id, number=number)


def _by_card_number(number: str | None) -> Select[tuple[UUID]] | None:
    if not number:
        return None
    # Whatever became of the card: what a hospital writes under it is still that person's.
    return select(Card.person_id).where(Card.number == number.upper())


def _by_certificate(certificate: tuple[str, str] | None) -> Select[tuple[UUID]] | None:
    if certificate is None:
        return None
    try:
        checked = check_certificate(CertificateType(certificate[0]), certificate[1])
    except (ValueError, CertificateInvalid):
        # It leads to nobody, which is not the same as not having been given.
        return select(Person.id).where(false())
    return certificate_owners(checked)
