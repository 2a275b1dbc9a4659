"""What must be shown beside a thing that proves nothing alone: a printed code, a card of another issuer."""

import hmac
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.vault import vault
from health_card.certificates import CertificateType, check_certificate
from health_card.family.models import MOTHER, Newborn
from health_card.models import CertificateState, Holder, Person, PersonCertificate, Relation
from health_card.refusals import CertificateInvalid, SecondFactorMissing, SecondFactorWrong
from health_card.service.holders import GUARDIAN_RELATIONS
from health_card.service.identities import certificate_index, index_identity, same_person_ids, same_persons
from health_card.service.persons import is_holding

# A certificate's type, and the blind index of its number.
Number = tuple[CertificateType, bytes]


def check_second_factor(session: Session, person_id: UUID, certificate_number: str | None) -> None:
    """It comes with a current certificate number of the same person.

    A newborn who has none is brought by somebody who has: its mother, as she was told when it was registered, or
    whoever acts for it as guardian.

    :raises SecondFactorMissing: none was sent.
    :raises SecondFactorWrong: another person's.
    """
    if not certificate_number:
        raise SecondFactorMissing
    numbers = _list_numbers(session, same_person_ids(person_id)) or [
        *_list_numbers(session, _list_guardians(session, person_id)),
        *_list_told_mothers(session, person_id),
    ]
    if not any(_is_number(certificate_number, kind, index) for kind, index in numbers):
        raise SecondFactorWrong


def _list_numbers(session: Session, person_ids: Select[tuple[UUID]]) -> list[Number]:
    mine = PersonCertificate.person_id.in_(person_ids), PersonCertificate.state == CertificateState.CURRENT
    return [
        (CertificateType(kind), index)
        for kind, index in session.execute(select(PersonCertificate.type, PersonCertificate.number_index).where(*mine))
    ]


def _list_guardians(session: Session, person_id: UUID) -> Select[tuple[UUID]]:
    """Who those are whose logins act for the person as guardians now."""
    acting = select(Holder.login_id).where(
        Holder.person_id.in_(same_person_ids(person_id)), Holder.relation.in_(GUARDIAN_RELATIONS), is_holding()
    )
    logins = session.scalars(acting).all()
    themselves = Holder.login_id.in_(logins), Holder.relation == Relation.SELF, is_holding()
    return same_persons(select(Holder.person_id).where(*themselves))


def _list_told_mothers(session: Session, person_id: UUID) -> list[Number]:
    told = session.execute(
        select(Newborn.mother_sealed, Person.data_key)
        .join(Person, Person.id == Newborn.person_id)
        .where(Newborn.person_id.in_(same_person_ids(person_id)))
    )
    mothers = [vault().unwrap(data_key).unseal(sealed, context=MOTHER) for sealed, data_key in told]
    return [(CertificateType(mother.partition(":")[0]), index_identity(mother)) for mother in mothers]


def _is_number(offered: str, kind: CertificateType, index: bytes) -> bool:
    try:
        return hmac.compare_digest(certificate_index(check_certificate(kind, offered)), index)
    except CertificateInvalid:
        return False
