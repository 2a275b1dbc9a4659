"""Somebody else reviews each emergency access, once and in time; what was not right has consequences."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from accounts.models import Role
from consent.emergencies import service
from consent.emergencies.jobs import HANDLERS
from consent.emergencies.models import EmergencyAlarm
from consent.emergencies.reasons import ReviewFinding
from consent.emergencies.refusals import OwnEmergency
from consent.emergencies.service.opening import REVIEW_DUE_TOPIC
from core import db
from core.outbox import OutboxMessage
from tests.conftest import SteppingClock
from tests.consent.emergencies.bedside import EVERYTHING, STORY, Bedside, refused
from tests.support.city import Staff

_CHANGES_OF_A_REVIEW = (
    "UPDATE emergency_accesses SET finding = 'no_emergency' WHERE id = :id",
    "UPDATE emergency_accesses SET reviewed_by = NULL WHERE id = :id",
    "UPDATE emergency_accesses SET review_sealed = '' WHERE id = :id",
)
_REVIEWED_BY_HIMSELF = """
UPDATE emergency_accesses SET reviewed_at = now(), reviewed_by = staff_id, finding = 'emergency_confirmed',
    review_sealed = text_sealed
WHERE id = :id
"""


def queue(bedside: Bedside, name: str, who: Staff | None = None) -> list[dict[str, Any]]:
    reply = bedside.get(who or bedside.office, f"/emergency-accesses?queue={name}")
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json["emergencies"]
    return found


def rules_raised(bedside: Bedside, access_id: str) -> set[str]:
    with db.transaction() as session:
        return set(session.scalars(select(EmergencyAlarm.rule).where(EmergencyAlarm.access_id == UUID(access_id))))


def test_what_was_opened_waits_for_the_medical_affairs_office_of_that_hospital(bedside: Bedside) -> None:
    opened = bedside.opened()
    (line,) = queue(bedside, "waiting")
    assert (line["id"], line["person_name"], line["staff_name"]) == (opened["id"], "张*试", "测试医生急")
    assert (line["review"], line["department"]) == ("waiting", "2000")
    assert queue(bedside, "reviewed") == []
    elsewhere = bedside.city.staff(bedside.city.hospital(), Role.MEDICAL_AFFAIRS)
    assert queue(bedside, "waiting", elsewhere) == []
    for reply in (
        bedside.get(elsewhere, f"/emergency-accesses/{opened['id']}"),
        bedside.review(opened["id"], who=elsewhere),
    ):
        assert refused(reply) == (404, "consent.emergency_not_found")


def test_the_reviewer_reads_what_the_doctor_wrote_and_what_kind_of_things_he_saw_and_no_content(
    bedside: Bedside,
) -> None:
    opened = bedside.opened()
    bedside.read(opened["visit_id"])
    reply = bedside.get(bedside.office, f"/emergency-accesses/{opened['id']}")
    assert reply.json["text"] == STORY
    assert [thing["action"] for thing in reply.json["seen"]] == ["records.timeline.read"]
    assert EVERYTHING not in reply.text
    assert bedside.patient.name not in reply.text
    assert refused(bedside.read(opened["visit_id"], bedside.office)) == (403, "core.permission_missing")


def test_a_review_is_written_once(bedside: Bedside) -> None:
    opened = bedside.opened()
    done = bedside.review(opened["id"])
    assert (done.status_code, done.json["review"], done.json["reviewer_name"]) == (200, "justified", "测试医务科")
    assert refused(bedside.review(opened["id"], "no_emergency")) == (409, "consent.emergency_reviewed")
    assert (queue(bedside, "waiting"), len(queue(bedside, "reviewed"))) == ([], 1)
    assert bedside.titles(opened["visit_id"]) == {EVERYTHING}
    for change in _CHANGES_OF_A_REVIEW:
        with pytest.raises(DBAPIError, match="stays as it was"), db.transaction() as session:
            session.execute(text(change), {"id": opened["id"]})


def test_what_was_not_justified_ends_at_once_the_patient_is_told_and_the_audit_administrator_too(
    bedside: Bedside,
) -> None:
    opened = bedside.opened()
    done = bedside.review(opened["id"], "not_treating")
    assert (done.json["review"], done.json["state"]) == ("not_justified", "ended")
    assert refused(bedside.read(opened["visit_id"])) == (403, "consent.nothing_shared")
    assert bedside.notices() == ["break_glass_unjustified", "break_glass"]
    assert rules_raised(bedside, opened["id"]) == {"not_justified"}
    told = bedside.get(bedside.patient, f"/grants/{opened['grant_id']}/emergency").json
    assert (told["review"], told["finding_words"]) == ("not_justified", "查看者未参与救治")
    auditor = bedside.city.staff(None, Role.AUDIT_ADMINISTRATOR)
    (line,) = [each for each in queue(bedside, "not_justified", auditor) if each["id"] == opened["id"]]
    assert "person_name" not in line


def test_nobody_reviews_what_he_has_opened_himself(bedside: Bedside) -> None:
    opened = bedside.opened()
    assert refused(bedside.review(opened["id"], who=bedside.doctor)) == (403, "core.permission_missing")
    with pytest.raises(OwnEmergency) as own, db.transaction() as session:
        service.review_emergency(
            session,
            bedside.doctor.actor,
            access_id=UUID(opened["id"]),
            finding=ReviewFinding.EMERGENCY_CONFIRMED,
            text="我自己觉得没有问题，情况属实。",
        )
    assert own.value.code == "consent.own_emergency"
    with pytest.raises(DBAPIError, match="second_person"), db.transaction() as session:
        session.execute(text(_REVIEWED_BY_HIMSELF), {"id": opened["id"]})


@pytest.mark.parametrize("role", [Role.REGISTRAR, Role.DOCTOR, Role.OPERATOR, Role.AUDIT_ADMINISTRATOR])
def test_only_the_medical_affairs_office_reviews(bedside: Bedside, role: Role) -> None:
    opened = bedside.opened()
    who = bedside.city.staff(bedside.hospital if role.is_of_hospital else None, role)
    assert refused(bedside.review(opened["id"], who=who)) == (403, "core.permission_missing")
    reply = bedside.get(who, f"/emergency-accesses/{opened['id']}")
    assert refused(reply) == (403, "core.permission_missing")


def test_an_overdue_review_is_told_to_the_audit_administrator(bedside: Bedside, stepping_clock: SteppingClock) -> None:
    late, timely = bedside.opened(), bedside.opened(bedside.colleague)
    with db.transaction() as session:
        due = select(OutboxMessage.payload).where(OutboxMessage.topic == REVIEW_DUE_TOPIC)
        waiting = [payload for payload in session.scalars(due) if payload["access_id"] in (late["id"], timely["id"])]
    assert len(waiting) == 2
    assert bedside.review(timely["id"]).status_code == 200
    stepping_clock.forward(hours=72)
    office = bedside.city.staff(bedside.hospital, Role.MEDICAL_AFFAIRS)
    assert [line["review"] for line in queue(bedside, "overdue", office)] == ["overdue"]
    for payload in waiting * 2:
        HANDLERS[REVIEW_DUE_TOPIC](payload)
    assert rules_raised(bedside, late["id"]) == {"review_overdue"}
    assert rules_raised(bedside, timely["id"]) == set()
    assert bedside.review(late["id"], who=office).json["review"] == "justified"


@pytest.mark.parametrize("body", [{"finding": "fine", "text": STORY}, {"finding": "no_emergency", "text": "没有"}])
def test_a_review_says_what_it_found_and_why(bedside: Bedside, body: dict[str, str]) -> None:
    opened = bedside.opened()
    reply = bedside.post(bedside.office, f"/emergency-accesses/{opened['id']}/review", body)
    assert refused(reply) == (422, "core.malformed_request")
    assert queue(bedside, "waiting")[0]["review"] == "waiting"
