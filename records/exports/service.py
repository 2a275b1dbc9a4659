"""Exports of a person's records: asked for, taken further slice by slice, and downloaded for seven days."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from consent import service as consent
from core import audit, clock, outbox, storage
from core.actor import Actor, ActorKind
from core.errors import RateExceeded
from health_card import service as health_card
from health_card.service import NoticeKind
from records.documents import service as documents
from records.exports.models import ExportState, RecordExport, RecordExportPart
from records.exports.refusals import (
    ExportExpired,
    ExportHasEnded,
    ExportNotFound,
    ExportNotReady,
    ExportPersonNotFound,
    ExportUnderWay,
)

ASKED_TOPIC = "records.export_asked"
OVER_TOPIC = "records.export_over"
EXPIRED_TOPIC = "records.export_expired"
LIFE = timedelta(days=7)
MOST_A_DAY = 5
PAGE = 20

# What is collected, in this order; each name is a count of the export.
KINDS = ("visits", "reports", "studies", "accesses", "entries")


@dataclass(frozen=True)
class Step:
    """What comes next of an export. ``kind``: None when all is collected. ``actor``: who asked, reading now."""

    export_id: UUID
    actor: Actor
    person_id: UUID
    until: datetime
    number: int
    kind: str | None
    after: UUID | None


@dataclass(frozen=True)
class PartFile:
    """A slice that was collected, to be opened with ``storage.open_file``."""

    kind: str
    storage_key: str
    data_key: bytes


@dataclass(frozen=True)
class Collected:
    """What a slice holds: how many things, and where the next slice goes on (None: this was the last of its kind).

    ``documents``: the reports on paper that are in it, by id, with the SHA-256 of each file.
    """

    count: int
    after: UUID | None
    documents: tuple[tuple[UUID, bytes], ...] = ()


def ask_export(session: Session, actor: Actor, *, person_id: UUID | None = None) -> RecordExport:
    """Have everything collected that the login may read of a person, as it stands now; made in the background.

    :param person_id: the login's own person when left out.
    :raises ExportPersonNotFound: nobody whom the login may act for.
    :raises ExportUnderWay: one of this person is being made.
    :raises RateExceeded: the login has asked five times within 24 hours.
    """
    person_id = person_id or health_card.find_own_person_id(session, actor)
    if person_id is None or health_card.find_holding(session, actor, person_id) is None:
        raise ExportPersonNotFound
    records = sorted(session.scalars(health_card.same_person_ids(person_id)))
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"export/{records[0]}", 0))))
    running = select(RecordExport.id).where(
        RecordExport.person_id.in_(records), RecordExport.state == ExportState.RUNNING
    )
    if session.scalar(running.limit(1)):
        raise ExportUnderWay
    _check_not_too_often(session, actor)
    export = RecordExport(person_id=person_id, asked_by=actor.id, asked_at=clock.now())
    session.add(export)
    session.flush()
    outbox.announce(session, ASKED_TOPIC, {"export_id": str(export.id)})
    _record(session, actor, "asked", export)
    return export


def list_exports(session: Session, actor: Actor) -> list[RecordExport]:
    """What the login has asked for, newest first (at most 20), of persons whom it may still act for."""
    return list(session.scalars(_mine(actor).order_by(RecordExport.id.desc()).limit(PAGE)))


def cancel_export(session: Session, actor: Actor, *, export_id: UUID) -> RecordExport:
    """Stop collecting; what was collected is destroyed. Cancelled already: nothing changes.

    :raises ExportNotFound: none such of this login.
    :raises ExportHasEnded: it is not being made any more.
    """
    export = session.scalars(_mine(actor).where(RecordExport.id == export_id).with_for_update()).one_or_none()
    if export is None:
        raise ExportNotFound
    if export.state == ExportState.CANCELLED:
        return export
    if export.state != ExportState.RUNNING:
        raise ExportHasEnded
    _end(session, export, ExportState.CANCELLED)
    _record(session, actor, "cancelled", export)
    return export


def open_export(session: Session, actor: Actor, *, export_id: UUID) -> PartFile:
    """The file, for the login that asked for it, while it may act for the person. Every download is recorded.

    :raises ExportNotFound: none such of this login.
    :raises ExportNotReady: it is not made.
    :raises ExportExpired: it was made more than seven days ago.
    """
    export = session.scalars(_mine(actor).where(RecordExport.id == export_id)).one_or_none()
    if export is None:
        raise ExportNotFound
    if export.expires_at is None:
        raise ExportNotReady
    if export.data_key is None or export.expires_at <= clock.now():
        raise ExportExpired
    assert export.storage_key is not None
    consent.release(
        session, actor, person_id=export.person_id, action="records.export.read", of=("record_export", export.id)
    )
    return PartFile("archive", export.storage_key, export.data_key)


def find_step(session: Session, export_id: UUID) -> Step | None:
    """What is to be done next; None when nothing is: it is over."""
    export = session.get_one(RecordExport, export_id)
    if export.state != ExportState.RUNNING:
        return None
    last = session.scalars(_parts(export_id).order_by(RecordExportPart.number.desc()).limit(1)).one_or_none()
    kind: str | None = KINDS[0]
    if last is not None and last.is_last:
        later = KINDS[KINDS.index(last.kind) + 1 :]
        kind = later[0] if later else None
    elif last is not None:
        kind = last.kind
    return Step(
        export_id=export_id,
        actor=Actor(ActorKind.PATIENT, export.asked_by, frozenset()),
        person_id=export.person_id,
        until=export.asked_at,
        number=last.number + 1 if last else 0,
        kind=kind,
        after=last.after if last and not last.is_last else None,
    )


def record_part(session: Session, step: Step, *, collected: Collected, file: storage.Staged) -> None:
    """Keep a slice, unless somebody else has collected it, or the export is over: then it is thrown away.

    :param file: finished; it is kept when, and only when, the row names it.
    """
    assert step.kind is not None
    export = _lock_unchanged(session, step)
    if export is None:
        return
    setattr(export, step.kind, getattr(export, step.kind) + collected.count)
    for document_id, sha256 in collected.documents:
        documents.record_file(session, document_id=document_id, sha256=sha256)
    session.add(
        RecordExportPart(
            export_id=export.id,
            number=step.number,
            kind=step.kind,
            after=collected.after,
            is_last=collected.after is None,
            storage_key=storage.keep(file),
            data_key=file.wrapped_key,
            collected_at=clock.now(),
        )
    )


def list_parts(session: Session, export_id: UUID) -> list[PartFile]:
    """All slices, in the order in which they were collected."""
    found = session.scalars(_parts(export_id).order_by(RecordExportPart.number))
    return [PartFile(part.kind, part.storage_key, part.data_key) for part in found if part.data_key is not None]


def record_archive(session: Session, step: Step, *, file: storage.Staged) -> None:
    """The file is made: whoever asked is told, and may download it for seven days.

    :param file: finished; it is kept when, and only when, the row names it.
    """
    export = _lock_unchanged(session, step)
    if export is None:
        return
    held = health_card.find_holding(session, step.actor, export.person_id)
    if held is None:
        _end(session, export, ExportState.ENDED)
        return
    export.storage_key, export.data_key, export.size_bytes = storage.keep(file), file.wrapped_key, file.size_bytes
    export.expires_at = clock.now() + LIFE
    _end(session, export, ExportState.READY)
    consent.release(
        session,
        step.actor,
        person_id=export.person_id,
        action="records.export.made",
        of=("record_export", export.id),
        facts={kind: getattr(export, kind) for kind in KINDS},
    )
    outbox.announce(session, EXPIRED_TOPIC, {"export_id": str(export.id)}, due_at=export.expires_at)
    health_card.tell_person(
        session,
        person_id=export.person_id,
        kind=NoticeKind.EXPORT_READY,
        of=("record_export", export.id),
        own_only=held.is_self,
    )


def end_unheld(session: Session, step: Step) -> bool:
    """End an export whose asker may not act for the person any more; returns whether it did."""
    if health_card.find_holding(session, step.actor, step.person_id) is not None:
        return False
    export = _lock_unchanged(session, step)
    if export is not None:
        _end(session, export, ExportState.ENDED)
        _record(session, step.actor, "ended", export)
    return True


def destroy_parts(session: Session, export_id: UUID) -> list[str]:
    """Make the slices of an export that is over unreadable; returns where they lie, so that they can be removed."""
    export = session.scalars(select(RecordExport).where(RecordExport.id == export_id).with_for_update()).one()
    if export.state == ExportState.RUNNING:
        return []
    parts = session.scalars(_parts(export_id)).all()
    for part in parts:
        part.data_key = None
    return [part.storage_key for part in parts]


def expire_export(session: Session, export_id: UUID) -> str | None:
    """Make the file of an export unreadable when its time is over; returns where it lies, so that it can be removed."""
    export = session.scalars(select(RecordExport).where(RecordExport.id == export_id).with_for_update()).one()
    if export.expires_at is None or export.expires_at > clock.now():
        return None
    export.state, export.data_key = ExportState.EXPIRED.value, None
    return export.storage_key


def end_exports_of(session: Session, *, person_id: UUID) -> None:
    """End what is being made of a person's records, and make unreadable what is ready; the files leave the disk."""
    living = RecordExport.state.in_((ExportState.RUNNING, ExportState.READY))
    theirs = select(RecordExport).where(RecordExport.person_id.in_(health_card.same_person_ids(person_id)), living)
    for export in session.scalars(theirs.order_by(RecordExport.id).with_for_update()).all():
        if export.state == ExportState.RUNNING:
            _end(session, export, ExportState.ENDED)
        else:
            export.state, export.data_key, export.expires_at = ExportState.EXPIRED.value, None, clock.now()
            outbox.announce(session, EXPIRED_TOPIC, {"export_id": str(export.id)})


def _check_not_too_often(session: Session, actor: Actor) -> None:
    day = timedelta(days=1)
    recent = select(RecordExport.asked_at).where(
        RecordExport.asked_by == actor.id, RecordExport.asked_at > clock.now() - day
    )
    asked = session.scalars(recent.order_by(RecordExport.asked_at.desc()).limit(MOST_A_DAY)).all()
    if len(asked) == MOST_A_DAY:
        raise RateExceeded(max(1, round((asked[-1] + day - clock.now()).total_seconds())))


def _mine(actor: Actor) -> Select[tuple[RecordExport]]:
    held: ColumnElement[bool] = RecordExport.person_id.in_(health_card.held_person_ids(actor))
    return select(RecordExport).where(RecordExport.asked_by == actor.id, held)


def _parts(export_id: UUID) -> Select[tuple[RecordExportPart]]:
    return select(RecordExportPart).where(RecordExportPart.export_id == export_id)


def _lock_unchanged(session: Session, step: Step) -> RecordExport | None:
    """The export, locked, when it still runs and its next slice is still this one."""
    running = select(RecordExport).where(RecordExport.id == step.export_id, RecordExport.state == ExportState.RUNNING)
    export = session.scalars(running.with_for_update()).one_or_none()
    done = session.scalar(select(func.count()).select_from(_parts(step.export_id).subquery()))
    return export if done == step.number else None


def _end(session: Session, export: RecordExport, state: ExportState) -> None:
    export.state, export.ended_at = state.value, clock.now()
    outbox.announce(session, OVER_TOPIC, {"export_id": str(export.id)})


def _record(session: Session, actor: Actor, verb: str, export: RecordExport) -> None:
    of = ("record_export", export.id)
    audit.record_act(session, actor, f"records.export.{verb}", subject_id=export.person_id, of=of)
