"""A desk finds the person in front of it: by a document or an open visit, never by searching."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import Actor
from health_card.certificates import Certificate, CertificateType, check_certificate
from health_card.desk.models import AssuranceCheck, LookUp, Way
from health_card.desk.refusals import DocumentNotSeen, LookUpNotFound, PersonNotFound
from health_card.service.identities import find_by_certificate

LOOK_UP_LIFE = timedelta(minutes=15)


@dataclass(frozen=True)
class SeenDocument:
    """Whose document a desk has seen within a look-up. ``evidence``: its type, WS 364.3 CV02.01.101."""

    look_up_id: UUID
    person_id: UUID
    evidence: str


def open_look_up(session: Session, actor: Actor, *, person_id: UUID, way: Way, login_id: UUID | None = None) -> LookUp:
    """The desk has this person before it. The caller has seen that it may: by a code, a document or a carrier.

    :param login_id: the person's own, that has confirmed it on the phone.
    """
    now = clock.now()
    opened = LookUp(
        person_id=person_id,
        hospital_id=actor.house_id,
        staff_id=actor.id,
        way=way.value,
        login_id=login_id,
        opened_at=now,
        expires_at=now + LOOK_UP_LIFE,
    )
    session.add(opened)
    session.flush()
    audit.record_act(
        session,
        actor,
        "health_card.person.looked_up",
        subject_id=person_id,
        of=("look_up", opened.id),
        facts={"way": way.value},
    )
    return opened


def look_up_by_certificate(session: Session, actor: Actor, *, certificate: Certificate) -> LookUp:
    """Find the person whose certificate this is or was.

    :raises PersonNotFound: nobody's, or, sent without its country, of more than one.
    """
    person_id = find_by_certificate(session, certificate)
    if person_id is None:
        raise PersonNotFound
    return open_look_up(session, actor, person_id=person_id, way=Way.CERTIFICATE)


def identify_by_certificate(session: Session, actor: Actor, *, kind: str, number: str, country: str) -> UUID:
    """As ``look_up_by_certificate``, for whoever has only the number of a document that was found on somebody.

    :param kind: WS 364.3 CV02.01.101; ``country``: of a foreign passport, ISO 3166-1 alpha-3, else empty.
    :returns: the person's id.
    :raises CertificateInvalid: the number cannot be one of its kind.
    :raises PersonNotFound: as there.
    """
    certificate = check_certificate(CertificateType(kind), number, country)
    return look_up_by_certificate(session, actor, certificate=certificate).person_id


def get_look_up(session: Session, actor: Actor, look_up_id: UUID) -> LookUp:
    """A look-up of the actor's hospital that has not run out.

    :raises LookUpNotFound: none such.
    """
    mine = select(LookUp).where(LookUp.id == look_up_id, LookUp.hospital_id == actor.house_id)
    found = session.scalars(mine.where(LookUp.expires_at > clock.now())).one_or_none()
    if found is None:
        raise LookUpNotFound
    return found


def find_seen_document(session: Session, actor: Actor, look_up_id: UUID) -> SeenDocument | None:
    """The document that was verified within this look-up, the last one; None before that.

    :raises LookUpNotFound: no such look-up, or it has run out.
    """
    found = get_look_up(session, actor, look_up_id)
    seen = select(AssuranceCheck.evidence).where(AssuranceCheck.look_up_id == found.id)
    evidence = session.scalar(seen.order_by(AssuranceCheck.checked_at.desc()).limit(1))
    return SeenDocument(found.id, found.person_id, evidence) if evidence is not None else None


def get_seen_document(session: Session, actor: Actor, look_up_id: UUID) -> SeenDocument:
    """As ``find_seen_document``, for acts that change something.

    :raises LookUpNotFound: no such look-up, or it has run out.
    :raises DocumentNotSeen: no document was verified within it.
    """
    seen = find_seen_document(session, actor, look_up_id)
    if seen is None:
        raise DocumentNotSeen
    return seen
