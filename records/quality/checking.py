"""Checking a study: what has arrived since it was checked last, and what its series look like as a whole."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import clock, observe, storage
from core.errors import Refusal
from core.ids import new_id
from records.images.models import Instance, Series, Study
from records.quality.checks import Facts, read_facts
from records.quality.models import CheckedSeries, QualityFinding


@dataclass
class _Seen:
    """What the new instances of one series say."""

    facts: dict[UUID, Facts] = field(default_factory=dict)

    def told(self, name: str) -> int | None:
        return max((getattr(each, name) or 0 for each in self.facts.values()), default=0) or None


@dataclass(frozen=True)
class _Place:
    """Of what something is found."""

    study: Study
    level: str
    object_id: UUID
    series: Series | None = None


def check_study(session: Session, study_id: UUID) -> None:
    """Check what of a study is new, and each series and the study as they are now. Again: nothing changes."""
    study = session.get(Study, study_id)
    if study is None:
        return
    is_first = not session.scalar(select(exists().where(CheckedSeries.study_id == study_id)))
    seen = [_check_series(session, study, series) for series in _list_series(session, study)]
    new = [facts for one in seen for facts in one.facts.values()]
    if not new:
        return
    whole = _Place(study, "study", study.id)
    told = max((facts.told_in_study or 0 for facts in new), default=0)
    if told:
        _put(session, whole, "study_cut", told > study.instance_count, told=told)
    # One that says whom it shows speaks for those that do not; what came before is not read again.
    if is_first or any(facts.is_verifiable for facts in new):
        _put(session, whole, "patient_unverified", not any(facts.is_verifiable for facts in new))


def _list_series(session: Session, study: Study) -> list[Series]:
    return list(session.scalars(select(Series).filter_by(study_id=study.id).order_by(Series.id)))


def _check_series(session: Session, study: Study, series: Series) -> _Seen:
    before = session.get(CheckedSeries, series.id)
    new = list(_list_new(session, series, before.last_instance_id if before else None))
    seen = _Seen({instance.id: facts for instance in new if (facts := _read(instance)) is not None})
    if not new:
        return seen
    _mark(session, study, series, new[-1].id, seen)
    for instance_id, facts in seen.facts.items():
        place = _Place(study, "instance", instance_id, series)
        _put(session, place, "attribute_missing", bool(facts.missing), missing=list(facts.missing))
        _put(session, place, "spacing_missing", facts.lacks_spacing)
    whole = _Place(study, "series", series.id, series)
    read = seen.facts.values()
    if any(facts.lacks_laterality for facts in read):
        _put(session, whole, "laterality_missing", True)
    has_picture = any(not facts.lacks_picture for facts in read)
    if has_picture or before is None:
        _put(session, whole, "no_picture", bool(read) and not has_picture)
    told = seen.told("told_in_series")
    if told:
        _put(session, whole, "series_cut", told > series.instance_count, told=told, have=series.instance_count)
    missing = _count_gap(session, series)
    _put(session, whole, "series_gap", missing > 0, missing=missing)
    return seen


def _list_new(session: Session, series: Series, after: UUID | None) -> Iterator[Instance]:
    asked = select(Instance).filter_by(series_id=series.id).order_by(Instance.id)
    # Ids follow time, and the instances of a study are filed one after the other.
    return iter(session.scalars(asked if after is None else asked.where(Instance.id > after)).all())


def _read(instance: Instance) -> Facts | None:
    try:
        with storage.open_file(instance.storage_key, instance.data_key) as stream:
            return read_facts(stream)
    except Refusal as refusal:
        observe.log.warning("quality.instance_not_read", code=refusal.code)
    except Exception as error:
        # What was filed was read before: then the file is damaged, which is not for us to judge here.
        observe.log.warning("quality.instance_not_read", code=type(error).__name__)
    return None


def _mark(session: Session, study: Study, series: Series, last: UUID, seen: _Seen) -> None:
    device = next(iter(seen.facts.values()), None)
    values = {
        "series_id": series.id,
        "study_id": study.id,
        "hospital_id": study.hospital_id,
        "modality": series.modality,
        "department": device.department if device else None,
        "station": device.station if device else None,
        "manufacturer": device.manufacturer if device else None,
        "studied_on": study.studied_at.astimezone(clock.CITY_ZONE).date(),
        "last_instance_id": last,
        "checked_at": clock.now(),
    }
    later = {name: values[name] for name in ("last_instance_id", "checked_at")}
    session.execute(
        insert(CheckedSeries).values(**values).on_conflict_do_update(index_elements=["series_id"], set_=later)
    )


def _count_gap(session: Session, series: Series) -> int:
    """How many numbers are left out between the lowest and the highest InstanceNumber."""
    number = Instance.number
    lowest, highest, known = session.execute(
        select(func.min(number), func.max(number), func.count(number.distinct())).where(Instance.series_id == series.id)
    ).one()
    return 0 if lowest is None else int(highest - lowest + 1 - known)


def _put(session: Session, place: _Place, code: str, is_so: bool, **facts: Any) -> None:
    """Write down that it is so, or that it is no longer."""
    if not is_so:
        session.execute(delete(QualityFinding).filter_by(object_id=place.object_id, code=code))
        return
    values = {"facts": facts, "found_at": clock.now()}
    session.execute(
        insert(QualityFinding)
        .values(
            id=new_id(),
            study_id=place.study.id,
            series_id=place.series.id if place.series else None,
            level=place.level,
            object_id=place.object_id,
            code=code,
            **values,
        )
        .on_conflict_do_update(index_elements=["object_id", "code"], set_=values)
    )
