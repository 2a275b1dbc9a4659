"""What the ports of hospitals have in common, whatever is sent to them: numbers, closing, certificates."""

from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Select, func, select, true, union_all
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts import refusals
from accounts.models import (
    DicomCertificate,
    DicomEndpoint,
    Hospital,
    MllpCertificate,
    MllpEndpoint,
    Port,
    PortCertificate,
)
from accounts.service import certificates
from accounts.service.certificates import CertificateFile
from accounts.service.hospitals import load_hospital
from core import audit, clock
from core.actor import Actor
from core.errors import Conflict, NotFound

OnePort = TypeVar("OnePort", bound=Port)


@dataclass(frozen=True)
class PortKind:
    """What is sent to a port. ``port_word`` and ``certificate_word``: how the actions on them begin."""

    ports: type[Port]
    certificates: type[PortCertificate]
    port_word: str
    certificate_word: str
    not_open: type[NotFound]
    taken: type[Conflict]
    certificate_not_found: type[NotFound]
    last_certificate: type[Conflict]


MESSAGES = PortKind(
    ports=MllpEndpoint,
    certificates=MllpCertificate,
    port_word="accounts.mllp_port",
    certificate_word="accounts.mllp_certificate",
    not_open=refusals.MllpPortNotOpen,
    taken=refusals.MllpPortTaken,
    certificate_not_found=refusals.MllpCertificateNotFound,
    last_certificate=refusals.MllpLastCertificate,
)
IMAGES = PortKind(
    ports=DicomEndpoint,
    certificates=DicomCertificate,
    port_word="accounts.dicom_port",
    certificate_word="accounts.dicom_certificate",
    not_open=refusals.DicomPortNotOpen,
    taken=refusals.DicomPortTaken,
    certificate_not_found=refusals.DicomCertificateNotFound,
    last_certificate=refusals.DicomLastCertificate,
)
KINDS = (MESSAGES, IMAGES)


def check_number(session: Session, kind: PortKind, *, hospital_id: UUID, port: int) -> None:
    """A number may be given to a hospital for this kind; until this transaction ends nobody else is given one.

    :raises HospitalNotFound: no such hospital.
    :raises Conflict: ``kind.taken``: it is another hospital's, or a port for something else.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("mllp_ports", 0))))
    load_hospital(session, hospital_id)
    takers = union_all(
        *(
            select(each.ports.hospital_id).where(
                each.ports.port == port, each.ports.hospital_id != hospital_id if each is kind else true()
            )
            for each in KINDS
        )
    )
    if session.scalar(takers.limit(1)) is not None:
        raise kind.taken


def close_port(session: Session, actor: Actor, kind: PortKind, *, hospital_id: UUID) -> None:
    """Listen at a hospital's port no more; it stays the hospital's own. Closed already: nothing changes.

    :raises NotFound: ``kind.not_open``: the hospital has no port.
    """
    port = _lock_port(session, kind, hospital_id)
    if port.is_enabled:
        port.is_enabled = False
        facts = {"port": port.port}
        audit.record_act(session, actor, f"{kind.port_word}.closed", of=("hospital", hospital_id), facts=facts)


def trust_certificate(
    session: Session, actor: Actor, kind: PortKind, *, hospital_id: UUID, certificate: bytes
) -> bytes:
    """From now on the hospital's port speaks TLS only, with systems that prove themselves by this certificate.

    A hospital may have several, so that one can be renewed. Trusting one again changes nothing.

    :param certificate: X.509, as PEM or DER.
    :returns: its fingerprint (SHA-256).
    :raises CertificateUnreadable: it is none.
    :raises CertificateExpired: its time is over.
    :raises NotFound: ``kind.not_open``: the hospital has no port.
    """
    written, fingerprint = certificates.read_certificate(certificate)
    _lock_port(session, kind, hospital_id)
    session.execute(
        insert(kind.certificates)
        .values(hospital_id=hospital_id, fingerprint=fingerprint, certificate=written, trusted_at=clock.now())
        .on_conflict_do_nothing()
    )
    facts = {"fingerprint": fingerprint.hex()}
    audit.record_act(session, actor, f"{kind.certificate_word}.trusted", of=("hospital", hospital_id), facts=facts)
    return fingerprint


def distrust_certificate(
    session: Session, actor: Actor, kind: PortKind, *, hospital_id: UUID, fingerprint: str
) -> None:
    """Who proves himself by this certificate is not heard any more.

    :param fingerprint: SHA-256, 64 hexadecimal digits.
    :raises NotFound: ``kind.not_open``: the hospital has no port; ``kind.certificate_not_found``: not one of its own.
    :raises Conflict: ``kind.last_certificate``: without it the port, which is open, would speak in clear.
    """
    port = _lock_port(session, kind, hospital_id)
    known = select(kind.certificates).where(kind.certificates.hospital_id == hospital_id)
    trusted = {row.fingerprint.hex(): row for row in session.scalars(known)}
    if fingerprint not in trusted:
        raise kind.certificate_not_found
    if port.is_enabled and len(trusted) == 1:
        raise kind.last_certificate
    session.delete(trusted[fingerprint])
    facts = {"fingerprint": fingerprint}
    audit.record_act(session, actor, f"{kind.certificate_word}.removed", of=("hospital", hospital_id), facts=facts)


def show_certificates(session: Session, kind: PortKind) -> dict[UUID, list[CertificateFile]]:
    """What is trusted, by hospital, in the order in which it was trusted."""
    shown: dict[UUID, list[CertificateFile]] = {}
    for row in session.scalars(select(kind.certificates).order_by(kind.certificates.trusted_at)):
        shown.setdefault(row.hospital_id, []).append(certificates.show_certificate(row))
    return shown


def list_trusted(session: Session, kind: PortKind) -> dict[UUID, tuple[bytes, ...]]:
    """What is trusted (DER), by hospital."""
    trusted: dict[UUID, list[bytes]] = {}
    asked = select(kind.certificates.hospital_id, kind.certificates.certificate)
    for hospital_id, certificate in session.execute(asked).tuples():
        trusted.setdefault(hospital_id, []).append(certificate)
    return {hospital_id: tuple(sorted(known)) for hospital_id, known in trusted.items()}


def choose_open(ports: type[OnePort]) -> Select[tuple[OnePort]]:
    """The ports to listen on now."""
    return (
        select(ports)
        .join(Hospital, Hospital.id == ports.hospital_id)
        .where(ports.is_enabled.is_(True), Hospital.is_enabled.is_(True))
    )


def _lock_port(session: Session, kind: PortKind, hospital_id: UUID) -> Port:
    """:raises NotFound: ``kind.not_open``: the hospital has no port."""
    port = session.get(kind.ports, hospital_id, with_for_update=True)
    if port is None:
        raise kind.not_open
    return port
