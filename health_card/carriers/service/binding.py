"""Carriers bound and ended at a desk."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import Actor
from core.vault import vault
from health_card.carriers.models import Carrier, Kind
from health_card.carriers.numbers import CONTEXT, check_number, number_index
from health_card.carriers.refusals import CarrierNotFound, CarrierNotTheirs, CarrierTaken
from health_card.certificates import CertificateType, check_certificate
from health_card.desk.service.look_ups import get_seen_document
from health_card.masks import mask_number
from health_card.models import CertificateState, Person, PersonCertificate
from health_card.notices.service import tell
from health_card.service.identities import certificate_index, lock_root, same_person_ids


@dataclass(frozen=True)
class CarrierView:
    """A living carrier as a desk sees it; the number is masked."""

    carrier_id: UUID
    kind: str
    number: str
    bound_at: datetime


def bind_carrier(session: Session, actor: Actor, *, look_up_id: UUID, kind: Kind, number: str) -> UUID:
    """Let this card lead to the person whose document the desk has seen. Binding it again changes nothing.

    :returns: the carrier's id.
    :raises DocumentNotSeen: no document was verified within the look-up.
    :raises CarrierNumberInvalid: the number cannot be one of its kind.
    :raises CarrierTaken: it leads to another person.
    :raises CarrierNotTheirs: an ID card with another person's number.
    """
    seen = get_seen_document(session, actor, look_up_id)
    checked = check_number(kind, number)
    index = number_index(kind, checked)
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(index.hex(), 0))))
    person = lock_root(session, seen.person_id)
    bound = session.scalars(select(Carrier).where(Carrier.number_index == index, Carrier.ended_at.is_(None))).first()
    if bound is not None:
        if bound.person_id not in set(session.scalars(same_person_ids(person.id))):
            raise CarrierTaken
        return bound.id
    if kind is Kind.ID_CARD:
        _check_own_number(session, person, checked)
    carrier = Carrier(
        kind=kind.value,
        number_index=index,
        number_sealed=vault().unwrap(person.data_key).seal(checked, context=CONTEXT),
        person_id=person.id,
        bound_at=clock.now(),
        bound_by=actor.id,
        hospital_id=actor.house_id,
    )
    session.add(carrier)
    session.flush()
    _record(session, actor, carrier, "bound")
    return carrier.id


def end_carrier(session: Session, actor: Actor, *, look_up_id: UUID, carrier_id: UUID, reason: str) -> None:
    """This card leads to nobody any more.

    :param reason: lost, renewed or mistake.
    :raises DocumentNotSeen: no document was verified within the look-up.
    :raises CarrierNotFound: no living carrier of this person.
    """
    seen = get_seen_document(session, actor, look_up_id)
    person = lock_root(session, seen.person_id)
    theirs = select(Carrier).where(Carrier.id == carrier_id, Carrier.person_id.in_(same_person_ids(person.id)))
    carrier = session.scalars(theirs.where(Carrier.ended_at.is_(None))).one_or_none()
    if carrier is None:
        raise CarrierNotFound
    carrier.ended_at, carrier.ended_by, carrier.end_reason = clock.now(), actor.id, reason
    _record(session, actor, carrier, "ended")


def list_carriers(session: Session, person_id: UUID) -> list[CarrierView]:
    """The living carriers of a person, with all records; the caller has decided that they may be seen."""
    rows = session.execute(
        select(Carrier, Person.data_key)
        .join(Person, Person.id == Carrier.person_id)
        .where(Carrier.person_id.in_(same_person_ids(person_id)), Carrier.ended_at.is_(None))
        .order_by(Carrier.bound_at, Carrier.id)
    )
    return [
        CarrierView(
            carrier.id,
            carrier.kind,
            mask_number(vault().unwrap(data_key).unseal(carrier.number_sealed, context=CONTEXT)),
            carrier.bound_at,
        )
        for carrier, data_key in rows
    ]


def _check_own_number(session: Session, person: Person, number: str) -> None:
    index = certificate_index(check_certificate(CertificateType.RESIDENT_ID, number))
    theirs = select(PersonCertificate.id).where(
        PersonCertificate.number_index == index,
        PersonCertificate.state == CertificateState.CURRENT,
        PersonCertificate.person_id.in_(same_person_ids(person.id)),
    )
    if session.scalar(theirs) is None:
        raise CarrierNotTheirs


def _record(session: Session, actor: Actor, carrier: Carrier, act: str) -> None:
    audit.record_act(
        session,
        actor,
        f"health_card.carrier.{act}",
        subject_id=carrier.person_id,
        of=("carrier", carrier.id),
        facts={"kind": carrier.kind, "reason": carrier.end_reason} if carrier.end_reason else {"kind": carrier.kind},
    )
    tell(
        session,
        person_id=carrier.person_id,
        kind="details_corrected",
        facts={"fields": ["carrier"], "reason": carrier.end_reason or "added"},
        hospital_id=actor.house_id,
        of=("carrier", carrier.id),
    )
