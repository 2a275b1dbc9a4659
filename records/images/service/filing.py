"""Filing one DICOM instance: whose it is, which study it belongs to, whether it came before."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit, clock, outbox, storage
from core.actor import Actor
from core.errors import Refusal
from core.ids import new_id
from core.vault import vault
from health_card import service as health_card
from records.images import documents, slow
from records.images.details import METADATA_CONTEXT
from records.images.dicom import Header
from records.images.models import Instance, InstanceDetails, Series, Study
from records.intake import files
from records.intake.files import FileArrival
from records.intake.subjects import Assignment, Subject, match_person
from records.refusals import (
    InstanceDiffers,
    PersonContradicts,
    PersonNotMatched,
    StudyMismatch,
    StudyOfAnotherPerson,
)
from records.releasing import service as releasing
from records.timeline import service as timeline
from records.visits import service as visits

CHANNEL = "dicomweb"
FILED_TOPIC = "records.study_grown"
# A study is looked at when no more of it has come for a while, not with every one of its instances.
LOOK_EVERY = timedelta(minutes=1)
LOOK_AFTER = timedelta(seconds=30)
MEDIA_TYPE = "application/dicom"
# What the house's own archive says of an instance whose pixels stay there: all of its header, as a file.
ARCHIVED_MEDIA_TYPE = "application/dicom; pixels=archived"
# A study arrives as hundreds of instances: its owner reads of one arrival.
FOLD = timedelta(minutes=15)

_SEXES = {"M": "male", "F": "female"}
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


@dataclass(frozen=True)
class Filed:
    """Where an instance was filed. ``is_new``: False when it came before, byte for byte."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    is_new: bool


def hold_study(session: Session, actor: Actor, study_uid: str) -> None:
    """Let nobody else file instances of a study, until the transaction ends.

    Who files several in one transaction calls it first: then two that send the same study cannot wait for each other.
    """
    key = func.hashtextextended(f"images/{actor.house_id}/{study_uid}", 0)
    session.execute(select(func.pg_advisory_xact_lock(key)))


def file_instance(
    session: Session,
    actor: Actor,
    *,
    staged: storage.Staged,
    header: Header,
    card_issuer: str,
    into_study: str | None = None,
    assigned: Assignment | None = None,
    is_archived: bool = False,
) -> Filed:
    """File a staged DICOM file that the actor's hospital sent. The same file again changes nothing.

    :param staged: finished; it is kept when, and only when, a row names it.
    :param card_issuer: what IssuerOfPatientID says when PatientID is a card number.
    :param into_study: the StudyInstanceUID that it was sent to, when it was.
    :param assigned: whose it is, as somebody of the hospital has said since it was set aside.
    :param is_archived: the file is a header; the pixels stay in the house's own archive, to be fetched when asked for.
    :raises StudyMismatch: it is of another study than it was sent to.
    :raises InstanceDiffers: the hospital sent other content under this SOPInstanceUID before.
    :raises PersonNotMatched: PatientID leads to nobody; kept in quarantine.
    :raises PersonContradicts: PatientName, PatientSex or PatientBirthDate are not that person's; kept in quarantine.
    :raises StudyOfAnotherPerson: other instances of the study are somebody else's; kept in quarantine.
    :raises MessageDismissed: the hospital has dismissed this very file.
    """
    if into_study is not None and into_study != header.study_instance_uid:
        raise StudyMismatch
    if _find_same(session, actor, staged, header, is_archived=is_archived):
        return _filed(header, is_new=False)
    arrival = _arrival(staged, header, is_archived=is_archived)
    files.check_not_dismissed(session, actor, arrival)
    try:
        person_id = _match_person(session, actor, header, card_issuer, assigned)
    except (PersonNotMatched, PersonContradicts) as refusal:
        raise _set_aside(session, actor, arrival, refusal) from None
    study = _lock_study(session, actor, person_id, header)
    if not health_card.is_same_person(session, study.person_id, person_id):
        raise _set_aside(session, actor, arrival, StudyOfAnotherPerson())
    # Whoever sent the same file at the same moment has committed by now, or waits for us.
    if _find_same(session, actor, staged, header, is_archived=is_archived):
        return _filed(header, is_new=False)
    series = _find_or_add_series(session, study, header)
    _add_instance(session, actor, series, arrival, header)
    _bring_up_to_date(session, study, series, header)
    _announce(session, study)
    files.accept_waiting_file(session, actor, arrival, person_id=person_id)
    audit.record_act_once(
        session,
        actor,
        "records.study.filed",
        within=FOLD,
        subject_id=person_id,
        of=("study", study.id),
        facts={"modality": header.modality[:16]},
    )
    return _filed(header, is_new=True)


def is_filed(session: Session, actor: Actor, *, sop_uid: str) -> bool:
    """Whether the actor's hospital has an instance of this SOPInstanceUID here."""
    known = select(Instance.id).filter_by(hospital_id=actor.house_id, sop_instance_uid=sop_uid)
    return session.scalar(known) is not None


def _filed(header: Header, *, is_new: bool) -> Filed:
    return Filed(header.study_instance_uid, header.series_instance_uid, header.sop_instance_uid, is_new)


def _find_same(session: Session, actor: Actor, staged: storage.Staged, header: Header, *, is_archived: bool) -> bool:
    known = session.scalar(
        select(Instance.sha256).filter_by(hospital_id=actor.house_id, sop_instance_uid=header.sop_instance_uid)
    )
    # An archive describes one instance in more than one way, and may have sent the file itself before.
    if known is not None and known != staged.sha256 and not is_archived:
        raise InstanceDiffers
    return known is not None


def _match_person(
    session: Session, actor: Actor, header: Header, card_issuer: str, assigned: Assignment | None
) -> UUID:
    """Whose the file is, by PatientID as its issuer means it (docs/interfaces/dicomweb.md), and what else it says.

    :raises PersonNotMatched: another house's number, or one that leads to nobody.
    :raises PersonContradicts: name, sex or birth date are another person's.
    """
    said = Subject(
        names=frozenset(header.patient_names),
        sex=_SEXES.get(header.sex or "", "unknown"),
        birth_date=header.birth_date,
        assigned=assigned,
    )
    number, issuer = header.patient_id, header.issuer_of_patient_id
    looks_like_card = re.fullmatch(r"[0-9A-Fa-f]{64}", number or "") is not None
    if number and (issuer == card_issuer or (issuer is None and looks_like_card)):
        said = replace(said, card_numbers=frozenset({number}))
    # A number of another house means somebody else here, so only our sender's own numbers are looked up.
    elif number and (issuer is None or issuer == accounts.get_hospital(session, actor.house_id).code):
        said = replace(said, patient_numbers=frozenset({number}))
    return match_person(session, actor, said)


def _set_aside(session: Session, actor: Actor, arrival: FileArrival, refusal: Refusal) -> Refusal:
    files.quarantine_file(session, actor, arrival, reason=refusal.code)
    return refusal


def _arrival(staged: storage.Staged, header: Header, *, is_archived: bool) -> FileArrival:
    media_type = ARCHIVED_MEDIA_TYPE if is_archived else MEDIA_TYPE
    return FileArrival(CHANNEL, staged, media_type, header.sop_instance_uid)


def _lock_study(session: Session, actor: Actor, person_id: UUID, header: Header) -> Study:
    """The study's row, locked: the instances of one study are filed one after the other."""
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
    return session.scalars(
        select(Study)
        .filter_by(hospital_id=actor.house_id, study_instance_uid=header.study_instance_uid)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


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


def _add_instance(session: Session, actor: Actor, series: Series, arrival: FileArrival, header: Header) -> None:
    staged = arrival.file
    added = session.scalar(
        insert(Instance)
        .values(
            id=new_id(),
            series_id=series.id,
            hospital_id=actor.house_id,
            sop_instance_uid=header.sop_instance_uid,
            sop_class_uid=header.sop_class_uid,
            transfer_syntax_uid=header.transfer_syntax_uid,
            number=header.instance_number,
            rows=header.rows,
            columns=header.columns,
            frames=header.frames,
            bits_allocated=header.bits_allocated,
            sha256=staged.sha256,
            size_bytes=staged.size_bytes,
            # First the file, then the row: a crash here leaves a file without a row, never a row without a file.
            storage_key=storage.keep(staged),
            data_key=staged.wrapped_key,
            is_archived=arrival.content_type == ARCHIVED_MEDIA_TYPE,
            filed_at=clock.now(),
        )
        .on_conflict_do_nothing(index_elements=["hospital_id", "sop_instance_uid"])
        .returning(Instance.id)
    )
    if added is None:
        # Filed at this very moment under another study, whose lock is not ours: then it is another file.
        raise InstanceDiffers
    session.execute(
        insert(InstanceDetails).values(
            instance_id=added,
            metadata_sealed=_seal_metadata(staged, header),
            frame_places=header.details.frames,
        )
    )
    if slow.is_slow(header.transfer_syntax_uid, header.rows, header.columns):
        outbox.announce(session, slow.ARRIVED_TOPIC, {"instance_id": str(added)}, wakes=False)
    if header.sop_class_uid in documents.CLASSES:
        outbox.announce(session, documents.ARRIVED_TOPIC, {"instance_id": str(added)}, wakes=False)


def _seal_metadata(staged: storage.Staged, header: Header) -> bytes | None:
    if header.details.metadata is None:
        return None
    return vault().unwrap(staged.wrapped_key).seal_bytes(header.details.metadata, context=METADATA_CONTEXT)


def _bring_up_to_date(session: Session, study: Study, series: Series, header: Header) -> None:
    series.instance_count += 1
    study.instance_count += 1
    is_first, is_other_kind = study.instance_count == 1, header.modality not in study.modalities
    if is_other_kind:
        study.modalities = sorted({*study.modalities, header.modality})
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
    if series.instance_count == 1:
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


def _announce(session: Session, study: Study) -> None:
    """Once a minute in which something came; done when that minute is over and what came in it is committed."""
    minute = int(clock.now().timestamp() // LOOK_EVERY.total_seconds())
    due_at = datetime.fromtimestamp(0, UTC) + (minute + 1) * LOOK_EVERY + LOOK_AFTER
    payload = {"study_id": str(study.id)}
    outbox.announce(session, FILED_TOPIC, payload, key=f"study_grown/{study.id}/{minute}", due_at=due_at, wakes=False)


def _title(modalities: list[str]) -> str:
    known = [_TITLES[modality] for modality in modalities if modality in _TITLES]
    return known[0] if known else "影像检查"
