"""Answering a storage commitment on an association of our own (PS3.4, section J.3.3)."""

import hashlib
import socket
import ssl

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance  # type: ignore[attr-defined]

from core.config import Config
from records.dimse.service import Addressee, Commitment
from records.hl7v2.securing import CertificateMissing

ALL_STORED, SOME_FAILED = 1, 2
TIMEOUT_SECONDS = 20


class NotReached(Exception):
    """The system that asked cannot be told now."""


def report_commitment(config: Config, addressee: Addressee, answer: Commitment) -> None:
    """Send the answer (N-EVENT-REPORT) to where the hospital wants it, and see it confirmed.

    :raises NotReached: nobody there, not who it should be, or it does not confirm.
    """
    described = addressee.line.described
    assert described.reply is not None
    host, port = described.reply
    entity = AE(described.called_ae_title)
    entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = TIMEOUT_SECONDS
    entity.network_timeout = TIMEOUT_SECONDS
    entity.add_requested_context(StorageCommitmentPushModel)
    # We connect, but stay the provider: the roles are turned round (PS3.7, section D.3.3.4).
    role = SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid = StorageCommitmentPushModel
    role.scu_role, role.scp_role = False, True
    connection = entity.associate(
        host,
        port,
        ae_title=addressee.calling_ae_title,
        ext_neg=[role],
        tls_args=_secure(config, host, addressee.line.certificates),
    )
    if not connection.is_established:
        raise NotReached
    opened = connection.dul.socket.socket if connection.dul.socket else None
    try:
        if not _is_trusted(opened, addressee.line.certificates):
            raise NotReached
        send_report(connection, answer)
    finally:
        connection.release()
        # pynetdicom leaves it open when the other side was first to close.
        if opened is not None:
            opened.close()


def send_report(connection: Association, answer: Commitment) -> None:
    """Send the answer on an association that is there already.

    :raises NotReached: it is not confirmed.
    """
    try:
        status, _ = connection.send_n_event_report(
            to_event(answer),
            SOME_FAILED if answer.failed else ALL_STORED,
            StorageCommitmentPushModel,
            StorageCommitmentPushModelInstance,
        )
    except (RuntimeError, ValueError) as error:
        raise NotReached from error
    if status.get("Status") != 0:
        raise NotReached


def to_event(answer: Commitment) -> Dataset:
    """The Event Information (PS3.4, table J.3-2)."""
    event = Dataset()
    event.TransactionUID = answer.transaction_uid
    event.ReferencedSOPSequence = [_to_item(*one) for one in answer.stored]
    if answer.failed:
        event.FailedSOPSequence = [_to_item(*one, reason=reason) for one, reason in answer.failed]
    return event


def _to_item(sop_class: str, uid: str, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = UID(sop_class), UID(uid)
    if reason is not None:
        item.FailureReason = reason
    return item


def _secure(config: Config, host: str, certificates: tuple[bytes, ...]) -> tuple[ssl.SSLContext, str] | None:
    """As at the hospital's port: TLS with the very certificates that are registered there, or in clear."""
    if not certificates:
        return None
    if config.mllp_certificate is None or config.mllp_key is None:
        raise CertificateMissing
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Who it is says the certificate itself, not a name in it.
    context.check_hostname = False
    context.load_cert_chain(config.mllp_certificate, config.mllp_key)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=b"".join(certificates))
    return context, host


def _is_trusted(opened: socket.socket | None, certificates: tuple[bytes, ...]) -> bool:
    """Whether the other side has shown one of these; not one that such a one has signed."""
    if not isinstance(opened, ssl.SSLSocket):
        return not certificates
    shown = hashlib.sha256(opened.getpeercert(binary_form=True) or b"").digest()
    return shown in {hashlib.sha256(one).digest() for one in certificates}
