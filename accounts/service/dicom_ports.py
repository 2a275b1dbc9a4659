"""The ports at which hospitals' PACS send images by DIMSE."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from accounts.models import DicomEndpoint, Hospital
from accounts.roles import DICOM_PERMISSIONS
from accounts.service import ports
from accounts.service.certificates import CertificateFile
from core import audit, statements
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
    ports.check_number(session, ports.IMAGES, hospital_id=hospital_id, port=port.port)
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


def list_dicom_files(session: Session) -> list[DicomPortFile]:
    """All ports with their certificates, by hospital code."""
    found = session.execute(
        select(DicomEndpoint, Hospital.code, Hospital.name)
        .join(Hospital, Hospital.id == DicomEndpoint.hospital_id)
        .order_by(Hospital.code)
    ).tuples()
    shown = ports.show_certificates(session, ports.IMAGES)
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
            certificates=shown.get(each.hospital_id, []),
        )
        for each, code, name in found
    ]


def list_dicom_lines(session: Session) -> dict[int, DicomLine]:
    """The ports to listen on now."""
    return {line.described.port: line for line in _list_lines(session, ports.choose_open(DicomEndpoint))}


def find_dicom_line(session: Session, hospital_id: UUID) -> DicomLine | None:
    """A hospital's port, if it is open."""
    asked = ports.choose_open(DicomEndpoint).where(DicomEndpoint.hospital_id == hospital_id)
    return next(iter(_list_lines(session, asked)), None)


def identify_dicom_port(session: Session, *, port: int, calling: str, fingerprint: bytes | None) -> Actor | None:
    """Who speaks at this port, if it is open and lets this system in: the hospital's interface for images.

    Its actor id is its row's, which is the hospital's: one endpoint a hospital.

    :param calling: the AE title by which the system calls itself.
    :param fingerprint: of the certificate by which it has proven itself; None: it speaks in clear.
    """
    asked = {"port": port, "calling": calling, "fingerprint": fingerprint}
    row = statements.run(session, _PORT, asked)
    return Actor(ActorKind.MACHINE, row[0], DICOM_PERMISSIONS, hospital_id=row[0]) if row else None


def _list_lines(session: Session, asked: Select[tuple[DicomEndpoint]]) -> list[DicomLine]:
    trusted = ports.list_trusted(session, ports.IMAGES)
    return [
        DicomLine(
            row.hospital_id,
            DicomPort(
                row.port,
                row.called_ae_title,
                tuple(row.calling_ae_titles),
                (row.reply_host, row.reply_port) if row.reply_host and row.reply_port else None,
            ),
            trusted.get(row.hospital_id, ()),
        )
        for row in session.scalars(asked)
    ]
