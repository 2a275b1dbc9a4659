"""Filing one DICOM instance: whose it is, which study it belongs to, whether it came before."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit, statements, storage
from core.actor import Actor
from core.errors import Refusal
from health_card import service as health_card
from records.images.dicom import Header
from records.images.models import Instance, Study
from records.images.service import adding
from records.images.service.adding import ARCHIVED_MEDIA_TYPE, Arriving
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

CHANNEL = "dicomweb"
MEDIA_TYPE = "application/dicom"
# A study arrives as hundreds of instances: its owner reads of one arrival.
FOLD = timedelta(minutes=15)
_KNOWN = """
SELECT sha256, is_archived FROM instances WHERE hospital_id = %(hospital_id)s AND sop_instance_uid = %(sop_uid)s
"""

_SEXES = {"M": "male", "F": "female"}


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
    one = Arriving(_arrival(staged, header, is_archived=is_archived), header)
    files.check_not_dismissed(session, actor, one.arrival)
    try:
        person_id = _match_person(session, actor, header, card_issuer, assigned)
    except (PersonNotMatched, PersonContradicts) as refusal:
        raise _set_aside(session, actor, one.arrival, refusal) from None
    study = adding.lock_study(session, actor, person_id, header)
    if not health_card.is_same_person(session, study.person_id, person_id):
        raise _set_aside(session, actor, one.arrival, StudyOfAnotherPerson())
    # Whoever sent the same file at the same moment has committed by now, or waits for us.
    is_filed_now = adding.replace_header(session, actor, study, one) or adding.add_instances(
        session, actor, study, [one]
    )
    if not is_filed_now:
        _find_same(session, actor, staged, header, is_archived=is_archived)
        return _filed(header, is_new=False)
    files.accept_waiting_file(session, actor, one.arrival, person_id=person_id)
    _record(session, actor, study, person_id, header)
    return _filed(header, is_new=True)


def file_together(
    session: Session,
    actor: Actor,
    arrived: Sequence[tuple[storage.Staged, Header]],
    *,
    card_issuer: str,
    into_study: str | None = None,
) -> set[storage.Staged]:
    """File those instances of one study that hold no question, by a few statements for all of them.

    Call ``hold_study`` first. What is not among the result was not touched: it is to be filed alone, which says why.

    :returns: the files that were filed.
    :raises InstanceDiffers: one came at this very moment under another study; what was done is to be undone.
    """
    first = arrived[0][1]
    if into_study not in {None, first.study_instance_uid}:
        return set()
    told = _said(first)
    chosen: dict[str, tuple[storage.Staged, Header]] = {}
    for staged, header in arrived:
        if _said(header) == told:
            chosen.setdefault(header.sop_instance_uid, (staged, header))
    known = select(Instance.sop_instance_uid).filter_by(hospital_id=actor.house_id)
    here = set(session.scalars(known.where(Instance.sop_instance_uid.in_(chosen))))
    here |= files.list_kept_keys(session, actor, CHANNEL, list(chosen))
    arriving = [
        Arriving(_arrival(staged, header, is_archived=False), header)
        for uid, (staged, header) in chosen.items()
        if uid not in here
    ]
    if not arriving:
        return set()
    try:
        person_id = _match_person(session, actor, first, card_issuer, None)
    except (PersonNotMatched, PersonContradicts):
        return set()
    study = adding.lock_study(session, actor, person_id, first)
    if not health_card.is_same_person(session, study.person_id, person_id):
        return set()
    added = adding.add_instances(session, actor, study, arriving)
    if len(added) < len(arriving):
        raise InstanceDiffers
    _record(session, actor, study, person_id, first)
    return {one.staged for one in added}


def is_filed(session: Session, actor: Actor, *, sop_uid: str) -> bool:
    """Whether the actor's hospital has an instance of this SOPInstanceUID here."""
    known = select(Instance.id).filter_by(hospital_id=actor.house_id, sop_instance_uid=sop_uid)
    return session.scalar(known) is not None


def _record(session: Session, actor: Actor, study: Study, person_id: UUID, header: Header) -> None:
    audit.record_act_once(
        session,
        actor,
        "records.study.filed",
        within=FOLD,
        subject_id=person_id,
        of=("study", study.id),
        facts={"modality": header.modality[:16]},
    )


def _said(header: Header) -> tuple[object, ...]:
    """All that tells whose an instance is."""
    return (
        header.patient_id,
        header.issuer_of_patient_id,
        header.patient_names,
        header.sex,
        header.birth_date,
        header.study_instance_uid,
    )


def _filed(header: Header, *, is_new: bool) -> Filed:
    return Filed(header.study_instance_uid, header.series_instance_uid, header.sop_instance_uid, is_new)


def _find_same(session: Session, actor: Actor, staged: storage.Staged, header: Header, *, is_archived: bool) -> bool:
    asked = {"hospital_id": actor.house_id, "sop_uid": header.sop_instance_uid}
    known = statements.run(session, _KNOWN, asked)
    # An archive describes one instance in more than one way, and may have sent the file itself before.
    if known is None or is_archived:
        return known is not None
    sha256, is_header = known
    if is_header:
        # Its header is here; the whole takes that place.
        return False
    if sha256 != staged.sha256:
        raise InstanceDiffers
    return True


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
