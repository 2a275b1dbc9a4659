"""A port of a hospital for as long as a test needs it."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import delete

from accounts import service as accounts
from accounts.models import DicomCertificate, DicomEndpoint, MllpCertificate, MllpEndpoint
from core import db
from core.actor import SYSTEM
from core.embedded.process import find_port


@contextmanager
def opened_port(hospital_id: UUID) -> Iterator[int]:
    """A free port, opened for the hospital; afterwards its number is nobody's again, and another test may draw it."""
    port = find_port()
    with db.transaction() as session:
        accounts.open_mllp_port(session, SYSTEM, hospital_id=hospital_id, port=port)
    try:
        yield port
    finally:
        with db.transaction() as session:
            for kept in (MllpCertificate, MllpEndpoint):
                session.execute(delete(kept).where(kept.hospital_id == hospital_id))


@contextmanager
def opened_dicom_port(
    hospital_id: UUID, *calling: str, called: str = "YIMATONG", reply: tuple[str, int] | None = None
) -> Iterator[int]:
    """The same for images."""
    port = find_port()
    with db.transaction() as session:
        described = accounts.DicomPort(port, called, calling or ("PACS",), reply)
        accounts.open_dicom_port(session, SYSTEM, hospital_id=hospital_id, port=described)
    try:
        yield port
    finally:
        with db.transaction() as session:
            for kept in (DicomCertificate, DicomEndpoint):
                session.execute(delete(kept).where(kept.hospital_id == hospital_id))
