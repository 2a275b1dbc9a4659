"""DIMSE over real sockets: images in, commitments out, and peers that are broken, slow, strange or no longer wanted."""

import io
import secrets
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pydicom
import pytest
from flask import Flask
from pydicom import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)
from sqlalchemy import update

from accounts.models import DicomEndpoint
from accounts.service import ports
from core import db, storage
from core.actor import SYSTEM
from core.config import Config
from core.outbox import OutboxMessage
from records.dimse import jobs
from records.dimse.jobs import Peer
from records.dimse.reporting import NotReached
from records.images.models import Instance, StorageCommitment
from tests.records.hl7v2.test_mllp import can_connect, wait_until
from tests.records.hl7v2.test_mllp_tls import ours
from tests.support import dicom
from tests.support.certificates import Certificate
from tests.support.city import City
from tests.support.dimse import FEW, QUICK, Receiving, serving
from tests.support.ports import opened_dicom_port

__all__ = ["ours"]


@pytest.fixture
def receiving(request: pytest.FixtureRequest, committing_app: Flask, committing_city: City) -> Iterator[Receiving]:
    city = committing_city
    hospital, patient = city.hospital(), city.patient()
    number = f"P{secrets.token_hex(4)}"
    city.bind_number(hospital, patient, number)
    with opened_dicom_port(hospital.id) as port, serving(committing_app, getattr(request, "param", FEW)):
        wait_until(lambda: can_connect(port))
        yield Receiving(city, hospital, patient, number, port)


def send(receiving: Receiving, *images: Dataset) -> list[tuple[int, str]]:
    """Status and error comment of each."""
    with receiving.association(*images) as opened:
        assert opened.is_established
        answers = [opened.send_c_store(image) for image in images]
    return [(answer.Status, answer.get("ErrorComment", "")) for answer in answers]


def commit(opened: Any, *images: Dataset) -> tuple[int, str]:
    asked = Dataset()
    asked.TransactionUID = generate_uid()
    asked.ReferencedSOPSequence = [reference(image) for image in images]
    status, _ = opened.send_n_action(asked, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)
    return status.Status, asked.TransactionUID


def reference(image: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    return item


def is_open(port: int) -> bool:
    try:
        return can_connect(port)
    except ConnectionResetError:
        return False


class Told:
    """What a PACS was told of a commitment."""

    def __init__(self) -> None:
        self.events: list[tuple[int, str, list[str], list[tuple[str, int]]]] = []
        self.connections: list[socket.socket] = []
        self.handlers: list[Any] = [(evt.EVT_N_EVENT_REPORT, self._hear), (evt.EVT_CONN_OPEN, self._keep)]

    def _keep(self, event: Any) -> None:
        self.connections.append(event.assoc.dul.socket.socket)

    def _hear(self, event: Any) -> tuple[int, None]:
        said = event.event_information
        stored = [str(item.ReferencedSOPInstanceUID) for item in said.ReferencedSOPSequence]
        failed = [
            (str(item.ReferencedSOPInstanceUID), item.FailureReason) for item in said.get("FailedSOPSequence", [])
        ]
        self.events.append((event.event_type, str(said.TransactionUID), stored, failed))
        return 0, None


def test_what_is_answered_with_success_is_committed_byte_for_byte(receiving: Receiving, config: Config) -> None:
    image, others = dicom.make_image(PatientID=receiving.number), incoming(config)
    assert send(receiving, image) == [(0, "")]
    assert set(receiving.stored()) == {image.SOPInstanceUID}
    with db.transaction() as session:
        row = session.query(Instance).filter_by(sop_instance_uid=str(image.SOPInstanceUID)).one()
    with storage.open_file(row.storage_key, row.data_key) as stream:
        read = pydicom.dcmread(stream)
    assert read == image
    assert read.file_meta.TransferSyntaxUID == image.file_meta.TransferSyntaxUID
    wait_until(lambda: incoming(config) == others)


def test_each_refusal_has_its_status_and_says_its_code(receiving: Receiving) -> None:
    stored = dicom.make_image(PatientID=receiving.number)
    images = [
        stored,
        dicom.make_image(PatientID="NOBODY"),
        dicom.make_image(PatientID=receiving.number, PatientName="LI^SI"),
        dicom.make_image(PatientID=receiving.number, SOPInstanceUID=stored.SOPInstanceUID),
        dicom.make_image(PatientID=receiving.number, StudyInstanceUID=None),
    ]
    assert send(receiving, *images) == [
        (0, ""),
        (0xC001, "records.person_not_matched"),
        (0xC002, "records.person_contradicts"),
        (0x0111, "records.instance_differs"),
        (0xA900, "records.image_incomplete"),
    ]
    assert receiving.waiting() == ["records.person_not_matched", "records.person_contradicts"]
    assert set(receiving.stored()) == {stored.SOPInstanceUID}


def test_a_port_that_is_closed_takes_nothing_more_on_associations_that_stand(receiving: Receiving) -> None:
    images = [dicom.make_image(PatientID=receiving.number) for _ in range(2)]
    with receiving.association(*images) as opened:
        assert opened.send_c_store(images[0]).Status == 0
        with db.transaction() as session:
            mine = update(DicomEndpoint).where(DicomEndpoint.hospital_id == receiving.hospital.id)
            session.execute(mine.values(is_enabled=False))
        assert opened.send_c_store(images[1]).Status == 0x0124
        assert commit(opened, *images)[0] == 0x0124
    wait_until(lambda: not is_open(receiving.port))
    assert len(receiving.stored()) == 1


def test_commitment_says_what_is_really_stored_on_the_association_that_asked(
    receiving: Receiving, config: Config
) -> None:
    kept, lost, never = (dicom.make_image(PatientID=receiving.number) for _ in range(3))
    confused = dicom.make_image(SOPInstanceUID=kept.SOPInstanceUID, SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
    assert send(receiving, kept, lost) == [(0, ""), (0, "")]
    with db.transaction() as session:
        row = session.query(Instance).filter_by(sop_instance_uid=str(lost.SOPInstanceUID)).one()
    path = config.storage_dir / "objects" / row.storage_key[:2] / row.storage_key
    path.write_bytes(path.read_bytes()[:-1])
    told = Told()
    with receiving.association(evt_handlers=told.handlers) as opened:
        assert commit(opened, kept)[0] == 0
        wait_until(lambda: len(told.events) == 1)
        status, transaction = commit(opened, kept, lost, never, confused)
        assert status == 0
        wait_until(lambda: len(told.events) == 2)
        assert opened.send_n_action(None, 2, StorageCommitmentPushModel, "1.2.3")[0].Status == 0x0123
        broken = Dataset()
        broken.TransactionUID = transaction
        assert opened.send_n_action(broken, 1, StorageCommitmentPushModel, "1.2.3")[0].Status == 0x0115
    assert (told.events[0][0], told.events[0][2:]) == (1, ([kept.SOPInstanceUID], []))
    failed = [(lost.SOPInstanceUID, 0x0112), (never.SOPInstanceUID, 0x0112), (kept.SOPInstanceUID, 0x0119)]
    assert told.events[1] == (2, transaction, [kept.SOPInstanceUID], failed)


def test_commitment_is_answered_where_the_hospital_wants_it(committing_app: Flask, committing_city: City) -> None:
    hospital, told, entity = committing_city.hospital(), Told(), AE("PACS")
    entity.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
    pacs = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=told.handlers)
    assert pacs is not None
    reply = "127.0.0.1", pacs.server_address[1]
    try:
        with opened_dicom_port(hospital.id, reply=reply) as port, serving(committing_app):
            wait_until(lambda: can_connect(port))
            receiving = Receiving(committing_city, hospital, committing_city.patient(), "", port)
            with receiving.association() as opened:
                status, transaction = commit(opened, dicom.make_image())
            assert status == 0
            with db.transaction() as session:
                asked = session.query(StorageCommitment).filter_by(transaction_uid=transaction).one()
                topic = OutboxMessage.topic == "records.commitment_asked"
                payloads = [row.payload for row in session.query(OutboxMessage).filter(topic)]
            payload = {"commitment_id": str(asked.id)}
            assert payload in payloads
            # Done twice, it is told once.
            for _ in range(2):
                jobs.answer_commitment(payload)
    finally:
        pacs.shutdown()
        for connection in told.connections:
            connection.close()
    assert [event[:2] for event in told.events] == [(2, transaction)]


@pytest.mark.parametrize("is_registered", [True, False])
def test_commitment_is_answered_to_nobody_but_who_shows_a_registered_certificate(
    committing_city: City, ours: Certificate, tmp_path: Path, is_registered: bool
) -> None:
    hospital, told, entity = committing_city.hospital(), Told(), AE("PACS")
    known = Certificate(tmp_path, "known")
    signed = Certificate(tmp_path, "signed", known)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*(known if is_registered else signed).files)
    context.load_verify_locations(str(ours.files[0]))
    context.verify_mode = ssl.CERT_REQUIRED
    entity.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
    pacs = entity.start_server(("127.0.0.1", 0), block=False, ssl_context=context, evt_handlers=told.handlers)
    assert pacs is not None
    try:
        with opened_dicom_port(hospital.id, reply=("127.0.0.1", pacs.server_address[1])) as port:
            with db.transaction() as session:
                certificate = known.files[0].read_bytes()
                fingerprint = ports.trust_certificate(
                    session, SYSTEM, ports.IMAGES, hospital_id=hospital.id, certificate=certificate
                )
            assert jobs.commit_storage(Peer(port, "PACS", fingerprint), "1.2.3", [("1.2", "1.2.4")]) is None
            with db.transaction() as session:
                asked = session.query(StorageCommitment).filter_by(hospital_id=hospital.id).one()
            payload = {"commitment_id": str(asked.id)}
            with nullcontext() if is_registered else pytest.raises(NotReached):
                jobs.answer_commitment(payload)
    finally:
        pacs.shutdown()
        for connection in told.connections:
            connection.close()
    assert [event[:2] for event in told.events] == ([(2, "1.2.3")] if is_registered else [])


@pytest.mark.parametrize("receiving", [QUICK], indirect=True)
def test_a_broken_peer_is_dropped_and_leaves_nothing(receiving: Receiving, config: Config) -> None:
    image, others = dicom.make_image(PatientID=receiving.number), incoming(config)
    too_large = b"\x04\x00" + (10**9).to_bytes(4, "big")
    for sent in (b"GET / HTTP/1.1\r\n\r\n", b"\x01\x00\x00\x00\xff\xff" + b"x" * 100, too_large + b"x" * 1000):
        with socket.create_connection(("127.0.0.1", receiving.port), timeout=60) as peer:
            peer.sendall(sent)
            while peer.recv(4096):
                pass
    with receiving.association(image) as opened:
        begin_store(opened, image)
        wait_until(lambda: incoming(config) != others)
        opened.dul.socket.socket.shutdown(socket.SHUT_RDWR)
        wait_until(lambda: incoming(config) == others)
    assert send(receiving, image) == [(0, "")]


def incoming(config: Config) -> set[Path]:
    """What is arriving, or was when a process of another test was killed."""
    folder = config.storage_dir / "incoming"
    return set(folder.iterdir()) if folder.is_dir() else set()


def begin_store(opened: Any, image: Dataset) -> None:
    """Send the first pieces of an image and no more."""
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    request.DataSet = io.BytesIO(bytes(5000))
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    context = next(each for each in opened.accepted_contexts if each.abstract_syntax == image.SOPClassUID)
    for piece in islice(message.encode_msg(context.context_id, 1000), 3):
        opened.dul.send_pdu(piece)


def test_one_hospital_has_no_more_associations_than_it_may(receiving: Receiving) -> None:
    with receiving.association() as one, receiving.association() as two, receiving.association() as three:
        assert [each.is_established for each in (one, two, three)] == [True] * 3
        with receiving.association() as refused:
            assert refused.is_rejected
        assert one.send_c_echo().Status == 0


def test_who_does_not_finish_a_handshake_takes_a_place(
    committing_app: Flask, committing_city: City, ours: Certificate, tmp_path: Path
) -> None:
    hospital, limits = committing_city.hospital(), replace(QUICK, connections=2, wait_seconds=60.0)
    with opened_dicom_port(hospital.id) as port:
        with db.transaction() as session:
            certificate = Certificate(tmp_path, "known").files[0].read_bytes()
            ports.trust_certificate(session, SYSTEM, ports.IMAGES, hospital_id=hospital.id, certificate=certificate)
        with serving(committing_app, limits), ExitStack() as opened:
            wait_until(lambda: can_connect(port))
            for _ in range(limits.connections):
                opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            wait_until(lambda: is_turned_away(port))


def is_turned_away(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
        peer.settimeout(0.05)
        try:
            return peer.recv(1) == b""
        except TimeoutError:
            return False


def test_the_same_data_set_again_is_the_same_file(receiving: Receiving) -> None:
    image = dicom.make_image(PatientID=receiving.number)
    assert send(receiving, image) == send(receiving, image) == [(0, "")]
    assert list(receiving.stored()) == [image.SOPInstanceUID]


@pytest.mark.parametrize("kind", ["1.3.12.2.1107.5.9.1", "1.2.840.10008.5.1.4.1.1.3"], ids=["private", "retired"])
def test_classes_that_the_standard_has_no_more_or_never_had(receiving: Receiving, kind: str) -> None:
    image = dicom.make_image(PatientID=receiving.number, SOPClassUID=kind)
    assert send(receiving, image) == [(0, "")]
    assert list(receiving.stored()) == [image.SOPInstanceUID]
