"""The ports at which hospitals send HL7 v2 messages."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import Hospital, MllpEndpoint
from accounts.roles import MLLP_PERMISSIONS
from accounts.service import ports
from accounts.service.certificates import CertificateFile
from core import audit, statements
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
    ports.check_number(session, ports.MESSAGES, hospital_id=hospital_id, port=port)
    session.merge(MllpEndpoint(hospital_id=hospital_id, port=port, is_enabled=True))
    audit.record_act(session, actor, "accounts.mllp_port.opened", of=("hospital", hospital_id), facts={"port": port})


def list_mllp_files(session: Session) -> list[MllpPortFile]:
    """All ports with their certificates, by hospital code."""
    found = session.execute(
        select(MllpEndpoint, Hospital.code, Hospital.name)
        .join(Hospital, Hospital.id == MllpEndpoint.hospital_id)
        .order_by(Hospital.code)
    ).tuples()
    shown = ports.show_certificates(session, ports.MESSAGES)
    return [
        MllpPortFile(each.hospital_id, code, name, each.port, each.is_enabled, shown.get(each.hospital_id, []))
        for each, code, name in found
    ]


def list_mllp_ports(session: Session) -> dict[int, tuple[bytes, ...]]:
    """The ports to listen on now, each with the certificates (DER) that its hospital proves itself by.

    A port with none speaks without TLS.
    """
    trusted = ports.list_trusted(session, ports.MESSAGES)
    return {row.port: trusted.get(row.hospital_id, ()) for row in session.scalars(ports.choose_open(MllpEndpoint))}


def identify_mllp_port(session: Session, port: int) -> Actor | None:
    """Who speaks at this port, if it is open: the hospital's HL7 v2 interface. The port is the proof.

    Its actor id is its row's, which is the hospital's: one endpoint a hospital.
    """
    row = statements.run(session, _PORT, {"port": port})
    return Actor(ActorKind.MACHINE, row[0], MLLP_PERMISSIONS, hospital_id=row[0]) if row else None
