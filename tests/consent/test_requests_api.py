"""A doctor asks, the patient's phone is told, and he grants all, a part, or nothing."""

from copy import copy
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from consent.models import Grant
from consent.requests import jobs
from consent.requests import service as requests
from consent.requests.refusals import AccessRequestNotFound
from consent.requests.service import asking as limits_of_asking
from core import db
from core.actor import SYSTEM, Actor, ActorKind
from core.dispatch import TryLater
from core.ids import new_id
from health_card import service as health_card
from health_card.models import Relation
from tests.conftest import SteppingClock
from tests.health_card.family.household import Household, born_years_ago
from tests.support.asking import TITLE, Asking, let_act, refused, sign_in_again
from tests.support.city import City


@pytest.fixture(scope="module")
def asking_of_module(module_city: City) -> Asking:
    asking = Asking(module_city)
    assert asking.choose("never").status_code == 200
    return asking


@pytest.fixture
def asking(asking_of_module: Asking, city: City) -> Asking:
    return copy(asking_of_module)


@pytest.fixture
def visit_id(asking: Asking) -> Any:
    return asking.scan()["visit_id"]


def test_the_phone_is_told_and_what_it_grants_is_seen(asking: Asking, visit_id: Any) -> None:
    request_id = asking.ask_at(visit_id, words="比对三年前的结果", kinds=["laboratory"])
    (told, *_) = asking.phone("GET", "/notices").json["notices"]
    assert (told["kind"], told["object_id"], told["hospital_name"]) == (
        "access_requested",
        request_id,
        "市第二测试医院",
    )
    assert "比对" not in told["body"]
    (waiting,) = asking.waiting()
    assert (waiting["asker_name"], waiting["words"], waiting["purpose"]) == (
        "测试医生乙",
        "比对三年前的结果",
        "treatment",
    )
    assert waiting["scope"]["words"] == "检验报告,不含敏感内容,仅查看"
    assert asking.sees(visit_id) is None
    assert asking.sent(request_id)["state"] == "requested"
    granted = asking.grant(request_id).json
    assert (granted["state"], granted["version"]) == ("granted", 2)
    assert asking.sees(visit_id) == [TITLE]
    assert asking.sent(request_id)["grant_id"] == asking.grants()[0]["id"] == granted["grant_id"]


def test_a_part_can_be_granted_and_never_more(asking: Asking, visit_id: Any) -> None:
    asked: dict[str, Any] = {
        "kinds": ["laboratory", "imaging"], "since_on": "2020-01-01", "until_on": "2026-01-01", "uses": 5,
        "access_hours": 24, "sensitivities": ["hiv"], "visit_ids": [str(new_id())], "item_ids": [str(new_id())],
    }  # fmt: skip
    request_id = asking.ask_at(visit_id, **asked)
    for wider in (
        {"kinds": ["laboratory", "allergy"]}, {"since_on": "2019-12-31"}, {"until_on": "2026-01-02"}, {"uses": 6},
        {"sensitivities": ["genetic"]}, {"visit_ids": [str(new_id())]},
        {"item_ids": [str(new_id())]}, {"may_download": True},
    ):  # fmt: skip
        refused(asking.grant(request_id, **wider), 422, "consent.wider_than_asked")
    refused(asking.grant(request_id, since_on="2025-12-31", until_on="2025-12-30"), 422, "consent.nothing_to_share")
    assert asking.grants() == []
    assert asking.waiting()[0]["version"] == 1
    part = {"kinds": ["imaging"], "uses": 1, "access_hours": 1, "only_asker": True}
    assert asking.grant(request_id, **part).json["state"] == "granted"
    with db.transaction() as session:
        grant = session.scalars(select(Grant).where(Grant.request_id == UUID(request_id))).one()
        assert (grant.kinds, grant.uses_left, grant.staff_id) == (["imaging"], 1, asking.doctor.id)
        assert (grant.sensitivities, str(grant.since_on), grant.may_download) == ([], "2020-01-01", False)
        assert grant.opened_by == "request"


def test_no_is_no_and_a_blocked_hospital_asks_no_more(asking: Asking, visit_id: Any) -> None:
    request_id = asking.ask_at(visit_id)
    assert asking.deny(request_id, blocks_hospital=True).json["state"] == "denied"
    for answer in (asking.grant(request_id), asking.grant(request_id, version=2), asking.deny(request_id)):
        refused(answer, 409, "consent.request_over")
        assert answer.json["state"] == "denied"
    assert asking.sees(visit_id) is None
    assert asking.sent(request_id)["state"] == "denied"
    refused(asking.ask(visit_id=visit_id), 404, "consent.cannot_be_asked")
    (blocked,) = asking.policy()["blocked_hospitals"]
    assert blocked["hospital_name"] == "市第二测试医院"
    path = f"/blocked-hospitals/{blocked['hospital_id']}"
    assert asking.phone("DELETE", path).json["blocked_hospitals"] == []
    asking.ask_at(visit_id)
    assert len(asking.phone("PUT", path).json["blocked_hospitals"]) == 1
    refused(asking.phone("PUT", f"/blocked-hospitals/{new_id()}"), 422, "consent.hospital_unknown")


def test_whom_the_hospital_does_not_know_it_cannot_ask_and_learns_nothing(asking: Asking, visit_id: Any) -> None:
    city = asking.city
    city.bind_number(asking.hospital, asking.patient, "M10001")
    stranger = city.staff(city.hospital("市第四测试医院"))
    answers = [
        asking.ask(patient_number="M99999"),
        asking.ask(stranger, patient_number="M10001"),
        asking.ask(stranger, visit_id=visit_id),
        asking.ask(visit_id=str(new_id())),
    ]
    asking.call(asking.doctor, "POST", f"/visits/{visit_id}/close")
    answers.append(asking.ask(visit_id=visit_id))
    said = {reply.text.replace(reply.json["request_id"], "") for reply in answers}
    assert all(refused(reply, 404, "consent.cannot_be_asked") for reply in answers)
    assert len(said) == 1, "all in the same words"
    assert asking.waiting() == []
    assert asking.ask(patient_number="M10001").status_code == 201
    refused(asking.ask(), 422, "core.malformed_request")


def test_others_neither_read_nor_answer_nor_withdraw_it(asking: Asking, visit_id: Any) -> None:
    request_id = asking.ask_at(visit_id)
    other, colleague = asking.city.patient(), asking.city.staff(asking.hospital)
    grants = asking.phone("POST", f"/access-requests/{request_id}/grant", {"version": 1}, who=other)
    reads = asking.phone("GET", f"/access-requests/{request_id}", who=other)
    follows = asking.call(colleague, "GET", f"/sent-access-requests/{request_id}/events")
    withdraws = asking.call(colleague, "POST", f"/sent-access-requests/{request_id}/withdraw")
    for reply in (grants, reads, follows, withdraws):
        refused(reply, 404, "consent.access_request_not_found")
    assert asking.waiting(who=other) == []
    assert asking.call(colleague, "GET", "/sent-access-requests").json["requests"] == []
    assert [each["id"] for each in asking.waiting()] == [request_id]


def test_a_doctor_takes_it_back(asking: Asking, visit_id: Any) -> None:
    request_id = asking.ask_at(visit_id)
    refused(asking.ask(visit_id=visit_id), 409, "consent.request_waiting")
    path = f"/sent-access-requests/{request_id}/withdraw"
    assert [asking.call(asking.doctor, "POST", path).json["state"] for _ in range(2)] == ["withdrawn"] * 2
    assert asking.waiting() == []
    refused(asking.grant(request_id), 409, "consent.request_over")
    again = asking.ask_at(visit_id)
    asking.grant(again)
    refused(asking.call(asking.doctor, "POST", f"/sent-access-requests/{again}/withdraw"), 409, "consent.request_over")
    states = [each["state"] for each in asking.call(asking.doctor, "GET", "/sent-access-requests").json["requests"]]
    assert states == ["granted", "withdrawn"]
    wanted = asking.phone("GET", "/access-requests?state=withdrawn&purpose=treatment").json["requests"]
    assert [each["id"] for each in wanted] == [request_id]
    older = asking.phone("GET", f"/access-requests?before={again}&limit=1").json["requests"]
    assert [each["id"] for each in older] == [request_id]


def test_nobody_is_pestered(asking: Asking, visit_id: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(limits_of_asking.TO_PERSON):
        asking.deny(asking.ask_at(visit_id))
    too_often = asking.ask(visit_id=visit_id)
    refused(too_often, 429, "consent.asked_too_often")
    assert 0 < int(too_often.headers["Retry-After"]) <= 86_400
    refused(asking.ask(asking.city.staff(asking.hospital), visit_id=visit_id), 429, "consent.asked_too_often")
    monkeypatch.setattr(limits_of_asking, "BY_DOCTOR", limits_of_asking.TO_PERSON)
    monkeypatch.setattr(limits_of_asking, "TO_PERSON", 99)
    refused(asking.ask(visit_id=visit_id), 429, "consent.asked_too_often")


def test_what_cannot_be_asked_for(asking: Asking, visit_id: Any) -> None:
    empty: dict[str, Any] = {"since_on": "2025-01-02", "until_on": "2025-01-01"}
    refused(asking.ask(visit_id=visit_id, **empty), 422, "consent.nothing_asked")
    refused(asking.ask(visit_id=visit_id, circle="department"), 422, "consent.department_not_known")
    refused(asking.ask(visit_id=visit_id, purpose="emergency"), 422, "core.malformed_request")


def test_it_is_reminded_of_once_and_lapses(asking: Asking, visit_id: Any, stepping_clock: SteppingClock) -> None:
    request_id = asking.ask_at(visit_id, answer_hours=8)
    payload = {"request_id": request_id}
    with pytest.raises(TryLater):
        jobs.lapse_request(payload)
    asking.later(stepping_clock, hours=6)
    jobs.remind_patient(payload)
    jobs.remind_patient(payload)
    kinds = [notice["kind"] for notice in asking.phone("GET", "/notices").json["notices"]]
    assert kinds.count("access_reminded") == 1
    asking.later(stepping_clock, hours=2)
    assert asking.waiting() == []
    assert asking.sent(request_id)["state"] == "lapsed"
    late = asking.grant(request_id)
    refused(late, 409, "consent.request_over")
    assert late.json["state"] == "lapsed"
    assert "期限已过" in asking.phone("GET", "/notices").json["notices"][0]["body"]
    for _ in range(2):
        jobs.lapse_request(payload)
    jobs.remind_patient(payload)
    found = asking.phone("GET", "/access-requests?state=lapsed").json["requests"]
    assert [(each["id"], each["version"]) for each in found] == [(request_id, 2)]
    asking.ask_at(visit_id)


def test_an_hour_before_it_lapses_a_new_one_waits_for_nobody(
    asking: Asking, visit_id: Any, stepping_clock: SteppingClock
) -> None:
    first = asking.ask_at(visit_id, answer_hours=1)
    asking.later(stepping_clock, hours=1)
    second = asking.ask_at(visit_id)
    assert [asking.sent(each)["state"] for each in (first, second)] == ["lapsed", "requested"]


def test_who_acts_for_an_adult_does_not_answer_for_him(asking: Asking, visit_id: Any) -> None:
    spouse, request_id = asking.city.patient("李测试"), asking.ask_at(visit_id)
    let_act(spouse, asking.patient, Relation.SPOUSE)
    assert asking.waiting(who=spouse) == []
    for path, body in (("", None), ("/grant", {"version": 1}), ("/deny", {"version": 1})):
        reply = asking.phone("POST" if body else "GET", f"/access-requests/{request_id}{path}", body, who=spouse)
        refused(reply, 404, "consent.access_request_not_found")


def test_the_service_itself_takes_no_answer_of_who_does_not_decide(asking: Asking, visit_id: Any) -> None:
    spouse, request_id = asking.city.patient("李测试"), UUID(asking.ask_at(visit_id))
    let_act(spouse, asking.patient, Relation.SPOUSE)
    with pytest.raises(AccessRequestNotFound), db.transaction() as session:
        requests.grant_request(session, spouse.actor, request_id=request_id, version=1, part=requests.Part())
    with pytest.raises(AccessRequestNotFound), db.transaction() as session:
        requests.deny_request(session, spouse.actor, request_id=request_id, version=1)


def test_a_guardian_answers_for_a_child_until_it_is_fourteen(city: City, stepping_clock: SteppingClock) -> None:
    home, asking = Household.open(city), Asking(city)
    doctor = city.staff(home.hospital)
    child = home.add(home.mother, born_years_ago(14, days=1)).json["person_id"]
    with db.transaction() as session:
        machine = Actor(ActorKind.MACHINE, SYSTEM.id, frozenset(), hospital_id=home.hospital.id)
        health_card.bind_patient_number(session, machine, person_id=UUID(child), number="C1")
    request_id = asking.ask(doctor, patient_number="C1", answer_hours=72).json["id"]
    assert [each["person_id"] for each in asking.waiting(who=home.mother)] == [child]
    assert asking.waiting(who=home.father) == []
    stepping_clock.forward(days=1)
    mother = sign_in_again(city, home.mother)
    assert asking.waiting(who=mother) == []
    answer = asking.phone("POST", f"/access-requests/{request_id}/grant", {"version": 1}, who=mother)
    refused(answer, 404, "consent.access_request_not_found")


def test_a_page_that_waits_is_told_and_holds_nobody_up(
    asking: Asking, visit_id: Any, stepping_clock: SteppingClock
) -> None:
    request_id = asking.ask_at(visit_id)

    def follow(last: str | None = None) -> TestResponse:
        headers = {"Last-Event-ID": last} if last else {}
        return asking.call(asking.doctor, "GET", f"/sent-access-requests/{request_id}/events", headers=headers)

    first = follow()
    assert first.mimetype == "text/event-stream"
    assert first.headers["Cache-Control"] == "no-store"
    assert first.text.splitlines() == [
        "retry: 1000", "id: 1-requested", "event: state", 'data: {"state": "requested", "version": 1}', "",
    ]  # fmt: skip
    assert follow("1-requested").text == "retry: 1000\n: \n\n", "nothing new: it is to come again"
    stepping_clock.forward(minutes=3)
    assert follow("1-requested").text.startswith("retry: 4000\n")
    asking.later(stepping_clock, hours=1)
    assert follow("1-requested").text.startswith("retry: 30000\n")
    asking.grant(request_id)
    assert 'data: {"state": "granted", "version": 2}' in follow("1-requested").text
    assert (follow("2-granted").status_code, follow("2-granted").data) == (204, b"")


def test_what_a_doctor_has_written_ends_with_the_record_and_breaks_nothing(asking: Asking, visit_id: Any) -> None:
    request_id = asking.ask_at(visit_id, words="比对三年前的结果")
    assert asking.sent(request_id)["words"] == "比对三年前的结果"
    with db.transaction() as session:
        health_card.erase_person(session, SYSTEM, person_id=asking.patient.person_id)
    told = asking.call(asking.doctor, "GET", "/sent-access-requests")
    assert (told.status_code, [request.get("words") for request in told.json["requests"]]) == (200, [None])
