"""A life in its stages: when each was, what there is of it, what of it is new."""

from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from core import clock
from core.actor import Actor, ActorKind
from health_card import service as health_card
from records.entries.coded import CodedEntry, list_coded
from records.life.events import RESOURCE_TYPES, Event, list_events
from records.life.pregnancies import list_pregnancies
from records.life.stages import Span, Stage, list_spans
from records.refusals import LifeNotFound
from records.timeline import service as timeline
from records.timeline.service import TimelineFilter


@dataclass(frozen=True)
class StageView:
    """One stage, or one pregnancy. ``is_now``: the person is in it today."""

    stage: Stage
    span: Span
    is_now: bool
    count: int
    unread_count: int


@dataclass(frozen=True)
class EventView:
    """One event. ``stage``: of age, on its day; None: before the birth date, or none is known."""

    event: Event
    stage: Stage | None
    hospital_name: str


@dataclass(frozen=True)
class Life:
    person_id: UUID
    stages: list[StageView]
    events: list[EventView]


def get_life(session: Session, actor: Actor, *, person_id: UUID | None = None) -> Life:
    """The stages that have begun, in the order of their beginnings, and what is named of this life, newest first.

    No stages when no birth date is known.

    :param person_id: somebody for whom the login acts; None: the login's own person.
    :raises LifeNotFound: not a person whose records the actor may see, or a login without a person of its own.
    :raises NothingShared: a hospital asks, and no grant of the whole record is in force.
    """
    asked_id = _find_person(session, actor, person_id)
    # Stages and counts say something of all that there is.
    consent.release(session, actor, person_id=asked_id, action="records.life.read", need=consent.Need.WHOLE)
    today = clock.in_city(clock.now()).date()
    entered = list_coded(session, actor, person_id=asked_id, resource_types=RESOURCE_TYPES)
    known = _list_stages(session, actor, asked_id, entered)
    spans = [(stage, span) for stage, span in known if span.first_day <= today]
    counts = timeline.count_between(session, actor, person_id=asked_id, spans=[span.as_times() for _, span in spans])
    return Life(
        asked_id,
        [
            StageView(stage, span, span.end_day is None or today < span.end_day, found.count, found.unread_count)
            for (stage, span), found in zip(spans, counts, strict=True)
        ],
        _show_events(session, entered, spans),
    )


def list_begun(session: Session, actor: Actor, *, person_id: UUID) -> list[Stage]:
    """The stages that have begun, each once; the caller releases and records the read (``consent.release``)."""
    today = clock.in_city(clock.now()).date()
    begun = [stage for stage, span in _list_stages(session, actor, person_id) if span.first_day <= today]
    return list(dict.fromkeys(begun))


def narrow_to_stage(session: Session, actor: Actor, wanted: TimelineFilter, *, stage: Stage | None) -> TimelineFilter:
    """What is asked of a timeline, within one stage of the person's life.

    :raises LifeNotFound: as in ``get_life``.
    :raises NothingShared: a hospital asks, and no grant is in force.
    """
    if stage is None:
        return wanted
    person_id = _find_person(session, actor, wanted.person_id)
    spans = tuple(span.as_times() for found, span in _list_stages(session, actor, person_id) if found is stage)
    return replace(wanted, person_id=person_id, spans=spans)


def _find_person(session: Session, actor: Actor, person_id: UUID | None) -> UUID:
    """Asked before anything of the person is read: the birth date alone would tell whether somebody is there."""
    if person_id is None and actor.kind is ActorKind.PATIENT:
        person_id = health_card.find_own_person_id(session, actor)
    if person_id is not None and person_id in session.scalars(consent.readable_person_ids(actor)).all():
        return person_id
    raise LifeNotFound if actor.kind is ActorKind.PATIENT else consent.NothingShared


def _show_events(session: Session, entered: list[CodedEntry], spans: list[tuple[Stage, Span]]) -> list[EventView]:
    events = list_events(entered)
    hospitals = accounts.list_hospitals(session, {event.hospital_id for event in events})
    ages = [(stage, span) for stage, span in spans if stage is not Stage.PREGNANCY]
    return [
        EventView(
            event,
            next((stage for stage, span in ages if span.includes(event.on)), None),
            hospitals[event.hospital_id].name,
        )
        for event in reversed(events)
    ]


def _list_stages(
    session: Session, actor: Actor, person_id: UUID, entered: list[CodedEntry] | None = None
) -> list[tuple[Stage, Span]]:
    if entered is None:
        entered = list_coded(session, actor, person_id=person_id, resource_types=("Condition",))
    born = health_card.get_demographics(session, person_id).birth_date
    ages = list_spans(born) if born else []
    pregnancies = list_pregnancies(session, actor, person_id=person_id, entered=entered)
    across = [(Stage.PREGNANCY, span) for span in pregnancies]
    return sorted([*ages, *across], key=lambda found: (found[1].first_day, found[0] is Stage.PREGNANCY))
