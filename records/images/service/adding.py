"""The rows of instances whose owner is known: study, series, instances, and what follows from the first of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from core import clock, outbox, statements, storage
from core.actor import Actor
from core.appending import append_rows, write_rows
from core.db import copy_rows
from core.ids import new_id
from core.vault import vault
from records.images import documents, slow
from records.images.details import METADATA_CONTEXT
from records.images.dicom import Header
from records.images.models import Instance, InstanceDetails, Series, Study
from records.intake.files import FileArrival
from records.refusals import InstanceDiffers
from records.releasing import service as releasing
from records.timeline import service as timeline
from records.visits import service as visits

FILED_TOPIC = "records.study_grown"
# A study is looked at when no more of it has come for a while, not with every one of its instances.
LOOK_EVERY = timedelta(minutes=1)
LOOK_AFTER = timedelta(seconds=30)
# What the house's own archive says of an instance whose pixels stay there: all of its header, as a file.
ARCHIVED_MEDIA_TYPE = "application/dicom; pixels=archived"
# Details of more than this are copied row by row; fewer go in one statement with what else is written at the end.
_COPIED_BYTES = 1024 * 1024

_INSERT = """
INSERT INTO instances SELECT * FROM jsonb_populate_recordset(NULL::instances, %(rows)s)
ON CONFLICT (hospital_id, sop_instance_uid) DO NOTHING RETURNING id
"""
_TITLES = {
    "CT": "CT检查",
    "MR": "磁共振检查",
    "CR": "X线检查",
    "DX": "X线检查",
    "MG": "乳腺X线检查",
    "US": "超声检查",
    "XA": "血管造影",
    "NM": "核医学检查",
    "PT": "PET检查",
    "ES": "内镜检查",
    "ECG": "心电图",
}

_COUNT = """
WITH grown AS (
    UPDATE series SET instance_count = instance_count + %(added)s WHERE id = %(series_id)s RETURNING instance_count
)
UPDATE studies SET instance_count = studies.instance_count + %(added)s FROM grown
WHERE studies.id = %(study_id)s RETURNING studies.instance_count, grown.instance_count
"""


@dataclass(frozen=True)
class Arriving:
    """An instance on its way in: its file, and what was read in it."""

    arrival: FileArrival
    header: Header

    @property
    def staged(self) -> storage.Staged:
        return self.arrival.file

    @property
    def is_archived(self) -> bool:
        return self.arrival.content_type == ARCHIVED_MEDIA_TYPE


@dataclass(frozen=True)
class Place:
    """Where instances go: rows that are locked, and brought up to date with what is added."""

    study: Study
    series: Series


def lock_study(session: Session, actor: Actor, person_id: UUID, header: Header) -> Study:
    """The study's row, locked: the instances of one study are filed one after the other."""
    known = (
        select(Study)
        .filter_by(hospital_id=actor.house_id, study_instance_uid=header.study_instance_uid)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    study = session.scalars(known).one_or_none()
    if study is not None:
        return study
    now = clock.now()
    studied_at = header.studied_at or now
    session.execute(
        insert(Study)
        .values(
            id=new_id(),
            hospital_id=actor.house_id,
            person_id=person_id,
            visit_id=visits.find_latest_visit_id(session, actor, person_id=person_id, at=studied_at),
            study_instance_uid=header.study_instance_uid,
            accession_number=header.accession_number,
            description=header.study_description,
            local_id=header.study_local_id,
            referring_physician=header.referring_physician,
            modalities=[],
            studied_at=studied_at,
            series_count=0,
            instance_count=0,
            filed_at=now,
        )
        .on_conflict_do_nothing(index_elements=["hospital_id", "study_instance_uid"])
    )
    return session.scalars(known).one()


def add_instances(session: Session, actor: Actor, study: Study, arriving: Sequence[Arriving]) -> list[Arriving]:
    """File instances of one study, which is locked; returns those that were not here.

    :raises StorageFull: no room.
    """
    by_series: dict[str, list[Arriving]] = {}
    for one in arriving:
        by_series.setdefault(one.header.series_instance_uid, []).append(one)
    added: list[Arriving] = []
    for series_arriving in by_series.values():
        place = Place(study, _find_or_add_series(session, study, series_arriving[0].header))
        new = _write_rows(session, actor, place, series_arriving)
        if new:
            _bring_up_to_date(session, place, [one.header for one in new])
            added += new
    if added:
        _announce(session, study)
    return added


def replace_header(session: Session, actor: Actor, study: Study, one: Arriving) -> bool:
    """Take a file in whose header alone was here, the pixels being in the house's archive. False: there is no such.

    :raises InstanceDiffers: that header is of another study or series.
    """
    here = session.execute(
        select(Instance.id, Series.study_id, Series.series_instance_uid)
        .join(Series, Series.id == Instance.series_id)
        .where(Instance.hospital_id == actor.house_id, Instance.sop_instance_uid == one.header.sop_instance_uid)
        .where(Instance.is_archived)
        .with_for_update(of=Instance)
    ).one_or_none()
    if here is None or one.is_archived:
        return False
    if (here.study_id, here.series_instance_uid) != (study.id, one.header.series_instance_uid):
        raise InstanceDiffers
    storage.keep(one.staged)
    session.execute(delete(InstanceDetails).filter_by(instance_id=here.id))
    session.execute(update(Instance).filter_by(id=here.id).values(_describe_file(one)))
    _add_beside(session, {here.id: one})
    _announce(session, study)
    return True


def _find_or_add_series(session: Session, study: Study, header: Header) -> Series:
    series = session.scalars(
        select(Series)
        .filter_by(study_id=study.id, series_instance_uid=header.series_instance_uid)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if series is None:
        series = Series(
            study_id=study.id,
            series_instance_uid=header.series_instance_uid,
            modality=header.modality,
            number=header.series_number,
            description=header.series_description,
            body_part=header.body_part,
            performed_at=header.performed_at,
            requests=list(header.requests),
            instance_count=0,
        )
        session.add(series)
        session.flush()
        study.series_count += 1
    return series


def _write_rows(session: Session, actor: Actor, place: Place, arriving: Sequence[Arriving]) -> list[Arriving]:
    """Returns those that were not filed at this very moment under another study, whose lock is not ours."""
    by_id = {new_id(): one for one in arriving}
    filed_at = clock.now()
    rows = [_write_row(id_, actor, place, one, filed_at) for id_, one in by_id.items()]
    added = {row[0] for row in statements.list_rows(session, _INSERT, {"rows": write_rows(rows)})}
    new = {id_: one for id_, one in by_id.items() if id_ in added}
    # The rows are seen from the commit on: a crash before it leaves files without rows, never a row without its file.
    for one in new.values():
        storage.keep(one.staged)
    _add_beside(session, new)
    return list(new.values())


def _write_row(id_: UUID, actor: Actor, place: Place, one: Arriving, filed_at: datetime) -> dict[str, Any]:
    """As ``models.Instance`` has it."""
    return {
        "id": id_,
        "series_id": place.series.id,
        "hospital_id": actor.house_id,
        "sop_instance_uid": one.header.sop_instance_uid,
        "filed_at": filed_at,
        **_describe_file(one),
    }


def _describe_file(one: Arriving) -> dict[str, Any]:
    """The columns that speak of the file itself."""
    header, staged = one.header, one.staged
    return {
        "sop_class_uid": header.sop_class_uid,
        "transfer_syntax_uid": header.transfer_syntax_uid,
        "number": header.instance_number,
        "rows": header.rows,
        "columns": header.columns,
        "frames": header.frames,
        "bits_allocated": header.bits_allocated,
        "orientation": header.orientation,
        "sha256": staged.sha256,
        "size_bytes": staged.size_bytes,
        "storage_key": staged.address,
        "data_key": staged.wrapped_key,
        "is_archived": one.is_archived,
    }


def _add_beside(session: Session, added: Mapping[UUID, Arriving]) -> None:
    """What is kept beside the rows of instances, and what has to be done about some of them."""
    _write_details(session, added)
    for id_, one in added.items():
        if slow.is_slow(one.header.transfer_syntax_uid, one.header.rows, one.header.columns):
            outbox.announce(session, slow.ARRIVED_TOPIC, {"instance_id": str(id_)}, wakes=False)
        if one.header.sop_class_uid in documents.CLASSES:
            outbox.announce(session, documents.ARRIVED_TOPIC, {"instance_id": str(id_)}, wakes=False)


def _write_details(session: Session, added: Mapping[UUID, Arriving]) -> None:
    rows = [
        {
            "instance_id": id_,
            "metadata_sealed": _seal_metadata(one.staged, one.header),
            "frame_places": one.header.details.frames,
        }
        for id_, one in added.items()
    ]
    if sum(one.header.details.size_bytes for one in added.values()) > _COPIED_BYTES:
        copy_rows(session, InstanceDetails, rows)
    else:
        append_rows(session, InstanceDetails, rows)


def _seal_metadata(staged: storage.Staged, header: Header) -> bytes | None:
    if header.details.metadata is None:
        return None
    return vault().unwrap(staged.wrapped_key).seal_bytes(header.details.metadata, context=METADATA_CONTEXT)


def _bring_up_to_date(session: Session, place: Place, headers: Sequence[Header]) -> None:
    study, series = place.study, place.series
    is_first, is_first_of_series = study.instance_count == 0, series.instance_count == 0
    _count(session, place, len(headers))
    modalities = sorted({*study.modalities, *(header.modality for header in headers)})
    is_other_kind = modalities != study.modalities
    if is_other_kind:
        study.modalities = modalities
    session.flush()
    if is_first or is_other_kind:
        timeline.place_entry(
            session,
            timeline.Placement(
                person_id=study.person_id,
                hospital_id=study.hospital_id,
                visit_id=study.visit_id,
                object_kind="study",
                object_id=study.id,
                category="imaging",
                title=study.description or _title(study.modalities),
                status="available",
                occurred_at=study.studied_at,
            ),
        )
    if is_first_of_series:
        # Each series says for itself what it shows; a later one can only add a label.
        names = [text for text in (study.description, series.body_part, series.description) if text]
        releasing.label_item(
            session,
            releasing.Item(
                of=("study", study.id),
                version=1 if is_first else 2,
                person_id=study.person_id,
                hospital_id=study.hospital_id,
                visit_id=study.visit_id,
                category="imaging",
                code=None,
                codes=(),
                names=names,
            ),
        )


def _count(session: Session, place: Place, added: int) -> None:
    """Both rows at once, with every image that comes: hence by hand, and behind the back of the ORM."""
    session.flush()
    asked = {"series_id": place.series.id, "study_id": place.study.id, "added": added}
    counts = statements.run(session, _COUNT, asked)
    assert counts is not None
    set_committed_value(place.study, "instance_count", counts[0])
    set_committed_value(place.series, "instance_count", counts[1])


def _announce(session: Session, study: Study) -> None:
    """Once a minute in which something came; done when that minute is over and what came in it is committed."""
    minute = int(clock.now().timestamp() // LOOK_EVERY.total_seconds())
    due_at = datetime.fromtimestamp(0, UTC) + (minute + 1) * LOOK_EVERY + LOOK_AFTER
    payload = {"study_id": str(study.id)}
    outbox.announce(session, FILED_TOPIC, payload, key=f"study_grown/{study.id}/{minute}", due_at=due_at, wakes=False)


def _title(modalities: list[str]) -> str:
    known = [_TITLES[modality] for modality in modalities if modality in _TITLES]
    return known[0] if known else "影像检查"
