"""Marks of hospitals and devices, samples and their scores, and the figure that recognition needs."""

import secrets
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit, clock
from core.actor import Actor
from records.images.models import Study
from records.quality.checking import check_study
from records.quality.models import CheckedSeries, QualityFinding, QualitySample
from records.quality.refusals import SampleDrawn, SampleEmpty, SampleNotFound, SampleScored

__all__ = [
    "DeviceMark",
    "Finding",
    "Passed",
    "Sample",
    "check_study",
    "draw_sample",
    "get_month",
    "list_findings",
    "list_marks",
    "list_samples",
    "passed_on",
    "score_sample",
]

# A department passes on a day when, over so many days up to it, this share of its series is without a finding ...
PASSING_DAYS = 30
PASSING_SHARE = 0.95
# ... and of the newest sample of the year before that is wholly scored, this share is good (A or B).
GOOD_GRADES = ("A", "B")
PASSING_GOOD = 0.9
SAMPLE_DAYS = 366
MOST_MARKS = 500


@dataclass(frozen=True)
class DeviceMark:
    """One device on one day: how many of its series have a finding."""

    hospital_id: UUID
    hospital_name: str
    studied_on: date
    modality: str
    department: str | None
    station: str | None
    manufacturer: str | None
    series: int
    flagged: int


@dataclass(frozen=True)
class Finding:
    """What was found of a study, a series or an instance."""

    level: str
    object_id: UUID
    code: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Sample:
    """A study that was drawn, without its patient: it is looked at in the hospital's own PACS."""

    id: UUID
    hospital_name: str
    modality: str
    month: date
    study_instance_uid: str
    accession_number: str | None
    findings: list[str]
    grade: str | None
    fault: str | None


@dataclass(frozen=True)
class Passed:
    """Whether a hospital's department for a modality had passed quality control on a day, and by what figures.

    ``sampled`` and ``good``: of the newest wholly scored sample; 0 without one, and then it has not passed.
    """

    series: int
    flagged: int
    sampled: int
    good: int

    @property
    def has_passed(self) -> bool:
        is_clean = self.series > 0 and self.series - self.flagged >= PASSING_SHARE * self.series
        return is_clean and self.sampled > 0 and self.good >= PASSING_GOOD * self.sampled


def list_marks(session: Session, *, since: date, until: date, hospital_id: UUID | None = None) -> list[DeviceMark]:
    """The marks of the devices of all hospitals, or of one, newest day first; both days included; at most 500."""
    grouped = (
        CheckedSeries.hospital_id,
        CheckedSeries.studied_on,
        CheckedSeries.modality,
        CheckedSeries.department,
        CheckedSeries.station,
        CheckedSeries.manufacturer,
    )
    asked = (
        select(*grouped, func.count(), func.count().filter(_is_flagged()))
        .where(CheckedSeries.studied_on.between(since, until))
        .group_by(*grouped)
        .order_by(CheckedSeries.studied_on.desc(), *grouped)
        .limit(MOST_MARKS)
    )
    if hospital_id is not None:
        asked = asked.where(CheckedSeries.hospital_id == hospital_id)
    rows = session.execute(asked).all()
    hospitals = accounts.list_hospitals(session, {row[0] for row in rows})
    return [DeviceMark(row[0], hospitals[row[0]].name, *row[1:]) for row in rows]


def list_findings(session: Session, *, study_instance_uid: str) -> list[Finding]:
    """What was found of a study, its series and its instances, in this order."""
    asked = (
        select(QualityFinding)
        .join(Study, Study.id == QualityFinding.study_id)
        .where(Study.study_instance_uid == study_instance_uid)
        .order_by(QualityFinding.level.desc(), QualityFinding.id)
        .limit(MOST_MARKS)
    )
    found = [Finding(row.level, row.object_id, row.code, row.facts) for row in session.scalars(asked)]
    return sorted(found, key=lambda one: ("study", "series", "instance").index(one.level))


def draw_sample(session: Session, actor: Actor, *, hospital_id: UUID, modality: str, month: date, size: int) -> int:
    """Draw studies of a hospital's month of one modality by lot, for experts to score.

    :param month: its first day.
    :returns: how many were drawn; fewer than ``size`` when there are not as many.
    :raises SampleDrawn: it was drawn before.
    :raises SampleEmpty: there is nothing to draw from.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"quality/{hospital_id}", 0))))
    same = QualitySample.hospital_id == hospital_id, QualitySample.modality == modality, QualitySample.month == month
    if session.scalar(select(exists().where(*same))):
        raise SampleDrawn
    seed = secrets.token_hex(8)
    last = (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    drawn = session.scalars(
        select(CheckedSeries.study_id)
        .where(
            CheckedSeries.hospital_id == hospital_id,
            CheckedSeries.modality == modality,
            CheckedSeries.studied_on.between(month, last),
        )
        .group_by(CheckedSeries.study_id)
        .order_by(func.md5(func.concat(seed, CheckedSeries.study_id)))
        .limit(size)
    ).all()
    if not drawn:
        raise SampleEmpty
    session.add_all(
        QualitySample(
            hospital_id=hospital_id,
            modality=modality,
            month=month,
            study_id=study_id,
            seed=seed,
            drawn_by=actor.id,
            drawn_at=clock.now(),
        )
        for study_id in drawn
    )
    facts = {"modality": modality, "month": month.isoformat(), "studies": len(drawn)}
    audit.record_act(session, actor, "records.sample.drawn", of=("hospital", hospital_id), facts=facts)
    return len(drawn)


def list_samples(session: Session, *, month: date) -> list[Sample]:
    """What was drawn of a month, by hospital and modality."""
    rows = session.execute(
        select(QualitySample, Study)
        .join(Study, Study.id == QualitySample.study_id)
        .where(QualitySample.month == month)
        .order_by(QualitySample.hospital_id, QualitySample.modality, QualitySample.id)
        .limit(MOST_MARKS)
    ).tuples()
    drawn = list(rows)
    hospitals = accounts.list_hospitals(session, {sample.hospital_id for sample, _ in drawn})
    found = select(QualityFinding.study_id, QualityFinding.code).where(
        QualityFinding.study_id.in_([study.id for _, study in drawn])
    )
    codes: dict[UUID, set[str]] = {}
    for study_id, code in session.execute(found).tuples():
        codes.setdefault(study_id, set()).add(code)
    return [
        Sample(
            sample.id,
            hospitals[sample.hospital_id].name,
            sample.modality,
            sample.month,
            study.study_instance_uid,
            study.accession_number,
            sorted(codes.get(study.id, ())),
            sample.grade,
            sample.fault,
        )
        for sample, study in drawn
    ]


def score_sample(session: Session, actor: Actor, *, sample_id: UUID, grade: str, fault: str | None) -> None:
    """An expert's score; it stands.

    :param grade: A to D.
    :param fault: why it is not A.
    :raises SampleNotFound: no such sample.
    :raises SampleScored: somebody has scored it.
    """
    sample = session.get(QualitySample, sample_id, with_for_update=True)
    if sample is None:
        raise SampleNotFound
    if sample.grade is not None:
        raise SampleScored
    sample.grade, sample.fault, sample.scored_by, sample.scored_at = grade, fault, actor.id, clock.now()
    facts = {"grade": grade, "fault": fault}
    audit.record_act(session, actor, "records.sample.scored", of=("quality_sample", sample_id), facts=facts)


def get_month(session: Session, sample_id: UUID) -> date:
    """Of which month a sample is.

    :raises SampleNotFound: no such sample.
    """
    month = session.scalar(select(QualitySample.month).where(QualitySample.id == sample_id))
    if month is None:
        raise SampleNotFound
    return month


def passed_on(session: Session, *, hospital_id: UUID, modality: str, day: date) -> Passed:
    """The figures of a hospital's department for a modality on a day (the city's)."""
    mine = CheckedSeries.hospital_id == hospital_id, CheckedSeries.modality == modality
    recent = CheckedSeries.studied_on.between(day - timedelta(days=PASSING_DAYS - 1), day)
    series, flagged = (
        session.execute(select(func.count(), func.count().filter(_is_flagged())).where(*mine, recent)).tuples().one()
    )
    newest = session.execute(
        select(func.count(), func.count().filter(QualitySample.grade.in_(GOOD_GRADES)))
        .where(
            QualitySample.hospital_id == hospital_id,
            QualitySample.modality == modality,
            QualitySample.month.between(day - timedelta(days=SAMPLE_DAYS), day),
        )
        .group_by(QualitySample.month)
        # Of a day in the past it is asked what was known then.
        .having(func.bool_and(and_(QualitySample.grade.is_not(None), _day_of(QualitySample.scored_at) <= day)))
        .order_by(QualitySample.month.desc())
        .limit(1)
    ).one_or_none()
    sampled, good = newest or (0, 0)
    return Passed(series, flagged, sampled, good)


def _day_of(moment: Any) -> ColumnElement[date]:
    """The city's day of a moment in the database."""
    return func.date(func.timezone(str(clock.CITY_ZONE), moment))


def _is_flagged() -> ColumnElement[bool]:
    """Whether the series, an instance of it or its study has a finding."""
    return exists().where(
        QualityFinding.study_id == CheckedSeries.study_id,
        or_(QualityFinding.series_id == CheckedSeries.series_id, QualityFinding.level == "study"),
    )
