"""Newborns: registered before they have a number, known by their mother, and given their own number later."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import audit, clock, outbox
from core.actor import Actor
from core.vault import vault
from health_card.certificates import Certificate, CertificateType
from health_card.corrections.refusals import CertificateOfAnother
from health_card.family.models import MOTHER, Newborn
from health_card.family.refusals import CertificateGivenAlready, HolderNotFound, NotANewborn
from health_card.family.service.desk import find_holder_at_desk
from health_card.family.service.holding import Terms, check_relation, get_own_person_id
from health_card.family.service.members import Member, join_family
from health_card.family.service.visitors import Visitor, know_identified
from health_card.models import ApplyChannel, CertificateState, Person, PersonCertificate, Relation
from health_card.notices.service import tell
from health_card.refusals import CertificateInvalid, DetailsContradictCertificate, PersonDetailsDiffer
from health_card.service.ages import birthday, guardian_until
from health_card.service.demographics import get_plain_demographics
from health_card.service.identities import (
    NAME,
    Details,
    add_certificate,
    announce_change,
    certificate_index,
    create_person,
    find_by_certificate,
    get_root,
    is_same_person,
    lock_certificate,
    lock_person,
    lock_root,
    normalise_name,
    same_person_ids,
)
from health_card.service.persons import Registration, find_or_issue_card, name_and_phone, record_registered

_OWN_NUMBERS = {CertificateType.RESIDENT_ID, CertificateType.BIRTH_CERTIFICATE}


@dataclass(frozen=True)
class NewbornDetails:
    """A child without a certificate. ``name`` may be provisional, as 张三之子 is.

    :ivar birth_order: 1 for the first or only child of this birth, 2 for the second ...
    :ivar born_at: the moment of birth, when it is known.
    :ivar nation: ethnic group, two digits of GB/T 3304.
    """

    name: str
    sex: str
    birth_date: date
    birth_order: int
    mother: Certificate
    born_at: datetime | None = None
    nation: str | None = None
    address: str | None = None


def register_newborn(
    session: Session, actor: Actor, *, newborn: NewbornDetails, relation: Relation, limit: int
) -> tuple[Member, bool]:
    """Register a newborn under the actor as its guardian.

    Mother, birth date and birth order are one child, however often and however concurrently it is registered. The
    record is empty, so the first one may use its card at once; the next waits for a desk or the first one's invitation.

    :returns: the member, and whether it was added now.
    :raises RegisterYourselfFirst: the login is nobody yet.
    :raises NotANewborn: not born within the last year.
    :raises PersonDetailsDiffer: registered with another sex: perhaps the other twin.
    :raises RelationDoesNotFit: neither child nor ward.
    :raises GuardiansComplete: the child has two.
    :raises FamilyFull: no place is left.
    """
    own_id = get_own_person_id(session, actor)
    _check_is_newborn(newborn)
    # A newborn is reached through its guardian.
    record, is_new = _find_or_create(session, newborn, phone=get_plain_demographics(session, own_id).phone)
    person = lock_root(session, record.id)
    _check_same_sex(person, newborn)
    check_relation(session, own_id, person, relation)
    until = guardian_until(person.birth_date, has_consented=False) if is_new else None
    terms = Terms(relation, is_new, until)
    return join_family(session, actor, login_id=actor.id, record=record, terms=terms, limit=limit)


def register_newborn_at_window(session: Session, actor: Actor, *, newborn: NewbornDetails, phone: str) -> Registration:
    """Register a newborn for a hospital whose window its guardian stands at; again: the same child and card.

    No login may act for the child through this: its guardian registers it on the phone too, and then waits for a desk.

    :param phone: the guardian's, through which the child is reached.
    :raises NotANewborn: not born within the last year.
    :raises PersonDetailsDiffer: registered with another name, sex or moment of birth: perhaps the other twin.
    """
    _check_is_newborn(newborn)
    record, is_new = _find_or_create(session, newborn, phone=phone)
    if not is_new:
        _check_same_child(session, record, newborn)
    card = find_or_issue_card(session, record, ApplyChannel.WINDOW)
    record_registered(session, actor, card, is_new=is_new, facts={"channel": int(ApplyChannel.WINDOW)})
    return Registration(record.id, card, is_new, is_confirmed=False)


def give_certificate(
    session: Session, actor: Actor, *, visitor: Visitor, holder_id: UUID, certificate: Certificate, name: str | None
) -> None:
    """Give a newborn a number of its own at a desk: the same person, the same card.

    :param visitor: the guardian at the desk.
    :param holder_id: the guardian's holder of the newborn, confirmed.
    :param certificate: the child's resident ID number or birth certificate, as read.
    :param name: the child's name as the certificate has it; the provisional one stays when left out.
    :raises LookUpNotFound, DocumentNotSeen: see ``know_identified``.
    :raises HolderNotFound: the visitor does not act for such a newborn.
    :raises CertificateInvalid: neither a resident ID nor a birth certificate.
    :raises DetailsContradictCertificate: the number tells another sex or birth date.
    :raises CertificateGivenAlready: the child has another one of this type.
    :raises CertificateOfAnother: it belongs to another record; both are sent to review.
    """
    lock_certificate(session, certificate)
    holder = find_holder_at_desk(session, know_identified(session, actor, visitor), holder_id)
    newborn = select(Newborn.person_id).where(Newborn.person_id.in_(same_person_ids(holder.person_id)))
    record_id = session.scalar(newborn)
    if holder.confirmed_at is None or record_id is None:
        raise HolderNotFound
    if certificate.type not in _OWN_NUMBERS:
        raise CertificateInvalid
    person = lock_person(session, record_id)
    _check_tells_the_same(person, certificate)
    known = find_by_certificate(session, certificate)
    if known is not None:
        _check_own(session, actor, person, known)
        return
    _add_own(session, person, certificate, name)
    facts = {"certificate_type": certificate.type.value, "named": name is not None}
    of = ("holder", holder.id)
    audit.record_act(session, actor, "health_card.certificate.given", subject_id=person.id, of=of, facts=facts)
    tell(session, person_id=person.id, kind="details_corrected", hospital_id=actor.house_id)
    announce_change(session, person.id)


def _check_is_newborn(newborn: NewbornDetails) -> None:
    if newborn.birth_date > clock.in_city(clock.now()).date() or birthday(newborn.birth_date, 1) <= clock.now():
        raise NotANewborn
    if newborn.born_at is not None and clock.in_city(newborn.born_at).date() != newborn.birth_date:
        raise NotANewborn


def _check_same_sex(person: Person, newborn: NewbornDetails) -> None:
    if "unknown" not in (person.sex, newborn.sex) and person.sex != newborn.sex:
        raise PersonDetailsDiffer


def _check_same_child(session: Session, record: Person, newborn: NewbornDetails) -> None:
    """A hospital system repeats what it sent. Twins of whom it forgot to say so must not become one child."""
    person = get_root(session, record.id)
    _check_same_sex(person, newborn)
    born_at = session.get_one(Newborn, record.id).born_at
    is_other_moment = None not in (born_at, newborn.born_at) and born_at != newborn.born_at
    if is_other_moment or normalise_name(newborn.name) not in {name_and_phone(each)[0] for each in (record, person)}:
        raise PersonDetailsDiffer


def _find_or_create(session: Session, newborn: NewbornDetails, *, phone: str) -> tuple[Person, bool]:
    mother = certificate_index(newborn.mother).hex()
    identity = f"{mother}|{newborn.birth_date.isoformat()}|{newborn.birth_order}"
    index = vault().blind_index(identity, context=MOTHER)
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(index.hex(), 0))))
    known = session.scalar(select(Newborn.person_id).filter_by(identity_index=index))
    if known is not None:
        return lock_person(session, known), False
    details = Details(
        name=normalise_name(newborn.name),
        phone=phone,
        certificate=None,
        sex=newborn.sex,
        birth_date=newborn.birth_date,
        nation=newborn.nation,
        address=newborn.address,
    )
    person = create_person(session, details)
    session.add(
        Newborn(
            person_id=person.id,
            identity_index=index,
            mother_sealed=vault().unwrap(person.data_key).seal(newborn.mother.identity, context=MOTHER),
            birth_order=newborn.birth_order,
            born_at=newborn.born_at,
            registered_at=clock.now(),
        )
    )
    session.flush()
    return person, True


def _check_tells_the_same(person: Person, certificate: Certificate) -> None:
    is_other_day = certificate.birth_date not in (None, person.birth_date)
    if is_other_day or ("unknown" not in (certificate.sex, person.sex) and certificate.sex != person.sex):
        raise DetailsContradictCertificate


def _check_own(session: Session, actor: Actor, person: Person, known: UUID) -> None:
    if is_same_person(session, known, person.id):
        return
    audit.record_act(session, actor, "health_card.certificate.claimed_twice", subject_id=person.id)
    both = {"person_ids": [str(person.id), str(known)]}
    outbox.announce(session, "health_card.same_certificate_claimed", both)
    raise CertificateOfAnother


def _add_own(session: Session, person: Person, certificate: Certificate, name: str | None) -> None:
    """A resident ID is shown before a birth certificate."""
    current = select(PersonCertificate).filter_by(person_id=person.id, state=CertificateState.CURRENT)
    held = session.scalars(current).all()
    if any(each.type == certificate.type for each in held):
        raise CertificateGivenAlready
    is_primary = not held or certificate.type is CertificateType.RESIDENT_ID
    for each in held:
        each.is_primary = each.is_primary and not is_primary
    session.flush()
    add_certificate(session, person, certificate, is_primary=is_primary)
    if name:
        person.name_sealed = vault().unwrap(person.data_key).seal(normalise_name(name), context=NAME)
    if person.sex == "unknown":
        person.sex = certificate.sex
    session.flush()
