"""The ports at which hospitals send HL7 v2 messages, and the certificates by which their systems prove themselves."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts.models import DicomEndpoint, Hospital, MllpCertificate, MllpEndpoint
from accounts.refusals import (
    MllpCertificateNotFound,
    MllpLastCertificate,
    MllpPortNotOpen,
    MllpPortTaken,
)
from accounts.roles import MLLP_PERMISSIONS
from accounts.service import certificates
from accounts.service.certificates import CertificateFile
from accounts.service.hospitals import load_hospital
from core import audit, clock, statements
from core.actor import Actor, ActorKind

# Asked for every group of messages, hence by hand.
_PORT = """
SELECT hospital.id FROM mllp_endpoints port JOIN hospitals hospital ON hospital.id = port.hospital_id
WHERE port.port = %(port)s AND port.is_enabled AND hospital.is_enabled
"""


@dataclass(frozen=True)
class MllpPortFile:
    """A hospital's port. ``is_enabled``: it is listened on, as long as the hospital is admitted."""

    hospital_id: UUID
    hospital_code: str
    hospital_name: str
    port: int
    is_enabled: bool
    certificates: list[CertificateFile]


def open_mllp_port(session: Session, actor: Actor, *, hospital_id: UUID, port: int) -> None:
    """Give a hospital a port of its own for HL7 v2 messages, or another one in place of it.

    :raises HospitalNotFound: no such hospital.
    :raises MllpPortTaken: it is another hospital's, or one for images.
    """
    lock_ports(session)
    load_hospital(session, hospital_id)
    others = select(MllpEndpoint.hospital_id).where(MllpEndpoint.port == port, MllpEndpoint.hospital_id != hospital_id)
    of_images = select(DicomEndpoint.hospital_id).where(DicomEndpoint.port == port)
    if session.scalar(others.union_all(of_images).limit(1)) is not None:
        raise MllpPortTaken
    session.merge(MllpEndpoint(hospital_id=hospital_id, port=port, is_enabled=True))
    audit.record_act(session, actor, "accounts.mllp_port.opened", of=("hospital", hospital_id), facts={"port": port})


def close_mllp_port(session: Session, actor: Actor, *, hospital_id: UUID) -> None:
    """Listen at a hospital's port no more; it stays the hospital's own. Closed already: nothing changes.

    :raises MllpPortNotOpen: the hospital has no port.
    """
    endpoint = _lock_endpoint(session, hospital_id)
    if endpoint.is_enabled:
        endpoint.is_enabled = False
        facts = {"port": endpoint.port}
        audit.record_act(session, actor, "accounts.mllp_port.closed", of=("hospital", hospital_id), facts=facts)


def trust_mllp_certificate(session: Session, actor: Actor, *, hospital_id: UUID, certificate: bytes) -> bytes:
    """From now on the hospital's port speaks TLS only, with systems that prove themselves by this certificate.

    A hospital may have several, so that one can be renewed. Trusting one again changes nothing.

    :param certificate: X.509, as PEM or DER.
    :returns: its fingerprint (SHA-256).
    :raises CertificateUnreadable: it is none.
    :raises CertificateExpired: its time is over.
    :raises MllpPortNotOpen: the hospital has no port.
    """
    written, fingerprint = certificates.read_certificate(certificate)
    _lock_endpoint(session, hospital_id)
    session.execute(
        insert(MllpCertificate)
        .values(hospital_id=hospital_id, fingerprint=fingerprint, certificate=written, trusted_at=clock.now())
        .on_conflict_do_nothing()
    )
    facts = {"fingerprint": fingerprint.hex()}
    audit.record_act(session, actor, "accounts.mllp_certificate.trusted", of=("hospital", hospital_id), facts=facts)
    return fingerprint


def distrust_mllp_certificate(session: Session, actor: Actor, *, hospital_id: UUID, fingerprint: str) -> None:
    """Who proves himself by this certificate is not heard any more.

    :param fingerprint: SHA-256, 64 hexadecimal digits.
    :raises MllpPortNotOpen: the hospital has no port.
    :raises MllpCertificateNotFound: not one of the hospital's.
    :raises MllpLastCertificate: without it the port, which is open, would speak in clear.
    """
    endpoint = _lock_endpoint(session, hospital_id)
    trusted = {row.fingerprint.hex(): row for row in session.scalars(_certificates_of(hospital_id))}
    if fingerprint not in trusted:
        raise MllpCertificateNotFound
    if endpoint.is_enabled and len(trusted) == 1:
        raise MllpLastCertificate
    session.delete(trusted[fingerprint])
    facts = {"fingerprint": fingerprint}
    audit.record_act(session, actor, "accounts.mllp_certificate.removed", of=("hospital", hospital_id), facts=facts)


def list_mllp_files(session: Session) -> list[MllpPortFile]:
    """All ports with their certificates, by hospital code."""
    found = session.execute(
        select(MllpEndpoint, Hospital.code, Hospital.name)
        .join(Hospital, Hospital.id == MllpEndpoint.hospital_id)
        .order_by(Hospital.code)
    ).tuples()
    trusted: dict[UUID, list[CertificateFile]] = {}
    for row in session.scalars(select(MllpCertificate).order_by(MllpCertificate.trusted_at)):
        trusted.setdefault(row.hospital_id, []).append(certificates.show_certificate(row))
    return [
        MllpPortFile(each.hospital_id, code, name, each.port, each.is_enabled, trusted.get(each.hospital_id, []))
        for each, code, name in found
    ]


def list_mllp_ports(session: Session) -> dict[int, tuple[bytes, ...]]:
    """The ports to listen on now, each with the certificates (DER) that its hospital proves itself by.

    A port with none speaks without TLS.
    """
    trusted: dict[UUID, list[bytes]] = {}
    for hospital_id, certificate in session.execute(select(MllpCertificate.hospital_id, MllpCertificate.certificate)):
        trusted.setdefault(hospital_id, []).append(certificate)
    return {row.port: tuple(sorted(trusted.get(row.hospital_id, ()))) for row in session.execute(_open_ports())}


def identify_mllp_port(session: Session, port: int) -> Actor | None:
    """Who speaks at this port, if it is open: the hospital's HL7 v2 interface. The port is the proof.

    Its actor id is its row's, which is the hospital's: one endpoint a hospital.
    """
    row = statements.run(session, _PORT, {"port": port})
    return Actor(ActorKind.MACHINE, row[0], MLLP_PERMISSIONS, hospital_id=row[0]) if row else None


def lock_ports(session: Session) -> None:
    """Of those who give out ports, one at a time: HL7 v2 and images draw on the same numbers."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("mllp_ports", 0))))


def _lock_endpoint(session: Session, hospital_id: UUID) -> MllpEndpoint:
    """:raises MllpPortNotOpen: the hospital has no port."""
    endpoint = session.get(MllpEndpoint, hospital_id, with_for_update=True)
    if endpoint is None:
        raise MllpPortNotOpen
    return endpoint


def _certificates_of(hospital_id: UUID) -> Select[tuple[MllpCertificate]]:
    return select(MllpCertificate).where(MllpCertificate.hospital_id == hospital_id)


def _open_ports() -> Select[tuple[int, UUID]]:
    return (
        select(MllpEndpoint.port, MllpEndpoint.hospital_id)
        .join(Hospital, Hospital.id == MllpEndpoint.hospital_id)
        .where(MllpEndpoint.is_enabled.is_(True), Hospital.is_enabled.is_(True))
    )
