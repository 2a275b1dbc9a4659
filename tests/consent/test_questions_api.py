"""A look is questioned, answered by the hospital in its term, accepted or escalated, and concluded; each step once,
nobody answers for himself, and nobody learns more by it than he could know before.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError
from werkzeug.test import TestResponse

from accounts.models import Role
from consent import service as consent
from consent.questions.jobs import HANDLERS
from consent.questions.models import AccessQuestion, AccessQuestionEvent
from core import clock, db
from core.audit import AuditEntry
from core.dispatch import Dispatcher
from core.ids import new_id
from health_card.notices.models import Notice
from tests.health_card.family.household import Household
from tests.support.browsing import Browser
from tests.support.city import City, Hospital, Patient, Staff, bearer

PLAIN = "那天我不在本市，没有看病"


@dataclass
class Scene:
    """A doctor has looked at a report of a patient, who wonders why."""

    city: City
    hospital: Hospital
    patient: Patient
    doctor: Staff
    office: Staff
    report_id: UUID

    def look(self, who: Staff | None = None) -> str:
        """The id of the row that it leaves."""
        with db.transaction() as session:
            consent.release(
                session,
                (who or self.doctor).actor,
                person_id=self.patient.person_id,
                action="records.report.read",
                of=("report", self.report_id),
            )
        return str(self.rows(self.patient)[0]["id"])

    def rows(self, patient: Patient) -> list[dict[str, Any]]:
        reply = self.city.client.get("/api/v1/access-log", headers=bearer(patient.token))
        found: list[dict[str, Any]] = reply.get_json()["rows"]
        return found

    def ask(self, entry_id: object, who: Patient | None = None, **changes: Any) -> TestResponse:
        body = {"reason": "not_needed", "text": PLAIN} | changes
        return self.post((who or self.patient).token, f"access-log/{entry_id}/questions", body)

    def asked(self) -> str:
        """The id of a case about a new look."""
        reply = self.ask(self.look())
        assert reply.status_code == 201, reply.text
        return str(reply.get_json()["id"])

    def answer(self, question_id: str, token: str, **changes: Any) -> TestResponse:
        body = {"answer": "treatment", "text": "会诊需要"} | changes
        return self.post(token, f"received-questions/{question_id}/answer", body)

    def post(self, token: str, path: str, body: dict[str, Any] | None = None) -> TestResponse:
        return self.city.client.post(f"/api/v1/{path}", json=body or {}, headers=bearer(token))

    def get(self, token: str, path: str) -> TestResponse:
        return self.city.client.get(f"/api/v1/{path}", headers=bearer(token))

    def pass_term(self, question_id: str) -> None:
        """As if it had been asked long ago."""
        long_ago = clock.now() - timedelta(days=1)
        with db.transaction() as session:
            session.execute(
                update(AccessQuestion)
                .where(AccessQuestion.id == UUID(question_id))
                .values(remind_at=long_ago, due_at=long_ago)
            )

    def told(self, patient: Patient) -> list[str]:
        kinds = select(Notice.kind).where(Notice.person_id == patient.person_id, Notice.kind.like("question_%"))
        with db.transaction() as session:
            return list(session.scalars(kinds.order_by(Notice.created_at, Notice.id)))


def refusal(reply: TestResponse) -> tuple[int, str]:
    return reply.status_code, reply.get_json()["code"]


@pytest.fixture(scope="module")
def made(module_city: City) -> Scene:
    hospital, patient = module_city.hospital(), module_city.patient()
    doctor, office = module_city.staff(hospital), module_city.staff(hospital, Role.MEDICAL_AFFAIRS, "测试医务科")
    module_city.visit(doctor, patient, hospital)
    return Scene(module_city, hospital, patient, doctor, office, module_city.place_report(patient, hospital))


@pytest.fixture
def scene(made: Scene, app: object) -> Scene:
    return made


def test_a_question_is_answered_and_accepted(scene: Scene) -> None:
    entry_id = scene.look()
    case = scene.ask(entry_id).get_json()
    assert (case["state"], case["entry_id"], case["item_kind"]) == ("open", entry_id, "laboratory")
    assert case["events"][0] | {"at": ""} == {"at": "", "kind": "asked", "code": "not_needed", "text": PLAIN}
    (received,) = scene.get(scene.office.token, "received-questions?state=open").get_json()["questions"]
    assert (received["who"], received["person_name"]) == ("测试医生甲", "张*试")
    assert received["events"][0]["text"] == PLAIN
    assert "血常规" not in str(received)
    answered = scene.answer(case["id"], scene.office.token)
    assert (answered.status_code, answered.get_json()["state"]) == (200, "answered")
    assert scene.told(scene.patient) == ["question_answered"]
    assert refusal(scene.answer(case["id"], scene.office.token)) == (409, "consent.question_has_moved")
    closed = scene.post(scene.patient.token, f"access-questions/{case['id']}/accept").get_json()
    assert (closed["state"], closed["answer"]) == ("closed", "treatment")
    assert [event["kind"] for event in closed["events"]] == ["asked", "answered", "accepted"]
    assert closed["events"][1]["text"] == "会诊需要"
    again = scene.post(scene.patient.token, f"access-questions/{case['id']}/escalate")
    assert refusal(again) == (409, "consent.question_has_moved")


def test_a_system_of_the_hospital_answers_too(scene: Scene) -> None:
    question_id = scene.asked()
    machine = scene.city.machine(scene.hospital)
    assert scene.answer(question_id, machine.token, answer="mistake").status_code == 200


def test_nobody_answers_for_himself(scene: Scene) -> None:
    case = scene.ask(scene.look(scene.office)).get_json()
    assert refusal(scene.answer(case["id"], scene.office.token)) == (403, "consent.question_about_oneself")
    with pytest.raises(DBAPIError, match="not_oneself"), db.transaction() as session:
        session.execute(
            update(AccessQuestion)
            .where(AccessQuestion.id == UUID(case["id"]))
            .values(state="answered", answer="duty", answered_by=scene.office.id, answered_at=clock.now())
        )
    other = scene.city.staff(scene.hospital, Role.MEDICAL_AFFAIRS)
    assert scene.answer(case["id"], other.token).status_code == 200


def test_a_doctor_does_not_answer_and_another_hospital_finds_nothing(scene: Scene) -> None:
    question_id = scene.asked()
    assert refusal(scene.answer(question_id, scene.doctor.token)) == (403, "core.permission_missing")
    stranger = scene.city.staff(scene.city.hospital(), Role.MEDICAL_AFFAIRS)
    assert refusal(scene.answer(question_id, stranger.token)) == (404, "consent.question_not_found")
    assert scene.get(stranger.token, "received-questions").get_json()["questions"] == []
    browser = Browser(scene.city.app)
    browser.sign_in(stranger)
    at, found = f"/access-questions/{question_id}", {"answer": "duty", "text": "x"}
    assert (browser.get(at).status_code, browser.post(f"{at}/answer", found).status_code) == (404, 404)
    assert scene.get(scene.patient.token, at.lstrip("/")).get_json()["state"] == "open"


def test_only_ones_own_rows_of_hospitals_are_questioned_and_once(scene: Scene) -> None:
    entry_id = scene.look()
    other = scene.city.patient()
    assert refusal(scene.ask(entry_id, other)) == (404, "consent.question_not_found")
    assert refusal(scene.ask(new_id())) == (404, "consent.question_not_found")
    own = next(row["id"] for row in scene.rows(scene.patient) if row["who_kind"] == "patient")
    assert refusal(scene.ask(own)) == (422, "consent.access_not_questionable")
    assert scene.ask(entry_id).status_code == 201
    assert refusal(scene.ask(entry_id)) == (409, "consent.access_questioned_already")
    assert scene.get(other.token, "access-questions").get_json()["questions"] == []


def test_what_became_of_a_case_is_read_by_its_patient_alone(scene: Scene) -> None:
    question_id, other = scene.asked(), scene.city.patient()
    for verb in ("accept", "escalate"):
        reply = scene.post(other.token, f"access-questions/{question_id}/{verb}")
        assert refusal(reply) == (404, "consent.question_not_found")
    assert refusal(scene.get(other.token, f"access-questions/{question_id}"))[0] == 404
    assert scene.get(scene.patient.token, f"access-questions/{question_id}").status_code == 200


def test_within_its_term_a_hospital_is_waited_for_and_after_it_the_patient_escalates_once(scene: Scene) -> None:
    question_id = scene.asked()
    escalate = f"access-questions/{question_id}/escalate"
    assert refusal(scene.post(scene.patient.token, escalate)) == (409, "consent.question_has_moved")
    accept = scene.post(scene.patient.token, f"access-questions/{question_id}/accept")
    assert refusal(accept) == (409, "consent.question_has_moved")
    scene.pass_term(question_id)
    (late,) = scene.get(scene.office.token, "received-questions?is_overdue=true").get_json()["questions"]
    assert (late["id"], late["is_overdue"]) == (question_id, True)
    escalated = scene.post(scene.patient.token, escalate, {"text": "没有人理我"})
    assert escalated.get_json()["state"] == "escalated"
    assert refusal(scene.post(scene.patient.token, escalate)) == (409, "consent.question_has_moved")
    assert refusal(scene.answer(question_id, scene.office.token)) == (409, "consent.question_has_moved")


def test_a_term_is_noted_once_and_the_patient_told(scene: Scene) -> None:
    question_id = scene.asked()
    scene.pass_term(question_id)
    with db.transaction() as session:
        due = text("UPDATE outbox_messages SET due_at = created_at WHERE topic = 'consent.question_term_came'")
        session.execute(due)
    Dispatcher(scene.city.app, HANDLERS).run_due()
    assert scene.told(scene.patient) == ["question_overdue"]
    events = scene.get(scene.patient.token, f"access-questions/{question_id}").get_json()["events"]
    assert [event["kind"] for event in events] == ["asked", "overdue"]
    assert scene.answer(question_id, scene.office.token).status_code == 200
    assert scene.told(scene.patient) == ["question_overdue", "question_answered"]


def test_the_audit_administrator_concludes_what_was_escalated_and_nothing_else(scene: Scene) -> None:
    question_id = scene.asked()
    watcher = scene.city.staff(None, Role.AUDIT_ADMINISTRATOR)
    operator = scene.city.staff(None, Role.OPERATOR)
    conclude = f"operator/access-questions/{question_id}/conclude"
    found = {"conclusion": "unjustified", "text": "没有诊疗关系"}
    assert refusal(scene.post(watcher.token, conclude, found)) == (409, "consent.question_has_moved")
    assert scene.answer(question_id, scene.office.token).status_code == 200
    listed = scene.get(operator.token, f"operator/access-questions?hospital_id={scene.hospital.id}").get_json()
    (case,) = listed["questions"]
    assert not {"person_name", "patient_number", "who"} & case.keys()
    assert [event.get("text") for event in case["events"]] == [None, None]
    assert scene.post(scene.patient.token, f"access-questions/{question_id}/escalate").status_code == 200
    assert refusal(scene.post(operator.token, conclude, found)) == (403, "core.permission_missing")
    closed = scene.post(watcher.token, conclude, found).get_json()
    assert (closed["state"], closed["conclusion"]) == ("closed", "unjustified")
    assert closed["events"][0]["text"] == PLAIN
    assert scene.told(scene.patient) == ["question_answered", "question_concluded"]
    counted = scene.get(operator.token, "operator/access-questions/statistics").get_json()["hospitals"]
    (house,) = [each for each in counted if each["hospital_id"] == str(scene.hospital.id)]
    assert (house["asked"], house["open"], house["escalated"], house["unjustified"]) == (1, 0, 1, 1)


def test_what_a_minor_asks_about_a_hidden_item_is_his_alone(scene: Scene) -> None:
    city, household = scene.city, Household.open(scene.city)
    minor, mother = household.minor(), household.mother
    code = household.invite(mother, kind="consent", relation="child").json["code"]
    assert household.accept(minor, code).status_code == 200
    report_id = city.place_report(minor, scene.hospital)
    city.visit(scene.doctor, minor, scene.hospital)
    theirs = Scene(city, scene.hospital, minor, scene.doctor, scene.office, report_id)
    question_id = theirs.asked()
    (seen,) = scene.get(mother.token, "access-questions").get_json()["questions"]
    assert "text" not in seen["events"][0]
    with db.transaction() as session:
        consent.hide_item(session, minor.actor, person_id=minor.person_id, of=("report", report_id))
    assert theirs.answer(question_id, scene.office.token).status_code == 200
    assert scene.get(mother.token, "access-questions").get_json()["questions"] == []
    assert refusal(scene.get(mother.token, f"access-questions/{question_id}"))[0] == 404
    escalate = scene.post(mother.token, f"access-questions/{question_id}/escalate")
    assert refusal(escalate) == (404, "consent.question_not_found")
    named = [row for row in theirs.rows(mother) if row["action"].startswith("consent.access_question")]
    assert named == []
    notices = scene.get(mother.token, "notices").get_json()["notices"]
    assert [each for each in notices if each["kind"] == "question_answered"] == []
    assert [each["id"] for each in scene.get(minor.token, "access-questions").get_json()["questions"]] == [question_id]


def test_what_is_written_is_sealed_and_what_happened_stays(scene: Scene) -> None:
    question_id = UUID(scene.asked())
    with db.transaction() as session:
        kept = session.scalars(
            select(AccessQuestionEvent.text_sealed).where(AccessQuestionEvent.question_id == question_id)
        ).one()
        acts = session.scalars(select(AuditEntry).where(AuditEntry.object_id == question_id)).all()
        assert kept is not None
        assert PLAIN.encode() not in kept
        assert [act.action for act in acts] == ["consent.access_question.asked"]
        assert PLAIN not in str(acts[0].facts)
    with pytest.raises(DBAPIError, match="append-only"), db.transaction() as session:
        session.execute(text("UPDATE access_question_events SET code = 'other'"))


def test_a_registrar_answers_on_a_page(scene: Scene) -> None:
    question_id = scene.asked()
    browser = Browser(scene.city.app)
    browser.sign_in(scene.office)
    page = browser.get("/access-questions?state=open").text
    assert "与我的诊疗无关" in page
    assert f"/access-questions/{question_id}" in page
    at = f"/access-questions/{question_id}"
    assert PLAIN in browser.get(at).text
    refused = browser.post(f"{at}/answer", {"answer": "treatment", "text": ""})
    assert refused.status_code == 422
    assert browser.post(f"{at}/answer", {"answer": "mistake", "text": "点错了"}).status_code == 303
    assert "误操作" in browser.get(at).text
    moved = browser.post(f"{at}/answer", {"answer": "mistake", "text": "点错了"})
    assert (moved.status_code, "该疑问的状态已改变" in moved.text) == (409, True)
    assert "没有这样的疑问" in browser.get("/access-questions?state=escalated").text
    assert "查看调阅疑问" in str(scene.rows(scene.patient))


def test_who_watches_concludes_on_a_page(scene: Scene) -> None:
    question_id = scene.asked()
    scene.pass_term(question_id)
    at = f"/operator/access-questions/{question_id}"
    browser, operator = Browser(scene.city.app), Browser(scene.city.app)
    browser.sign_in(scene.city.staff(None, Role.AUDIT_ADMINISTRATOR, "审计员"))
    operator.sign_in(scene.city.staff(None, Role.OPERATOR, "运营员"))
    listed = operator.get(f"/operator/access-questions?is_overdue=true&hospital_id={scene.hospital.id}").text
    assert at in listed
    assert PLAIN not in operator.get(at).text
    assert scene.post(scene.patient.token, f"access-questions/{question_id}/escalate").status_code == 200
    assert "复核结论" not in operator.get(at).text
    assert PLAIN in browser.get(at).text
    found = {"conclusion": "unclear", "text": "记录不足"}
    assert operator.post(f"{at}/conclude", found).status_code == 403
    assert browser.post(f"{at}/conclude", found).status_code == 303
    assert "无法认定" in browser.get(at).text
    assert browser.post(f"{at}/conclude", found).status_code == 409
