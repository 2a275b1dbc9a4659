"""How well an identity is known: raised by what was seen, never lowered."""

import hmac
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import Actor
from health_card.certificates import Certificate
from health_card.desk.models import AssuranceCheck
from health_card.desk.refusals import DocumentExpired, DocumentNotTheirs
from health_card.desk.service.look_ups import get_look_up
from health_card.models import Assurance, CertificateState, Person, PersonCertificate
from health_card.service.identities import certificate_index, lock_root, same_person_ids

_LEVELS = list(Assurance)


@dataclass(frozen=True)
class Document:
    """A certificate as read from the document itself, and until when that is good, where it says so."""

    certificate: Certificate
    expires_on: date | None = None


def verify_document(session: Session, actor: Actor, *, look_up_id: UUID, document: Document) -> Assurance:
    """The registrar has the document in hand, and it is this person's: the identity is known by document at least.

    :raises LookUpNotFound: no such look-up, or it has run out.
    :raises DocumentExpired: it is no longer good.
    :raises DocumentNotTheirs: not a current certificate of this person.
    """
    person_id = get_look_up(session, actor, look_up_id).person_id
    check_not_expired(document)
    _check_theirs(session, person_id, document.certificate)
    return raise_assurance(
        session,
        actor,
        person_id=person_id,
        level=Assurance.DOCUMENT,
        evidence=document.certificate.type.value,
        look_up_id=look_up_id,
    )


def check_not_expired(document: Document) -> None:
    """:raises DocumentExpired: its last day is over in the city."""
    today = clock.in_city(clock.now()).date()
    if document.expires_on is not None and document.expires_on < today:
        raise DocumentExpired


def raise_assurance(
    session: Session,
    actor: Actor,
    *,
    person_id: UUID,
    level: Assurance,
    evidence: str,
    look_up_id: UUID | None = None,
    reference: tuple[str, str] | None = None,
) -> Assurance:
    """Record a check and raise the standing record to its level; a higher one stays. Returns the level now.

    :param evidence: a code of what was seen; of a document its type.
    :param reference: the outside source that checked, and its own number of the check.
    """
    person = lock_root(session, person_id)
    session.add(
        AssuranceCheck(
            person_id=person.id,
            level=level.value,
            evidence=evidence,
            source=reference[0] if reference else None,
            reference=reference[1] if reference else None,
            hospital_id=actor.hospital_id,
            staff_id=actor.id if actor.hospital_id else None,
            look_up_id=look_up_id,
            checked_at=clock.now(),
        )
    )
    _raise(person, level)
    session.flush()
    audit.record_act(
        session,
        actor,
        "health_card.person.verified",
        subject_id=person.id,
        facts={"level": level.value, "evidence": evidence, "now": person.assurance},
    )
    return Assurance(person.assurance)


def _raise(person: Person, level: Assurance) -> None:
    if _LEVELS.index(level) > _LEVELS.index(Assurance(person.assurance)):
        person.assurance = level.value


def _check_theirs(session: Session, person_id: UUID, certificate: Certificate) -> None:
    mine = select(PersonCertificate).where(
        PersonCertificate.person_id.in_(same_person_ids(person_id)),
        PersonCertificate.state == CertificateState.CURRENT,
    )
    offered = certificate_index(certificate)
    matches = [
        hmac.compare_digest(offered, known.number_index) and certificate.country in {"", known.country}
        for known in session.scalars(mine)
    ]
    if not any(matches):
        raise DocumentNotTheirs
