"""A report with a document inside, and other messages, as a hospital's system sends them by HTTPS."""

import base64
from uuid import UUID

from sqlalchemy import select

from core import db
from records.reports.models import ReportAttachment
from tests.support.city import City, Hospital, Patient, bearer
from tests.support.hl7v2 import DEFAULT_RESULT, oru

DOCUMENT = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
TITLE = "心电图报告"


def send_document(
    city: City, hospital: Hospital, patient: Patient, content: bytes = DOCUMENT, *, order: str | None = None
) -> UUID:
    """The id of a report with one result and a PDF; of the same order: its next version."""
    inside = f"OBX|2|ED|PDF^{TITLE}^L||LIS^application^pdf^Base64^{base64.b64encode(content).decode()}||||||F"
    post(city, hospital, oru(hospital.code, f"{patient.card_number}^^^^HC", DEFAULT_RESULT, inside, order=order))
    with db.transaction() as session:
        newest = select(ReportAttachment.report_id).order_by(ReportAttachment.report_id.desc()).limit(1)
        return session.scalars(newest).one()


def post(city: City, hospital: Hospital, message: str) -> None:
    """A message of the hospital's system, by HTTPS."""
    headers = bearer(city.machine(hospital).token) | {"Content-Type": "application/hl7-v2"}
    reply = city.client.post("/api/v1/hl7v2/messages", data=message.encode(), headers=headers)
    assert "|AA|" in reply.text, reply.text
