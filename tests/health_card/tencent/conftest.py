"""A hospital whose old system has access to the interface."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from core import db
from core.actor import SYSTEM
from health_card.tencent import service as tencent
from tests.support.city import City, Hospital, resident_id
from tests.support.tencent import HospitalSystem


def open_access(city: City, hospital: Hospital) -> HospitalSystem:
    """A signed-in system of this hospital."""
    with db.transaction() as session:
        issued = tencent.switch_on(session, SYSTEM, hospital_code=hospital.code)
    system = HospitalSystem(city.client, issued.app_id, issued.app_secret, issued.hospital_id)
    system.sign_in()
    return system


@dataclass
class House:
    """The hospital, its system, and what it sends."""

    city: City
    name: str = "市第一测试医院"
    hospital: Hospital = field(init=False)
    system: HospitalSystem = field(init=False)

    def __post_init__(self) -> None:
        self.hospital = self.city.hospital(self.name)
        self.system = open_access(self.city, self.hospital)

    def person(self, **changes: Any) -> dict[str, Any]:
        """A registration at a window (None leaves a field out)."""
        sent = {
            "name": "张测试",
            "gender": "男",
            "nation": "汉族",
            "birthday": "1985-04-12",
            "idType": "01",
            "idNumber": resident_id(sex="male"),
            "phone1": "13800000001",
        } | changes
        return {name: value for name, value in sent.items() if value is not None}

    def verification(self, code: str, **changes: Any) -> dict[str, Any]:
        return {
            "qrCodeText": code,
            "terminalId": self.hospital.terminal,
            "medicalStep": "010101",
            "department": "0300",
        } | changes

    def use(self, **changes: Any) -> dict[str, Any]:
        sent = {
            "time": "2026-01-02 09:30:00",
            "hospitalCode": self.hospital.code,
            "scene": "0101012",
            "department": "0300",
            "cardType": "11",
            "cardChannel": "0100",
            "cardCostTypes": "0200",
        } | changes
        return {name: value for name, value in sent.items() if value is not None}


@pytest.fixture
def house(city: City) -> House:
    return House(city)
