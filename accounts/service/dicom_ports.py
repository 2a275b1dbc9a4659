"""The ports at which hospitals' PACS send images by DIMSE, and the certificates by which they prove themselves."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts.models import DicomCertificate, DicomEndpoint, Hospital, MllpEndpoint
from accounts.refusals import (
    DicomCertificateNotFound,
    DicomLastCertificate,
    DicomPortNotOpen,
    DicomPortTaken,
)
from accounts.roles import DICOM_PERMISSIONS
from accounts.service import certificates
from accounts.service.certificates import CertificateFile
from accounts.service.hospitals import load_hospital
from accounts.service.ports import lock_ports
from core import audit, clock, statements
from core.actor import Actor, ActorKind

# Asked for every image, hence by hand. In clear only where no certificate is registered.
_PORT = """
SELECT hospital.id FROM dicom_endpoints port JOIN hospitals hospital ON hospital.id = port.hospital_id
WHERE port.port = %(port)s AND port.is_enabled AND hospital.is_enabled
  AND %(calling)s = ANY(port.calling_ae_titles)
  AND COALESCE(
    (SELECT bool_or(known.fingerprint IS NOT DISTINCT FROM %(fingerprint)s::bytea) FROM dicom_certificates known
     WHERE known.hospital_id = port.hospital_id),
    %(fingerprint)s::bytea IS NULL)
"""


@dataclass(frozen=True)
class DicomPort:
    """How a hospital's systems and the platform reach each other. ``reply``: host and port, see ``DicomEndpoint``."""

    port: int
    called_ae_title: str
    calling_ae_titles: tuple[str, ...]
    reply: tuple[str, int] | None = None


@dataclass(frozen=True)
class DicomPortFile:
    """A hospital's port. ``is_enabled``: it is listened on, as long as the hospital is admitted."""

    hospital_id: UUID
    hospital_code: str
    hospital_name: str
    port: int
    called_ae_title: str
    calling_ae_titles: list[str]
    reply_host: str | None
    reply_port: int | None
    is_enabled: bool
    certificates: list[CertificateFile]


@dataclass(frozen=True)
class DicomLine:
    """A port to listen on now. ``certificates`` (DER): whom it lets in; none: without TLS."""

    hospital_id: UUID
    described: DicomPort
    certificates: tuple[bytes, ...]


def open_dicom_port(session: Session, actor: Actor, *, hospital_id: UUID, port: DicomPort) -> None:
    """Give a hospital a port of its own for images, or another one in place of it.

    :raises HospitalNotFound: no such hospital.
    :raises DicomPortTaken: its number is another hospital's, or a port for HL7 v2.
    """
    lock_ports(session)
    load_hospital(session, hospital_id)
    others = select(DicomEndpoint.hospital_id).where(
        DicomEndpoint.port == port.port, DicomEndpoint.hospital_id != hospital_id
    )
    of_messages = select(MllpEndpoint.hospital_id).where(MllpEndpoint.port == port.port)
    if session.scalar(others.union_all(of_messages).limit(1)) is not None:
        raise DicomPortTaken
    reply_host, reply_port = port.reply or (None, None)
    session.merge(
        DicomEndpoint(
            hospital_id=hospital_id,
            port=port.port,
            called_ae_title=port.called_ae_title,
            calling_ae_titles=list(port.calling_ae_titles),
            reply_host=reply_host,
            reply_port=reply_port,
            is_enabled=True,
        )
    )
    facts = {"port": port.port, "called": port.called_ae_title, "calling": ", ".join(port.calling_ae_titles)}
    audit.record_act(session, actor, "accounts.dicom_port.opened", of=("hospital", hospital_id), facts=facts)


def close_dicom_port(session: Session, actor: Actor, *, hospital_id: UUID) -> None:
    """Listen at a hospital's port no more; it stays the hospital's own. Closed already: nothing changes.

    :raises DicomPortNotOpen: the hospital has no port.
    """
    endpoint = _lock_endpoint(session, hospital_id)
    if endpoint.is_enabled:
        endpoint.is_enabled = False
        facts = {"port": endpoint.port}
        audit.record_act(session, actor, "accounts.dicom_port.closed", of=("hospital", hospital_id), facts=facts)


def trust_dicom_certificate(session: Session, actor: Actor, *, hospital_id: UUID, certificate: bytes) -> bytes:
    """From now on the hospital's port speaks TLS only, with systems that prove themselves by this certificate.

    A hospital may have several, so that one can be renewed. Trusting one again changes nothing.

    :param certificate: X.509, as PEM or DER.
    :returns: its fingerprint (SHA-256).
    :raises CertificateUnreadable: it is none.
    :raises CertificateExpired: its time is over.
    :raises DicomPortNotOpen: the hospital has no port.
    """
    written, fingerprint = certificates.read_certificate(certificate)
    _lock_endpoint(session, hospital_id)
    session.execute(
        insert(DicomCertificate)
        .values(hospital_id=hospital_id, fingerprint=fingerprint, certificate=written, trusted_at=clock.now())
        .on_conflict_do_nothing()
    )
    facts = {"fingerprint": fingerprint.hex()}
    audit.record_act(session, actor, "accounts.dicom_certificate.trusted", of=("hospital", hospital_id), facts=facts)
    return fingerprint


def distrust_dicom_certificate(session: Session, actor: Actor, *, hospital_id: UUID, fingerprint: str) -> None:
    """Who proves himself by this certificate is not heard any more.

    :param fingerprint: SHA-256, 64 hexadecimal digits.
    :raises DicomPortNotOpen: the hospital has no port.
    :raises DicomCertificateNotFound: not one of the hospital's.
    :raises DicomLastCertificate: without it the port, which is open, would speak in clear.
    """
    endpoint = _lock_endpoint(session, hospital_id)
    known = select(DicomCertificate).where(DicomCertificate.hospital_id == hospital_id)
    trusted = {row.fingerprint.hex(): row for row in session.scalars(known)}
    if fingerprint not in trusted:
        raise DicomCertificateNotFound
    if endpoint.is_enabled and len(trusted) == 1:
        raise DicomLastCertificate
    session.delete(trusted[fingerprint])
    facts = {"fingerprint": fingerprint}
    audit.record_act(session, actor, "accounts.dicom_certificate.removed", of=("hospital", hospital_id), facts=facts)


def list_dicom_files(session: Session) -> list[DicomPortFile]:
    """All ports with their certificates, by hospital code."""
    found = session.execute(
        select(DicomEndpoint, Hospital.code, Hospital.name)
        .join(Hospital, Hospital.id == DicomEndpoint.hospital_id)
        .order_by(Hospital.code)
    ).tuples()
    trusted: dict[UUID, list[CertificateFile]] = {}
    for row in session.scalars(select(DicomCertificate).order_by(DicomCertificate.trusted_at)):
        trusted.setdefault(row.hospital_id, []).append(certificates.show_certificate(row))
    return [
        DicomPortFile(
            hospital_id=each.hospital_id,
            hospital_code=code,
            hospital_name=name,
            port=each.port,
            called_ae_title=each.called_ae_title,
            calling_ae_titles=each.calling_ae_titles,
            reply_host=each.reply_host,
            reply_port=each.reply_port,
            is_enabled=each.is_enabled,
            certificates=trusted.get(each.hospital_id, []),
        )
        for each, code, name in found
    ]


def list_dicom_lines(session: Session) -> dict[int, DicomLine]:
    """The ports to listen on now."""
    return {line.described.port: line for line in _list_lines(session, _open_ports())}


def find_dicom_line(session: Session, hospital_id: UUID) -> DicomLine | None:
    """A hospital's port, if it is open."""
    return next(iter(_list_lines(session, _open_ports().where(DicomEndpoint.hospital_id == hospital_id))), None)


def identify_dicom_port(session: Session, *, port: int, calling: str, fingerprint: bytes | None) -> Actor | None:
    """Who speaks at this port, if it is open and lets this system in: the hospital's interface for images.

    Its actor id is its row's, which is the hospital's: one endpoint a hospital.

    :param calling: the AE title by which the system calls itself.
    :param fingerprint: of the certificate by which it has proven itself; None: it speaks in clear.
    """
    asked = {"port": port, "calling": calling, "fingerprint": fingerprint}
    row = statements.run(session, _PORT, asked)
    return Actor(ActorKind.MACHINE, row[0], DICOM_PERMISSIONS, hospital_id=row[0]) if row else None


def _lock_endpoint(session: Session, hospital_id: UUID) -> DicomEndpoint:
    """:raises DicomPortNotOpen: the hospital has no port."""
    endpoint = session.get(DicomEndpoint, hospital_id, with_for_update=True)
    if endpoint is None:
        raise DicomPortNotOpen
    return endpoint


def _open_ports() -> Select[tuple[DicomEndpoint]]:
    return (
        select(DicomEndpoint)
        .join(Hospital, Hospital.id == DicomEndpoint.hospital_id)
        .where(DicomEndpoint.is_enabled.is_(True), Hospital.is_enabled.is_(True))
    )


def _list_lines(session: Session, asked: Select[tuple[DicomEndpoint]]) -> list[DicomLine]:
    trusted: dict[UUID, list[bytes]] = {}
    for hospital_id, one in session.execute(select(DicomCertificate.hospital_id, DicomCertificate.certificate)):
        trusted.setdefault(hospital_id, []).append(one)
    return [
        DicomLine(
            row.hospital_id,
            DicomPort(
                row.port,
                row.called_ae_title,
                tuple(row.calling_ae_titles),
                (row.reply_host, row.reply_port) if row.reply_host and row.reply_port else None,
            ),
            tuple(sorted(trusted.get(row.hospital_id, ()))),
        )
        for row in session.scalars(asked)
    ]
