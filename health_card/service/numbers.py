"""The numbers under which hospitals know persons, and finding a person by what a hospital sends."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
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
_FIND = """
SELECT array_agg(found.place), array_agg(found.person_id) FROM (
    SELECT asked.place, owner.person_id
    FROM unnest(%(n_places)s::int[], %(n_values)s::text[]) asked (place, value) CROSS JOIN LATERAL (
        SELECT person_id FROM patient_numbers WHERE hospital_id = %(hospital_id)s AND number = asked.value LIMIT 2
    ) owner
    UNION ALL
    SELECT asked.place, owner.person_id
    FROM unnest(%(c_places)s::int[], %(c_values)s::text[]) asked (place, value) CROSS JOIN LATERAL (
        SELECT person_id FROM cards WHERE number = asked.value LIMIT 2
    ) owner
    UNION ALL
    SELECT asked.place, owner.person_id
    FROM unnest(%(z_places)s::int[], %(z_values)s::bytea[]) asked (place, value) CROSS JOIN LATERAL (
        SELECT person_id FROM person_certificates
        WHERE number_index = asked.value AND state <> 'withdrawn' LIMIT 2
    ) owner
) found
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


def find_persons(session: Session, actor: Actor, asked: Mapping[int, Naming]) -> dict[int, UUID]:
    """As ``find_person``, for many at once; only those all of whose identifiers lead to one and the same record."""
    questions = [(place, *one) for place, naming in asked.items() for one in _questions(naming)]
    columns = {kind: [(place, value) for place, asked_by, value in questions if asked_by == kind] for kind in "ncz"}
    row = statements.run(
        session,
        _FIND,
        {f"{kind}_places": [place for place, _ in pairs] for kind, pairs in columns.items()}
        | {f"{kind}_values": [value for _, value in pairs] for kind, pairs in columns.items()}
        | {"hospital_id": actor.house_id},
    )
    assert row is not None
    answers = Counter(place for place, _, _ in questions)
    owners: dict[int, list[UUID]] = {}
    for place, person_id in zip(row[0] or (), row[1] or (), strict=True):
        owners.setdefault(place, []).append(person_id)
    return {place: found[0] for place, found in owners.items() if len(found) == answers[place] and len(set(found)) == 1}


def _questions(naming: Naming) -> Iterator[tuple[str, Any]]:
    yield from (("n", number) for number in naming.patient_numbers)
    yield from (("c", number.upper()) for number in naming.card_numbers)
    for kind, number in naming.certificates:
        try:
            yield "z", certificate_index(check_certificate(CertificateType(kind), number))
        except (ValueError, CertificateInvalid):
            # Asked all the same, and answered by nobody.
            yield "z", b""


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
