"""Showing images to those who may see them. Every query names the actor; every opened study or series is recorded."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from core.actor import Actor
from health_card import service as health_card
from records.images.models import Instance, Series, Study
from records.images.service import selecting
from records.images.service.views import FOLD, InstanceView, SeriesView, StudyView
from records.joining import service as joining
from records.refusals import ImageNotFound
from records.timeline import service as timeline


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
    examination = joining.Examination(
        study.hospital_id, study.person_id, study.accession_number, study.study_instance_uid
    )
    reports = joining.list_reports(session, actor, examination)
    present = [one.sop_instance_uid for each in series for one in each.instances or []]
    selections = selecting.list_selections(session, study, present)
    return replace(_view_studies(session, [study], series)[0], reports=tuple(reports), selections=tuple(selections))


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
        orientation=instance.orientation,
    )
