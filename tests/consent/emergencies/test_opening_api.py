"""A doctor opens records in an emergency: he alone, for hours, told at once; sensitive matters only for a life."""

from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from accounts.models import Role
from consent.emergencies.models import EmergencyAccess
from core import db
from core.audit import AuditEntry
from records.emergencies.routes import FAILURES_PER_MINUTE
from records.visits.models import Visit
from tests.conftest import SteppingClock
from tests.consent.emergencies.bedside import EVERYTHING, SECRET, STORY, Bedside, refused
from tests.health_card.family.household import Household
from tests.support.city import bearer, resident_id
from tests.support.terminals import Terminal, hashed

_CHANGES = (
    "UPDATE emergency_accesses SET reason = 'life_at_risk' WHERE id = :id",
    "UPDATE emergency_accesses SET opened_at = now() WHERE id = :id",
    "UPDATE emergency_accesses SET staff_id = gen_random_uuid() WHERE id = :id",
    "UPDATE emergency_accesses SET text_sealed = '' WHERE id = :id",
    "DELETE FROM emergency_accesses WHERE id = :id",
)


def count_accesses(bedside: Bedside) -> int:
    with db.transaction() as session:
        mine = select(func.count()).where(EmergencyAccess.hospital_id == bedside.hospital.id)
        return session.scalar(mine) or 0


def test_by_a_document_found_on_the_patient_the_doctor_sees_the_record_and_nobody_else_does(bedside: Bedside) -> None:
    opened = bedside.opened()
    assert (opened["person_name"], opened["reason"], opened["sensitivities"]) == ("张*试", "unconscious", [])
    assert bedside.titles(opened["visit_id"]) == {EVERYTHING}
    assert refused(bedside.read(opened["visit_id"], bedside.colleague)) == (403, "consent.nothing_shared")
    elsewhere = bedside.city.staff(bedside.city.hospital())
    assert refused(bedside.read(opened["visit_id"], elsewhere)) == (404, "records.visit_not_found")
    (grant,) = bedside.get(bedside.patient, "/grants").json["grants"]
    assert (grant["id"], grant["purpose"], grant["status"]) == (opened["grant_id"], "emergency", "in_force")


def test_every_look_is_in_the_patients_log_as_an_emergency(bedside: Bedside) -> None:
    opened = bedside.opened()
    bedside.read(opened["visit_id"])
    rows = bedside.get(bedside.patient, "/access-log").json["rows"]
    looks = [row for row in rows if row.get("grant_id") == opened["grant_id"]]
    assert {row["purpose"] for row in looks} == {"emergency"}
    assert {"consent.grant.opened", "consent.emergency.opened", "records.timeline.read"} <= {
        row["action"] for row in looks
    }
    assert STORY not in str(rows)


def test_by_an_open_visit_although_the_patient_has_taken_his_consent_back(bedside: Bedside) -> None:
    visit_id = bedside.city.visit(bedside.doctor, bedside.patient, bedside.hospital)
    (grant,) = bedside.get(bedside.patient, "/grants").json["grants"]
    bedside.post(bedside.patient, f"/grants/{grant['id']}/revoke")
    assert refused(bedside.read(visit_id)) == (403, "consent.nothing_shared")
    by_visit: dict[str, Any] = {"certificate_type": None, "certificate_number": None, "visit_id": str(visit_id)}
    opened = bedside.opened(**by_visit)
    assert opened["visit_id"] == str(visit_id)
    assert bedside.titles(visit_id) == {EVERYTHING}
    elsewhere = bedside.city.staff(bedside.city.hospital())
    foreign = bedside.open(elsewhere, terminal="W01", **by_visit)
    assert refused(foreign) == (404, "records.visit_not_found")


def test_the_patient_and_his_guardian_are_told_at_once_without_a_word_of_why(bedside: Bedside) -> None:
    household = Household.open(bedside.city)
    household.add(household.mother)
    with db.transaction() as session:
        number = "SELECT person_id FROM holders WHERE login_id = :login AND relation = 'child'"
        child_id = session.scalar(text(number), {"login": household.mother.actor.id})
    visit_id = open_visit_of(bedside, child_id)
    by_visit: dict[str, Any] = {"certificate_type": None, "certificate_number": None, "visit_id": visit_id}
    bedside.opened(reason="minor_without_guardian", **by_visit)
    assert bedside.notices(household.mother)[0] == "break_glass"
    reply = bedside.get(household.mother, "/notices")
    assert STORY not in reply.text
    bedside.opened()
    assert bedside.notices()[0] == "break_glass"


def open_visit_of(bedside: Bedside, person_id: object) -> str:
    with db.transaction() as session:
        visit = Visit(
            person_id=person_id,
            hospital_id=bedside.hospital.id,
            kind="E",
            department="2000",
            medical_step="010101",
            opened_at=session.scalar(select(func.now())),
        )
        session.add(visit)
        session.flush()
        return str(visit.id)


def test_sensitive_matters_are_opened_only_for_a_life_and_one_kind_at_a_time(bedside: Bedside) -> None:
    refusal = bedside.open(sensitivities=["psychiatric"])
    assert refused(refusal) == (422, "consent.sensitive_not_opened")
    assert count_accesses(bedside) == 0
    without = bedside.opened(reason="life_at_risk", sensitivities=["hiv"])
    assert bedside.titles(without["visit_id"]) == {EVERYTHING}
    bedside.end(without["id"])
    opened = bedside.opened(reason="life_at_risk", sensitivities=["psychiatric"])
    assert bedside.titles(opened["visit_id"]) == {EVERYTHING, SECRET}


def test_it_ends_by_itself_after_its_hours(bedside: Bedside, stepping_clock: SteppingClock) -> None:
    opened = bedside.opened()
    stepping_clock.forward(hours=3, minutes=29)
    stay_signed_in(bedside, stepping_clock)
    assert bedside.titles(opened["visit_id"]) == {EVERYTHING}
    stepping_clock.forward(minutes=30, seconds=59)
    stay_signed_in(bedside, stepping_clock)
    assert bedside.titles(opened["visit_id"]) == {EVERYTHING}
    stepping_clock.forward(seconds=1)
    assert refused(bedside.read(opened["visit_id"])) == (403, "consent.nothing_shared")


def stay_signed_in(bedside: Bedside, now: SteppingClock) -> None:
    with db.transaction() as session:
        used = text("UPDATE staff_sessions SET last_used_at = :now WHERE staff_id = :id")
        session.execute(used, {"now": now.time, "id": bedside.doctor.id})


def test_the_doctor_ends_it_with_one_tap_and_the_patient_ends_it_too(bedside: Bedside) -> None:
    opened = bedside.opened()
    stranger = bedside.end(opened["id"], bedside.colleague)
    assert refused(stranger) == (404, "consent.emergency_not_found")
    ended = bedside.end(opened["id"])
    assert (ended.status_code, ended.json["state"]) == (200, "ended")
    assert bedside.end(opened["id"]).json["ended_at"] == ended.json["ended_at"]
    assert refused(bedside.read(opened["visit_id"])) == (403, "consent.nothing_shared")
    again = bedside.opened()
    assert again["visit_id"] == opened["visit_id"]
    assert bedside.titles(again["visit_id"]) == {EVERYTHING}
    bedside.post(bedside.patient, f"/grants/{again['grant_id']}/revoke")
    assert refused(bedside.read(again["visit_id"])) == (403, "consent.nothing_shared")


def test_one_that_is_open_is_not_opened_twice(bedside: Bedside) -> None:
    opened = bedside.opened()
    again = bedside.open()
    assert refused(again) == (409, "consent.emergency_open")
    assert again.json["access_id"] == opened["id"]
    assert bedside.opened(bedside.colleague)["visit_id"] == opened["visit_id"]


def test_a_wrong_password_opens_nothing_tells_nothing_and_is_not_guessed(bedside: Bedside) -> None:
    stranger = resident_id()
    for number in (bedside.patient.certificate_number, stranger):
        reply = bedside.open(password="not this one", certificate_number=number)
        assert refused(reply) == (401, "accounts.password_wrong")
    assert (count_accesses(bedside), bedside.notices()) == (0, [])
    with db.transaction() as session:
        tried = select(func.count()).where(AuditEntry.actor_id == bedside.doctor.id)
        assert session.scalar(tried.where(AuditEntry.action == "accounts.staff.password_not_confirmed")) == 2
    for _ in range(FAILURES_PER_MINUTE - 2):
        bedside.open(password="not this one")
    assert refused(bedside.open()) == (429, "core.rate_exceeded")


def test_who_is_registered_is_not_found_out_by_trying(bedside: Bedside) -> None:
    for _ in range(FAILURES_PER_MINUTE):
        assert refused(bedside.open(certificate_number=resident_id())) == (404, "health_card.person_not_found")
    assert refused(bedside.open()) == (429, "core.rate_exceeded")


@pytest.mark.parametrize("role", [Role.REGISTRAR, Role.MEDICAL_AFFAIRS, Role.OPERATOR, Role.AUDIT_ADMINISTRATOR])
def test_only_a_doctor_opens(bedside: Bedside, role: Role) -> None:
    who = bedside.city.staff(bedside.hospital if role.is_of_hospital else None, role)
    assert refused(bedside.open(who)) == (403, "core.permission_missing")
    by_patient = bedside.post(bedside.patient, "/emergency-accesses", bedside.body())
    assert refused(by_patient) == (403, "core.permission_missing")


@pytest.mark.parametrize(
    "changes",
    [
        {"text": "昏迷"},
        {"reason": "curiosity"},
        {"visit_id": "0193a5a0-0000-7000-8000-000000000000"},
        {"certificate_number": None},
        {"certificate_type": "98"},
        {"sensitivities": ["cardiac"]},
    ],
)
def test_what_is_missing_or_unknown_is_malformed(bedside: Bedside, changes: dict[str, Any]) -> None:
    assert refused(bedside.open(**changes)) == (422, "core.malformed_request")


def test_only_from_an_enrolled_terminal_which_proves_itself_where_it_has_a_key(bedside: Bedside) -> None:
    assert refused(bedside.open(terminal="W99")) == (422, "accounts.terminal_unknown")
    with db.transaction() as session:
        required = "UPDATE hospitals SET requires_terminal_keys = true WHERE id = :id"
        session.execute(text(required), {"id": bedside.hospital.id})
    assert refused(bedside.open()) == (403, "accounts.terminal_key_missing")
    terminal, path = Terminal(bedside.city).enrol_as(bedside.hospital), "/api/v1/emergency-accesses"
    assert refused(bedside.open()) == (401, "accounts.terminal_proof_missing")
    for_another = terminal.prove(path, ath=hashed(bedside.colleague.token))
    proofs = (for_another, terminal.prove("/api/v1/desk/scans", ath=hashed(bedside.doctor.token)))
    for proof in proofs:
        headers = bearer(bedside.doctor.token) | {"DPoP": proof}
        reply = bedside.city.client.post(path, json=bedside.body(), headers=headers)
        assert refused(reply) == (401, "accounts.terminal_proof_invalid")
    assert count_accesses(bedside) == 0
    headers = bearer(bedside.doctor.token) | {"DPoP": terminal.prove(path, ath=hashed(bedside.doctor.token))}
    assert bedside.city.client.post(path, json=bedside.body(), headers=headers).status_code == 201


def test_what_was_said_at_the_opening_stays(bedside: Bedside) -> None:
    opened = bedside.opened()
    for change in _CHANGES:
        with pytest.raises(DBAPIError, match="stays as it was"), db.transaction() as session:
            session.execute(text(change), {"id": opened["id"]})


def test_closing_the_visit_ends_it(bedside: Bedside) -> None:
    opened = bedside.opened()
    bedside.post(bedside.doctor, f"/visits/{opened['visit_id']}/close")
    assert refused(bedside.read(opened["visit_id"])) == (403, "consent.nothing_shared")


def test_the_patient_reads_why_and_by_which_law_and_others_do_not(bedside: Bedside) -> None:
    opened = bedside.opened()
    told = bedside.get(bedside.patient, f"/grants/{opened['grant_id']}/emergency")
    assert told.json["reason_words"] == "意识不清，无法表达意愿"
    assert "第一千二百二十条" in told.json["law"]
    assert (told.json["hospital_name"], told.json["review"]) == ("市急救测试医院", "waiting")
    assert STORY not in told.text
    other = bedside.get(bedside.city.patient(), f"/grants/{opened['grant_id']}/emergency")
    assert refused(other) == (404, "consent.emergency_not_found")
