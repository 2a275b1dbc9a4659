"""What was checked, what was found, and what experts say of samples."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId

LEVELS = ("study", "series", "instance")
CODES = (
    "attribute_missing",
    "laterality_missing",
    "no_picture",
    "patient_unverified",
    "series_cut",
    "series_gap",
    "spacing_missing",
    "study_cut",
)
GRADES = ("A", "B", "C", "D")
FAULTS = ("position", "exposure", "artefact", "coverage", "labelling", "other")


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class CheckedSeries(Base):
    """A series as far as it was checked: its instances up to ``last_instance_id``.

    ``department``, ``station`` and ``manufacturer`` as the device says (PS3.3, section C.7.5.1); ``studied_on`` is the
    city's day.
    """

    __tablename__ = "checked_series"
    __table_args__ = (
        Index("ix_checked_series_hospital_id", "hospital_id", "studied_on", "modality"),
        Index("ix_checked_series_study_id", "study_id"),
    )

    series_id: Mapped[UUID] = mapped_column(ForeignKey("series.id"), primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("studies.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    modality: Mapped[str]
    department: Mapped[str | None]
    station: Mapped[str | None]
    manufacturer: Mapped[str | None]
    studied_on: Mapped[date]
    last_instance_id: Mapped[UUID]
    checked_at: Mapped[datetime]


class QualityFinding(WithId, Base):
    """What an automatic check found of a study, a series or an instance (``object_id``), as of now.

    ``facts``: which attributes, how many instances; nothing of the patient.
    """

    __tablename__ = "quality_findings"
    __table_args__ = (
        CheckConstraint(_one_of("level", LEVELS), name="level"),
        CheckConstraint(_one_of("code", CODES), name="code"),
        UniqueConstraint("object_id", "code"),
        Index("ix_quality_findings_study_id", "study_id"),
    )

    study_id: Mapped[UUID] = mapped_column(ForeignKey("studies.id"))
    series_id: Mapped[UUID | None] = mapped_column(ForeignKey("series.id"))
    level: Mapped[str]
    object_id: Mapped[UUID]
    code: Mapped[str]
    facts: Mapped[dict[str, Any]]
    found_at: Mapped[datetime]


class QualitySample(WithId, Base):
    """A study drawn by lot from a hospital's month of one modality, and an expert's score of it.

    ``seed`` makes the draw repeatable: the studies with the lowest MD5 of seed and study id. ``grade``: A to D;
    ``fault``: why it is not A.
    """

    __tablename__ = "quality_samples"
    __table_args__ = (
        CheckConstraint(_one_of("grade", GRADES), name="grade"),
        CheckConstraint(_one_of("fault", FAULTS), name="fault"),
        CheckConstraint("(grade IS NULL) = (scored_at IS NULL)", name="scored_at"),
        CheckConstraint("(grade IS NULL) = (scored_by IS NULL)", name="scored_by"),
        CheckConstraint("extract(day FROM month) = 1", name="month"),
        UniqueConstraint("hospital_id", "modality", "month", "study_id"),
    )

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    modality: Mapped[str]
    month: Mapped[date]
    study_id: Mapped[UUID] = mapped_column(ForeignKey("studies.id"))
    seed: Mapped[str]
    drawn_by: Mapped[UUID]
    drawn_at: Mapped[datetime]
    grade: Mapped[str | None]
    fault: Mapped[str | None]
    scored_by: Mapped[UUID | None]
    scored_at: Mapped[datetime | None]
