"""Taking in what the objects of a study say in words: as reports of its person, and as key images."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import pydicom
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from core import audit
from core.actor import Actor, ActorKind
from core.errors import Refusal
from health_card import service as health_card
from records.dicomsr.refusals import DocumentNotUnderstood
from records.dicomsr.reports import Document, name_uid, read_report
from records.dicomsr.selections import read_selection
from records.images import documents
from records.images import service as images
from records.images.dicom import quietly
from records.images.models import Instance, Series, Study
from records.intake import service as intake
from records.intake.models import InboundMessage
from records.intake.service import Arrival
from records.intake.subjects import Assignment, Subject
from records.refusals import StudyOfAnotherPerson
from records.reports import service as reports
from records.reports.incoming import Incoming, IncomingReport
from records.reports.models import Report, ReportStatus
from records.reports.refusals import ReportOutdated
from records.reports.service import FiledReport

CHANNEL = "dicom"
CONTENT_TYPE = "application/dicom"

_FINAL = {ReportStatus.FINAL.value, ReportStatus.AMENDED.value, ReportStatus.CORRECTED.value}

Read = TypeVar("Read")


@dataclass(frozen=True)
class Arrived:
    """An instance that says something in words, with its study and whose that is. ``actor``: the house that sent it."""

    instance_id: UUID
    sop_class_uid: str
    sop_instance_uid: str
    study_id: UUID
    study_instance_uid: str
    person_id: UUID
    studied_at: datetime
    actor: Actor
    size_bytes: int
    storage_key: str
    data_key: bytes
    is_archived: bool


def find_arrived(session: Session, instance_id: UUID) -> Arrived | None:
    """The instance, when it is one that is read."""
    return _find(session, Instance.id == instance_id)


def file_document(session: Session, arrived: Arrived, *, body: bytes, assigned: Assignment | None = None) -> None:
    """File what an instance says. Done again, nothing changes.

    A report goes the way of every report: versions, release, quarantine. Whose it is was decided when the instance was
    filed, by its study. What takes the place of earlier documents is the next version of their report.

    :param body: the file.
    :param assigned: whom somebody of the hospital has named since it was set aside.
    :raises DocumentNotUnderstood: see there; kept in quarantine, as is what ``reports.file_reports`` refuses.
    :raises StudyOfAnotherPerson: it was assigned to somebody else than its study; kept in quarantine.
    :raises MessageDismissed: the hospital has dismissed this very document.
    """
    actor = arrived.actor
    arrival = Arrival(CHANNEL, body, CONTENT_TYPE, arrived.sop_instance_uid)
    repeat = intake.find_repeat(session, actor, arrival)
    # Two documents of a study of which one takes the other's place are taken in one after the other.
    images.hold_study(session, actor, arrived.study_instance_uid)
    if assigned and not health_card.is_same_person(session, assigned.person_id, arrived.person_id):
        raise _set_aside(session, actor, arrival, StudyOfAnotherPerson())
    try:
        if arrived.sop_class_uid == documents.KEY_SELECTION:
            _file_selection(session, arrived, body)
            return
        document = _read(body, lambda found: _read_document(found, arrived))
        report = _follow(session, actor, document)
        if repeat is None:
            _check_not_replaced(session, actor, arrived)
    except (DocumentNotUnderstood, ReportOutdated) as refusal:
        raise _set_aside(session, actor, arrival, refusal) from None
    reports.file_reports(
        session,
        actor,
        incoming=Incoming(Subject(assigned=Assignment(arrived.person_id, is_confirmed=True)), None, (report,)),
        arrival=arrival,
        answer=_answer,
    )


def refile_document(
    session: Session, actor: Actor, *, body: bytes, sop_instance_uid: str, assigned: Assignment | None
) -> None:
    """File a document that waited in quarantine. :raises Refusal: what ``file_document`` raises."""
    arrived = _find(session, (Instance.hospital_id == actor.house_id) & (Instance.sop_instance_uid == sop_instance_uid))
    # Its instance was filed before it was set aside, and stays.
    assert arrived is not None
    file_document(session, replace(arrived, actor=actor), body=body, assigned=assigned)


def _find(session: Session, which: ColumnElement[bool]) -> Arrived | None:
    asked = (
        select(Instance, Study)
        .join(Series, Series.id == Instance.series_id)
        .join(Study, Study.id == Series.study_id)
        .where(which, Instance.sop_class_uid.in_(documents.CLASSES))
    )
    found = session.execute(asked).tuples().one_or_none()
    if found is None:
        return None
    instance, study = found
    return Arrived(
        instance_id=instance.id,
        sop_class_uid=instance.sop_class_uid,
        sop_instance_uid=instance.sop_instance_uid,
        study_id=study.id,
        study_instance_uid=study.study_instance_uid,
        person_id=study.person_id,
        studied_at=study.studied_at,
        actor=Actor(ActorKind.MACHINE, study.hospital_id, frozenset(), hospital_id=study.hospital_id),
        size_bytes=instance.size_bytes,
        storage_key=instance.storage_key,
        data_key=instance.data_key,
        is_archived=instance.is_archived,
    )


def _file_selection(session: Session, arrived: Arrived, body: bytes) -> None:
    said = _read(body, read_selection)
    images.keep_selection(session, arrived.instance_id, **vars(said))
    audit.record_act(
        session,
        arrived.actor,
        "records.key_images.filed",
        subject_id=arrived.person_id,
        of=("study", arrived.study_id),
        facts={"images": len(said.images)},
    )


def _read(body: bytes, reader: Callable[[pydicom.Dataset], Read]) -> Read:
    try:
        with quietly():
            return reader(pydicom.dcmread(io.BytesIO(body)))
    except Refusal:
        raise
    except Exception:
        # What a broken file makes the parser raise is anything at all, and its text may quote the file.
        raise DocumentNotUnderstood("it is broken") from None


def _read_document(found: pydicom.Dataset, arrived: Arrived) -> Document:
    return read_report(found, sop_class_uid=arrived.sop_class_uid, studied_at=arrived.studied_at)


def _set_aside(session: Session, actor: Actor, arrival: Arrival, refusal: Refusal) -> Refusal:
    intake.quarantine(session, actor, arrival, reason=refusal.code)
    return refusal


def _follow(session: Session, actor: Actor, document: Document) -> IncomingReport:
    """As the next version of the report whose place it takes; of one that is not here it bears the name."""
    report = document.report
    for uid in document.predecessors:
        earlier = _find_report(session, actor, uid)
        if earlier is not None:
            is_correction = report.status == ReportStatus.FINAL and earlier.status in _FINAL
            status = ReportStatus.CORRECTED.value if is_correction else report.status
            identifier = earlier.identifier_system, earlier.identifier_value
            return replace(report, identifier=identifier, status=status)
    return replace(report, identifier=name_uid(document.predecessors[0])) if document.predecessors else report


def _find_report(session: Session, actor: Actor, sop_instance_uid: str) -> Report | None:
    """The report, as it is now, that a document became or became a version of."""
    reply = session.scalar(
        select(InboundMessage.reply).filter_by(
            hospital_id=actor.house_id, channel=CHANNEL, message_key=sop_instance_uid, state="accepted"
        )
    )
    if reply is None:
        return None
    return session.scalars(select(Report).where(Report.id == json.loads(reply)["report_id"], Report.is_current)).one()


def _check_not_replaced(session: Session, actor: Actor, arrived: Arrived) -> None:
    """A report of this name without this document is of one that takes its place, and came first."""
    system, value = name_uid(arrived.sop_instance_uid)
    named = select(Report.id).filter_by(
        hospital_id=actor.house_id, identifier_system=system, identifier_value=value, is_current=True
    )
    if session.scalar(named) is not None:
        raise ReportOutdated


def _answer(filed: list[FiledReport]) -> str:
    return json.dumps({"report_id": str(filed[0].report_id), "version": filed[0].version})
