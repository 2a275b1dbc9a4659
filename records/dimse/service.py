"""Storage commitment (PS3.4, annex J): what was asked, and what is really stored."""

from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit, clock
from core.actor import Actor
from core.outbox import announce
from records.images import service as images
from records.images.models import StorageCommitment

COMMITMENT_TOPIC = "records.commitment_asked"

# Failure Reason (0008,1197), PS3.3, section C.14.1.1.
NO_SUCH_INSTANCE = 0x0112
CLASS_CONFLICT = 0x0119

# SOP class UID and SOP instance UID.
Reference = tuple[str, str]


@dataclass(frozen=True)
class Commitment:
    """The answer to a request. ``failed``: with the failure reason."""

    transaction_uid: str
    stored: list[Reference]
    failed: list[tuple[Reference, int]]


@dataclass(frozen=True)
class Addressee:
    """Who is answered, and where. ``line``: the hospital's port, which says how."""

    calling_ae_title: str
    line: accounts.DicomLine


def check_stored(session: Session, actor: Actor, *, transaction_uid: str, references: list[Reference]) -> Commitment:
    """Which of these instances the actor's hospital may delete, because they are kept here, whole."""
    kept = images.list_kept(session, actor.house_id, [uid for _, uid in references])
    failed = [
        (one, CLASS_CONFLICT if one[1] in kept else NO_SUCH_INSTANCE)
        for one in references
        if kept.get(one[1]) != one[0]
    ]
    stored = [one for one in references if kept.get(one[1]) == one[0]]
    audit.record_act(
        session,
        actor,
        "records.commitment.answered",
        of=("hospital", actor.house_id),
        facts={"stored": len(stored), "failed": len(failed)},
    )
    return Commitment(transaction_uid, stored, failed)


def ask_commitment(
    session: Session, actor: Actor, *, calling: str, transaction_uid: str, references: list[Reference]
) -> UUID:
    """Keep a request that is answered later, on an association of our own."""
    asked = StorageCommitment(
        hospital_id=actor.house_id,
        calling_ae_title=calling,
        transaction_uid=transaction_uid,
        instances=[list(one) for one in references],
        asked_at=clock.now(),
    )
    session.add(asked)
    session.flush()
    audit.record_act(
        session,
        actor,
        "records.commitment.asked",
        of=("storage_commitment", asked.id),
        facts={"instances": len(references)},
    )
    announce(session, COMMITMENT_TOPIC, {"commitment_id": str(asked.id)})
    return asked.id


def find_due(session: Session, actor: Actor, commitment_id: UUID) -> tuple[Addressee, Commitment] | None:
    """What is to be answered now and to whom; None: it was, or the hospital's port is no longer open."""
    asked = session.get(StorageCommitment, commitment_id)
    line = accounts.find_dicom_line(session, asked.hospital_id) if asked and asked.answered_at is None else None
    if asked is None or line is None:
        return None
    references = [(sop_class, uid) for sop_class, uid in asked.instances]
    answer = check_stored(
        session,
        replace(actor, hospital_id=asked.hospital_id),
        transaction_uid=asked.transaction_uid,
        references=references,
    )
    return Addressee(asked.calling_ae_title, line), answer


def record_answered(session: Session, commitment_id: UUID) -> None:
    """The system that asked has confirmed that it got the answer."""
    asked = session.get(StorageCommitment, commitment_id, with_for_update=True)
    if asked is not None and asked.answered_at is None:
        asked.answered_at = clock.now()
