"""A patient reads what happened with the card: who, which hospital, which desk, when."""

from typing import Any, cast

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from core import audit, db
from core.outbox import OutboxMessage
from health_card import service as health_card
from health_card.notices.service import WRITTEN_TOPIC
from health_card.service import NoticeKind
from tests.conftest import SteppingClock
from tests.support.city import City, Patient, bearer


def list_notices(city: City, patient: Patient, **query: Any) -> dict[str, Any]:
    reply = city.client.get("/api/v1/notices", query_string=query, headers=bearer(patient.token))
    assert reply.status_code == 200, reply.text
    return cast("dict[str, Any]", reply.json)


def tell(patient: Patient, kind: NoticeKind = NoticeKind.CARD_LOST, **more: Any) -> str:
    with db.transaction() as session:
        return str(health_card.tell_person(session, person_id=patient.person_id, kind=kind, **more))


def test_a_scan_is_told_with_hospital_desk_and_time(city: City, stepping_clock: SteppingClock) -> None:
    hospital, patient = city.hospital("市第二测试医院"), city.patient()
    visit_id = city.visit(city.staff(hospital), patient, hospital, medical_step="010103", department="0301")
    found = list_notices(city, patient)
    (notice,) = found["notices"]
    assert found["unread"] == 1
    assert notice["kind"] == "identified"
    assert notice["hospital_name"] == "市第二测试医院"
    assert notice["facts"] == {"terminal": "W01", "step": "010103", "department": "0301"}
    assert (notice["object_kind"], notice["object_id"]) == ("visit", str(visit_id))
    assert notice["person_name"] == "张*试"
    assert "市第二测试医院（终端 W01）" in notice["body"]
    assert "seen_at" not in notice
    assert len(list_notices(city, city.patient())["notices"]) == 0


def test_reading_the_code_again_at_the_same_desk_tells_nothing_new(city: City) -> None:
    hospital, patient = city.hospital(), city.patient()
    staff, code = city.staff(hospital), city.code(patient)
    for _ in range(2):
        assert city.scan(staff, code, hospital).status_code == 201
    assert len(list_notices(city, patient)["notices"]) == 1


def test_a_registration_with_the_printed_code_is_told_too(city: City) -> None:
    hospital, patient = city.hospital(), city.patient()
    code = city.code(patient, "static")
    reply = city.scan(city.staff(hospital), code, hospital, certificate_number=patient.certificate_number)
    assert [each["object_id"] for each in list_notices(city, patient)["notices"]] == [reply.json["visit_id"]]


def test_a_refused_scan_is_not_told(city: City) -> None:
    hospital, patient = city.hospital(), city.patient()
    code = city.code(patient, "static")
    assert city.scan(city.staff(hospital), code, hospital).json["code"] == "health_card.second_factor_missing"
    assert list_notices(city, patient) == {"notices": [], "unread": 0}


def test_seen_once_is_seen(city: City, stepping_clock: SteppingClock) -> None:
    patient = city.patient()
    first, _ = tell(patient), tell(patient, NoticeKind.CARD_RESTORED)
    path = f"/api/v1/notices/{first}/seen"
    replies = []
    for _ in range(2):
        replies.append(city.client.post(path, headers=bearer(patient.token)))
        stepping_clock.forward(minutes=1)
    assert [reply.status_code for reply in replies] == [200, 200]
    assert replies[0].json["seen_at"] == replies[1].json["seen_at"]
    assert list_notices(city, patient)["unread"] == 1
    with db.transaction() as session:
        seen = select(func.count(audit.AuditEntry.id)).where(audit.AuditEntry.action == "health_card.notice.seen")
        assert session.scalar(seen.where(audit.AuditEntry.subject_id == patient.person_id)) == 1


def test_a_notice_to_somebody_else_does_not_exist(city: City) -> None:
    patient, stranger = city.patient(), city.patient()
    notice_id = tell(patient)
    reply = city.client.post(f"/api/v1/notices/{notice_id}/seen", headers=bearer(stranger.token))
    assert (reply.status_code, reply.json["code"]) == (404, "health_card.notice_not_found")
    assert list_notices(city, patient)["unread"] == 1


def test_a_login_that_waits_for_a_desk_reads_nothing(city: City) -> None:
    patient, (waiting, _) = city.patient(), city.login()
    notice_id = tell(patient)
    body = {
        "certificate_type": "01",
        "certificate_number": patient.certificate_number,
        "name": patient.name,
        "phone": patient.phone,
    }
    city.client.post("/api/v1/registrations", json=body, headers=bearer(waiting))
    reply = city.client.get("/api/v1/notices", headers=bearer(waiting))
    assert reply.json == {"notices": [], "unread": 0}
    assert city.client.post(f"/api/v1/notices/{notice_id}/seen", headers=bearer(waiting)).status_code == 404


def test_staff_and_machines_have_no_notices(city: City) -> None:
    hospital = city.hospital()
    for token in (city.staff(hospital).token, city.machine(hospital).token):
        reply = city.client.get("/api/v1/notices", headers=bearer(token))
        assert (reply.status_code, reply.json["code"]) == (403, "core.permission_missing")


def test_pages_follow_each_other_without_gap_or_repeat(city: City, stepping_clock: SteppingClock) -> None:
    patient, other = city.patient(), city.patient()
    told = []
    for number in range(7):
        told.append(tell(patient))
        tell(other)
        # Some at the same moment: the id decides between them.
        stepping_clock.forward(seconds=number % 2)
    pages: list[list[str]] = []
    before: dict[str, str] = {}
    while page := list_notices(city, patient, limit=3, **before)["notices"]:
        pages.append([notice["id"] for notice in page])
        before = {"before": pages[-1][-1]}
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [each for page in pages for each in page] == told[::-1]


def test_the_same_key_is_told_once(city: City) -> None:
    patient = city.patient()
    told = [tell(patient, key=f"tests:{patient.person_id}") for _ in range(2)]
    assert told[1] == "None"
    assert [each["id"] for each in list_notices(city, patient)["notices"]] == told[:1]
    with db.transaction() as session:
        announced = session.scalars(select(OutboxMessage.payload).where(OutboxMessage.topic == WRITTEN_TOPIC)).all()
    assert announced.count({"notice_id": told[0]}) == 1
    assert {"notice_id": "None"} not in announced


@pytest.mark.parametrize(
    "statement", ["UPDATE notices SET kind = 'merged'", "UPDATE notices SET facts = '{}'", "DELETE FROM notices"]
)
def test_what_was_told_cannot_be_unsaid(city: City, statement: str) -> None:
    tell(city.patient())
    with pytest.raises(IntegrityError, match="append-only"), db.transaction() as session:
        session.execute(text(statement))
