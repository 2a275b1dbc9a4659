"""Searching the index at its three levels: one statement, composed of what is asked for and of the gate."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from core import clock, statements
from core.actor import Actor, ActorKind
from health_card import service as health_card
from records.images.dicom import REQUEST_IDS
from records.images.service.retrieving import open_metadata
from records.images.service.views import FOLD, InstanceView, SeriesView, StudyView
from records.refusals import ImageNotFound


class Level(IntEnum):
    """What is searched for."""

    STUDY = 1
    SERIES = 2
    INSTANCE = 3


class Kind(StrEnum):
    """How a value is compared: ``uid`` one of several; ``text`` whole or with the wildcards ``*`` and ``?``."""

    UID = "uid"
    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    TIME = "time"
    PERSON = "person"


class Attribute(NamedTuple):
    """One that can be searched for. ``level``: of what it is an attribute."""

    level: Level
    kind: Kind
    column: str


_OF_REQUESTS = "ANY(ARRAY(SELECT request->>'{0}' FROM jsonb_array_elements(series.requests) request))"
ATTRIBUTES = {
    "StudyInstanceUID": Attribute(Level.STUDY, Kind.UID, "study.study_instance_uid"),
    "StudyDate": Attribute(Level.STUDY, Kind.DATE, "study.studied_at"),
    "StudyTime": Attribute(Level.STUDY, Kind.TIME, "(study.studied_at AT TIME ZONE 'Asia/Shanghai')::time"),
    "AccessionNumber": Attribute(Level.STUDY, Kind.TEXT, "study.accession_number"),
    "ModalitiesInStudy": Attribute(Level.STUDY, Kind.TEXT, "ANY(study.modalities)"),
    "StudyDescription": Attribute(Level.STUDY, Kind.TEXT, "study.description"),
    "StudyID": Attribute(Level.STUDY, Kind.TEXT, "study.local_id"),
    # As a whole, or one of its ways of writing (PS3.5, section 6.2.1.1).
    "ReferringPhysicianName": Attribute(
        Level.STUDY,
        Kind.TEXT,
        "ANY(study.referring_physician || string_to_array(study.referring_physician, '='))",
    ),
    "PatientID": Attribute(Level.STUDY, Kind.PERSON, "readable.root_id"),
    "SeriesInstanceUID": Attribute(Level.SERIES, Kind.UID, "series.series_instance_uid"),
    "Modality": Attribute(Level.SERIES, Kind.TEXT, "series.modality"),
    "SeriesNumber": Attribute(Level.SERIES, Kind.NUMBER, "series.number"),
    "SeriesDescription": Attribute(Level.SERIES, Kind.TEXT, "series.description"),
    "BodyPartExamined": Attribute(Level.SERIES, Kind.TEXT, "series.body_part"),
    "PerformedProcedureStepStartDate": Attribute(Level.SERIES, Kind.DATE, "series.performed_at"),
    "PerformedProcedureStepStartTime": Attribute(
        Level.SERIES, Kind.TIME, "(series.performed_at AT TIME ZONE 'Asia/Shanghai')::time"
    ),
    **{
        f"RequestAttributesSequence.{name}": Attribute(Level.SERIES, Kind.TEXT, _OF_REQUESTS.format(name))
        for name in REQUEST_IDS
    },
    "SOPInstanceUID": Attribute(Level.INSTANCE, Kind.UID, "instance.sop_instance_uid"),
    "SOPClassUID": Attribute(Level.INSTANCE, Kind.UID, "instance.sop_class_uid"),
    "InstanceNumber": Attribute(Level.INSTANCE, Kind.NUMBER, "instance.number"),
}


@dataclass(frozen=True)
class Criterion:
    """One thing that must match.

    :ivar values: of a uid: any of them; of a text, number or person: the one; of a date or time: first and last, both
        included, in the city's time; None where it is open.
    """

    keyword: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Search:
    """What is searched for; all criteria must match.

    :ivar study_uid: within this study, and ``series_uid`` within this series: it must be there.
    :ivar with_metadata: bring what is kept of each instance.
    """

    level: Level
    criteria: tuple[Criterion, ...] = ()
    study_uid: str | None = None
    series_uid: str | None = None
    limit: int = 100
    offset: int = 0
    with_metadata: bool = False


@dataclass(frozen=True)
class Hit:
    """What was found, with what it belongs to. ``metadata``: as ``details.write_metadata`` writes it."""

    study: StudyView
    series: SeriesView | None = None
    instance: InstanceView | None = None
    metadata: bytes | None = None


@dataclass(frozen=True)
class Page:
    """A part of what there is; ``has_more``: there is more behind it."""

    hits: list[Hit]
    has_more: bool


_STUDY = """
study.person_id, {looked_at} AS object_id, study.id AS study_id, study.study_instance_uid, study.accession_number,
study.description, study.modalities, ({hospital_name}) AS hospital_name, study.studied_at, study.series_count,
study.instance_count, study.local_id, study.referring_physician
"""
_SERIES = """
series.series_instance_uid, series.modality, series.number AS series_number, series.description, series.body_part,
series.instance_count, series.performed_at, series.requests, series.id AS series_id
"""
_INSTANCE = """
instance.sop_instance_uid, instance.sop_class_uid, instance.transfer_syntax_uid, instance.number AS instance_number,
instance.rows, instance.columns, instance.frames, instance.bits_allocated,
instance.id AS instance_id
"""
_METADATA = "details.metadata_sealed, instance.data_key"
# Where in a row each of them ends: the identifiers behind series and instance are no part of what is shown.
_STUDY_AT, _SERIES_AT, _INSTANCE_AT, _METADATA_AT = 3, 14, 23, 32
_SEARCH = """
WITH readable AS ({readable}), found AS MATERIALIZED (
    SELECT {columns}
    FROM readable JOIN studies study ON study.person_id = readable.id{joins}
    WHERE {is_known}{conditions}
    ORDER BY study.studied_at DESC, study.id DESC{order}
    LIMIT %(limit)s OFFSET %(offset)s
), looks AS MATERIALIZED ({looks})
SELECT looks.is_recorded, found.* FROM found JOIN looks USING (person_id, object_id)
ORDER BY found.studied_at DESC, found.study_id DESC{order_found}
"""
_JOINS = {
    Level.SERIES: " JOIN series ON series.study_id = study.id",
    Level.INSTANCE: " JOIN instances instance ON instance.series_id = series.id",
}
_ORDER = {
    Level.SERIES: ", series.number NULLS LAST, series.id",
    Level.INSTANCE: ", instance.number NULLS LAST, instance.id",
}
_ORDER_FOUND = {
    Level.SERIES: ", found.series_number NULLS LAST, found.series_id",
    Level.INSTANCE: ", found.instance_number NULLS LAST, found.instance_id",
}
# What is looked at, as it is called in the log: the list of a person's studies, or one of them.
_LIST, _ONE = "records.study_list.read", "records.study.read"
_OF_PERSON = "= (SELECT root_id FROM persons WHERE id = %({0})s)"
_COMPARED = {
    Kind.UID: "{1} = ANY(%({0})s)",
    Kind.NUMBER: "{1} = %({0})s",
    Kind.DATE: "{1} >= %({0}_first)s AND {1} < %({0}_last)s",
    Kind.TIME: "{1} >= %({0}_first)s AND {1} <= %({0}_last)s",
    Kind.PERSON: "{1} " + _OF_PERSON,
}


def search_images(session: Session, actor: Actor, search: Search) -> Page:
    """Studies, series or instances that the actor may see: the newest study first, in it by number.

    :raises ImageNotFound: the study or series to search in is none that the actor may see.
    """
    rows = statements.list_rows(session, *_select(actor, search, _person_finder(session, actor)))
    shown = rows[: search.limit]
    _record(session, actor, search, shown or _list_searched(session, actor, search))
    return _page(rows, search)


def find_images(actor: Actor, search: Search) -> Page | None:
    """As ``search_images``, by one statement and no transaction; needs an app context.

    None when ``search_images`` has to be asked: the look is to be recorded, or more than one statement is needed.
    """
    if any(ATTRIBUTES[one.keyword].kind is Kind.PERSON for one in search.criteria):
        return None
    rows = statements.look_rows(*_select(actor, search, None))
    is_recorded = all(row[0] for row in rows)
    return _page(rows, search) if is_recorded and (rows or search.study_uid is None) else None


def _select(
    actor: Actor, search: Search, find_person: Callable[[str], UUID | None] | None
) -> tuple[str, dict[str, Any]]:
    """The statement and its values. ``find_person``: whose number this is; None: no criterion asks for it."""
    conditions, values = _read_criteria(search, find_person)
    is_list = search.study_uid is None
    statement = _compose(consent.gate_of(actor), search.level, search.with_metadata, is_list, conditions)
    return statement, {
        **values,
        **consent.gate_values(actor),
        **consent.look_values(actor, _LIST if is_list else _ONE, fold_within=FOLD),
        "limit": search.limit + 1,
        "offset": search.offset,
    }


def _list_searched(session: Session, actor: Actor, search: Search) -> list[Any]:
    """The study or series in which nothing was found; nothing when all were searched.

    :raises ImageNotFound: there is none that the actor may see.
    """
    if search.study_uid is None:
        return []
    level = Level.SERIES if search.series_uid is not None else Level.STUDY
    around = Search(level, (), search.study_uid, search.series_uid, limit=1)
    rows = statements.list_rows(session, *_select(actor, around, None))
    if not rows:
        raise ImageNotFound
    return rows


def _record(session: Session, actor: Actor, search: Search, rows: list[Any]) -> None:
    action, kind = (_LIST, "person") if search.study_uid is None else (_ONE, "study")
    looked_at: dict[tuple[UUID, UUID], list[UUID]] = {}
    for is_recorded, person_id, object_id, study_id, *_ in rows:
        if not is_recorded:
            looked_at.setdefault((person_id, object_id), []).append(study_id)
    for (person_id, object_id), shown in looked_at.items():
        consent.release(
            session,
            actor,
            person_id=person_id,
            action=action,
            of=(kind, object_id),
            shown=shown,
            fold_within=FOLD,
        )


def _read_criteria(
    search: Search, find_person: Callable[[str], UUID | None] | None
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Conditions, and the values that they name."""
    criteria = list(search.criteria)
    if search.study_uid is not None:
        criteria.append(Criterion("StudyInstanceUID", (search.study_uid,)))
    if search.series_uid is not None:
        criteria.append(Criterion("SeriesInstanceUID", (search.series_uid,)))
    conditions: list[str] = []
    values: dict[str, Any] = {}
    for number, criterion in enumerate(criteria):
        attribute, name = ATTRIBUTES[criterion.keyword], f"c{number}"
        if attribute.kind is Kind.TEXT:
            conditions.append(_compare_text(attribute.column, name, criterion.values[0]))
        else:
            conditions.append(_COMPARED[attribute.kind].format(name, attribute.column))
        if attribute.kind is Kind.PERSON:
            assert find_person is not None
            values[name] = find_person(criterion.values[0])
        else:
            values |= _values_of(attribute.kind, name, criterion.values)
    return tuple(conditions), values


def _compare_text(column: str, name: str, value: str) -> str:
    if not set(value) & set("*?"):
        return f"%({name})s = {column}"
    if column.startswith("ANY("):
        return f"EXISTS (SELECT FROM unnest({column[4:-1]}) AS one WHERE one LIKE %({name})s)"
    return f"{column} LIKE %({name})s"


def _values_of(kind: Kind, name: str, values: tuple[Any, ...]) -> dict[str, Any]:
    if kind is Kind.UID:
        return {name: list(values)}
    if kind is Kind.TEXT:
        return {name: _to_pattern(values[0]) if set(values[0]) & set("*?") else values[0]}
    if kind is Kind.DATE:
        first, last = values
        return {f"{name}_first": _midnight(first or date(1, 1, 2)), f"{name}_last": _midnight_after(last)}
    if kind is Kind.TIME:
        return {f"{name}_first": values[0] or time.min, f"{name}_last": values[1] or time.max}
    return {name: values[0]}


def _to_pattern(text: str) -> str:
    """``*`` and ``?`` as LIKE has them (PS3.4, section C.2.2.2.4)."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")


def _person_finder(session: Session, actor: Actor) -> Callable[[str], UUID | None]:
    """Finds whose card number it is, or whose number at the actor's own house. To ask reveals nothing."""

    def find(number: str) -> UUID | None:
        found = health_card.find_person(session, actor, card_number=number)
        if found is None and actor.kind is not ActorKind.PATIENT:
            found = health_card.find_person(session, actor, patient_number=number)
        return found

    return find


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), clock.CITY_ZONE)


def _midnight_after(day: date | None) -> datetime:
    return _midnight(date(9999, 12, 30) if day is None or day.year == 9999 else day + timedelta(days=1))


def _page(rows: list[Any], search: Search) -> Page:
    return Page([_view(row) for row in rows[: search.limit]], len(rows) > search.limit)


def _view(row: Any) -> Hit:
    study = StudyView(*row[_STUDY_AT:_SERIES_AT])
    series = SeriesView(*row[_SERIES_AT : _INSTANCE_AT - 1]) if len(row) > _SERIES_AT else None
    instance = InstanceView(*row[_INSTANCE_AT : _METADATA_AT - 1]) if len(row) > _INSTANCE_AT else None
    sealed = row[_METADATA_AT] if len(row) > _METADATA_AT else None
    return Hit(study, series, instance, open_metadata(sealed, row[_METADATA_AT + 1]) if sealed else None)


@lru_cache(256)
def _compose(gate: consent.Gate, level: Level, with_metadata: bool, is_list: bool, conditions: tuple[str, ...]) -> str:
    """One text for each form of a search, so that the database keeps its plan."""
    study = _STUDY.format(
        looked_at="study.person_id" if is_list else "study.id",
        hospital_name=accounts.HOSPITAL_NAME.format("study.hospital_id"),
    )
    columns = [study, _SERIES, _INSTANCE][:level]
    joins = [_JOINS[one] for one in (Level.SERIES, Level.INSTANCE) if one <= level]
    if with_metadata:
        columns.append(_METADATA)
        joins.append(" LEFT JOIN instance_details details ON details.instance_id = instance.id")
    return statements.compose(
        _SEARCH,
        readable=gate.readable,
        columns=", ".join(columns),
        joins="".join(joins),
        is_known=gate.is_known.format("study.id"),
        conditions="".join(f" AND ({one})" for one in conditions),
        order="".join(_ORDER[one] for one in (Level.SERIES, Level.INSTANCE) if one <= level),
        looks=gate.looks,
        order_found="".join(_ORDER_FOUND[one] for one in (Level.SERIES, Level.INSTANCE) if one <= level),
    )
