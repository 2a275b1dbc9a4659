"""Reading one report: the same for the patient and for a doctor with whom it is shared."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, BinaryIO, NamedTuple
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from core import clock, statements, storage
from core.actor import Actor
from health_card import service as health_card
from records.items import service as items
from records.joining import service as joining
from records.refusals import AttachmentNotFound, ReportNotFound
from records.reports.authors import Author, list_authors
from records.reports.incoming import LOINC, IncomingObservation
from records.reports.models import Observation, Report, ReportAttachment, ReportCategory, ReportStatus
from records.reports.service.versions import Version, VersionView, list_versions
from records.timeline import service as timeline

_IS_CURRENT, _IS_VERSION = "report.is_current", "report.version = %(version)s"
# At every report that is read, hence by hand: one version with what stands around it.
_REPORT = """
{readable}
SELECT {fields}, ({hospital_name}) AS hospital_name, coalesce(special.is_held, false), special.sensitivity, ARRAY(
    SELECT jsonb_build_array(number, title, content_type, size_bytes) FROM report_attachments
    WHERE report_id = report.id AND report_version = report.version ORDER BY number
) AS attachments, {relation}
FROM reports report {joined} LEFT JOIN LATERAL ({restriction}) special ON true
WHERE report.id = %(report_id)s AND {wanted}{is_known}
"""
# Of its person alone: a hospital has many grants.
_READABLE = """
WITH readable AS (
    SELECT * FROM ({0}) AS each_one WHERE root_id = (
        SELECT root_id FROM persons WHERE id = (SELECT person_id FROM reports report WHERE id = %(report_id)s AND {1})
    )
)
"""
_LINES = statements.compose(
    """
SELECT position, {fields} FROM observations
WHERE report_id = %(report_id)s AND report_version = %(version)s ORDER BY position
""",
    fields=", ".join(IncomingObservation.__dataclass_fields__),
)
_COMPLETED = (ReportStatus.FINAL, ReportStatus.AMENDED, ReportStatus.CORRECTED)


@dataclass(frozen=True)
class ObservationView:
    """One line of a report; see ``models.Observation``. ``judgement``: what it means; the other fields are as sent."""

    position: int
    status: str
    code: str
    code_system: str
    name: str
    value: Decimal | None
    comparator: str | None
    text: str | None
    unit: str | None
    unit_code: str | None
    reference_low: Decimal | None
    reference_high: Decimal | None
    reference_text: str | None
    interpretation: str | None
    note: str | None
    component_count: int | None
    judgement: items.Judgement


@dataclass(frozen=True)
class AttachmentView:
    """A document inside a report. ``number`` counts from 1."""

    number: int
    title: str
    content_type: str
    size_bytes: int


@dataclass(frozen=True)
class AttachmentFile(AttachmentView):
    """Where the document lies, to be opened with ``storage.open_file``."""

    storage_key: str
    data_key: bytes


@dataclass(frozen=True)
class ReportView:
    """One version of a report, and what all its versions changed.

    ``performed_at``: when the specimen was taken or the examination done. ``is_held``: only for a hospital; the patient
    does not see it yet. ``studies``: its images, as far as the reader may see them; of ``get_report`` only.
    """

    id: UUID
    person_id: UUID
    hospital_id: UUID
    version: int
    status: str
    category: str
    code: str
    code_system: str
    name: str
    hospital_name: str
    performed_at: datetime
    issued_at: datetime | None
    conclusion: str | None
    observations: list[ObservationView]
    versions: list[VersionView]
    is_current: bool
    is_held: bool
    sensitivity: str | None
    attachments: list[AttachmentView]
    authors: list[Author]
    studies: tuple[joining.JoinedStudy, ...] = ()


@dataclass(frozen=True)
class ResultView:
    """A result that counts: where it stands and when it was performed, not what it says."""

    report_id: UUID
    report_version: int
    hospital_id: UUID
    performed_at: datetime


class _ReportRow(NamedTuple):
    """What ``_REPORT`` finds: first of the version itself, as ``models.Report`` has it."""

    version: int
    is_current: bool
    status: str
    issued_at: datetime | None
    filed_at: datetime
    conclusion: str | None
    id: UUID
    person_id: UUID
    hospital_id: UUID
    category: str
    code: str
    code_system: str
    name: str
    effective_at: datetime
    authors: dict[str, Any] | None
    accession_number: str | None
    study_instance_uid: str | None
    identifier_value: str
    hospital_name: str
    is_held: bool
    sensitivity: str | None
    attachments: list[list[Any]]
    relation: str | None


_OWN_FIELDS = _ReportRow._fields.index("hospital_name")


def get_report(
    session: Session,
    actor: Actor,
    report_id: UUID,
    *,
    version: int | None = None,
    action: str = "records.report.read",
    need: consent.Need | None = None,
) -> ReportView:
    """A report of a person whose records the actor may see now; leaves an access row. The patient has then seen it.

    :param version: an older one; None: the current one.
    :param action: what is done with it, for the access row; ``need``: what the grants have to allow for that.
    :raises ReportNotFound: none such for this actor.
    """
    report = _load(session, actor, report_id, version=version)
    _release(session, actor, report, action, need)
    timeline.mark_seen(session, actor, object_id=report.id, version=report.version)
    return replace(_show(session, report), studies=_list_studies(session, actor, report))


def list_history(
    session: Session, actor: Actor, *, person_id: UUID, until: datetime, after: UUID | None, limit: int
) -> list[ReportView]:
    """The reports of a person as they were at a time, in the order of their ids.

    The caller releases and records the read (``consent.release``); what the actor may not see is not among them.

    :param after: the id of the last report of the page before.
    """
    current = select(Report.id, Report.version, Report.filed_at).where(
        Report.person_id.in_(health_card.same_person_ids(person_id)),
        Report.is_current,
        consent.is_readable(actor, person_id=Report.person_id, object_id=Report.id),
    )
    if after is not None:
        current = current.where(Report.id > after)
    found = session.execute(current.order_by(Report.id).limit(limit)).tuples().all()
    then = [
        (report_id, version if filed_at <= until else _find_version(session, report_id, until))
        for report_id, version, filed_at in found
    ]
    return [show_version(session, report_id=one, version=version) for one, version in then if version is not None]


def open_attachment(
    session: Session, actor: Actor, report_id: UUID, number: int, *, version: int | None = None
) -> tuple[AttachmentView, BinaryIO]:
    """A document inside a report that the actor may see now; leaves an access row. The patient has then seen it.

    :param version: an older one; None: the current one.
    :raises ReportNotFound: no such report for this actor.
    :raises AttachmentNotFound: it has no document of this number.
    :raises FileDamaged: the file is missing, or not what was stored.
    """
    report = _load(session, actor, report_id, version=version)
    kept = session.get(ReportAttachment, (report.id, report.version, number))
    if kept is None:
        raise AttachmentNotFound
    _release(session, actor, report, "records.attachment.read", None, number=number)
    timeline.mark_seen(session, actor, object_id=report.id, version=report.version)
    view = AttachmentView(kept.number, kept.title, kept.content_type, kept.size_bytes)
    return view, storage.open_file(kept.storage_key, kept.data_key)


def list_attachment_files(session: Session, report: ReportView) -> list[AttachmentFile]:
    """The documents inside a version that the caller has read and recorded the read of."""
    kept = session.scalars(
        select(ReportAttachment)
        .where(ReportAttachment.report_id == report.id, ReportAttachment.report_version == report.version)
        .order_by(ReportAttachment.number)
    )
    return [
        AttachmentFile(each.number, each.title, each.content_type, each.size_bytes, each.storage_key, each.data_key)
        for each in kept
    ]


def list_results(
    session: Session, actor: Actor, *, person_id: UUID, code: str, since: datetime, code_system: str = LOINC
) -> list[ResultView]:
    """Completed results of one item, newest first: final (also after an amendment or correction), with a value.

    The caller releases and records the read (``consent.release``); persons whom the actor may not see have none.

    :param since: performed at this time or later.
    """
    rows = session.execute(
        select(Report.id, Report.version, Report.hospital_id, Report.effective_at)
        .join(Observation, and_(Observation.report_id == Report.id, Observation.report_version == Report.version))
        .where(Report.is_current, Report.effective_at >= since)
        .where(Report.person_id.in_(health_card.same_person_ids(person_id)))
        .where(
            consent.is_readable(actor, person_id=Report.person_id, object_id=Report.id), Report.status.in_(_COMPLETED)
        )
        .where(Observation.code == code, Observation.code_system == code_system)
        .where(Observation.status.in_(_COMPLETED), or_(Observation.value.is_not(None), Observation.text.is_not(None)))
        .order_by(Report.effective_at.desc(), Report.id.desc())
        .distinct()
    )
    return [ResultView(*row) for row in rows]


def list_texts(
    session: Session, actor: Actor, *, person_id: UUID, codes: tuple[str, ...], code_system: str = LOINC
) -> list[tuple[str, str]]:
    """Code and text of the current textual results of these items of a person, as far as the actor may see them.

    The caller releases and records the read (``consent.release``).
    """
    rows = session.execute(
        select(Observation.code, Observation.text)
        .join(Report, and_(Observation.report_id == Report.id, Observation.report_version == Report.version))
        .where(Report.is_current, Report.person_id.in_(health_card.same_person_ids(person_id)))
        .where(Report.status.in_(_COMPLETED), Observation.status.in_(_COMPLETED))
        .where(consent.is_readable(actor, person_id=Report.person_id, object_id=Report.id))
        .where(Observation.code_system == code_system, Observation.code.in_(codes), Observation.text.is_not(None))
        .order_by(Report.effective_at, Report.id, Observation.position)
    )
    return [(code, text) for code, text in rows.tuples() if text is not None]


def _load(session: Session, actor: Actor, report_id: UUID, *, version: int | None = None) -> _ReportRow:
    statement = _report_statement(consent.gate_of(actor), _IS_CURRENT if version is None else _IS_VERSION)
    row = statements.run(session, statement, {**_asking(report_id, version), **consent.gate_values(actor)})
    if row is None:
        raise ReportNotFound
    return _ReportRow(*row)


def _release(
    session: Session, actor: Actor, report: _ReportRow, action: str, need: consent.Need | None, **facts: int
) -> None:
    of, facts = ("report", report.id), {"version": report.version, **facts}
    if report.relation is None:
        consent.release(session, actor, person_id=report.person_id, action=action, of=of, facts=facts, need=need)
        return
    consent.record_reading(
        session, actor, person_id=report.person_id, relation=report.relation, action=action, of=of, facts=facts
    )


def show_version(session: Session, *, report_id: UUID, version: int) -> ReportView:
    """What one version says. The caller has decided who may read it."""
    row = statements.run(
        session, _report_statement(None, _IS_VERSION), {**_asking(report_id, version), "now": clock.now()}
    )
    assert row is not None
    return _show(session, _ReportRow(*row))


def _show(session: Session, report: _ReportRow) -> ReportView:
    return ReportView(
        id=report.id,
        person_id=report.person_id,
        hospital_id=report.hospital_id,
        version=report.version,
        status=report.status,
        category=report.category,
        code=report.code,
        code_system=report.code_system,
        name=report.name,
        hospital_name=report.hospital_name,
        performed_at=report.effective_at,
        issued_at=report.issued_at,
        conclusion=report.conclusion,
        observations=_list_observations(session, report),
        versions=list_versions(session, report.id, known=_version_of(report)),
        is_current=report.is_current,
        is_held=report.is_held,
        sensitivity=report.sensitivity,
        attachments=[AttachmentView(*line) for line in report.attachments],
        authors=list_authors(report.authors),
    )


def _list_studies(session: Session, actor: Actor, report: _ReportRow) -> tuple[joining.JoinedStudy, ...]:
    # Asked here as well: most reports are a laboratory's, which have no images.
    if report.category == ReportCategory.LABORATORY:
        return ()
    said = report.accession_number, report.study_instance_uid
    number, study_uid = said if any(said) else (report.identifier_value, None)
    examination = joining.Examination(report.hospital_id, report.person_id, number, study_uid)
    return tuple(joining.list_studies(session, actor, examination))


def _version_of(row: _ReportRow) -> Version:
    return Version(row.version, row.is_current, row.status, row.issued_at, row.filed_at, row.conclusion, row.authors)


@cache
def _report_statement(gate: consent.Gate | None, wanted: str) -> str:
    """One version of a report.

    :param gate: through which it is read; None: it is decided already.
    :param wanted: ``_IS_CURRENT`` or ``_IS_VERSION``.
    """
    return statements.compose(
        _REPORT,
        fields=", ".join(f"report.{name}" for name in _ReportRow._fields[:_OWN_FIELDS]),
        readable=_READABLE.format(gate.readable, wanted) if gate else "",
        relation="readable.relation" if gate else "NULL",
        joined="JOIN readable ON readable.id = report.person_id" if gate else "",
        wanted=wanted,
        is_known=f" AND {gate.is_known.format('report.id')}" if gate else "",
        hospital_name=accounts.HOSPITAL_NAME.format("report.hospital_id"),
        restriction=consent.RESTRICTION.format("report.id"),
    )


def _asking(report_id: UUID, version: int | None) -> dict[str, Any]:
    return {"report_id": report_id, "version": version}


def _list_observations(session: Session, report: _ReportRow) -> list[ObservationView]:
    asked = _asking(report.id, report.version)
    rows = statements.list_rows(session, _LINES, asked)
    lines = [IncomingObservation(*row[1:]) for row in rows]
    results = [items.Result(report.hospital_id, report.effective_at, line) for line in lines]
    judgements = items.judge(session, person_id=report.person_id, results=results)
    return [
        ObservationView(position=row[0], judgement=judgement, **vars(line))
        for row, line, judgement in zip(rows, lines, judgements, strict=True)
    ]


def _find_version(session: Session, report_id: UUID, until: datetime) -> int | None:
    earlier = select(Report.version).where(Report.id == report_id, Report.filed_at <= until)
    return session.scalar(earlier.order_by(Report.version.desc()).limit(1))
