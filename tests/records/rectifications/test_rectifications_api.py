"""A person says what is wrong; the house corrects it or says why not, in time, or the operator sees it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from accounts.models import Role
from core import clock, db
from core.audit import AuditEntry
from core.ids import new_id
from health_card.models import Relation
from records.rectifications import jobs, service
from records.rectifications.models import RectificationRequest
from tests.support.apps import hold
from tests.support.browsing import Browser
from tests.support.charts import open_case
from tests.support.city import City, Patient, Staff, bearer
from tests.support.documents import DOCUMENT, send_document

WRONG, RIGHT = "葡萄糖写成了别人的", "应为五点二"


class Desk:
    """A patient with a report and an image of one hospital, and a doctor there."""

    def __init__(self, city: City) -> None:
        self.city, self.case = city, open_case(city, "吴小正")
        self.patient = self.case.patient
        self.doctor = city.staff(self.case.home, name="郑测试")
        self.report_id = send_document(city, self.case.home, self.patient, order="R1")

    def ask(self, object_id: UUID | None = None, patient: Patient | None = None) -> TestResponse:
        body = {"object_id": str(object_id or self.report_id), "wrong": WRONG, "right": RIGHT}
        token = (patient or self.patient).token
        return self.city.client.post("/api/v1/rights/rectifications", json=body, headers=bearer(token))

    def answer(self, request_id: str, by: Staff | None = None, **body: Any) -> TestResponse:
        path = f"/api/v1/rectification-requests/{request_id}/answer"
        return self.city.client.post(path, json=body, headers=bearer((by or self.doctor).token))

    def own(self, patient: Patient | None = None) -> list[dict[str, Any]]:
        token = (patient or self.patient).token
        reply = self.city.client.get("/api/v1/rights/rectifications", headers=bearer(token))
        found: list[dict[str, Any]] = reply.json["rectifications"]
        return found

    def notices(self) -> list[str]:
        reply = self.city.client.get("/api/v1/notices", headers=bearer(self.patient.token))
        return [notice["kind"] for notice in reply.json["notices"]]

    def correct(self) -> None:
        send_document(self.city, self.case.home, self.patient, DOCUMENT + b"%2", order="R1")

    def sign_in(self, staff: Staff) -> Browser:
        browser = Browser(self.city.app)
        browser.sign_in(staff)
        return browser


@pytest.fixture(scope="module")
def desk_of_module(module_city: City) -> Desk:
    return Desk(module_city)


@pytest.fixture
def desk(desk_of_module: Desk, city: City) -> Desk:
    return desk_of_module


def check_refused(reply: TestResponse, status: int, code: str) -> None:
    assert (reply.status_code, reply.json["code"]) == (status, code), reply.text


def test_a_house_accepts_only_what_it_has_corrected(desk: Desk) -> None:
    asked = desk.ask()
    assert (asked.status_code, asked.json["state"], asked.json["object_version"]) == (201, "asked", 1)
    assert asked.json["hospital_name"] == "市第一测试医院"
    check_refused(desk.ask(), 409, "records.rectification_under_way")
    request_id = asked.json["id"]
    check_refused(desk.answer(request_id, accepted=True), 409, "records.rectification_not_corrected")
    desk.correct()
    accepted = desk.answer(request_id, accepted=True, note="已重新核对")
    assert (accepted.status_code, accepted.json["corrected_version"]) == (200, 2)
    (own,) = desk.own()
    assert (own["state"], own["note"], own["wrong"]) == ("accepted", "已重新核对", WRONG)
    assert "patient_number" not in own
    assert desk.notices()[0] == "rectification_answered"
    check_refused(desk.answer(request_id, accepted=True), 409, "records.rectification_over")
    path = f"/api/v1/rights/rectifications/{request_id}/withdrawal"
    late = desk.city.client.post(path, headers=bearer(desk.patient.token))
    check_refused(late, 409, "records.rectification_over")


def test_declining_needs_a_reason_and_accepting_takes_none(desk: Desk) -> None:
    request_id = desk.ask().json["id"]
    check_refused(desk.answer(request_id, accepted=False), 422, "records.rectification_reason")
    check_refused(desk.answer(request_id, accepted=True, reason="correct"), 422, "records.rectification_reason")
    declined = desk.answer(request_id, accepted=False, reason="clinical_judgement")
    assert (declined.json["state"], declined.json["reason"]) == ("declined", "clinical_judgement")
    assert desk.ask().status_code == 201


def test_an_image_is_accepted_without_a_version(desk: Desk) -> None:
    request_id = desk.ask(desk.case.study_id).json["id"]
    assert desk.answer(request_id, accepted=True).json["state"] == "accepted"


def test_only_who_decides_asks_and_only_the_house_answers(desk: Desk) -> None:
    stranger, spouse = desk.city.patient("冯旁人"), desk.city.patient("陈配偶")
    hold(spouse, desk.patient, Relation.SPOUSE)
    check_refused(desk.ask(patient=stranger), 404, "records.item_not_found")
    check_refused(desk.ask(patient=spouse), 403, "records.rectification_not_yours")
    request_id = desk.ask().json["id"]
    for other in (stranger, spouse):
        path = f"/api/v1/rights/rectifications/{request_id}/withdrawal"
        refused = desk.city.client.post(path, headers=bearer(other.token))
        check_refused(refused, 404, "records.rectification_not_found")
        assert desk.own(other) == []
    elsewhere = desk.answer(request_id, by=desk.case.doctor, accepted=False, reason="correct")
    check_refused(elsewhere, 404, "records.rectification_not_found")
    listed = desk.city.client.get("/api/v1/rectification-requests", headers=bearer(desk.case.doctor.token))
    assert listed.json["rectifications"] == []
    listed = desk.city.client.get("/api/v1/rectification-requests", headers=bearer(desk.doctor.token))
    assert [request["id"] for request in listed.json["rectifications"]] == [request_id]
    with db.transaction() as session:
        looks = select(AuditEntry.actor_id).where(
            AuditEntry.subject_id == desk.patient.person_id, AuditEntry.action == "records.rectification.listed"
        )
        assert session.scalars(looks).all() == [desk.doctor.id], "the patient reads who read it"
    path = f"/api/v1/rights/rectifications/{request_id}/withdrawal"
    withdrawn = desk.city.client.post(path, headers=bearer(desk.patient.token))
    assert withdrawn.json["state"] == "withdrawn"


def test_what_is_overdue_goes_to_the_operator_without_a_word_of_it(desk: Desk) -> None:
    request_id = UUID(desk.ask().json["id"])
    jobs.escalate_overdue({"request_id": str(request_id)})
    page = desk.sign_in(desk.city.staff(None, Role.OPERATOR))
    assert "没有逾期未答复的更正申请" in page.get("/operator/rectifications").text
    with db.transaction() as session:
        past = {"asked_at": clock.now() - timedelta(days=20), "due_at": clock.now() - timedelta(days=5)}
        session.execute(update(RectificationRequest).where(RectificationRequest.id == request_id).values(**past))
    for _ in range(2):
        jobs.escalate_overdue({"request_id": str(request_id)})
    assert desk.notices().count("rectification_overdue") == 1
    shown = page.get("/operator/rectifications").text
    assert "市第一测试医院" in shown
    assert "逾期未答复" in shown
    assert [word for word in (WRONG, RIGHT, desk.patient.name) if word in shown] == []
    with db.transaction() as session:
        of_patient = AuditEntry.subject_id == desk.patient.person_id
        escalated = AuditEntry.action == "records.rectification.escalated"
        acts = session.scalars(select(AuditEntry.facts).where(of_patient, escalated))
        assert [facts["request"] for facts in acts] == [str(request_id)]


def test_a_doctor_answers_on_the_page(desk: Desk) -> None:
    request_id = desk.ask().json["id"]
    browser = desk.sign_in(desk.doctor)
    page = browser.get("/rectifications?is_open=true").text
    assert WRONG in page
    assert RIGHT in page
    refused = browser.post(f"/rectifications/{request_id}/answer", {"accepted": "true", "reason": "correct"})
    assert (refused.status_code, "请先上传更正后的新版本" in refused.text) == (409, True)
    answered = browser.post(f"/rectifications/{request_id}/answer", {"accepted": "false", "reason": "not_proven"})
    assert answered.status_code == 303
    assert "没有待答复的更正申请" in browser.get("/rectifications?is_open=true").text
    assert "依据不足" in browser.get("/rectifications").text
    assert browser.post(f"/rectifications/{new_id()}/answer", {"accepted": "true"}).status_code == 404


def test_what_was_written_is_sealed_and_forgotten_with_the_person(desk: Desk) -> None:
    request_id = UUID(desk.ask().json["id"])
    with db.transaction() as session:
        kept = session.get_one(RectificationRequest, request_id)
        assert WRONG.encode() not in kept.wrong_sealed
        assert [hold.code for hold in service.list_holds(session, desk.patient.person_id)] == ["rectification_open"]
    desk.answer(str(request_id), accepted=False, reason="correct", note="无误")
    with db.transaction() as session:
        assert list(service.list_holds(session, desk.patient.person_id)) == []
        service.forget_texts(session, person_id=desk.patient.person_id)
    page = desk.sign_in(desk.doctor).get("/rectifications").text
    assert "档案已删除，内容不可读" in page
    assert WRONG not in page
