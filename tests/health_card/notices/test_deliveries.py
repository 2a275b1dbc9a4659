"""Notices reach the phones of those who act for a person, through a WeChat that can also be ill."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError

from accounts import wechat
from accounts.service import MessageFate
from core import clock, db
from core.circuit import Circuit
from core.config import MessageTemplate
from core.dispatch import TryLater
from health_card import service as health_card
from health_card.models import Holder, Person
from health_card.notices import jobs
from health_card.notices.models import NoticeDelivery
from health_card.notices.service import WRITTEN_TOPIC
from health_card.service import NoticeKind
from tests.conftest import SteppingClock
from tests.health_card.conftest import TEMPLATE, Town
from tests.support.city import Patient, bearer

SEND = "/cgi-bin/message/subscribe/send"


@pytest.fixture
def patient(town: Town) -> Patient:
    patient = town.city.patient()
    # What a test before this one left in Redis belongs to another WeChat.
    wechat._forget_access_token(town.app.extensions["yimatong.config"])
    return patient


@pytest.fixture
def long_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this machine is, the rest is not over before the test ends it."""
    monkeypatch.setattr(jobs, "circuit", Circuit(rest_seconds=3600))


def tell(patient: Patient, kind: NoticeKind = NoticeKind.CARD_LOST, **more: Any) -> dict[str, str]:
    with db.transaction() as session:
        return {"notice_id": str(health_card.tell_person(session, person_id=patient.person_id, kind=kind, **more))}


def outcomes(payload: dict[str, str]) -> dict[UUID, str]:
    with db.transaction() as session:
        ended = select(NoticeDelivery).filter_by(notice_id=UUID(payload["notice_id"]))
        return {delivery.login_id: delivery.outcome for delivery in session.scalars(ended)}


def deliver_later(payload: dict[str, str]) -> None:
    with pytest.raises(TryLater):
        jobs.deliver_notice(payload)
    jobs.circuit.close()


def test_a_scan_reaches_the_phone_and_says_nothing_personal(town: Town, patient: Patient) -> None:
    openid = town.accept(patient)
    hospital = town.city.hospital("市第一测试医院名称很长很长很长很长很长的分院")
    town.city.visit(town.city.staff(hospital), patient, hospital)
    assert town.deliver() == 1
    (message,) = town.control.list_messages(openid)
    assert message["template_id"] == TEMPLATE
    assert message["data"]["thing1"] == "您的健康卡已被核验"
    assert message["data"]["thing2"] == "市第一测试医院名称很长很长很长很长很长的"
    said = json.dumps(message, ensure_ascii=False)
    assert [word for word in (patient.name, patient.phone, patient.certificate_number, "0300") if word in said] == []
    (announced,) = town.messages(WRITTEN_TOPIC)
    assert set(announced.payload) == {"notice_id"}


def test_a_request_to_confirm_reaches_the_phone_and_not_after_it_has_expired(
    town: Town, patient: Patient, stepping_clock: SteppingClock
) -> None:
    openid, hospital = town.accept(patient), town.city.hospital()
    until = {"purpose": "credit", "expires_at": (stepping_clock.time + timedelta(seconds=60)).isoformat()}
    first = tell(patient, NoticeKind.CONFIRMATION_ASKED, facts=until, hospital_id=hospital.id)
    late = tell(patient, NoticeKind.CONFIRMATION_ASKED, facts=until, hospital_id=hospital.id)
    jobs.deliver_notice(first)
    stepping_clock.forward(seconds=60)
    jobs.deliver_notice(late)
    (message,) = town.control.list_messages(openid)
    assert message["data"]["thing1"] == "医院请您在手机上确认"
    assert (outcomes(first), outcomes(late)) == ({patient.actor.id: "sent"}, {patient.actor.id: "too_late"})


def test_a_message_is_sent_once_however_often_the_job_runs(town: Town, patient: Patient) -> None:
    openid, payload = town.accept(patient), tell(patient)
    for _ in range(3):
        jobs.deliver_notice(payload)
    assert len(town.control.list_messages(openid)) == 1
    assert outcomes(payload) == {patient.actor.id: "sent"}


def test_a_login_that_waits_for_a_desk_is_sent_nothing(town: Town, patient: Patient) -> None:
    token, _ = town.city.login()
    body = {
        "certificate_type": "01",
        "certificate_number": patient.certificate_number,
        "name": patient.name,
        "phone": patient.phone,
    }
    assert town.city.client.post("/api/v1/registrations", json=body, headers=bearer(token)).status_code == 200
    town.accept(patient)
    payload = tell(patient)
    jobs.deliver_notice(payload)
    assert outcomes(payload) == {patient.actor.id: "sent"}


def test_what_came_through_a_record_that_was_merged_reaches_the_same_phone(town: Town, patient: Patient) -> None:
    openid, other = town.accept(patient), town.city.patient()
    with db.transaction() as session:
        session.execute(update(Person).where(Person.id == other.person_id).values(root_id=patient.person_id))
    payload = tell(other)
    jobs.deliver_notice(payload)
    assert set(outcomes(payload)) == {patient.actor.id, other.actor.id}
    assert len(town.control.list_messages(openid)) == 1
    shown = town.city.client.get("/api/v1/notices", headers=bearer(patient.token)).json
    assert [notice["id"] for notice in shown["notices"]] == [payload["notice_id"]]


def test_a_user_who_has_not_accepted_is_not_asked_again(town: Town, patient: Patient) -> None:
    openid, payload = town.accept(patient, times=1), tell(patient)
    jobs.deliver_notice(payload)
    second = tell(patient)
    jobs.deliver_notice(second)
    assert outcomes(second) == {patient.actor.id: "refused"}
    town.control.accept_messages(openid, TEMPLATE)
    jobs.deliver_notice(second)
    assert len(town.control.list_messages(openid)) == 1


def test_a_phone_that_wechat_does_not_know_ends_it(town: Town, patient: Patient) -> None:
    payload = tell(patient)
    jobs.deliver_notice(payload)
    assert outcomes(payload) == {patient.actor.id: "undeliverable"}


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        (SEND, "busy"),
        (SEND, "500"),
        (SEND, "429"),
        (SEND, "drop"),
        (SEND, "garbage"),
        ("/cgi-bin/stable_token", "busy"),
        ("/cgi-bin/stable_token", "500"),
    ],
)
def test_an_ill_wechat_gets_it_later_and_once(town: Town, patient: Patient, path: str, fault: str) -> None:
    openid, payload = town.accept(patient), tell(patient)
    town.control.order_fault(path, fault)
    deliver_later(payload)
    assert outcomes(payload) == {}
    jobs.deliver_notice(payload)
    assert len(town.control.list_messages(openid)) == 1


def test_a_silent_wechat_is_given_a_rest(town: Town, patient: Patient, long_rest: None) -> None:
    openid, payloads = town.accept(patient), [tell(patient) for _ in range(3)]
    town.control.order_fault(SEND, "500")
    for payload in payloads:
        with pytest.raises(TryLater):
            jobs.deliver_notice(payload)
    assert town.control.list_messages(openid) == [], "only the first of them asked"
    town.make_due(WRITTEN_TOPIC)
    assert town.deliver() == 3
    assert len(town.control.list_messages(openid)) == 3


def test_many_notices_end_together_as_each_would_alone(
    town: Town, patient: Patient, stepping_clock: SteppingClock, long_rest: None
) -> None:
    """What needs no WeChat is done for all at once; what is left is sent, or waits until WeChat answers again."""
    town.deliver()
    expired = tell(patient, NoticeKind.CONFIRMATION_ASKED, facts={"expires_at": stepping_clock.time.isoformat()})
    unwilling, other = town.city.patient(), town.city.patient()
    openids = {each: town.accept(each) for each in (patient, unwilling, other)}
    town.deliver()
    assert outcomes(expired) == {patient.actor.id: "too_late"}
    report(town, unwilling, "ban")
    town.control.order_fault(SEND, "500")
    silent = tell(patient)
    town.deliver()
    waiting = [tell(patient), tell(unwilling), tell(other, own_only=True)]
    town.deliver()
    assert [outcomes(each) for each in waiting] == [{}, {unwilling.actor.id: "not_accepted"}, {}]
    messages = {each.payload["notice_id"]: each for each in town.messages(WRITTEN_TOPIC)}
    assert [(one.done_at is None, one.attempts) for one in (messages[each["notice_id"]] for each in waiting)] == [
        (True, 0),
        (False, 1),
        (True, 0),
    ]
    town.make_due(WRITTEN_TOPIC)
    town.deliver()
    sent = [outcomes(each) for each in (silent, waiting[0], waiting[2])]
    assert sent == [{patient.actor.id: "sent"}, {patient.actor.id: "sent"}, {other.actor.id: "sent"}]
    assert [len(town.control.list_messages(openids[each])) for each in (patient, unwilling, other)] == [2, 0, 1]


def test_the_access_token_is_kept_for_the_next_message(town: Town, patient: Patient) -> None:
    openid = town.accept(patient)
    jobs.deliver_notice(tell(patient))
    town.control.order_fault("/cgi-bin/stable_token", "500")
    jobs.deliver_notice(tell(patient))
    assert len(town.control.list_messages(openid)) == 2


def test_a_token_that_has_ended_is_fetched_anew_once(town: Town, patient: Patient) -> None:
    openid = town.accept(patient)
    jobs.deliver_notice(tell(patient))
    town.control.end_access_tokens()
    jobs.deliver_notice(tell(patient))
    assert len(town.control.list_messages(openid)) == 2


def test_without_redis_it_is_sent_all_the_same(town: Town, patient: Patient) -> None:
    openid, payload = town.accept(patient), tell(patient)
    town.configure(redis_url="redis://127.0.0.1:1/0")
    jobs.deliver_notice(payload)
    assert len(town.control.list_messages(openid)) == 1


def test_a_kind_without_a_template_stays_in_the_app(town: Town, patient: Patient) -> None:
    openid, payload = town.accept(patient), tell(patient)
    town.configure(wechat_templates={"identified": MessageTemplate(TEMPLATE, {"thing1": "title"})})
    jobs.deliver_notice(payload)
    assert (town.control.list_messages(openid), outcomes(payload)) == ([], {})
    jobs.deliver_notice(tell(patient, NoticeKind.IDENTIFIED))
    assert [each["data"] for each in town.control.list_messages(openid)] == [{"thing1": "您的健康卡已被核验"}]


def test_what_is_a_day_old_is_no_news(town: Town, patient: Patient, stepping_clock: SteppingClock) -> None:
    openid, payload = town.accept(patient), tell(patient)
    stepping_clock.forward(hours=24, seconds=1)
    jobs.deliver_notice(payload)
    assert (town.control.list_messages(openid), outcomes(payload)) == ([], {patient.actor.id: "too_late"})


def test_two_hospitals_within_minutes_are_found_by_the_worker(town: Town, patient: Patient) -> None:
    openid = town.accept(patient)
    for _ in range(2):
        hospital = town.city.hospital()
        town.city.visit(town.city.staff(hospital), patient, hospital)
    assert town.deliver() == 3
    titles = [message["data"]["thing1"] for message in town.control.list_messages(openid)]
    assert titles.count("您的健康卡已被核验") == 2
    assert titles.count("您的健康卡在两地被使用") == 1


@pytest.mark.parametrize(
    ("errcode", "fate"),
    [
        (43101, MessageFate.REFUSED),
        (40003, MessageFate.UNDELIVERABLE),
        (40037, MessageFate.UNDELIVERABLE),
        (41030, MessageFate.UNDELIVERABLE),
        (47003, MessageFate.UNDELIVERABLE),
        (45009, MessageFate.LATER),
        (45168, MessageFate.LATER),
        (-1, MessageFate.LATER),
        (99999, MessageFate.LATER),
    ],
)
def test_what_each_answer_of_wechat_means(
    town: Town, patient: Patient, monkeypatch: pytest.MonkeyPatch, errcode: int, fate: MessageFate
) -> None:
    monkeypatch.setattr(wechat, "_send", lambda *_: errcode)
    config = town.app.extensions["yimatong.config"]
    assert wechat.send_message(config, openid="o-tests", template_id=TEMPLATE, data={}) is fate


def test_neither_secret_nor_token_nor_openid_is_logged(
    town: Town, patient: Patient, caplog: pytest.LogCaptureFixture
) -> None:
    openid = town.accept(patient)
    with caplog.at_level("INFO"):
        jobs.deliver_notice(tell(patient))
        for fault in ("500", "garbage", "drop"):
            town.control.order_fault(SEND, fault)
            deliver_later(tell(patient))
    config = town.app.extensions["yimatong.config"]
    token = wechat._access_token(config)
    assert [each for each in (openid, config.wechat_app_secret, token) if each in caplog.text] == []


@pytest.mark.parametrize("change", ["UPDATE notice_deliveries SET outcome = 'sent'", "DELETE FROM notice_deliveries"])
def test_how_a_delivery_ended_stays(town: Town, patient: Patient, change: str) -> None:
    jobs.deliver_notice(tell(patient))
    with pytest.raises(IntegrityError, match="append-only"), db.transaction() as session:
        session.execute(text(change))


def report(town: Town, patient: Patient, *answers: str, template: str = TEMPLATE) -> Any:
    """The phone tells what the user answered when WeChat asked."""
    body = {"answers": [{"template_id": template, "answer": answer} for answer in answers]}
    return town.city.client.post("/api/v1/notices/subscriptions", json=body, headers=bearer(patient.token))


def remaining(town: Town, patient: Patient) -> int:
    reply = town.city.client.get("/api/v1/notices/subscriptions", headers=bearer(patient.token))
    (subscription,) = reply.json["subscriptions"]
    assert (subscription["template_id"], subscription["kinds"]) == (TEMPLATE, ["*"])
    return int(subscription["remaining"])


def test_each_acceptance_is_one_message_and_then_the_app_alone_says_it(town: Town, patient: Patient) -> None:
    openid = town.accept(patient)
    assert report(town, patient, "accept", "accept", "reject").status_code == 200
    payloads = [tell(patient) for _ in range(3)]
    for payload in payloads:
        jobs.deliver_notice(payload)
    assert [outcomes(payload)[patient.actor.id] for payload in payloads] == ["sent", "sent", "not_accepted"]
    assert (len(town.control.list_messages(openid)), remaining(town, patient)) == (2, 0)
    shown = town.city.client.get("/api/v1/notices", headers=bearer(patient.token)).json
    assert len(shown["notices"]) == 3
    report(town, patient, "accept")
    jobs.deliver_notice(tell(patient))
    assert len(town.control.list_messages(openid)) == 3


def test_what_wechat_says_counts_more_than_what_the_phone_said(town: Town, patient: Patient) -> None:
    town.accept(patient, times=1)
    report(town, patient, "accept", "accept", "accept")
    for _ in range(2):
        jobs.deliver_notice(tell(patient))
    assert remaining(town, patient) == 0, "43101 came with the second"
    report(town, patient, "accept")
    assert remaining(town, patient) == 1
    report(town, patient, "ban")
    assert remaining(town, patient) == 0


def test_a_template_that_is_not_ours_counts_nothing(town: Town, patient: Patient) -> None:
    assert (
        report(town, patient, "accept", template="somebody-elses").json["code"]
        == "health_card.message_template_unknown"
    )
    assert remaining(town, patient) == 0


def test_each_holder_has_acceptances_of_his_own_and_what_is_own_reaches_the_person_alone(
    town: Town, patient: Patient
) -> None:
    other = town.city.patient()
    town.accept(patient)
    town.accept(other)
    with db.transaction() as session:
        now = clock.now()
        relation: dict[str, Any] = {"relation": "spouse", "created_at": now, "confirmed_at": now}
        session.add(Holder(login_id=other.actor.id, person_id=patient.person_id, **relation))
    report(town, other, "ban")
    payload = tell(patient)
    jobs.deliver_notice(payload)
    assert outcomes(payload) == {patient.actor.id: "sent", other.actor.id: "not_accepted"}
    report(town, other, "accept")
    own = tell(patient, own_only=True)
    jobs.deliver_notice(own)
    assert outcomes(own) == {patient.actor.id: "sent"}
    shown = town.city.client.get("/api/v1/notices", headers=bearer(other.token)).json
    assert [notice["id"] for notice in shown["notices"]] == [payload["notice_id"]]
