"""The numbers under which hospitals know persons, and finding a person by what a hospital sends."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Select, false, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit, clock, statements
from core.actor import Actor
from health_card.certificates import CertificateType, check_certificate
from health_card.models import Card, PatientNumber, Person
from health_card.refusals import CertificateInvalid, PatientNumberTaken
from health_card.service.identities import certificate_index, certificate_owners, is_same_person

# The number that counts at a hospital, of any record of the person. Asked at every scan, hence by hand.
PATIENT_NUMBER = """
SELECT n.number
FROM patient_numbers n JOIN persons same ON same.id = n.person_id
WHERE n.hospital_id = %(hospital_id)s AND n.replaced_by IS NULL
    AND same.root_id = (SELECT root_id FROM persons WHERE id = %(person_id)s)
ORDER BY n.bound_at DESC LIMIT 1
"""

# For many messages at once. Of one identifier at most two owners matter: one is the answer, two are a contradiction.
# Its parameters: ``ask_owners``; what it finds is for ``choose_owners``.
OWNERS = """
SELECT asked.place, owner.person_id
FROM jsonb_to_recordset(%(naming)s) asked (place int, number text, card text, certificate bytea) CROSS JOIN LATERAL (
    (SELECT person_id FROM patient_numbers WHERE hospital_id = %(hospital_id)s AND number = asked.number LIMIT 2)
    UNION ALL
    (SELECT card.person_id FROM cards card JOIN persons named ON named.id = card.person_id
    WHERE card.number = asked.card AND named.erased_at IS NULL LIMIT 2)
    UNION ALL
    (SELECT person_id FROM person_certificates
    WHERE number_index = asked.certificate AND state <> 'withdrawn' LIMIT 2)
) owner
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


class Naming(Protocol):
    """Everything by which a message names its patient; certificates: type (WS 364.3 CV02.01.101) and number each."""

    @property
    def card_numbers(self) -> Collection[str]: ...
    @property
    def patient_numbers(self) -> Collection[str]: ...
    @property
    def certificates(self) -> Collection[tuple[str, str]]: ...


def ask_owners(actor: Actor, asked: Mapping[int, Naming]) -> dict[str, Any]:
    """The parameters of ``OWNERS``."""
    questions = [{"place": place} | one for place, naming in asked.items() for one in _questions(naming)]
    return {"naming": json.dumps(questions), "hospital_id": actor.house_id}


def choose_owners(asked: Mapping[int, Naming], owners: Iterable[tuple[int, UUID]]) -> dict[int, UUID]:
    """As ``find_person``, for many at once; only those all of whose identifiers lead to one and the same record.

    :param owners: what ``OWNERS`` has found.
    """
    by_place: dict[int, list[UUID]] = {}
    for place, person_id in owners:
        by_place.setdefault(place, []).append(person_id)
    return {
        place: found[0]
        for place, found in by_place.items()
        if len(found) == _count_questions(asked[place]) and len(set(found)) == 1
    }


def _count_questions(naming: Naming) -> int:
    return len(naming.patient_numbers) + len(naming.card_numbers) + len(naming.certificates)


def _questions(naming: Naming) -> Iterator[dict[str, str]]:
    yield from ({"number": number} for number in naming.patient_numbers)
    yield from ({"card": number.upper()} for number in naming.card_numbers)
    for kind, number in naming.certificates:
        # One that is none leads to nobody, which is not the same as not having been given.
        with suppress(ValueError, CertificateInvalid):
            index = certificate_index(check_certificate(CertificateType(kind), number))
            yield {"certificate": f"\\x{index.hex()}"}


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
    # Whatever became of the card: what a hospital writes under it is still that person's, unless he was deleted.
    named = select(Card.person_id).join(Person, Person.id == Card.person_id)
    return named.where(Card.number == number.upper(), Person.erased_at.is_(None))


def _by_certificate(certificate: tuple[str, str] | None) -> Select[tuple[UUID]] | None:
    if certificate is None:
        return None
    try:
        checked = check_certificate(CertificateType(certificate[0]), certificate[1])
    except (ValueError, CertificateInvalid):
        # It leads to nobody, which is not the same as not having been given.
        return select(Person.id).where(false())
    return certificate_owners(checked)
