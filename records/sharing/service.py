"""What an opened link shows, decided anew at every look."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from consent.links import service as links
from core import clock
from core.actor import Actor
from core.pages import city_time
from health_card import service as health_card
from records.entries import service as entries
from records.fhir import summary
from records.fhir.presenting import Resource
from records.images import service as images
from records.reports import service as reports
from records.sharing import encrypting
from records.timeline import service as timeline
from records.trends import service as trends
from records.viewing import service as viewing

_SUMMARY_TYPES = frozenset(
    {
        "Condition",
        "AllergyIntolerance",
        "MedicationRequest",
        "Immunization",
        "Observation",
        "DiagnosticReport",
        "Procedure",
    }
)


@dataclass(frozen=True)
class SharedPage:
    """A page of what is shared, and at most one thing of it opened.

    ``is_missing``: what was to be opened is not part of what is shared.
    """

    shared: links.SharedBy
    person: health_card.Demographics
    items: list[timeline.TimelineItem]
    has_older: bool
    report: reports.ReportView | None = None
    study: images.StudyView | None = None
    entry: entries.EntryView | None = None
    trend: trends.Trend | None = None
    is_missing: bool = False


@dataclass(frozen=True)
class Manifest:
    """What a program gets that opens a link. One of both: the encrypted file, or a secret to fetch it by."""

    made_at: datetime
    embedded: str | None
    promise: str | None


def open_page(
    session: Session,
    actor: Actor,
    *,
    open_id: UUID | None = None,
    item: str | None = None,
    trend_before: tuple[UUID, int] | None = None,
    before: UUID | None = None,
) -> SharedPage:
    """What is shared, newest first; each look stands in the owner's access log.

    :param open_id: a report, study or entry; ``item``: one item over time instead, by its code.
    :param before: the id of the last line of the page before.
    :raises ShareOpeningEnded: nothing any more.
    :raises NothingShared: the grant has ended at this moment.
    """
    shared = links.get_shared(session, actor)
    person_id = shared.person_id
    items = timeline.list_shared_timeline(session, actor, person_id=person_id, before=before)
    kind = timeline.find_kind(session, actor, person_id=person_id, object_id=open_id) if open_id else None
    return SharedPage(
        shared=shared,
        person=health_card.get_demographics(session, person_id, masked=False),
        items=items,
        has_older=len(items) == timeline.PAGE,
        report=reports.get_report(session, actor, open_id) if open_id and kind == "report" else None,
        study=images.get_study(session, actor, open_id) if open_id and kind == "study" else None,
        entry=entries.get_entry(session, actor, open_id) if open_id and kind == "entry" else None,
        trend=trends.read_trend(session, actor, person_id=person_id, item=item, before=trend_before) if item else None,
        is_missing=open_id is not None and kind is None,
    )


def read_study(session: Session, actor: Actor, *, study_id: UUID) -> viewing.Viewing:
    """A study for the viewer, with a mark over its pictures that says for whom it was shared.

    :raises ShareOpeningEnded, ImageNotFound: as they say.
    """
    shared = links.get_shared(session, actor)
    mark = f"仅供 {shared.recipient} 查看 {city_time(clock.now())}"
    return replace(viewing.read_study(session, actor, study_id=study_id), reader=mark)


def read_manifest(session: Session, opened: links.Opened, *, base_url: str, embed_up_to: int | None) -> Manifest:
    """The patient summary of what is shared, as an encrypted file: in the answer when it is short enough for the one
    who asks, otherwise to be fetched once.

    :param embed_up_to: characters; None: it is fetched.
    """
    now = clock.now()
    if embed_up_to:
        written = _write_file(session, opened.actor, opened.person_id, opened.file_key, base_url=base_url)
        if len(written) <= embed_up_to:
            return Manifest(now, written, None)
    return Manifest(now, None, links.promise_file(session, opened))


def read_file(session: Session, *, token: str, base_url: str) -> str:
    """The file that was promised, as it is now.

    :raises ShareLinkClosed: unknown, fetched before, too old, or not shared any more.
    """
    right = links.take_file(session, token=token)
    return _write_file(session, right.actor, right.person_id, right.file_key, base_url=base_url)


def _write_file(session: Session, actor: Actor, person_id: UUID, file_key: bytes, *, base_url: str) -> str:
    document: Resource = summary.compose_summary(session, actor, str(person_id), _SUMMARY_TYPES, base_url=base_url)
    return encrypting.encrypt(document, file_key)
