"""Opening a patient's chart under a visit."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from consent import service as consent
from core.actor import Actor
from health_card import service as health_card
from records.entries import service as entries
from records.images import service as images
from records.images.schemas import StudyShown, show_study
from records.life import service as life
from records.life.stages import Stage
from records.news import service as news
from records.orders import service as orders
from records.reports import service as reports
from records.timeline import service as timeline
from records.timeline.choosing import Choices, list_choices
from records.visits import service as visits


@dataclass(frozen=True)
class Chart:
    """What a doctor sees.

    ``is_missing``: what was asked to be opened is not on this patient's timeline. ``may_release``: the opened report
    was made by the actor's own house, whose doctors decide when its patient sees it. ``corrections``: reports that
    changed after this hospital had read them, until somebody opens them again. ``orders``: of this visit.
    """

    visit: visits.VisitContext
    person: health_card.Demographics
    access_until: datetime | None
    items: list[timeline.TimelineItem]
    has_older: bool
    corrections: list[news.CorrectionView]
    orders: list[orders.OrderView]
    choices: Choices
    stages: list[Stage]
    report: reports.ReportView | None = None
    study: StudyShown | None = None
    entry: entries.EntryView | None = None
    is_missing: bool = False
    may_release: bool = False


def open_chart(
    session: Session,
    actor: Actor,
    *,
    visit_id: UUID,
    wanted: timeline.TimelineFilter,
    stage: Stage | None = None,
    before: UUID | None = None,
    open_id: UUID | None = None,
) -> Chart:
    """The patient of an own visit, a page of the shared timeline, and at most one thing of it opened.

    :param wanted: what of the timeline is asked for; ``stage``: of the patient's life.
    :param before: the id of the last line of the page before.
    :param open_id: the report, study or entry to open. One of another patient is never shown under this one's name,
        even when the actor may see that patient too.
    :raises VisitNotFound: no such visit at the actor's hospital.
    :raises NothingShared: no grant in force.
    """
    visit = visits.get_visit(session, actor, visit_id)
    of_stage = life.narrow_to_stage(session, actor, replace(wanted, person_id=visit.person_id), stage=stage)
    items = timeline.list_shared_timeline(session, actor, person_id=visit.person_id, wanted=of_stage, before=before)
    # Only now: the line above has decided that the actor may see this person, and recorded it.
    person = health_card.get_demographics(session, visit.person_id, masked=False)
    kind = timeline.find_kind(session, actor, person_id=visit.person_id, object_id=open_id) if open_id else None
    report = reports.get_report(session, actor, open_id) if open_id and kind == "report" else None
    corrections = news.list_unseen_of(session, actor, person_id=visit.person_id)
    if report is not None:
        news.see_report(session, actor, report_id=report.id)
    return Chart(
        visit=visit,
        person=person,
        access_until=consent.find_access_until(session, actor, person_id=visit.person_id),
        items=items,
        has_older=len(items) == timeline.PAGE,
        corrections=corrections,
        orders=orders.list_of_visit(session, visit_id=visit_id),
        choices=list_choices(session, actor, person_id=visit.person_id),
        stages=life.list_begun(session, actor, person_id=visit.person_id),
        report=report,
        study=show_study(images.get_study(session, actor, open_id)) if open_id and kind == "study" else None,
        entry=entries.get_entry(session, actor, open_id) if open_id and kind == "entry" else None,
        is_missing=open_id is not None and kind is None,
        may_release=report is not None and report.hospital_id == actor.hospital_id,
    )
