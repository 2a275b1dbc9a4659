"""A hospital's own numbers: bound by its systems, merged in the hospital, and parted again."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from core import audit, clock, outbox
from core.actor import Actor
from health_card.models import PatientNumber
from health_card.patient_numbers.models import MergeState, NumberMerge
from health_card.patient_numbers.refusals import (
    PatientNotRegistered,
    PatientNumberMergedSince,
    PatientNumberMergeNotFound,
    PatientNumberRetired,
    PatientNumbersReviewed,
    PatientNumberUnknown,
)
from health_card.service.identities import is_same_person
from health_card.service.numbers import bind_patient_number, find_person, get_patient_number

SAME_PERSON_TOPIC = "health_card.same_person_claimed"


@dataclass(frozen=True)
class NumberView:
    """A number and the one that counts now for the same person; they differ when it was merged into another."""

    number: str
    current_number: str
    bound_at: datetime


def bind_number(
    session: Session,
    actor: Actor,
    *,
    number: str,
    card_number: str | None = None,
    certificate: tuple[str, str] | None = None,
) -> NumberView:
    """A hospital system says under which number it knows a registered person. Saying it again changes nothing.

    :param certificate: type (WS 364.3 CV02.01.101) and number.
    :raises PatientNotRegistered: what was sent leads to nobody, or to several.
    :raises PatientNumberTaken: the number is somebody else's, or the person has another number here.
    """
    person_id = find_person(session, actor, card_number=card_number, certificate=certificate)
    if person_id is None:
        raise PatientNotRegistered
    bind_patient_number(session, actor, person_id=person_id, number=number)
    return _view(session, actor, session.get_one(PatientNumber, (actor.house_id, number)))


def get_number(session: Session, actor: Actor, *, number: str) -> NumberView:
    """What is known of a number of the actor's hospital.

    :raises PatientNumberUnknown: nobody is known under it.
    """
    known = session.get(PatientNumber, (actor.house_id, number))
    if known is None:
        raise PatientNumberUnknown
    audit.record_act(session, actor, "health_card.patient_number.read", subject_id=known.person_id)
    return _view(session, actor, known)


def merge_numbers(session: Session, actor: Actor, *, retired: str, surviving: str) -> NumberView:
    """The hospital has merged one of its numbers into another: both lead to the person, and the surviving one counts.

    A number that nobody knew becomes the person's. Saying it again changes nothing.

    :returns: the retired number, and the one that counts now.
    :raises PatientNumberUnknown: neither is known.
    :raises PatientNumberRetired: one of the two was merged into another before.
    :raises PatientNumbersReviewed: they are of different persons; what the hospital said is kept for review.
    """
    _wait_for_turn(session, actor)
    old, new = _find(session, actor, retired), _find(session, actor, surviving)
    if old is None and new is None:
        raise PatientNumberUnknown
    if old is not None and old.replaced_by == surviving:
        return _view(session, actor, old)
    if any(known is not None and known.replaced_by is not None for known in (old, new)):
        raise PatientNumberRetired
    if old is not None and new is not None and not is_same_person(session, old.person_id, new.person_id):
        _claim_same_person(session, actor, old, new)
        raise PatientNumbersReviewed
    merged = _replace(session, actor, old, new, (retired, surviving))
    audit.record_act(session, actor, "health_card.patient_number.merged", subject_id=merged.person_id)
    return _view(session, actor, merged)


def undo_merge(session: Session, actor: Actor, *, retired: str, surviving: str) -> NumberView:
    """The hospital takes a merge back: everything is as before it. A number that came with it is forgotten.

    :returns: the number that counts now.
    :raises PatientNumberMergeNotFound: no such merge in force.
    :raises PatientNumberMergedSince: a later one touches these numbers; that one goes first.
    """
    _wait_for_turn(session, actor)
    merge = _find_merge(session, actor, retired, surviving)
    if merge is None or merge.state != MergeState.DONE:
        raise PatientNumberMergeNotFound
    _check_last(session, merge)
    old = session.get_one(PatientNumber, (actor.house_id, retired))
    person_id = old.person_id
    merge.state, merge.undone_at = MergeState.UNDONE.value, clock.now()
    if merge.bound is not None:
        session.execute(delete(PatientNumber).filter_by(hospital_id=actor.house_id, number=merge.bound))
    if merge.bound != retired:
        old.replaced_by = None
        session.flush()
    audit.record_act(session, actor, "health_card.patient_number.parted", subject_id=person_id)
    standing = surviving if merge.bound == retired else retired
    return _view(session, actor, session.get_one(PatientNumber, (actor.house_id, standing)))


def _wait_for_turn(session: Session, actor: Actor) -> None:
    """A hospital's merges come one after the other: which numbers stand is decided by all of them together."""
    turn = f"patient_numbers/{actor.house_id}"
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(turn, 0))))


def _find(session: Session, actor: Actor, number: str) -> PatientNumber | None:
    return session.get(PatientNumber, (actor.house_id, number), with_for_update=True)


def _replace(
    session: Session, actor: Actor, old: PatientNumber | None, new: PatientNumber | None, pair: tuple[str, str]
) -> PatientNumber:
    """Both numbers lead to the person now. At least one of them is known, and none was merged before."""
    retired, surviving = pair
    bound = retired if old is None else surviving if new is None else None
    if old is None:
        assert new is not None
        old = PatientNumber(hospital_id=actor.house_id, number=retired, person_id=new.person_id, bound_at=clock.now())
        session.add(old)
    old.replaced_by = surviving
    session.flush()
    if new is None:
        bind_patient_number(session, actor, person_id=old.person_id, number=surviving)
    _remember(session, actor, pair, MergeState.DONE, bound)
    return old


def _claim_same_person(session: Session, actor: Actor, old: PatientNumber, new: PatientNumber) -> None:
    merge = _remember(session, actor, (old.number, new.number), MergeState.UNDER_REVIEW, None)
    outbox.announce(
        session,
        SAME_PERSON_TOPIC,
        {"person_ids": [str(old.person_id), str(new.person_id)], "hospital_id": str(actor.house_id)},
        key=f"{SAME_PERSON_TOPIC}/{merge.id}",
    )
    for person_id in (old.person_id, new.person_id):
        audit.record_act(
            session,
            actor,
            "health_card.patient_number.claimed",
            subject_id=person_id,
            of=("patient_number_merge", merge.id),
        )


def _remember(
    session: Session, actor: Actor, pair: tuple[str, str], state: MergeState, bound: str | None
) -> NumberMerge:
    merge = _find_merge(session, actor, *pair)
    if merge is None:
        merge = NumberMerge(hospital_id=actor.house_id, retired=pair[0], surviving=pair[1])
        session.add(merge)
    merge.state, merge.bound, merge.undone_at = state.value, bound, None
    merge.said_by, merge.said_at = actor.id, clock.now()
    newest = select(func.coalesce(func.max(NumberMerge.turn), 0)).filter_by(hospital_id=actor.house_id)
    with session.no_autoflush:
        merge.turn = (session.scalar(newest) or 0) + 1
    session.flush()
    return merge


def _find_merge(session: Session, actor: Actor, retired: str, surviving: str) -> NumberMerge | None:
    said = select(NumberMerge).filter_by(hospital_id=actor.house_id, retired=retired, surviving=surviving)
    return session.scalars(said).one_or_none()


def _check_last(session: Session, merge: NumberMerge) -> None:
    numbers = [merge.retired, merge.surviving]
    later = select(NumberMerge.id).where(
        NumberMerge.hospital_id == merge.hospital_id,
        NumberMerge.state == MergeState.DONE,
        NumberMerge.turn > merge.turn,
        or_(NumberMerge.retired.in_(numbers), NumberMerge.surviving.in_(numbers)),
    )
    if session.scalar(later.limit(1)) is not None:
        raise PatientNumberMergedSince


def _view(session: Session, actor: Actor, known: PatientNumber) -> NumberView:
    current = get_patient_number(session, actor, known.person_id)
    assert current is not None
    return NumberView(known.number, current, known.bound_at)
