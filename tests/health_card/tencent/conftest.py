"""A hospital whose old system has access to the interface."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from sqlalchemy import func, select, update

from core import db
from core.actor import SYSTEM
from health_card.models import Card, CardState
from health_card.tencent import service as tencent
from tests.support.city import City, Hospital, Patient, resident_id
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


@pytest.fixture
def phone(house: House, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """WeChat, which knows these codes: code to openid."""
    known = {"phone-1": "o-phone-1", "phone-2": "o-phone-2"}

    class Reply:
        def __init__(self, openid: str | None) -> None:
            self.answer = {"openid": openid} if openid else {"errcode": 40029, "errmsg": "invalid code"}

        def json(self) -> dict[str, Any]:
            return self.answer

        def raise_for_status(self) -> None:
            """WeChat answers 200 always."""

    monkeypatch.setattr(requests, "request", lambda *_, params, **__: Reply(known.get(params["js_code"])))
    return known


def verified(house: House, patient: Patient) -> dict[str, Any]:
    return house.system.ask("verifyQRCode", house.verification(house.city.code(patient)))


def count(table: type[Any], **wanted: Any) -> int:
    with db.snapshot() as session:
        return session.scalar(select(func.count()).select_from(table).filter_by(**wanted)) or 0


def gender_of(patient: Patient) -> str:
    return "男" if int(patient.certificate_number[16]) % 2 else "女"


def set_state(patient: Patient, state: CardState) -> None:
    with db.transaction() as session:
        session.execute(update(Card).where(Card.id == patient.card_id).values(state=state))
