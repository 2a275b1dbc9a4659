"""Images in and statuses out, and the answers to storage commitments: the transactions around them.

What is received needs an app context.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import db, observe
from core.actor import SYSTEM, Actor
from core.dispatch import Handler
from core.errors import DatabaseUnavailable, InternalError, Refusal
from core.storage import Staged
from core.web import current_config
from records.dimse import reporting, service
from records.dimse.service import Commitment, Reference
from records.images import service as images
from records.images.dicom import read_header


@dataclass(frozen=True)
class Peer:
    """Who speaks: at which port, under which AE title, proven by which certificate (SHA-256; None: in clear)."""

    port: int
    calling_ae_title: str
    fingerprint: bytes | None


class PortClosed(Exception):
    """This peer is not heard at this port any more."""


def list_lines() -> dict[int, accounts.DicomLine]:
    """The ports to listen on now."""
    with db.snapshot() as session:
        return accounts.list_dicom_lines(session)


def store_file(peer: Peer, staged: Staged) -> Refusal | None:
    """File a finished data set. None: it is committed. Never raises, but:

    :raises PortClosed: the peer is not heard any more; asked anew for every image.
    """
    observe.begin_request()
    refusal: Refusal | None = None
    try:
        with staged.open() as stream:
            header = read_header(stream)
        with db.transaction() as session:
            actor = _identify(session, peer)
            images.file_instance(session, actor, staged=staged, header=header, card_issuer=current_config().issuer_code)
    except Refusal as refused:
        refusal = refused
    except SQLAlchemyError:
        refusal = DatabaseUnavailable()
    except PortClosed:
        raise
    except Exception as error:
        # Its text may quote a person's data.
        observe.log.error("mistake", error=type(error).__name__)
        refusal = InternalError()
    if refusal is not None:
        observe.REFUSALS.labels(refusal.code).inc()
    observe.log.info("dimse.image", code=refusal.code if refusal else None)
    return refusal


def commit_storage(peer: Peer, transaction_uid: str, references: list[Reference]) -> Commitment | None:
    """The answer to a storage commitment, to be given at once; None: it will be, on an association of our own.

    :raises PortClosed: the peer is not heard any more.
    """
    observe.begin_request()
    with db.transaction() as session:
        actor = _identify(session, peer)
        line = accounts.find_dicom_line(session, actor.house_id)
        if line is None or line.described.reply is None:
            return service.check_stored(session, actor, transaction_uid=transaction_uid, references=references)
        service.ask_commitment(
            session,
            actor,
            calling=peer.calling_ae_title,
            transaction_uid=transaction_uid,
            references=references,
        )
    return None


def answer_commitment(payload: dict[str, Any]) -> None:
    """``commitment_id``: tell the system that asked what is stored here; told twice it takes no harm.

    :raises reporting.NotReached: it does not answer now.
    """
    commitment_id = UUID(payload["commitment_id"])
    with db.transaction() as session:
        due = service.find_due(session, SYSTEM, commitment_id)
    if due is None:
        return
    reporting.report_commitment(current_config(), *due)
    with db.transaction() as session:
        service.record_answered(session, commitment_id)


def _identify(session: Session, peer: Peer) -> Actor:
    actor = accounts.identify_dicom_port(
        session, port=peer.port, calling=peer.calling_ae_title, fingerprint=peer.fingerprint
    )
    if actor is None:
        raise PortClosed
    return actor


HANDLERS: dict[str, Handler] = {service.COMMITMENT_TOPIC: answer_commitment}
