"""Signing up for credit."""

import pytest
from sqlalchemy import select, update

from core import db
from core.actor import SYSTEM
from payments import service
from payments.models import CreditLine, CreditProduct
from payments.refusals import ProductCodeTaken
from payments.service import ProductTerms
from tests.payments.till import AGREEMENT_VERSION, PIN, Till, make_product, sign_up
from tests.support.city import City, Patient, bearer


@pytest.fixture(scope="module")
def patient(module_city: City) -> Patient:
    return module_city.patient()


def change_product(code: str, **values: object) -> None:
    with db.transaction() as session:
        session.execute(update(CreditProduct).where(CreditProduct.code == code).values(**values))


def test_signing_up_gives_the_products_limit_and_again_the_same_line(city: City, patient: Patient) -> None:
    code = make_product(city, limit_fen=500_000)
    first, again = sign_up(city, patient, code), sign_up(city, patient, code)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    shown = {name: first.json[name] for name in ("limit_fen", "drawn_fen", "held_fen", "available_fen", "state")}
    assert shown == {
        "limit_fen": 500_000,
        "drawn_fen": 0,
        "held_fen": 0,
        "available_fen": 500_000,
        "state": "active",
    }
    lines = city.client.get("/api/v1/credit/lines", headers=bearer(patient.token)).json["lines"]
    assert lines == [first.json]


def test_products_on_offer_are_listed_without_those_withdrawn(city: City, patient: Patient) -> None:
    offered, withdrawn = make_product(city), make_product(city)
    change_product(withdrawn, is_offered=False)
    products = city.client.get("/api/v1/credit/products", headers=bearer(patient.token)).json["products"]
    codes = {product["code"] for product in products}
    assert offered in codes
    assert withdrawn not in codes


def test_another_agreement_version_is_refused_and_the_one_in_force_named(city: City, patient: Patient) -> None:
    code = make_product(city)
    reply = sign_up(city, patient, code, "2025-9")
    assert (reply.status_code, reply.json["code"]) == (409, "payments.agreement_version_wrong")
    assert reply.json["current_version"] == AGREEMENT_VERSION
    assert city.client.get("/api/v1/credit/lines", headers=bearer(patient.token)).json["lines"] == []


def test_a_new_agreement_version_leaves_the_line_that_exists(till: Till) -> None:
    change_product(till.product_code, agreement_version="2027-1", is_offered=False)
    again = sign_up(till.city, till.patient, till.product_code)
    assert (again.status_code, again.json["agreement_version"]) == (200, AGREEMENT_VERSION)


@pytest.mark.parametrize("withdrawn", [True, False])
def test_a_product_that_is_not_offered_is_not_found(city: City, patient: Patient, withdrawn: bool) -> None:
    code = make_product(city) if withdrawn else "NO-SUCH"
    change_product(code, is_offered=False)
    reply = sign_up(city, patient, code)
    assert (reply.status_code, reply.json["code"]) == (404, "payments.product_not_offered")


def test_a_login_without_a_confirmed_person_cannot_sign_up(city: City) -> None:
    token, _ = city.login()
    body = {"product_code": make_product(city), "agreement_version": AGREEMENT_VERSION, "pin": PIN}
    reply = city.client.post("/api/v1/credit/lines", json=body, headers=bearer(token))
    assert (reply.status_code, reply.json["code"]) == (409, "payments.person_not_confirmed")


def test_nobody_signs_up_without_the_pin(city: City, patient: Patient) -> None:
    body = {"product_code": make_product(city), "agreement_version": AGREEMENT_VERSION}
    expected = [
        ({}, (422, "core.malformed_request")),
        ({"pin": PIN}, (409, "health_card.pin_not_set")),
    ]
    for more, refusal in expected:
        reply = city.client.post("/api/v1/credit/lines", json=body | more, headers=bearer(patient.token))
        assert (reply.status_code, reply.json["code"]) == refusal
    city.client.put("/api/v1/code-pin", json={"pin": PIN}, headers=bearer(patient.token))
    wrong = city.client.post("/api/v1/credit/lines", json=body | {"pin": "112233"}, headers=bearer(patient.token))
    assert (wrong.status_code, wrong.json["code"], wrong.json["tries_left"]) == (422, "health_card.pin_wrong", 4)
    assert city.client.get("/api/v1/credit/lines", headers=bearer(patient.token)).json["lines"] == []


def at_desk(till: Till, product_code: str) -> tuple[int, str]:
    body = {"product_code": product_code, "agreement_version": AGREEMENT_VERSION}
    path = f"/api/v1/visits/{till.visit_id}/credit-lines"
    reply = till.city.client.post(path, json=body, headers=bearer(till.desk.token))
    return reply.status_code, reply.json.get("code") or reply.json["person_name"]


def tap(till: Till, patient: Patient, purpose: str) -> None:
    path = f"/api/v1/visits/{till.visit_id}/confirmations"
    asked = till.city.client.post(path, json={"purpose": purpose}, headers=bearer(till.desk.token)).json
    path = f"/api/v1/confirmations/{asked['confirmation_id']}/answer"
    reply = till.city.client.post(path, json={"answer": "confirmed"}, headers=bearer(patient.token))
    assert reply.status_code == 204


def test_at_a_desk_the_patient_confirms_on_the_phone_and_it_is_used_up(till: Till) -> None:
    code = make_product(till.city, limit_fen=7000)
    assert at_desk(till, code) == (409, "health_card.not_confirmed")
    tap(till, till.patient, "account")
    assert at_desk(till, code) == (409, "health_card.not_confirmed")
    tap(till, till.patient, "credit")
    assert at_desk(till, "NO-SUCH") == (404, "payments.product_not_offered")
    assert at_desk(till, code) == (201, "张*试")
    assert at_desk(till, code) == (409, "health_card.not_confirmed")
    tap(till, till.patient, "credit")
    assert at_desk(till, code) == (200, "张*试")
    assert sorted(line["limit_fen"] for line in till.get("/lines").json["lines"]) == [7000, 300_000]
    with db.transaction() as session:
        (opened_by,) = session.scalars(select(CreditLine.opened_by).filter_by(limit_fen=7000))
    assert opened_by == till.patient.actor.id


def test_who_acts_for_the_patient_confirms_no_credit(till: Till) -> None:
    relative = till.city.patient("王测试")
    headers = bearer(relative.token)
    asked = till.city.client.post(
        "/api/v1/family/invitations", json={"kind": "consent", "relation": "spouse"}, headers=headers
    )
    accept = {"code": asked.json["code"]}
    headers = bearer(till.patient.token)
    assert till.city.client.post("/api/v1/family/invitations/accept", json=accept, headers=headers).status_code == 200
    tap(till, relative, "credit")
    assert at_desk(till, make_product(till.city)) == (409, "health_card.not_confirmed")


def test_a_product_code_is_given_once(city: City) -> None:
    code = make_product(city)
    terms = ProductTerms("名", "行", 1, 0, 1, 1, "1", "文")
    with pytest.raises(ProductCodeTaken) as refused, db.transaction() as session:
        service.create_product(session, SYSTEM, code=code, terms=terms)
    assert refused.value.code == "payments.product_code_taken"


def test_somebody_elses_line_is_not_found(till: Till) -> None:
    other = till.city.patient()
    path = f"/api/v1/credit/lines/{till.line_id}"
    headers = bearer(other.token) | {"Idempotency-Key": "somebody-else"}
    entries = till.city.client.get(f"{path}/entries", headers=headers)
    repayment = till.city.client.post(f"{path}/repayments", json={"amount_fen": 1}, headers=headers)
    for reply in (entries, repayment):
        assert (reply.status_code, reply.json["code"]) == (404, "payments.line_not_found")


def test_entries_show_charges_and_repayments_with_the_balance_after_each(till: Till) -> None:
    for amount in (1000, 250):
        assert till.capture(amount, medical_step="010103").status_code == 201
    entries = till.get(f"/lines/{till.line_id}/entries").json["entries"]
    assert [(entry["kind"], entry["amount_fen"], entry["balance_fen"]) for entry in entries] == [
        ("charge", 250, 1250),
        ("charge", 1000, 1000),
    ]
    assert entries[0]["hospital_name"]
    assert entries[0]["medical_step"] == "010103"
    older = till.get(f"/lines/{till.line_id}/entries?before={entries[0]['entry_id']}").json["entries"]
    assert older == entries[1:]
    log = till.city.client.get("/api/v1/access-log", headers=bearer(till.patient.token)).json["rows"]
    actions = [row["action"] for row in log]
    assert actions.count("payments.charge.captured") == 2
    assert "payments.entries.read" in actions
