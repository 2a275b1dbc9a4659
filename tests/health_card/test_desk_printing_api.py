"""A registrar prints the card of the visitor whose document was seen; the visitor is told."""

import io
from typing import Any

import pypdfium2
import pytest
import zxingcpp
from sqlalchemy import select
from werkzeug.test import TestResponse

from accounts.models import Role
from core import db
from core.audit import AuditEntry
from health_card.models import Card, CardState
from health_card.notices.models import Notice
from tests.conftest import SteppingClock
from tests.support.browsing import Browser
from tests.support.city import City, Patient
from tests.support.desks import Desk, refused


@pytest.fixture
def desk(city: City) -> Desk:
    return Desk(city)


def print_card(desk: Desk, path: str, patient: Patient, **changes: Any) -> TestResponse:
    return desk.post(f"{path}/card-prints", {"card_id": str(patient.card_id)} | changes)


def read_page(document: bytes) -> tuple[set[str], float]:
    """Codes on the only page, and its width in millimetres."""
    opened = pypdfium2.PdfDocument(io.BytesIO(document))
    try:
        assert len(opened) == 1
        codes = {found.text for found in zxingcpp.read_barcodes(opened[0].render(scale=3).to_pil())}
        return codes, opened[0].get_width() / 72 * 25.4
    finally:
        opened.close()


def prints(patient: Patient) -> tuple[int, int]:
    """How often it was recorded that a card was printed, and how often the person was told."""
    with db.snapshot() as session:
        acts = select(AuditEntry).filter_by(subject_id=patient.person_id, action="health_card.card.printed")
        told = select(Notice).filter_by(person_id=patient.person_id, kind="card_printed")
        return len(session.scalars(acts).all()), len(session.scalars(told).all())


@pytest.mark.parametrize(("layout", "width"), [("card", 85.6), ("sheet", 210)])
def test_the_visitors_card_is_printed_and_he_is_told(desk: Desk, layout: str, width: float) -> None:
    patient = desk.city.patient()
    reply = print_card(desk, desk.open(patient), patient, layout=layout)
    assert (reply.status_code, reply.mimetype, reply.headers["Cache-Control"]) == (200, "application/pdf", "no-store")
    codes, found = read_page(reply.get_data())
    assert codes == {f"{patient.card_number}:1::{desk.city.config.issuer_code}"}
    assert found == pytest.approx(width, abs=0.2)
    assert prints(patient) == (1, 1)


def test_nothing_is_printed_before_the_document_was_seen_nor_of_anybody_else(
    desk: Desk, stepping_clock: SteppingClock
) -> None:
    desk = Desk(desk.city)
    patient, other = desk.city.patient(), desk.city.patient("李测试")
    unseen = desk.open(patient, is_document_seen=False)
    assert refused(print_card(desk, unseen, patient)) == (409, "health_card.document_not_seen")
    path = desk.open(patient)
    assert refused(print_card(desk, path, other)) == (404, "health_card.card_not_found")
    with db.transaction() as session:
        session.get_one(Card, patient.card_id).state = CardState.LOST
    assert refused(print_card(desk, path, patient)) == (409, "health_card.card_not_in_force")
    with db.transaction() as session:
        session.get_one(Card, patient.card_id).state = CardState.NORMAL
    elsewhere = Desk(desk.city, "市第二测试医院")
    assert refused(print_card(elsewhere, path, patient)) == (404, "health_card.look_up_not_found")
    doctor = desk.city.staff(desk.hospital, Role.DOCTOR)
    stranger = Desk(desk.city)
    stranger.staff = doctor
    assert print_card(stranger, path, patient).status_code == 403
    stepping_clock.forward(minutes=15, seconds=1)
    assert refused(print_card(desk, path, patient)) == (404, "health_card.look_up_not_found")
    assert (prints(patient), prints(other)) == ((0, 0), (0, 0))


def test_the_persons_page_prints_and_says_in_place_why_it_does_not(desk: Desk) -> None:
    patient = desk.city.patient()
    unseen, seen = desk.open(patient, is_document_seen=False), desk.open(patient)
    browser = Browser(desk.city.app)
    browser.sign_in(desk.staff)
    assert "打印卡片" not in browser.get(f"/desk{unseen}").text
    assert "打印卡片" in browser.get(f"/desk{seen}").text
    form = {"card_id": str(patient.card_id), "layout": "card"}
    assert browser.post(f"/desk{seen}/print", form).mimetype == "application/pdf"
    reply = browser.post(f"/desk{unseen}/print", form)
    assert (reply.status_code, "health_card.document_not_seen" in reply.text) == (409, True)
    assert "请在「核验证件」中照证件原件录入号码" in reply.text
    gone = browser.post("/desk/persons/01890000-0000-7000-8000-000000000000/print", form)
    assert (gone.status_code, "health_card.look_up_not_found" in gone.text) == (404, True)
    assert prints(patient) == (1, 1)
