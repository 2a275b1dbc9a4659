"""Certificates added, renewed, withdrawn and made primary at a desk."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, outbox
from core.actor import Actor
from core.vault import vault
from health_card.certificates import Certificate, CertificateType
from health_card.corrections.models import Field, Reason
from health_card.corrections.refusals import (
    CertificateKnown,
    CertificateNotFound,
    CertificateOfAnother,
    SecondResidentId,
)
from health_card.corrections.service.details import check_agrees, current_certificates, set_detail
from health_card.corrections.service.ledger import Correction, record_corrections
from health_card.desk.service.assurance import Document, check_not_expired
from health_card.desk.service.look_ups import get_seen_document
from health_card.masks import mask_number
from health_card.models import CertificateState, Person, PersonCertificate
from health_card.service.identities import (
    CERTIFICATE,
    add_certificate,
    certificate_owners,
    lock_certificate,
    lock_root,
    same_person_ids,
)


@dataclass(frozen=True)
class CertificateView:
    """A certificate as a desk sees it. ``can_be_primary``: it hangs on the record that stands for the person."""

    certificate_id: UUID
    type: str
    country: str
    number: str
    state: str
    is_primary: bool
    can_be_primary: bool
    added_at: datetime
    ended_at: datetime | None


def record_certificate(
    session: Session, actor: Actor, *, look_up_id: UUID, document: Document, replaces: UUID | None, reason: Reason
) -> UUID:
    """One more certificate of the person, as read from it; or a new one in the place of another.

    Renewed, the old one becomes former and still leads to the person. Replaced as a mistake, it leads to nobody.

    :param replaces: the current certificate that ends with this; None: none does.
    :returns: the new certificate's id.
    :raises DocumentNotSeen: no document was verified within the look-up.
    :raises DocumentExpired: the new document is no longer good.
    :raises CertificateNotFound: what it replaces is no current certificate of this person.
    :raises CertificateKnown: it is this person's already.
    :raises CertificateOfAnother: it is another record's; both come before the operator.
    :raises SecondResidentId: the person has another resident ID number.
    :raises DetailsContradictCertificate: its number tells another sex or birth date than is known.
    """
    seen = get_seen_document(session, actor, look_up_id)
    check_not_expired(document)
    # As at a registration: first the certificate, then the person.
    lock_certificate(session, document.certificate)
    root = lock_root(session, seen.person_id)
    _check_free(session, root, document.certificate)
    ended = _get_current(session, root, replaces) if replaces is not None else None
    told = _follow_number(session, root, document.certificate, ended, reason)
    holder = session.get_one(Person, ended.person_id) if ended is not None else root
    is_primary = ended.is_primary if ended is not None else not _has_primary(session, holder)
    made = [Correction(Field.CERTIFICATE, None, document.certificate.identity)]
    if ended is not None:
        became = CertificateState.WITHDRAWN if reason is Reason.MISTAKE else CertificateState.FORMER
        made.insert(0, _end(holder, ended, became))
        session.flush()
    added = add_certificate(session, holder, document.certificate, is_primary=is_primary)
    if told:
        record_corrections(session, actor, person=root, seen=seen, reason=reason, made=told)
    record_corrections(session, actor, person=holder, seen=seen, reason=reason, made=made)
    return added.id


def withdraw_certificate(session: Session, actor: Actor, *, look_up_id: UUID, certificate_id: UUID) -> None:
    """A certificate was never this person's: it leads to nobody from now on.

    :raises DocumentNotSeen: no document was verified within the look-up.
    :raises CertificateNotFound: no current certificate of this person.
    """
    seen = get_seen_document(session, actor, look_up_id)
    root = lock_root(session, seen.person_id)
    ended = _get_current(session, root, certificate_id)
    holder = session.get_one(Person, ended.person_id)
    was_primary = ended.is_primary
    made = [_end(holder, ended, CertificateState.WITHDRAWN)]
    session.flush()
    if was_primary:
        _choose_primary(session, holder)
    record_corrections(session, actor, person=holder, seen=seen, reason=Reason.MISTAKE, made=made)


def make_primary(session: Session, actor: Actor, *, look_up_id: UUID, certificate_id: UUID) -> None:
    """Show this certificate first from now on.

    :raises DocumentNotSeen: no document was verified within the look-up.
    :raises CertificateNotFound: no current certificate of the record that stands for the person.
    """
    seen = get_seen_document(session, actor, look_up_id)
    root = lock_root(session, seen.person_id)
    chosen = _get_current(session, root, certificate_id)
    if chosen.person_id != root.id:
        raise CertificateNotFound
    earlier = session.scalars(select(PersonCertificate).filter_by(person_id=root.id, is_primary=True)).one_or_none()
    if earlier is not None and earlier.id == chosen.id:
        return
    made = [Correction(Field.CERTIFICATE, _identity(root, earlier) if earlier else None, _identity(root, chosen))]
    if earlier is not None:
        earlier.is_primary = False
        session.flush()
    chosen.is_primary = True
    record_corrections(session, actor, person=root, seen=seen, reason=Reason.CHANGED, made=made)


def list_certificates(session: Session, person_id: UUID) -> list[CertificateView]:
    """The certificates of a person, with all records, masked; the caller has decided that they may be seen."""
    rows = session.execute(
        select(PersonCertificate, Person)
        .join(Person, Person.id == PersonCertificate.person_id)
        .where(PersonCertificate.person_id.in_(same_person_ids(person_id)))
        .order_by(PersonCertificate.is_primary.desc(), PersonCertificate.added_at, PersonCertificate.id)
    )
    return [
        CertificateView(
            certificate_id=row.id,
            type=row.type,
            country=row.country,
            number=mask_number(vault().unwrap(person.data_key).unseal(row.number_sealed, context=CERTIFICATE)),
            state=row.state,
            is_primary=row.is_primary and person.root_id == person.id,
            can_be_primary=row.state == CertificateState.CURRENT and person.root_id == person.id,
            added_at=row.added_at,
            ended_at=row.ended_at,
        )
        for row, person in rows
    ]


def _check_free(session: Session, root: Person, certificate: Certificate) -> None:
    mine = set(session.scalars(same_person_ids(root.id)))
    owners = set(session.scalars(certificate_owners(certificate)))
    if owners & mine:
        raise CertificateKnown
    for other in owners:
        pair = sorted([str(root.id), str(other)])
        outbox.announce(
            session,
            "health_card.same_certificate_claimed",
            {"person_ids": pair},
            key=f"health_card.same_certificate_claimed/{'/'.join(pair)}",
        )
    if owners:
        raise CertificateOfAnother


def _follow_number(
    session: Session, root: Person, certificate: Certificate, ended: PersonCertificate | None, reason: Reason
) -> list[Correction]:
    """What the new number tells of sex and birth date: known already, new, or right at last after a mistake."""
    others = current_certificates(session, root, leaving_out=ended.id if ended else None)
    if certificate.type is CertificateType.RESIDENT_ID and any(other.type is certificate.type for other in others):
        raise SecondResidentId
    for other in others:
        check_agrees(other, sex=_told_sex(certificate), birth_date=certificate.birth_date)
    corrects = reason is Reason.MISTAKE and ended is not None
    if not corrects:
        known_sex = root.sex if root.sex != "unknown" else None
        check_agrees(certificate, sex=known_sex, birth_date=root.birth_date)
    told = {Field.SEX: _told_sex(certificate), Field.BIRTH_DATE: _told_birth_date(certificate)}
    made = [set_detail(root, field, new) for field, new in told.items() if new is not None]
    return [correction for correction in made if correction is not None]


def _told_sex(certificate: Certificate) -> str | None:
    return certificate.sex if certificate.sex != "unknown" else None


def _told_birth_date(certificate: Certificate) -> str | None:
    return certificate.birth_date.isoformat() if certificate.birth_date else None


def _get_current(session: Session, root: Person, certificate_id: UUID) -> PersonCertificate:
    found = session.scalars(
        select(PersonCertificate).where(
            PersonCertificate.id == certificate_id,
            PersonCertificate.person_id.in_(same_person_ids(root.id)),
            PersonCertificate.state == CertificateState.CURRENT,
        )
    ).one_or_none()
    if found is None:
        raise CertificateNotFound
    return found


def _end(holder: Person, ended: PersonCertificate, state: CertificateState) -> Correction:
    ended.state, ended.is_primary, ended.ended_at = state.value, False, clock.now()
    return Correction(Field.CERTIFICATE, _identity(holder, ended), None)


def _identity(holder: Person, certificate: PersonCertificate) -> str:
    number = vault().unwrap(holder.data_key).unseal(certificate.number_sealed, context=CERTIFICATE)
    return f"{certificate.type}:{number}"


def _has_primary(session: Session, holder: Person) -> bool:
    primary = select(PersonCertificate.id).filter_by(person_id=holder.id, is_primary=True)
    return session.scalar(primary) is not None


def _choose_primary(session: Session, holder: Person) -> None:
    mine = select(PersonCertificate).filter_by(person_id=holder.id, state=CertificateState.CURRENT)
    oldest = session.scalars(mine.order_by(PersonCertificate.added_at).limit(1)).one_or_none()
    if oldest is not None:
        oldest.is_primary = True
