"""A record is deleted after a cooling-off, by two, when all is settled; then nobody can read who it was."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError
from werkzeug.test import TestResponse

from accounts.models import Role
from consent.models import Grant
from consent.rights import retention
from consent.rights.models import DeletionRequest
from core import clock, db
from core.ids import new_id
from core.vault import SealBroken, vault
from core.web import guard_of
from health_card.carriers.models import Carrier
from health_card.corrections.models import PersonChange
from health_card.corrections.service.history import list_changes_of
from health_card.corrections.service.ledger import CHANGE
from health_card.desk.models import LookUp
from health_card.family.models import Newborn
from health_card.masks import ERASED_NAME
from health_card.matching.models import PersonTrait
from health_card.models import Card, Holder, PatientNumber, Person, PersonCertificate, Relation
from health_card.service.identities import NAME
from payments.models import CreditLine, CreditProduct
from records.fhir import systems
from records.visits.models import Visit
from tests.support import fhir
from tests.support.apps import hold
from tests.support.browsing import Browser
from tests.support.charts import Case, open_case
from tests.support.city import City, Patient, bearer

PAGE, APPROVALS = "/operator/deletions", "/operator/deletion-approvals"


class Office:
    """A patient with records in two hospitals, and the two at the platform."""

    def __init__(self, city: City) -> None:
        self.city, self.case = city, open_case(city, "赵小删")
        self.patient = self.case.patient
        self.operator, self.security = self.browser(Role.OPERATOR), self.browser(Role.SECURITY_ADMINISTRATOR)

    def browser(self, role: Role) -> Browser:
        browser = Browser(self.city.app)
        browser.sign_in(self.city.staff(None, role))
        return browser

    def call(self, method: str, path: str, patient: Patient | None = None, **options: Any) -> TestResponse:
        token = (patient or self.patient).token
        return self.city.client.open(f"/api/v1/rights{path}", method=method, headers=bearer(token), **options)

    def ask(self) -> TestResponse:
        return self.call("POST", "/deletions", json={"person_id": str(self.patient.person_id)})

    def asked_and_cooled(self) -> str:
        request_id = str(self.ask().json["id"])
        with db.transaction() as session:
            before = timedelta(days=30)
            session.execute(
                update(DeletionRequest)
                .where(DeletionRequest.id == UUID(request_id))
                .values(
                    asked_at=DeletionRequest.asked_at - before, cooling_until=DeletionRequest.cooling_until - before
                )
            )
        return request_id

    def delete(self) -> None:
        request_id = self.asked_and_cooled()
        for browser, page, act in ((self.operator, PAGE, "check"), (self.security, APPROVALS, "approve")):
            browser.get(page)
            assert browser.post(f"{page}/{request_id}/{act}", {}).status_code == 303, act

    def plan(self) -> dict[str, Any]:
        reply = self.call("GET", f"/deletion-plan?person_id={self.patient.person_id}")
        assert reply.status_code == 200, reply.text
        assert reply.json is not None
        return dict(reply.json)


@pytest.fixture(scope="module")
def office_of_module(module_city: City) -> Office:
    return Office(module_city)


@pytest.fixture
def office(office_of_module: Office, city: City) -> Office:
    return office_of_module


def check_refused(reply: TestResponse, status: int, code: str) -> None:
    assert (reply.status_code, reply.json["code"]) == (status, code)


def test_the_plan_says_what_goes_and_what_the_law_keeps(office: Office) -> None:
    with db.transaction() as session:
        opened_at = session.get_one(Visit, office.case.visit_id).opened_at
    kept = {hold["code"]: hold for hold in office.plan()["kept"]}
    of_today = retention.keep_since(retention.HoldCode.OUTPATIENT_RECORD, clock.in_city(opened_at).date())
    assert kept["outpatient_record"]["until"] == str(of_today.until)
    assert "第二十九条" in kept["outpatient_record"]["source"]
    with db.transaction() as session:
        session.execute(update(Visit).values(kind="I", closed_at=clock.now()).where(Visit.id == office.case.visit_id))
    assert "inpatient_record" in {hold["code"] for hold in office.plan()["kept"]}
    assert office.plan()["blocked"] == []
    rights = office.call("GET", "").json
    assert {rule["code"] for rule in rights["retention"]} == {code.value for code in retention.HoldCode}
    assert "deletion" in {right["right"] for right in rights["rights"]}


def test_years_that_begin_on_the_29th_of_february() -> None:
    kept = retention.keep_since(retention.HoldCode.OUTPATIENT_RECORD, date(2024, 2, 29))
    assert kept.until == date(2039, 3, 1)
    began = retention.begin_of_keeping(retention.HoldCode.OUTPATIENT_RECORD, datetime(2024, 2, 29, tzinfo=UTC))
    assert began.date() == date(2009, 2, 28)


def test_nobody_acts_before_the_cooling_off_is_over_and_it_can_be_taken_back(office: Office) -> None:
    asked = office.ask()
    assert (asked.status_code, asked.json["state"], asked.json["is_cooling"]) == (201, "asked", True)
    check_refused(office.ask(), 409, "consent.deletion_under_way")
    office.operator.get(PAGE)
    early = office.operator.post(f"{PAGE}/{asked.json['id']}/check", {})
    assert (early.status_code, "consent.deletion_cooling" in early.text) == (409, True)
    told = office.city.client.get("/api/v1/notices", headers=bearer(office.patient.token)).json["notices"]
    assert told[0]["kind"] == "deletion_asked"
    withdrawn = office.call("POST", f"/deletions/{asked.json['id']}/withdrawal")
    assert (withdrawn.status_code, withdrawn.json["state"]) == (200, "withdrawn")
    check_refused(office.call("POST", f"/deletions/{asked.json['id']}/withdrawal"), 409, "consent.deletion_over")
    assert [one["state"] for one in office.call("GET", "/deletions").json["deletions"]] == ["withdrawn"]


def test_only_who_decides_about_a_person_can_ask_or_take_back(office: Office) -> None:
    stranger, spouse = office.city.patient("钱旁人"), office.city.patient("孙配偶")
    hold(spouse, office.patient, Relation.SPOUSE)
    request_id = office.ask().json["id"]
    for other in (stranger, spouse):
        body = {"person_id": str(office.patient.person_id)}
        check_refused(office.call("POST", "/deletions", other, json=body), 403, "consent.deletion_not_yours")
        check_refused(
            office.call("POST", f"/deletions/{request_id}/withdrawal", other), 404, "consent.deletion_not_found"
        )
        assert office.call("GET", "/deletions", other).json["deletions"] == []


def test_what_is_not_settled_stands_in_the_way_at_every_step(office: Office) -> None:
    product = CreditProduct(
        code=f"P{new_id()}",
        name="信用就医",
        provider="测试银行",
        limit_fen=100_000,
        interest_free_days=30,
        statement_day=1,
        due_day=10,
        agreement_version="1",
        agreement_text_hash="0" * 64,
        created_at=clock.now(),
    )
    request_id = office.asked_and_cooled()
    with db.transaction() as session:
        session.add(product)
        session.flush()
        line = CreditLine(
            person_id=office.patient.person_id,
            product_id=product.id,
            limit_fen=100_000,
            drawn_fen=500,
            agreement_version="1",
            agreement_text_hash="0" * 64,
            opened_by=office.patient.actor.id,
            opened_at=clock.now(),
        )
        session.add(line)
    child = office.city.patient("周小孩")
    hold(office.patient, child, Relation.CHILD)
    assert {hold["code"] for hold in office.plan()["blocked"]} == {"credit_open", "dependents"}
    office.operator.get(PAGE)
    assert office.operator.post(f"{PAGE}/{request_id}/check", {}).status_code == 409
    office.call("POST", f"/deletions/{request_id}/withdrawal")
    refused = office.ask()
    check_refused(refused, 409, "consent.deletion_blocked")
    assert refused.json["reasons"] == ["credit_open", "dependents"]


def test_one_person_cannot_do_both_steps_nor_the_steps_of_another_role(office: Office) -> None:
    request_id = office.asked_and_cooled()
    office.operator.get(PAGE)
    office.security.get(APPROVALS)
    assert office.security.post(f"{APPROVALS}/{request_id}/approve", {}).status_code == 409
    assert office.security.post(f"{PAGE}/{request_id}/check", {}).status_code == 403
    assert office.operator.post(f"{PAGE}/{request_id}/check", {}).status_code == 303
    assert office.operator.post(f"{APPROVALS}/{request_id}/approve", {}).status_code == 403
    with db.transaction() as session:
        request = session.get_one(DeletionRequest, UUID(request_id))
        checked_by = request.checked_by
        session.execute(
            text("UPDATE staff_members SET role = 'security_administrator' WHERE id = :id"), {"id": checked_by}
        )
    refused = office.operator.post(f"{APPROVALS}/{request_id}/approve", {})
    assert (refused.status_code, "consent.second_person_needed" in refused.text) == (403, True)
    both: dict[str, Any] = {"state": "done", "approved_by": checked_by, "ended_at": clock.now(), "kept": {}}
    with pytest.raises(IntegrityError, match="two_persons"), db.transaction() as session:
        session.execute(update(DeletionRequest).where(DeletionRequest.id == UUID(request_id)).values(**both))


def test_the_platform_says_why_it_does_not_delete(office: Office) -> None:
    request_id = office.ask().json["id"]
    office.operator.get(PAGE)
    assert office.operator.post(f"{PAGE}/{request_id}/refuse", {"reason": "not_the_person"}).status_code == 303
    (request,) = office.call("GET", "/deletions").json["deletions"]
    assert (request["state"], request["refused_reason"]) == ("refused", "not_the_person")
    assert "经核实非本人意愿" in office.operator.get(PAGE).text


def test_what_was_sealed_is_unreadable_and_nothing_leads_to_the_person(office: Office) -> None:
    patient = office.patient
    with db.transaction() as session:
        before = session.get_one(Person, patient.person_id)
        sealed, key = before.name_sealed, before.data_key
    assert vault().unwrap(key).unseal(sealed, context=NAME) == "赵小删"
    office.delete()
    with db.transaction() as session:
        after = session.get_one(Person, patient.person_id, populate_existing=True)
        with pytest.raises(SealBroken):
            vault().unwrap(after.data_key).unseal(sealed, context=NAME)
        naming = (PersonCertificate, Carrier, Newborn, PersonTrait, PatientNumber)
        left = [session.query(table).filter_by(person_id=patient.person_id).count() for table in naming]
        assert left == [0] * 5
        assert session.query(Card).filter_by(id=patient.card_id).one().state == 3
        assert session.query(Holder).filter_by(person_id=patient.person_id, ended_at=None).count() == 0
        alive = session.query(Grant).filter(Grant.person_id == patient.person_id, Grant.revoked_at.is_(None))
        assert alive.filter(Grant.expires_at > clock.now()).count() == 0
        request = session.query(DeletionRequest).filter_by(person_id=patient.person_id).one()
        assert set(request.kept or {}) == {"outpatient_record", "access_log"}
        acts = session.execute(
            text("SELECT action FROM audit_entries WHERE subject_id = :id"), {"id": patient.person_id}
        )
        assert {"consent.deletion.approved", "health_card.person.erased"} <= set(acts.scalars())
    assert ERASED_NAME in office.security.get(APPROVALS).text


def test_what_was_corrected_before_is_not_tried_to_be_read(office: Office) -> None:
    person_id, doctor = office.patient.person_id, office.case.doctor
    now, look_up_id = clock.now(), new_id()
    who = {"person_id": person_id, "hospital_id": office.case.treating.id, "staff_id": doctor.id}
    with db.transaction() as session:
        key = vault().unwrap(session.get_one(Person, person_id).data_key)
        session.add(LookUp(id=look_up_id, way="certificate", opened_at=now, expires_at=now + timedelta(hours=1), **who))
        session.flush()
        told = {
            "field": "name",
            "old_sealed": key.seal("赵大删", context=CHANGE),
            "reason": "mistake",
            "evidence": "01",
        }
        session.add(PersonChange(look_up_id=look_up_id, changed_at=now, **told, **who))
    with db.transaction() as session:
        assert [change.old for change in list_changes_of(session, person_id)] == ["赵*删"]
    office.delete()
    with db.transaction() as session:
        assert list_changes_of(session, person_id) == []


def test_who_comes_back_is_a_new_person(office: Office) -> None:
    office.delete()
    patient, (token, _) = office.patient, office.city.login()
    assert office.call("GET", "/deletions").status_code == 401
    body = {
        "certificate_type": "01",
        "certificate_number": patient.certificate_number,
        "name": "赵小删",
        "phone": patient.phone,
    }
    again = office.city.client.post("/api/v1/registrations", json=body, headers=bearer(token))
    assert again.status_code == 201, again.text
    assert (again.json["is_new"], again.json["holder"]) == (True, "confirmed")
    assert again.json["card_id"] != str(patient.card_id)
    assert office.city.client.get("/api/v1/timeline", headers=bearer(token)).json["items"] == []


def addresses(app: Flask, case: Case) -> list[tuple[str, str]]:
    """Every address that is read, with what is known of the person in place of what it names; and its permission."""
    known = {
        "visit_id": case.visit_id,
        "report_id": case.report_id,
        "study_id": case.study_id,
        "object_id": case.report_id,
        "person_id": case.patient.person_id,
        "card_id": case.patient.card_id,
        "resource_type": "Patient",
        "resource_id": case.patient.person_id,
    }
    return [
        (
            guard.permission,
            re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", lambda part: str(known.get(part[1], new_id())), rule.rule),
        )
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and (guard := guard_of(app, rule.endpoint)) and guard.permission
    ]


def test_no_address_breaks_after_it_and_none_says_who_it_was(office: Office) -> None:
    city, case, patient = office.city, office.case, office.patient
    spouse = city.patient("孙配偶")
    hold(spouse, patient, Relation.SPOUSE)
    office.delete()
    askers = [case.doctor, city.staff(case.home), city.staff(case.treating, Role.REGISTRAR)]
    askers += [city.staff(None, Role.OPERATOR), city.staff(None, Role.AUDIT_ADMINISTRATOR)]
    broken, told, tried = [], [], 0
    names = [name.encode() for name in (patient.name, patient.certificate_number)]
    for token in (*(asker.token for asker in askers), city.machine(case.home).token, spouse.token):
        actor = city.actor(token)
        for permission, address in addresses(city.app, case):
            if not actor.can(permission):
                continue
            reply = city.client.get(address, headers=bearer(token))
            tried += 1
            broken += [(address, reply.status_code)] if reply.status_code >= 500 else []
            told += [address] if any(name in reply.data for name in names) else []
            reply.close()
    assert (broken, told) == ([], [])
    assert tried > 200


def test_a_message_that_names_the_card_waits_in_quarantine(office: Office) -> None:

    office.delete()
    subject = (systems.CARD, office.patient.card_number)
    sent = fhir.send(office.city, office.city.machine(office.case.home), fhir.bundle(fhir.report(subject)))
    assert sent.status_code == 422, sent.text
