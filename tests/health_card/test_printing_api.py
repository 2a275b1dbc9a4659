"""Printing through the interface: one's own card, and the cards of a batch."""

import io
from uuid import UUID

import pypdfium2
import pytest
import zxingcpp
from sqlalchemy import select

from accounts.models import Role
from core import db, storage
from core.audit import AuditEntry
from health_card.models import Card, CardState
from health_card.printing import jobs, service
from health_card.printing.models import CardSheet
from tests.conftest import SteppingClock
from tests.support.city import City, Patient, Staff, bearer
from tests.support.lists import open_batch, person, work


def read_page(document: bytes) -> tuple[str, set[str]]:
    """Text and codes of the first page."""
    opened = pypdfium2.PdfDocument(io.BytesIO(document))
    try:
        codes = {found.text for found in zxingcpp.read_barcodes(opened[0].render(scale=3).to_pil())}
        return opened[0].get_textpage().get_text_bounded(), codes
    finally:
        opened.close()


def acts(subject_id: UUID) -> list[str]:
    with db.transaction() as session:
        mine = select(AuditEntry.action).filter_by(subject_id=subject_id).order_by(AuditEntry.id)
        return list(session.scalars(mine))


def set_state(patient: Patient, state: CardState) -> None:
    with db.transaction() as session:
        session.get_one(Card, patient.card_id).state = state


@pytest.mark.parametrize("layout", ["card", "sheet"])
def test_holders_print_their_own_card(city: City, layout: str) -> None:
    patient = city.patient()
    reply = city.client.get(
        f"/api/v1/cards/{patient.card_id}/card.pdf", query_string={"layout": layout}, headers=bearer(patient.token)
    )
    assert (reply.status_code, reply.mimetype) == (200, "application/pdf")
    assert reply.headers["Cache-Control"] == "no-store"
    text, codes = read_page(reply.get_data())
    assert codes == {f"{patient.card_number}:1::{city.config.issuer_code}"}
    assert patient.name in text
    assert patient.certificate_number not in text
    assert acts(patient.person_id)[-1] == "health_card.card.printed"


@pytest.mark.parametrize("state", [state for state in CardState if state != CardState.NORMAL])
def test_a_card_that_is_not_in_force_is_not_printed(city: City, state: CardState) -> None:
    patient = city.patient()
    set_state(patient, state)
    reply = city.client.get(f"/api/v1/cards/{patient.card_id}/card.pdf", headers=bearer(patient.token))
    assert (reply.status_code, reply.json["code"]) == (409, "health_card.card_not_in_force")
    assert "health_card.card.printed" not in acts(patient.person_id)


def test_nobody_prints_the_card_of_somebody_else(city: City) -> None:
    patient, other = city.patient(), city.patient()
    reply = city.client.get(f"/api/v1/cards/{patient.card_id}/card.pdf", headers=bearer(other.token))
    assert (reply.status_code, reply.json["code"]) == (404, "health_card.card_not_found")


def print_batch(city: City, operator: Staff, batch_id: UUID) -> list[dict[str, object]]:
    headers = bearer(operator.token)
    ordered = city.client.post(f"/api/v1/operator/batches/{batch_id}/sheets", headers=headers)
    assert ordered.status_code == 202, ordered.get_data(as_text=True)
    for sheet in ordered.json["sheets"]:
        jobs.make_sheet({"sheet_id": sheet["sheet_id"]})
        jobs.make_sheet({"sheet_id": sheet["sheet_id"]})
    return list(city.client.get(f"/api/v1/operator/batches/{batch_id}/sheets", headers=headers).json["sheets"])


def test_the_cards_of_a_batch_are_printed_once_each(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "CARDS_A_SHEET", 2)
    operator, patient, lost = city.staff(None, Role.OPERATOR), city.patient(), city.patient(phone="13800000002")
    known = person(patient.certificate_number, patient.name, patient.phone)
    rows = [known, person("123456"), known, person(lost.certificate_number, lost.name, lost.phone), person()]
    batch_id = open_batch(city, operator, rows)
    set_state(lost, CardState.LOST)
    early = city.client.post(f"/api/v1/operator/batches/{batch_id}/sheets", headers=bearer(operator.token))
    assert (early.status_code, early.json["code"]) == (409, "health_card.batch_under_way")
    work(batch_id)
    sheets = print_batch(city, operator, batch_id)
    assert [(sheet["state"], sheet["cards"], sheet["skipped"]) for sheet in sheets] == [("made", 1, 1), ("made", 1, 0)]
    path = f"/api/v1/operator/card-sheets/{sheets[0]['sheet_id']}/sheet.pdf"
    reply = city.client.get(path, headers=bearer(operator.token))
    assert (reply.status_code, reply.mimetype) == (200, "application/pdf")
    _, codes = read_page(reply.get_data())
    assert codes == {f"{patient.card_number}:1::{city.config.issuer_code}"}
    assert acts(patient.person_id).count("health_card.card.printed") == 1
    assert "health_card.card.printed" not in acts(lost.person_id)
    assert print_batch(city, operator, batch_id) == sheets


def test_a_sheet_lies_sealed_on_the_disk_for_thirty_days(city: City, stepping_clock: SteppingClock) -> None:
    operator = city.staff(None, Role.OPERATOR)
    batch_id = open_batch(city, operator, [person()])
    work(batch_id)
    (sheet,) = print_batch(city, operator, batch_id)
    sheet_id = UUID(str(sheet["sheet_id"]))
    with db.transaction() as session:
        row = session.get_one(CardSheet, sheet_id)
        address, key = row.storage_key, row.data_key
    assert address is not None
    assert key is not None
    assert not (city.config.storage_dir / "objects" / address[:2] / address).read_bytes().startswith(b"%PDF")
    jobs.expire_sheet({"sheet_id": str(sheet_id)})
    storage.open_file(address, key).close()
    stepping_clock.forward(days=30)
    for _ in range(2):
        jobs.expire_sheet({"sheet_id": str(sheet_id)})
    with pytest.raises(storage.FileDamaged):
        storage.open_file(address, key)
    late = city.client.get(
        f"/api/v1/operator/card-sheets/{sheet_id}/sheet.pdf",
        headers=bearer(city.staff(None, Role.OPERATOR).token),
    )
    assert (late.status_code, late.json["code"]) == (410, "health_card.card_sheet_expired")


def test_what_cannot_be_printed_or_fetched_says_why(city: City) -> None:
    operator = city.staff(None, Role.OPERATOR)
    headers = bearer(operator.token)
    nobody = open_batch(city, operator, [person("123456")])
    work(nobody)
    empty = city.client.post(f"/api/v1/operator/batches/{nobody}/sheets", headers=headers)
    assert (empty.status_code, empty.json["code"]) == (409, "health_card.nothing_to_print")
    batch_id = open_batch(city, operator, [person()])
    work(batch_id)
    sheet_id = city.client.post(f"/api/v1/operator/batches/{batch_id}/sheets", headers=headers).json["sheets"][0][
        "sheet_id"
    ]
    early = city.client.get(f"/api/v1/operator/card-sheets/{sheet_id}/sheet.pdf", headers=headers)
    assert (early.status_code, early.json["code"]) == (409, "health_card.card_sheet_under_way")
    unknown = city.client.get(f"/api/v1/operator/card-sheets/{batch_id}/sheet.pdf", headers=headers)
    assert (unknown.status_code, unknown.json["code"]) == (404, "health_card.card_sheet_not_found")
