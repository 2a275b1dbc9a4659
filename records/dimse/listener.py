"""The DIMSE listener: one port a hospital, for C-ECHO, C-STORE and storage commitment.

A port whose hospital has registered certificates speaks TLS only, and only with who proves himself by one of them.
Which AE titles may call, and how the platform is called, belongs to the port.
"""

import hashlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from socketserver import BaseServer
from typing import Any, TypeVar, cast

import pynetdicom
from flask import Flask
from pydicom import Dataset, uid
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification  # type: ignore[attr-defined]
from pynetdicom.transport import AssociationServer, RequestHandler, ThreadedAssociationServer
from sqlalchemy.exc import SQLAlchemyError

from accounts import service as accounts
from core import observe
from core.config import Config
from core.errors import Refusal
from records.dicomweb.stow import failure_reason
from records.dimse import classes, jobs, reporting
from records.dimse.arriving import ArrivingDataSet, Conversation
from records.dimse.jobs import Peer, PortClosed
from records.dimse.service import Commitment
from records.hl7v2.securing import CertificateMissing, secure

# What pynetdicom says of a message quotes it, and costs more time than the message.
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
pynetdicom._config.LOG_HANDLER_LEVEL = "none"

SUCCESS, NOT_AUTHORISED, NO_SUCH_ACTION, INVALID_ARGUMENT, PROCESSING_FAILURE = 0, 0x0124, 0x0123, 0x0115, 0x0110
REQUEST_COMMITMENT = 1
_LONGEST_COMMENT = 64
# A few bytes of these may inflate without bound.
_REFUSED_SYNTAXES = {syntax for syntax in ALL_TRANSFER_SYNTAXES if "Deflate" in uid.UID(syntax).name}
classes.register()
TRANSFER_SYNTAXES = [syntax for syntax in ALL_TRANSFER_SYNTAXES if syntax not in _REFUSED_SYNTAXES]

Result = TypeVar("Result")


@dataclass(frozen=True)
class Limits:
    """What a peer may do. ``wait_seconds``: between two pieces of what has begun; ``idle_seconds``: between requests.

    ``connections``: associations, and those that are about to be one, of one hospital.
    """

    associations: int = 20
    connections: int = 40
    pdu_bytes: int = 256 * 1024
    wait_seconds: float = 30.0
    idle_seconds: float = 300.0
    stop_seconds: float = 20.0


def serve(app: Flask, stop: threading.Event, *, limits: Limits | None = None, poll_seconds: float = 2.0) -> None:
    """Listen on every hospital's port until ``stop`` is set; what is being filed then is filed.

    :param poll_seconds: how often to look whether ports were opened, changed or closed.
    """
    _Listener(app, limits or Limits()).run(stop, poll_seconds)


@dataclass
class _Port:
    line: accounts.DicomLine
    server: "_Server"
    thread: threading.Thread


class _Listener:
    def __init__(self, app: Flask, limits: Limits) -> None:
        self._app, self._limits = app, limits
        self._config: Config = app.extensions["yimatong.config"]
        self._ports: dict[int, _Port] = {}

    def run(self, stop: threading.Event, poll_seconds: float) -> None:
        try:
            while not stop.is_set():
                self._follow_ports()
                stop.wait(poll_seconds)
        finally:
            open_ports = list(self._ports.values())
            for port in open_ports:
                self._close(port)
            for port in open_ports:
                port.server.end_associations(self._limits.stop_seconds)

    def _follow_ports(self) -> None:
        try:
            with self._app.app_context():
                wanted = jobs.list_lines()
        except SQLAlchemyError:
            observe.log.warning("dimse.database_unavailable")
            return
        for number, port in list(self._ports.items()):
            if wanted.get(number) != port.line:
                # Who is connected is asked about with every image; nobody new comes in.
                self._close(self._ports.pop(number))
        for number in wanted.keys() - self._ports.keys():
            try:
                self._ports[number] = self._open(wanted[number])
            except (OSError, CertificateMissing):
                observe.log.warning("dimse.port_unavailable", port=number)

    def _open(self, line: accounts.DicomLine) -> _Port:
        described = line.described
        entity = AE(described.called_ae_title)
        entity.require_called_aet = True
        entity.require_calling_aet = list(described.calling_ae_titles)
        entity.maximum_associations = self._limits.associations
        entity.maximum_pdu_size = self._limits.pdu_bytes
        entity.acse_timeout = entity.dimse_timeout = self._limits.wait_seconds
        entity.network_timeout = self._limits.idle_seconds
        server = _Server(
            entity,
            (self._config.dicom_host, described.port),
            described.called_ae_title,
            list_contexts(),
            secure(self._config, line.certificates) if line.certificates else None,
            _Answering(self._app, described.port).handlers(),
            _Handler,
            limits=self._limits,
            certificates=line.certificates,
        )
        thread = threading.Thread(target=server.serve_forever, args=(0.2,), name=f"dimse-{described.port}")
        thread.start()
        return _Port(line, server, thread)

    def _close(self, port: _Port) -> None:
        port.server.stop_listening()
        port.thread.join()


def list_contexts() -> list[PresentationContext]:
    """What is negotiated: storage classes of the standard, its retired ones and those of makers, in all transfer
    syntaxes that are kept.
    """
    standing = [each.abstract_syntax or "" for each in AllStoragePresentationContexts]
    kinds = dict.fromkeys([*standing, *classes.RETIRED, *classes.PRIVATE])
    storage = [build_context(kind, TRANSFER_SYNTAXES) for kind in kinds]
    commitment = build_context(StorageCommitmentPushModel)
    return [build_context(Verification), commitment, *storage]


class _Answering:
    """What the associations at one port are answered."""

    def __init__(self, app: Flask, port: int) -> None:
        self._app, self._port = app, port

    def handlers(self) -> list[Any]:
        return [
            (evt.EVT_FSM_TRANSITION, _notice_left),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_N_ACTION, self._commit),
        ]

    def _store(self, event: evt.Event) -> Dataset | int:
        arrived = cast(C_STORE, event.request).DataSet
        assert isinstance(arrived, ArrivingDataSet)
        try:
            staged = arrived.finish()
            refusal = self._work(partial(jobs.store_file, _peer(event.assoc, self._port), staged))
        except Refusal as refused:
            refusal = refused
        except PortClosed:
            return NOT_AUTHORISED
        finally:
            arrived.forget()
        return SUCCESS if refusal is None else _refuse(refusal)

    def _commit(self, event: evt.Event) -> tuple[int, None]:
        """Storage commitment (PS3.4, section J.3.2): taken on; the answer follows on its own."""
        if event.action_type != REQUEST_COMMITMENT:
            return NO_SUCH_ACTION, None
        try:
            asked = event.action_information
            references = [
                (str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID))
                for item in asked.ReferencedSOPSequence
            ]
            transaction_uid = str(asked.TransactionUID)
        except Exception:
            # What a broken data set makes the parser raise is anything at all; each of it means the same.
            return INVALID_ARGUMENT, None
        try:
            answer = self._work(
                partial(jobs.commit_storage, _peer(event.assoc, self._port), transaction_uid, references)
            )
        except PortClosed:
            return NOT_AUTHORISED, None
        except SQLAlchemyError:
            return PROCESSING_FAILURE, None
        if answer is not None:
            # Waits until the request has been answered, and this thread is the one that answers it.
            threading.Thread(target=_report, args=(event.assoc, answer)).start()
        return SUCCESS, None

    def _work(self, act: Callable[[], Result]) -> Result:
        with self._app.app_context():
            return act()


def _notice_left(event: evt.Event) -> None:
    """Who connected and left without a word would be waited for, and keep a place."""
    if event.next_state == "Sta1" and event.assoc.requestor.primitive is None:
        event.assoc.dul.to_user_queue.put(None)


def _report(association: Association, answer: Commitment) -> None:
    try:
        reporting.send_report(association, answer)
    except reporting.NotReached:
        # The other side has hung up already; it asks again, or gives an address to be answered at.
        observe.log.info("dimse.commitment_not_heard")


def _refuse(refusal: Refusal) -> Dataset:
    answer = Dataset()
    answer.Status = failure_reason(refusal)
    answer.ErrorComment = refusal.code[:_LONGEST_COMMENT]
    return answer


def _peer(association: Association, port: int) -> Peer:
    opened = association.dul.socket.socket if association.dul.socket else None
    return Peer(port, str(association.requestor.ae_title).strip(), _fingerprint(opened))


def _fingerprint(opened: socket.socket | None) -> bytes | None:
    """SHA-256 of the certificate that the other side has shown; None: in clear."""
    if not isinstance(opened, ssl.SSLSocket):
        return None
    return hashlib.sha256(opened.getpeercert(binary_form=True) or b"").digest()


class _Handler(RequestHandler):
    """Makes an association of a connection, and clears away what is left when it has ended."""

    server: "_Server"

    def handle(self) -> None:
        """Stays as long as the association."""
        self.server.conversing.add(threading.current_thread())
        conversation: Conversation | None = None
        try:
            association = self._create_association()
            association.dimse = conversation = Conversation(association)
            association.start()
            association.join()
        finally:
            if conversation is not None:
                conversation.staging.__exit__()
            self.request.close()
            self.server.conversing.discard(threading.current_thread())

    def _create_association(self) -> Association:
        association = super()._create_association()
        assert association.dul.socket is not None
        reader = partial(_receive, self.request, most=association.acceptor.maximum_length or 0)
        association.dul.socket.recv = reader  # type: ignore[method-assign]
        return association


def _receive(opened: socket.socket, nr_bytes: int, *, most: int) -> bytearray:
    """So many bytes, or fewer when the other side has closed: in large pieces, and no more than was agreed on.

    :raises OSError: the piece is larger than what we said we take (PS3.8, section D.1), or does not come.
    """
    if nr_bytes > most + 6:
        raise OSError("PDU too large")
    received = bytearray(nr_bytes)
    view, filled = memoryview(received), 0
    while filled < nr_bytes:
        more = opened.recv_into(view[filled:])
        if more == 0:
            break
        filled += more
    view.release()
    return received[:filled]


class _Server(ThreadedAssociationServer):
    """Lets connections in. TLS is agreed on in the connection's own thread: who does not finish holds nobody up."""

    daemon_threads = True

    def __init__(self, *arguments: Any, limits: Limits, certificates: tuple[bytes, ...], **named: Any) -> None:
        self._limits = limits
        self._fingerprints = {hashlib.sha256(one).digest() for one in certificates}
        self._connected: set[threading.Thread] = set()
        self.conversing: set[threading.Thread] = set()
        super().__init__(*arguments, **named)

    def get_request(self) -> tuple[socket.socket, Any]:
        assert self.socket is not None
        opened, address = self.socket.accept()
        # A peer that stops in the middle of a piece would keep its place for ever.
        opened.settimeout(self._limits.wait_seconds)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened, address

    def verify_request(self, _request: Any, _client_address: Any) -> bool:
        return len(self._connected) < self._limits.connections

    def finish_request(self, request: Any, client_address: Any) -> None:
        self._connected.add(threading.current_thread())
        try:
            self._converse(request, client_address)
        finally:
            self._connected.discard(threading.current_thread())

    def _converse(self, request: Any, client_address: Any) -> None:
        if self.ssl_context is not None:
            request = self.ssl_context.wrap_socket(request, server_side=True)
            # Not one that a registered certificate has signed: the registered one.
            if _fingerprint(request) not in self._fingerprints:
                request.close()
                return
        super().finish_request(request, client_address)

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        observe.log.info("dimse.peer_dropped", error="handshake")

    def stop_listening(self) -> None:
        """Let nobody in any more; who is connected stays."""
        # pynetdicom's own way also takes itself off a list that only its ``start_server`` keeps.
        BaseServer.shutdown(self)
        AssociationServer.server_close(self)

    def end_associations(self, timeout_seconds: float) -> None:
        """End what is open; an image that is being filed is filed, and sent again by who did not hear of it."""
        for association in self.active_associations:
            association.abort()
        for thread in list(self.conversing):
            thread.join(timeout_seconds)
