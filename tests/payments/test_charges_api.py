"""Hospital billing charges the patient's credit."""

from typing import Any

import pytest
from sqlalchemy import func, select, update

from core import db
from payments import ledger
from payments.models import Charge, CreditLine
from tests.payments.till import Till, findings, make_product, new_key, sign_up
from tests.support.city import City, Hospital, Patient, bearer


def count_charges(till: Till) -> int:
    with db.transaction() as session:
        return session.scalar(select(func.count(Charge.id)).where(Charge.line_id == till.line_id)) or 0


def set_state(till: Till, state: str) -> None:
    with db.transaction() as session:
        session.execute(update(CreditLine).where(CreditLine.id == till.line_id).values(state=state))


def test_a_charge_draws_on_the_line_and_is_owed_to_the_hospital(till: Till) -> None:
    reply = till.capture(12_345, bill_number="B-1", medical_step="010104")
    assert reply.status_code == 201, reply.text
    assert (reply.json["amount_fen"], reply.json["bill_number"], reply.json["state"]) == (12_345, "B-1", "captured")
    assert "Idempotency-Replayed" not in reply.headers
    line = till.line()
    assert (line["drawn_fen"], line["available_fen"]) == (12_345, 300_000 - 12_345)
    with db.transaction() as session:
        assert ledger.balance_fen(session, ledger.receivable(till.line_id)) == 12_345
        assert ledger.balance_fen(session, ledger.payable(till.hospital.id)) == -12_345
    assert findings() == []


def test_the_same_key_gets_the_identical_reply_and_charges_once(till: Till) -> None:
    key, bill = new_key(), {"bill_number": "B-2"}
    first, again = till.capture(1000, key=key, **bill), till.capture(1000, key=key, **bill)
    assert first.data == again.data
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert till.line()["drawn_fen"] == 1000


def test_the_same_key_for_another_amount_is_refused(till: Till) -> None:
    key, bill = new_key(), {"bill_number": "B-3"}
    till.capture(1000, key=key, **bill)
    reply = till.capture(2000, key=key, **bill)
    assert (reply.status_code, reply.json["code"]) == (409, "core.idempotency_key_reused")
    assert till.line()["drawn_fen"] == 1000


def test_the_same_bill_under_another_key_is_refused(till: Till) -> None:
    till.capture(1000, bill_number="B-4")
    reply = till.capture(1000, bill_number="B-4")
    assert (reply.status_code, reply.json["code"]) == (409, "payments.bill_already_charged")
    assert till.line()["drawn_fen"] == 1000


def test_a_bill_sent_twice_is_told_so_even_when_the_credit_is_used_up(city: City) -> None:
    till = Till.open(city, limit_fen=1000)
    till.capture(1000, bill_number="B-4")
    assert till.capture(1000, bill_number="B-4").json["code"] == "payments.bill_already_charged"


def test_a_bill_number_is_each_hospitals_own(till: Till) -> None:
    till.capture(1000, bill_number="B-5")
    assert Till.open(till.city).capture(1000, bill_number="B-5").status_code == 201


def test_more_than_is_left_is_refused_to_the_fen(city: City) -> None:
    till = Till.open(city, limit_fen=1000)
    assert till.capture(999).status_code == 201
    reply = till.capture(2)
    assert (reply.status_code, reply.json["code"]) == (409, "payments.limit_exceeded")
    assert till.capture(1).status_code == 201
    assert till.line()["available_fen"] == 0
    assert count_charges(till) == 2


def test_the_next_line_pays_what_the_first_cannot(city: City) -> None:
    till = Till.open(city, limit_fen=1000)
    assert sign_up(city, till.patient, make_product(city, limit_fen=5000)).status_code == 201
    assert till.capture(3000).status_code == 201
    assert [line["drawn_fen"] for line in till.get("/lines").json["lines"]] == [0, 3000]


def test_a_patient_without_a_line_is_refused(till: Till) -> None:
    stranger = till.city.patient()
    visit_id = till.city.visit(till.desk, stranger, till.hospital)
    reply = till.capture(visit_id=str(visit_id))
    assert (reply.status_code, reply.json["code"]) == (409, "payments.no_credit_line")


def test_a_closed_line_is_none(till: Till) -> None:
    set_state(till, "closed")
    assert till.capture().json["code"] == "payments.no_credit_line"


def test_a_suspended_line_pays_for_emergencies_only(city: City) -> None:
    ordinary, emergency = Till.open(city), Till.open(city, visit_kind="E")
    for till in (ordinary, emergency):
        set_state(till, "suspended")
    reply = ordinary.capture()
    assert (reply.status_code, reply.json["code"]) == (409, "payments.line_suspended")
    assert emergency.capture().status_code == 201


def test_another_hospitals_visit_is_not_found(till: Till) -> None:
    other = till.city.machine(till.city.hospital(), ["billing.write"])
    body = {"visit_id": str(till.visit_id), "amount_fen": 1, "medical_step": "010102", "bill_number": "B"}
    headers = bearer(other.token) | {"Idempotency-Key": new_key()}
    reply = till.city.client.post("/api/v1/billing/charges", json=body, headers=headers)
    assert (reply.status_code, reply.json["code"]) == (404, "records.visit_not_found")
    assert count_charges(till) == 0


def test_only_billing_systems_may_charge(till: Till) -> None:
    laboratory = till.city.machine(till.hospital, ["system/*.write"])
    for token in (laboratory.token, till.patient.token, till.desk.token):
        headers = bearer(token) | {"Idempotency-Key": new_key()}
        reply = till.city.client.post("/api/v1/billing/charges", json={}, headers=headers)
        assert (reply.status_code, reply.json["code"]) == (403, "core.permission_missing")


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_fen": 0},
        {"amount_fen": -5},
        {"amount_fen": "1000"},
        {"amount_fen": 10.0},
        {"amount_fen": True},
        {"amount_fen": 2**63},
        {"medical_step": "010199"},
        {"bill_number": ""},
        {"diagnosis": "clinical text has no field here"},
    ],
)
def test_what_cannot_be_a_bill_is_refused(till: Till, changes: dict[str, Any]) -> None:
    reply = till.capture(**changes)
    assert (reply.status_code, reply.json["code"]) == (422, "core.malformed_request")
    assert count_charges(till) == 0


@pytest.mark.parametrize("key", [None, "short", "with space", "x" * 129])
def test_a_charge_without_a_proper_key_is_refused(till: Till, key: str | None) -> None:
    body = {"visit_id": str(till.visit_id), "amount_fen": 1, "medical_step": "010102", "bill_number": "B"}
    headers = bearer(till.billing.token) | ({"Idempotency-Key": key} if key else {})
    reply = till.city.client.post("/api/v1/billing/charges", json=body, headers=headers)
    assert (reply.status_code, reply.json["code"]) == (422, "core.idempotency_key_missing")


# With a code that the patient made for this amount


def make_code(till: Till, amount_fen: int, patient: Patient | None = None, hospital: Hospital | None = None) -> str:
    patient = patient or till.patient
    headers, pin = bearer(patient.token), "483920"
    till.city.client.put("/api/v1/code-pin", json={"pin": pin}, headers=headers)
    payee_id = str((hospital or till.hospital).id)
    body = {"kind": "payment", "pin": pin, "payee_id": payee_id, "amount_fen": amount_fen}
    reply = till.city.client.post(f"/api/v1/cards/{patient.card_id}/codes", json=body, headers=headers)
    assert reply.status_code == 201, reply.text
    return str(reply.json["text"])


def test_a_payment_code_pays_one_charge(till: Till) -> None:
    key, code = new_key(), make_code(till, 1000)
    bill: dict[str, Any] = {"bill_number": "P-1", "payment_code": code}
    first, again = till.capture(1000, key=key, **bill), till.capture(1000, key=key, **bill)
    assert (first.status_code, again.status_code, first.data) == (201, 201, again.data)
    second = till.capture(1000, bill_number="P-2", payment_code=code)
    assert (second.status_code, second.json["code"]) == (409, "health_card.code_redeemed")
    assert till.line()["drawn_fen"] == 1000


def test_a_payment_code_for_anything_else_charges_nothing_and_stays_good(till: Till) -> None:
    code, other = make_code(till, 1000), till.city.patient()
    for refused, status, expected in (
        (till.capture(1001, payment_code=code), 422, "health_card.payment_differs"),
        (
            till.capture(1000, payment_code=make_code(till, 1000, hospital=till.city.hospital())),
            422,
            "health_card.payment_differs",
        ),
        (
            till.capture(1000, payment_code=make_code(till, 1000, patient=other)),
            409,
            "payments.payment_code_of_another",
        ),
        (till.capture(1000, payment_code=till.city.code(till.patient)), 422, "health_card.code_wrong_class"),
        (till.capture(1000, payment_code="hello"), 422, "health_card.code_malformed"),
    ):
        assert (refused.status_code, refused.json["code"]) == (status, expected)
    assert count_charges(till) == 0
    assert till.capture(1000, payment_code=code).status_code == 201


def test_a_refused_charge_leaves_the_payment_code_good(till: Till) -> None:
    code = make_code(till, 1000)
    till.capture(500, bill_number="P-3")
    assert till.capture(1000, bill_number="P-3", payment_code=code).json["code"] == "payments.bill_already_charged"
    assert till.capture(1000, bill_number="P-4", payment_code=code).status_code == 201


def test_bad_payment_codes_lock_charging_with_codes_and_no_other(till: Till) -> None:
    for _ in range(20):
        till.capture(1000, payment_code="hello")
    locked = till.capture(1000, payment_code=make_code(till, 1000))
    assert (locked.status_code, locked.json["code"]) == (429, "health_card.terminal_locked")
    assert till.capture(1000).status_code == 201
