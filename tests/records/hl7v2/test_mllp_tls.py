"""TLS at a hospital's port: who may speak is who proves himself by a certificate registered there."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from accounts.refusals import CertificateUnreadable, MllpPortNotOpen
from accounts.service import ports
from core import db
from core.actor import SYSTEM
from tests.records.hl7v2.test_mllp import can_connect, frame, read_frame, serving, wait_until
from tests.support.certificates import Certificate
from tests.support.city import City
from tests.support.hl7v2 import oru
from tests.support.ports import opened_port


@pytest.fixture
def ours(tmp_path: Path, committing_app: Flask) -> Iterator[Certificate]:
    """The platform's own certificate, configured."""
    ours, before = Certificate(tmp_path, "platform"), committing_app.extensions["yimatong.config"]
    committing_app.extensions["yimatong.config"] = replace(
        before, mllp_certificate=ours.files[0], mllp_key=ours.files[1]
    )
    yield ours
    committing_app.extensions["yimatong.config"] = before


def ask(port: int, ours: Certificate, shown: Certificate | None, message: bytes) -> bytes:
    """What a system gets that shows this certificate; empty when it is not let in."""
    context = ssl.create_default_context(cafile=str(ours.files[0]))
    context.check_hostname = False
    if shown is not None:
        context.load_cert_chain(*shown.files)
    with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
        try:
            with context.wrap_socket(plain) as peer:
                peer.sendall(frame(message))
                return read_frame(peer)
        except (ssl.SSLError, OSError, AssertionError):
            return b""


def test_only_who_shows_a_registered_certificate_is_heard(
    committing_app: Flask, committing_city: City, ours: Certificate, tmp_path: Path
) -> None:
    hospital = committing_city.hospital()
    registered, renewed, stranger = (Certificate(tmp_path, name) for name in ("registered", "renewed", "stranger"))
    signed = Certificate(tmp_path, "signed", registered)
    message = oru(hospital.code, "NOBODY").encode()
    with opened_port(hospital.id) as port:
        with db.transaction() as session:
            for known in (registered, renewed, renewed):
                certificate = known.files[0].read_bytes()
                ports.trust_certificate(
                    session, SYSTEM, ports.MESSAGES, hospital_id=hospital.id, certificate=certificate
                )
        with serving(committing_app):
            wait_until(lambda: can_connect(port))
            for known in (registered, renewed):
                assert b"records.person_not_matched" in ask(port, ours, known, message)
            for unknown in (None, stranger, signed):
                assert ask(port, ours, unknown, message) == b""
            with socket.create_connection(("127.0.0.1", port), timeout=60) as clear:
                clear.sendall(frame(message))
                assert b"MSA" not in clear.recv(4096)


def test_a_port_with_certificates_never_speaks_in_clear(
    committing_app: Flask, committing_city: City, tmp_path: Path
) -> None:
    hospital, second = committing_city.hospital(), committing_city.hospital()
    with opened_port(hospital.id) as port, opened_port(second.id) as other:
        with db.transaction() as session:
            certificate = Certificate(tmp_path, "registered").files[0].read_bytes()
            ports.trust_certificate(session, SYSTEM, ports.MESSAGES, hospital_id=hospital.id, certificate=certificate)
        with serving(committing_app):
            wait_until(lambda: can_connect(other))
            assert not can_connect(port)


def test_what_is_no_certificate_or_has_no_port_is_refused(city: City, tmp_path: Path) -> None:
    hospital = city.hospital()
    good = Certificate(tmp_path, "good").files[0].read_bytes()
    with db.transaction() as session:
        for broken in (b"", b"-----BEGIN CERTIFICATE-----", good[:200]):
            with pytest.raises(CertificateUnreadable) as unreadable:
                ports.trust_certificate(session, SYSTEM, ports.MESSAGES, hospital_id=hospital.id, certificate=broken)
            assert unreadable.value.code == "accounts.certificate_unreadable"
        with pytest.raises(MllpPortNotOpen) as closed:
            ports.trust_certificate(session, SYSTEM, ports.MESSAGES, hospital_id=hospital.id, certificate=good)
        assert closed.value.code == "accounts.mllp_port_not_open"
