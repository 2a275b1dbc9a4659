"""Telling of reports: the patient of new ones, and of a changed one whoever has read what it said before."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from core import audit, clock
from core.actor import SYSTEM, Actor, ActorKind
from core.audit import AuditEntry
from core.ids import new_id
from health_card import service as health_card
from health_card.service import NoticeKind
from records.news.models import ReportCorrection
from records.news.refusals import CorrectionNotFound
from records.reports import service as reports
from records.reports.service import VersionFacts
from records.visits import service as visits

# So many reports come together when a laboratory releases a morning's work: one notice for all of them.
FOLD_WITHIN = timedelta(minutes=10)
# A look that was under way while the change was filed has left its row after this time.
SETTLED_AFTER = timedelta(seconds=5)
PAGE = 30

# What is in the audit trail as a look at a report, by whatever way it was read.
_LOOKS = ("records.report.%", "records.attachment.read")
_NO_LOOKS = ("records.report.filed",)


@dataclass(frozen=True)
class CorrectionView:
    """A report changed after the actor's hospital had read it; not a word of what it says.

    ``person_name``: masked. ``hospital_name``: whose report it is. ``visit_id``: the visit at the actor's hospital
    under which it was read, as far as that is known. ``read_by``: the actor's colleagues who had read what it said
    before; ``seen_by``: who took note.
    """

    id: UUID
    report_id: UUID
    person_name: str
    patient_number: str | None
    visit_id: UUID | None
    hospital_name: str
    category: str
    status: str
    performed_at: datetime
    report_version: int
    read_version: int
    read_at: datetime
    read_by: list[str]
    noted_at: datetime
    seen_at: datetime | None
    seen_by: str | None


@dataclass(frozen=True)
class _Looks:
    """``hospital_id``: None for the patient and those who act for him."""

    hospital_id: UUID | None
    version: int
    at: datetime


def find_settling_seconds(session: Session, *, report_id: UUID, version: int) -> int:
    """How long to wait before ``tell_of_version``: until no look at the version before can be under way; or 0."""
    told = reports.get_version_facts(session, report_id=report_id, version=version)
    left = (told.filed_at + SETTLED_AFTER - clock.now()).total_seconds() if told.is_change else 0
    return max(0, -int(-left // 1))


def tell_of_version(session: Session, *, report_id: UUID, version: int) -> None:
    """Tell the patient of a new report; of a changed one, when anybody had read it, him and the hospitals that had.

    Several new reports of one hospital within ten minutes are told once. Done again, it changes nothing.
    """
    told = reports.get_version_facts(session, report_id=report_id, version=version)
    is_released = consent.is_released(session, told.report_id)
    if told.is_change:
        _tell_readers(session, told, is_released=is_released)
    elif is_released and not told.is_withdrawn:
        _tell_of_new(session, [told])


def tell_of_new(session: Session, *, report_ids: Collection[UUID]) -> None:
    """As ``tell_of_version``, for the first versions of many reports."""
    told = reports.list_version_facts(session, {(report_id, 1) for report_id in report_ids})
    held = consent.list_restrictions(session, object_ids=set(report_ids))
    _tell_of_new(
        session,
        [each for (id_, _), each in told.items() if not each.is_withdrawn and not (id_ in held and held[id_].is_held)],
    )


def tell_of_release(session: Session, *, object_id: UUID) -> None:
    """Tell the patient of a report that was held back and is open to him now; of other things nothing is told."""
    if not reports.is_report(session, report_id=object_id) or not consent.is_released(session, object_id):
        return
    version, _ = reports.get_current_version(session, report_id=object_id)
    told = reports.get_version_facts(session, report_id=object_id, version=version)
    if not told.is_withdrawn:
        _tell_of_new(session, [told])


def list_corrections(
    session: Session,
    actor: Actor,
    *,
    before: UUID | None = None,
    is_seen: bool | None = None,
    since: date | None = None,
    until: date | None = None,
    limit: int = PAGE,
) -> list[CorrectionView]:
    """Reports that changed after the actor's hospital had read them, newest first.

    :param before: the id of the last line of the page before.
    :param is_seen: only those that somebody has taken note of, or only those that nobody has.
    :param since: noted on this day of the city or later; ``until``: or before.
    """
    page = _of_house(actor)
    if is_seen is not None:
        page = page.where(ReportCorrection.seen_at.is_not(None) if is_seen else ReportCorrection.seen_at.is_(None))
    start, end = clock.bounds_of_days(since, until)
    if start is not None:
        page = page.where(ReportCorrection.noted_at >= start)
    if end is not None:
        page = page.where(ReportCorrection.noted_at < end)
    if before is not None:
        page = page.where(ReportCorrection.id < before)
    found = session.scalars(page.order_by(ReportCorrection.id.desc()).limit(limit)).all()
    audit.record_act(session, actor, "records.correction.listed", facts={"lines": len(found)})
    return _show(session, actor, found)


def list_unseen_of(session: Session, actor: Actor, *, person_id: UUID) -> list[CorrectionView]:
    """Of one patient those that nobody of the actor's hospital has noted yet, as far as the actor may see the reports;
    the caller has released the person.
    """
    mine = _of_house(actor).where(
        ReportCorrection.person_id.in_(health_card.same_person_ids(person_id)),
        ReportCorrection.seen_at.is_(None),
        consent.is_readable(actor, person_id=ReportCorrection.person_id, object_id=ReportCorrection.report_id),
    )
    return _show(session, actor, session.scalars(mine.order_by(ReportCorrection.id.desc()).limit(PAGE)).all())


def see_correction(session: Session, actor: Actor, *, correction_id: UUID) -> CorrectionView:
    """Somebody of the hospital has taken note. Again: nothing changes.

    :raises CorrectionNotFound: none such of the actor's hospital.
    """
    wanted = _of_house(actor).where(ReportCorrection.id == correction_id).with_for_update()
    correction = session.scalars(wanted).one_or_none()
    if correction is None:
        raise CorrectionNotFound
    if correction.seen_at is None:
        correction.seen_at, correction.seen_by = clock.now(), actor.id
        _record_seen(session, actor, correction.person_id, correction.report_id)
    return _show(session, actor, [correction])[0]


def see_report(session: Session, actor: Actor, *, report_id: UUID) -> None:
    """The hospital has read the report as it is now: what was noted of its changes is seen."""
    now_seen = (
        update(ReportCorrection)
        .where(
            ReportCorrection.report_id == report_id,
            ReportCorrection.hospital_id == actor.house_id,
            ReportCorrection.seen_at.is_(None),
        )
        .values(seen_at=clock.now(), seen_by=actor.id)
        .returning(ReportCorrection.person_id)
    )
    for person_id in set(session.scalars(now_seen)):
        _record_seen(session, actor, person_id, report_id)


def _tell_of_new(session: Session, told: Sequence[VersionFacts]) -> None:
    own_only = _find_own_only(session, {each.report_id for each in told})
    news = [
        health_card.News(
            person_id=each.person_id,
            hospital_id=each.hospital_id,
            of=("report", each.report_id),
            facts={"version": each.version},
            key=_key(each, NoticeKind.REPORT_NEW),
            own_only=each.report_id in own_only,
        )
        for each in told
    ]
    health_card.tell_of_many(session, kind=NoticeKind.REPORT_NEW, news=news, within=FOLD_WITHIN)


def _find_own_only(session: Session, report_ids: set[UUID]) -> set[UUID]:
    """Who acts for the person is told nothing of what he may not see: hidden from him, or of a sensitive kind."""
    restricted = consent.list_restrictions(session, object_ids=report_ids)
    sensitive = {report_id for report_id, known in restricted.items() if known.sensitivity}
    return sensitive | consent.find_hidden(session, object_ids=report_ids)


def _tell_readers(session: Session, told: VersionFacts, *, is_released: bool) -> None:
    looks = _list_looks(session, told)
    if not looks:
        return
    if is_released:
        health_card.tell_person(
            session,
            person_id=told.person_id,
            kind=NoticeKind.REPORT_AMENDED,
            facts={"version": told.version},
            hospital_id=told.hospital_id,
            of=("report", told.report_id),
            key=_key(told, NoticeKind.REPORT_AMENDED),
            own_only=bool(_find_own_only(session, {told.report_id})),
        )
    for look in looks:
        if look.hospital_id is not None:
            _note(session, told, look)


def _key(told: VersionFacts, kind: NoticeKind) -> str:
    return f"{kind}:{told.report_id}:{told.version}"


def _list_looks(session: Session, told: VersionFacts) -> list[_Looks]:
    """Who has read an earlier version, and which one last: one line a hospital, and one for the patient's side."""
    version = AuditEntry.facts["version"].as_integer()
    looked = (
        select(AuditEntry.hospital_id, func.max(version), func.max(AuditEntry.at))
        .where(
            AuditEntry.subject_id.in_(health_card.same_person_ids(told.person_id)),
            AuditEntry.object_id == told.report_id,
            _is_look(),
            # Who holds a share link is of no hospital, and not the patient.
            AuditEntry.actor_kind.not_in([ActorKind.SYSTEM, ActorKind.LINK]),
            version < told.version,
        )
        .group_by(AuditEntry.hospital_id)
    )
    return [_Looks(*row) for row in session.execute(looked).tuples()]


def _list_readers(session: Session, actor: Actor, found: Sequence[ReportCorrection]) -> dict[UUID, set[UUID]]:
    """By correction the staff of the actor's hospital who had read the report as it was before."""
    readers: dict[UUID, set[UUID]] = {each.id: set() for each in found}
    if not found:
        return readers
    version = AuditEntry.facts["version"].as_integer()
    looked = select(AuditEntry.object_id, version, AuditEntry.actor_id).where(
        AuditEntry.subject_id.in_({each.person_id for each in found}),
        AuditEntry.object_id.in_({each.report_id for each in found}),
        AuditEntry.hospital_id == actor.house_id,
        AuditEntry.actor_kind == ActorKind.STAFF,
        _is_look(),
    )
    for report_id, read_version, reader_id in session.execute(looked.distinct()).tuples():
        for each in found:
            if each.report_id == report_id and read_version is not None and read_version < each.report_version:
                readers[each.id].add(reader_id)
    return readers


def _is_look() -> ColumnElement[bool]:
    looks = or_(*(AuditEntry.action.like(look) for look in _LOOKS))
    return and_(looks, AuditEntry.action.not_in(_NO_LOOKS))


def _note(session: Session, told: VersionFacts, look: _Looks) -> None:
    noted = (
        insert(ReportCorrection)
        .values(
            id=new_id(),
            report_id=told.report_id,
            report_version=told.version,
            read_version=look.version,
            read_at=look.at,
            hospital_id=look.hospital_id,
            person_id=told.person_id,
            noted_at=clock.now(),
        )
        .on_conflict_do_nothing()
        .returning(ReportCorrection.id)
    )
    if session.scalar(noted) is not None:
        facts = {"version": told.version, "reader": str(look.hospital_id)}
        of = ("report", told.report_id)
        audit.record_act(session, SYSTEM, "records.correction.noted", subject_id=told.person_id, of=of, facts=facts)


def _of_house(actor: Actor) -> Select[tuple[ReportCorrection]]:
    return select(ReportCorrection).where(ReportCorrection.hospital_id == actor.house_id)


def _record_seen(session: Session, actor: Actor, person_id: UUID, report_id: UUID) -> None:
    audit.record_act(session, actor, "records.correction.seen", subject_id=person_id, of=("report", report_id))


def _show(session: Session, actor: Actor, found: Sequence[ReportCorrection]) -> list[CorrectionView]:
    facts = reports.list_version_facts(session, {(each.report_id, each.report_version) for each in found})
    hospitals = accounts.list_hospitals(session, {each.hospital_id for each in facts.values()})
    readers = _list_readers(session, actor, found)
    staff = {id_ for each in found for id_ in (*readers[each.id], each.seen_by) if id_ is not None}
    called = accounts.describe_actors(session, {(str(ActorKind.STAFF), id_) for id_ in staff})
    names = {id_: health_card.get_demographics(session, id_).name for id_ in {each.person_id for each in found}}
    return [
        CorrectionView(
            id=each.id,
            report_id=each.report_id,
            person_name=names[each.person_id],
            patient_number=health_card.get_patient_number(session, actor, each.person_id),
            visit_id=visits.find_latest_visit_id(session, actor, person_id=each.person_id, at=each.read_at),
            hospital_name=hospitals[of.hospital_id].name,
            category=of.category,
            status=of.status,
            performed_at=of.performed_at,
            report_version=each.report_version,
            read_version=each.read_version,
            read_at=each.read_at,
            read_by=sorted({called[reader] for reader in readers[each.id]}),
            noted_at=each.noted_at,
            seen_at=each.seen_at,
            seen_by=called[each.seen_by] if each.seen_by else None,
        )
        for each in found
        for of in [facts[each.report_id, each.report_version]]
    ]
