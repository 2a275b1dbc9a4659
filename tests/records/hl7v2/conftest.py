"""A hospital that speaks HL7 v2, and a patient whom it knows."""

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select

from accounts import service as accounts
from core import db
from core.actor import SYSTEM
from records.hl7v2 import jobs
from records.intake.models import InboundMessage
from tests.support.city import City, Hospital, Patient, bearer
from tests.support.hl7v2 import fields_of

PORT = 2576


@dataclass(frozen=True)
class Speaking:
    """A hospital's port, and a patient whom it knows as MZ1."""

    city: City
    hospital: Hospital
    patient: Patient

    def send(self, message: str | bytes) -> tuple[str, str]:
        """MSA-1, and our code where there is one."""
        (answers,) = jobs.receive_frames(PORT, [message if isinstance(message, bytes) else message.encode()])
        assert answers is not None
        ack = fields_of(answers[-1].decode())
        return ack["MSA"][1], ack["ERR"][5].split("^")[0] if "ERR" in ack else ""

    def get(self, path: str, token: str | None = None) -> Any:
        """What the patient, or somebody else, reads."""
        return self.city.client.get(path, headers=bearer(token or self.patient.token)).json

    def visits(self, token: str, state: str = "open") -> list[dict[str, Any]]:
        return list(self.get(f"/api/v1/visits?state={state}", token)["visits"])

    def waiting(self) -> list[str]:
        """The reasons of what waits in quarantine."""
        mine = select(InboundMessage.reason).filter_by(state="quarantined", hospital_id=self.hospital.id)
        with db.transaction() as session:
            return [str(reason) for reason in session.scalars(mine.order_by(InboundMessage.id))]


@pytest.fixture(scope="module")
def speaking_of_module(module_city: City) -> Speaking:
    city = module_city
    hospital, patient = city.hospital(), city.patient("张测试")
    with db.transaction() as session:
        accounts.open_mllp_port(session, SYSTEM, hospital_id=hospital.id, port=PORT)
    city.bind_number(hospital, patient, "MZ1")
    return Speaking(city, hospital, patient)


@pytest.fixture
def speaking(speaking_of_module: Speaking, city: City) -> Speaking:
    """Each test finds it as it was opened."""
    return speaking_of_module
