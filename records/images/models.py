"""The index of imaging studies. What names a patient stays inside the sealed files."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class Study(WithId, Base):
    """One examination of one person at one hospital. UIDs are DICOM unique identifiers (PS3.5, section 9).

    ``local_id``: StudyID, what the department calls it. ``referring_physician``: as it is written in the files (PN).
    """

    __tablename__ = "studies"
    __table_args__ = (
        UniqueConstraint("hospital_id", "study_instance_uid"),
        Index("ix_studies_person_id", "person_id", text("studied_at DESC"), text("id DESC")),
        Index("ix_studies_study_instance_uid", "study_instance_uid"),
        Index("ix_studies_accession_number", "hospital_id", "accession_number"),
    )

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    visit_id: Mapped[UUID | None] = mapped_column(ForeignKey("visits.id"))
    study_instance_uid: Mapped[str]
    accession_number: Mapped[str | None]
    description: Mapped[str | None]
    local_id: Mapped[str | None]
    referring_physician: Mapped[str | None]
    modalities: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    studied_at: Mapped[datetime]
    series_count: Mapped[int] = mapped_column(default=0)
    instance_count: Mapped[int] = mapped_column(default=0)
    filed_at: Mapped[datetime]


class Series(WithId, Base):
    """Images of a study that were made together.

    ``performed_at``: when the procedure step of which they are began. ``requests``: ScheduledProcedureStepID and
    RequestedProcedureID of each request that they answer.
    """

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("study_id", "series_instance_uid"),)

    study_id: Mapped[UUID] = mapped_column(ForeignKey("studies.id"))
    series_instance_uid: Mapped[str]
    modality: Mapped[str]
    number: Mapped[int | None]
    description: Mapped[str | None]
    body_part: Mapped[str | None]
    performed_at: Mapped[datetime | None]
    requests: Mapped[list[Any]] = mapped_column(default=list)
    instance_count: Mapped[int] = mapped_column(default=0)


class Instance(WithId, Base):
    r"""One DICOM file. It never changes: the database refuses an update. One it lets through: a header whose pixels
    were in the hospital's archive gives way to the whole file, when the hospital sends it here.

    ``sha256`` is of the file as it was sent; ``storage_key`` and ``data_key`` open it (``core.storage``). Without
    ``rows`` and ``columns`` it is no picture (a report, a plan, a waveform). ``is_archived``: the file here is the
    header alone, as the hospital's own archive told it; the whole is there and fetched when it is asked for.
    ``orientation``: whereto rows and columns of the picture run (``L\P``), where all its frames agree.
    """

    __tablename__ = "instances"
    __table_args__ = (
        UniqueConstraint("hospital_id", "sop_instance_uid"),
        Index("ix_instances_series_id", "series_id", "number"),
        CheckConstraint("frames >= 1", name="frames"),
        CheckConstraint('("rows" IS NULL) = ("columns" IS NULL)', name="picture"),
        CheckConstraint(r"orientation ~ '^[LRAPHF]{1,3}\\[LRAPHF]{1,3}$'", name="orientation"),
    )

    series_id: Mapped[UUID] = mapped_column(ForeignKey("series.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    sop_instance_uid: Mapped[str]
    sop_class_uid: Mapped[str]
    transfer_syntax_uid: Mapped[str]
    number: Mapped[int | None]
    rows: Mapped[int | None]
    columns: Mapped[int | None]
    frames: Mapped[int]
    orientation: Mapped[str | None]
    bits_allocated: Mapped[int | None] = mapped_column(SmallInteger)
    sha256: Mapped[bytes]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    storage_key: Mapped[str]
    data_key: Mapped[bytes]
    is_archived: Mapped[bool] = mapped_column(default=False)
    filed_at: Mapped[datetime]


class InstanceDetails(Base):
    """What is made of an instance at its arrival and never changes (``records.images.details``).

    ``metadata_sealed`` is sealed with the file's own key: it names the patient. ``frame_places`` are packed.
    """

    __tablename__ = "instance_details"

    instance_id: Mapped[UUID] = mapped_column(ForeignKey("instances.id"), primary_key=True)
    metadata_sealed: Mapped[bytes | None]
    frame_places: Mapped[bytes | None]


class KeySelection(Base):
    """What a key object selection says of the images that it points out (PS3.3, section A.35.4).

    ``instance_id`` is the selection itself. ``title``: why they were chosen; ``description``: in free words.
    ``is_rejection``: they were chosen not to be used.
    """

    __tablename__ = "key_selections"

    instance_id: Mapped[UUID] = mapped_column(ForeignKey("instances.id"), primary_key=True)
    title: Mapped[str]
    description: Mapped[str | None]
    is_rejection: Mapped[bool]


class KeyImage(Base):
    """One image that a selection points out, whether it is here or not. ``position``: in which order, from 1.

    ``frames``: which of them are meant, all when it is empty.
    """

    __tablename__ = "key_images"
    __table_args__ = (CheckConstraint("position > 0", name="position"),)

    instance_id: Mapped[UUID] = mapped_column(ForeignKey("instances.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    study_instance_uid: Mapped[str]
    sop_instance_uid: Mapped[str]
    frames: Mapped[list[int]] = mapped_column(ARRAY(Integer()))


class StorageCommitment(WithId, Base):
    """A request for storage commitment (PS3.4, annex J) that is answered on an association of our own.

    ``instances``: pairs of SOP class and SOP instance UID. ``calling_ae_title``: who asked, and is answered.
    """

    __tablename__ = "storage_commitments"

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    calling_ae_title: Mapped[str]
    transaction_uid: Mapped[str]
    instances: Mapped[list[Any]]
    asked_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
