"""Showing images to those who may see them. Every query names the actor; every opened study or series is recorded."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import BinaryIO
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from core import clock, storage
from core.actor import Actor
from health_card import service as health_card
from records.images.models import Instance, Series, Study
from records.pacs import fetching
from records.pacs import service as pacs
from records.pacs.fetching import ArchivedImage
from records.refusals import ImageNotFound
from records.timeline import service as timeline

# A scroll through a series asks for every one of its images: the patient reads of one look.
FOLD = timedelta(minutes=15)
PAGE = 100


@dataclass(frozen=True)
class InstanceView:
    """One instance. Without ``rows`` and ``columns`` it is no picture."""

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    number: int | None
    rows: int | None
    columns: int | None
    frames: int


@dataclass(frozen=True)
class SeriesView:
    """One series; ``instances`` in their order, None where they were not asked for."""

    series_instance_uid: str
    modality: str
    number: int | None
    description: str | None
    body_part: str | None
    instance_count: int
    instances: list[InstanceView] | None = None


@dataclass(frozen=True)
class StudyView:
    """One study; ``series`` in their order, None where they were not asked for."""

    id: UUID
    study_instance_uid: str
    accession_number: str | None
    description: str | None
    modalities: list[str]
    hospital_name: str
    studied_at: datetime
    series_count: int
    instance_count: int
    series: list[SeriesView] | None = None


@dataclass(frozen=True)
class InstanceFile:
    """An instance that the actor may open now; ``open`` reads the file as it was sent.

    ``archived``: where the whole file is, when only its header is here.
    """

    view: InstanceView
    sha256: bytes
    size_bytes: int
    storage_key: str
    data_key: bytes
    archived: ArchivedImage | None = None

    def open(self) -> BinaryIO:
        """Never inside a transaction: it may have to be fetched from the hospital's archive.

        :raises FileDamaged: the file is missing or altered.
        :raises ArchiveUnavailable: the hospital's archive does not answer.
        :raises ArchiveAnswerUnfit: it answers with something else.
        """
        if self.archived is not None:
            return fetching.open_archived(self.archived, self.storage_key, self.data_key)
        return self.open_header()

    def open_header(self) -> BinaryIO:
        """All attributes, and pixels only where they are kept here. :raises FileDamaged: as ``open``."""
        return storage.open_file(self.storage_key, self.data_key)


@dataclass(frozen=True)
class StudySearch:
    """What a search for studies asks for; everything given must match. Dates are the city's, both included."""

    study_instance_uid: str | None = None
    accession_number: str | None = None
    modality: str | None = None
    first_date: date | None = None
    last_date: date | None = None


def get_study(session: Session, actor: Actor, study_id: UUID) -> StudyView:
    """A study with its series and instances, for a patient whose it is and for a doctor with whom it is shared.

    :raises ImageNotFound: no such study that the actor may see.
    """
    study = _one_study(session, _readable(actor).where(Study.id == study_id))
    _open_study(session, actor, study)
    series = [
        _view_series(one, [_view_instance(found) for found in _list_instances(session, one)])
        for one in _list_series(session, study)
    ]
    timeline.mark_seen(session, actor, object_id=study.id)
    return _view_studies(session, [study], series)[0]


def list_studies(
    session: Session, actor: Actor, *, search: StudySearch, limit: int = PAGE, offset: int = 0
) -> list[StudyView]:
    """The studies that the actor may see, newest first."""
    found = _readable(actor)
    if search.study_instance_uid is not None:
        found = found.where(Study.study_instance_uid == search.study_instance_uid)
    if search.accession_number is not None:
        found = found.where(Study.accession_number == search.accession_number)
    if search.modality is not None:
        found = found.where(Study.modalities.contains([search.modality]))
    if search.first_date is not None:
        found = found.where(Study.studied_at >= _midnight(search.first_date))
    if search.last_date is not None:
        found = found.where(Study.studied_at < _midnight(search.last_date) + timedelta(days=1))
    newest_first = found.order_by(Study.studied_at.desc(), Study.id.desc()).limit(limit).offset(offset)
    studies = list(session.scalars(newest_first))
    for person_id in {study.person_id for study in studies}:
        consent.release(
            session,
            actor,
            person_id=person_id,
            action="records.study_list.read",
            of=("person", person_id),
            fold_within=FOLD,
        )
    return _view_studies(session, studies)


def list_history(
    session: Session, actor: Actor, *, person_id: UUID, until: datetime, after: UUID | None, limit: int
) -> list[StudyView]:
    """The studies of a person that were filed until a time, in the order of their ids, without their series.

    The caller releases and records the read (``consent.release``); what the actor may not see is not among them.

    :param after: the id of the last study of the page before.
    """
    found = _readable(actor).where(Study.person_id.in_(health_card.same_person_ids(person_id)), Study.filed_at <= until)
    if after is not None:
        found = found.where(Study.id > after)
    return _view_studies(session, list(session.scalars(found.order_by(Study.id).limit(limit))))


def list_series(session: Session, actor: Actor, *, study_uid: str) -> list[SeriesView]:
    """The series of a study.

    :raises ImageNotFound: no such study that the actor may see.
    """
    study = _one_study(session, _readable(actor).where(Study.study_instance_uid == study_uid))
    _open_study(session, actor, study)
    return [_view_series(one) for one in _list_series(session, study)]


def list_instances(session: Session, actor: Actor, *, study_uid: str, series_uid: str) -> list[InstanceView]:
    """The instances of a series.

    :raises ImageNotFound: no such series that the actor may see.
    """
    found = session.execute(
        select(Study, Series)
        .join(Series, Series.study_id == Study.id)
        .where(
            Study.study_instance_uid == study_uid,
            Series.series_instance_uid == series_uid,
            consent.is_readable(actor, person_id=Study.person_id, object_id=Study.id),
        )
        .order_by(Study.id)
        .limit(1)
    ).one_or_none()
    if found is None:
        raise ImageNotFound
    _open_study(session, actor, found[0])
    return [_view_instance(one) for one in _list_instances(session, found[1])]


def get_instance(
    session: Session, actor: Actor, *, study_uid: str, series_uid: str, sop_uid: str, frame: int = 1
) -> InstanceFile:
    """One instance to open: recorded once a series and quarter of an hour, decided anew each time.

    :param frame: which of its frames, from 1.
    :raises ImageNotFound: no such instance or frame that the actor may see.
    """
    found = session.execute(
        select(Study.person_id, Study.id, Series.id, Instance)
        .join(Series, Series.study_id == Study.id)
        .join(Instance, Instance.series_id == Series.id)
        .where(
            Study.study_instance_uid == study_uid,
            Series.series_instance_uid == series_uid,
            Instance.sop_instance_uid == sop_uid,
            Instance.frames >= frame,
            consent.is_readable(actor, person_id=Study.person_id, object_id=Study.id),
        )
        # Two hospitals may hold copies under the same UIDs: the one that came first is shown.
        .order_by(Instance.id)
        .limit(1)
    ).one_or_none()
    if found is None:
        raise ImageNotFound
    person_id, study_id, series_id, instance = found
    consent.release(
        session,
        actor,
        person_id=person_id,
        action="records.image.read",
        of=("series", series_id),
        # The log names a series; who must not know of the study is not told of it.
        facts={consent.PART_OF: str(study_id)},
        fold_within=FOLD,
    )
    archived = None
    if instance.is_archived:
        archived = ArchivedImage(pacs.find_access(session, instance.hospital_id), study_uid, series_uid, sop_uid)
    return InstanceFile(
        _view_instance(instance),
        instance.sha256,
        instance.size_bytes,
        instance.storage_key,
        instance.data_key,
        archived,
    )


def _readable(actor: Actor) -> Select[tuple[Study]]:
    return select(Study).where(consent.is_readable(actor, person_id=Study.person_id, object_id=Study.id))


def _one_study(session: Session, asked: Select[tuple[Study]]) -> Study:
    study = session.scalars(asked.order_by(Study.id).limit(1)).one_or_none()
    if study is None:
        raise ImageNotFound
    return study


def _open_study(session: Session, actor: Actor, study: Study) -> None:
    consent.release(
        session,
        actor,
        person_id=study.person_id,
        action="records.study.read",
        of=("study", study.id),
        fold_within=FOLD,
    )


def _list_series(session: Session, study: Study) -> list[Series]:
    in_order = select(Series).filter_by(study_id=study.id).order_by(Series.number.nulls_last(), Series.id)
    return list(session.scalars(in_order))


def _list_instances(session: Session, series: Series) -> list[Instance]:
    in_order = select(Instance).filter_by(series_id=series.id).order_by(Instance.number.nulls_last(), Instance.id)
    return list(session.scalars(in_order))


def _view_studies(session: Session, studies: list[Study], series: list[SeriesView] | None = None) -> list[StudyView]:
    hospitals = accounts.list_hospitals(session, {study.hospital_id for study in studies})
    return [
        StudyView(
            id=study.id,
            study_instance_uid=study.study_instance_uid,
            accession_number=study.accession_number,
            description=study.description,
            modalities=study.modalities,
            hospital_name=hospitals[study.hospital_id].name,
            studied_at=study.studied_at,
            series_count=study.series_count,
            instance_count=study.instance_count,
            series=series,
        )
        for study in studies
    ]


def _view_series(series: Series, instances: list[InstanceView] | None = None) -> SeriesView:
    return SeriesView(
        series_instance_uid=series.series_instance_uid,
        modality=series.modality,
        number=series.number,
        description=series.description,
        body_part=series.body_part,
        instance_count=series.instance_count,
        instances=instances,
    )


def _view_instance(instance: Instance) -> InstanceView:
    return InstanceView(
        sop_instance_uid=instance.sop_instance_uid,
        sop_class_uid=instance.sop_class_uid,
        transfer_syntax_uid=instance.transfer_syntax_uid,
        number=instance.number,
        rows=instance.rows,
        columns=instance.columns,
        frames=instance.frames,
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), clock.CITY_ZONE)
