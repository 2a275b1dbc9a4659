"""Opening a patient's chart under a visit."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from consent import service as consent
from core.actor import Actor
from health_card import service as health_card
from records.entries import service as entries
from records.images import service as images
from records.images.schemas import StudyShown, show_study
from records.news import service as news
from records.reports import service as reports
from records.timeline import service as timeline
from records.visits import service as visits


@dataclass(frozen=True)
class Chart:
    """What a doctor sees.

    ``is_missing``: what was asked to be opened is not on this patient's timeline. ``may_release``: the opened report
    was made by the actor's own house, whose doctors decide when its patient sees it. ``corrections``: reports that
    changed after this hospital had read them, until somebody opens them again.
    """

    visit: visits.VisitContext
    person: health_card.Demographics
    access_until: datetime | None
    items: list[timeline.TimelineItem]
    has_older: bool
    corrections: list[news.CorrectionView]
    report: reports.ReportView | None = None
    study: StudyShown | None = None
    entry: entries.EntryView | None = None
    is_missing: bool = False
    may_release: bool = False


def open_chart(
    session: Session, actor: Actor, *, visit_id: UUID, before: UUID | None = None, open_id: UUID | None = None
) -> Chart:
    """The patient of an own visit, a page of the shared timeline, and at most one thing of it opened.

    :param before: the id of the last line of the page before.
    :param open_id: the report, study or entry to open. One of another patient is never shown under this one's name,
        even when the actor may see that patient too.
    :raises VisitNotFound: no such visit at the actor's hospital.
    :raises NothingShared: no grant in force.
    """
    visit = visits.get_visit(session, actor, visit_id)
    items = timeline.list_shared_timeline(session, actor, person_id=visit.person_id, before=before)
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
        report=report,
        study=show_study(images.get_study(session, actor, open_id)) if open_id and kind == "study" else None,
        entry=entries.get_entry(session, actor, open_id) if open_id and kind == "entry" else None,
        is_missing=open_id is not None and kind is None,
        may_release=report is not None and report.hospital_id == actor.hospital_id,
    )
