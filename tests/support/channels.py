"""One report or image by each channel, as a hospital sends it under one of its patient numbers."""

import secrets
from collections.abc import Callable
from typing import Any

from accounts import service as accounts
from accounts.models import Role
from core import db
from core.actor import SYSTEM
from core.dispatch import TryLater
from records.fhir import systems
from records.hl7v2 import jobs as hl7v2
from records.uploads import jobs as uploads
from records.uploads.columns import COLUMNS
from tests.support import dicom
from tests.support.city import City, Hospital, Machine, Staff, bearer
from tests.support.fhir import bundle, observation, refusal_of, report, send
from tests.support.hl7v2 import fields_of, oru
from tests.support.lists import write_list

MLLP_PORT = 2599
ROW = {
    "patient_number": "P1",
    "name": "张测试",
    "report_name": "血常规",
    "performed_at": "2026-03-05 08:30",
    "item_name": "血红蛋白",
    "result": "5.10",
    "unit": "g/L",
    "reference": "3.9-6.1",
    "flag": "高",
}


class House:
    """A hospital that speaks every channel."""

    def __init__(self, city: City, *, speaks_hl7v2: bool = True) -> None:
        self.city = city
        self.hospital: Hospital = city.hospital()
        self.machine: Machine = city.machine(self.hospital)
        self.registrar: Staff = city.staff(self.hospital, Role.REGISTRAR)
        if speaks_hl7v2:
            with db.transaction() as session:
                accounts.open_mllp_port(session, SYSTEM, hospital_id=self.hospital.id, port=MLLP_PORT)

    def waiting(self, query: str = "") -> list[dict[str, Any]]:
        reply = self.city.client.get(f"/api/v1/quarantine{query}", headers=bearer(self.registrar.token))
        messages: list[dict[str, Any]] = reply.json["messages"]
        return messages

    def act(self, message_id: str, act: str, token: str | None = None, **body: Any) -> Any:
        """Replay, assign, dismiss or reopen."""
        return self.city.client.post(
            f"/api/v1/quarantine/{message_id}/{act}",
            json=body or None,
            headers=bearer(token or self.registrar.token),
        )

    def compose(self, channel: str, number: str, name: str | None = None) -> Callable[[], str]:
        """A new message; calling what is returned sends it (again) and answers our code, or nothing when filed."""
        return getattr(self, f"_{channel}")(number, name)  # type: ignore[no-any-return]

    def _fhir(self, number: str, name: str | None) -> Callable[[], str]:
        subject = {"identifier": {"system": systems.PATIENT_NUMBER, "value": number}}
        return self._send(
            bundle(report(("", "")) | {"subject": subject | ({"display": name} if name else {})}, observation())
        )

    def _unnamed_fhir(self, number: str, _name: str | None) -> Callable[[], str]:
        """Without an id of its own: a repeat is known by its digest."""
        subject = {"identifier": {"system": systems.PATIENT_NUMBER, "value": number}}
        body = bundle(report(("", "")) | {"subject": subject}, observation())
        return self._send({name: value for name, value in body.items() if name != "identifier"})

    def _send(self, body: dict[str, Any]) -> Callable[[], str]:
        def transmit() -> str:
            reply = send(self.city, self.machine, body)
            return "" if reply.status_code == 200 else refusal_of(reply)[1]

        return transmit

    def _hl7v2(self, number: str, name: str | None) -> Callable[[], str]:
        body = oru(self.hospital.code, f"{number}||{name or ''}").encode()

        def transmit() -> str:
            (acks,) = hl7v2.receive_frames(MLLP_PORT, [body])
            assert acks is not None
            fields = fields_of(acks[0].decode())
            return fields["ERR"][5].split("^")[0] if "ERR" in fields else ""

        return transmit

    def _dicomweb(self, number: str, name: str | None) -> Callable[[], str]:
        image = dicom.make_image(PatientID=number, PatientName=name, SpecificCharacterSet="ISO_IR 192")

        def transmit() -> str:
            return "" if self.city.store(self.machine, image).status_code == 200 else "refused"

        return transmit

    def _upload(self, number: str, name: str | None) -> Callable[[], str]:
        row = ROW | {"report_number": secrets.token_hex(6), "patient_number": number} | ({"name": name} if name else {})

        def transmit() -> str:
            # A filler row makes every list a new file, as a clinic's growing list is.
            document = write_upload(row, row | {"item_name": "白细胞"})
            upload = self.upload(document + b"\n" * secrets.randbelow(1000))
            self.commit(upload["id"], leaves_out_errors=True)
            return "refused" if self.read(upload["id"])["reports"].keys() & {"quarantined", "left_out"} else ""

        return transmit

    def upload(self, document: bytes, media_type: str = "text/csv", status: int = 200) -> dict[str, Any]:
        headers = bearer(self.registrar.token)
        reply = self.city.client.post("/api/v1/uploads", data=document, content_type=media_type, headers=headers)
        assert reply.status_code == status, reply.text
        return dict(reply.json or {})

    def read(self, upload_id: str) -> dict[str, Any]:
        return dict(
            self.city.client.get(f"/api/v1/uploads/{upload_id}", headers=bearer(self.registrar.token)).json or {}
        )

    def commit(self, upload_id: str, **body: Any) -> Any:
        """Confirm a list, and file it as the worker does."""
        reply = self.city.client.post(
            f"/api/v1/uploads/{upload_id}/commit", json=body, headers=bearer(self.registrar.token)
        )
        while reply.status_code == 202:
            try:
                uploads.file_list({"upload_id": upload_id})
            except TryLater:
                continue
            break
        return reply


def write_upload(*rows: dict[str, str], encoding: str = "utf-8") -> bytes:
    """A list with the columns that its rows use."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    header = [COLUMNS[name].names[0] if name in COLUMNS else name for name in names]
    return write_list([[row.get(name, "") for name in names] for row in rows], header, encoding)
