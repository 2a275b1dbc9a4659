"""Filing reports: whose they are, which version, and nothing to the wrong person."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import IntegrityError

from core import clock, db
from core.audit import AuditEntry
from records.fhir import systems
from records.intake import service as intake
from records.intake.models import InboundMessage
from records.reports import service as reports
from records.reports.models import Observation, Report
from tests.support.city import City, Hospital, Machine, Patient, bearer
from tests.support.fhir import bundle, card, observation, refusal_of, report, report_id_of, send


@pytest.fixture(scope="module")
def hospital(module_city: City) -> Hospital:
    return module_city.hospital()


@pytest.fixture(scope="module")
def machine(module_city: City, hospital: Hospital) -> Machine:
    return module_city.machine(hospital)


@pytest.fixture(scope="module")
def patient(module_city: City) -> Patient:
    return module_city.patient()


def timeline_of(city: City, patient: Patient) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = city.client.get("/api/v1/timeline", headers=bearer(patient.token)).json["items"]
    return items


def waiting_at(city: City, machine: Machine) -> list[tuple[str, str]]:
    messages = city.client.get("/api/v1/quarantine", headers=bearer(machine.token)).json["messages"]
    return [(message["reason"], message["channel"]) for message in messages]


def test_nobody_known_goes_to_quarantine_whole(city: City, machine: Machine) -> None:
    body = json.dumps(bundle(report(card("F" * 64)), observation()), ensure_ascii=False).encode()
    assert refusal_of(send(city, machine, body)) == (422, "records.person_not_matched")
    assert waiting_at(city, machine) == [("records.person_not_matched", "fhir")]
    with db.transaction() as session:
        (message,) = session.scalars(select(InboundMessage).filter_by(hospital_id=machine.actor.hospital_id))
        assert intake.read_body(message) == body
        assert "葡萄糖".encode() not in (message.body_sealed or b"")


def test_a_contradicting_subject_is_filed_under_nobody(city: City, patient: Patient, machine: Machine) -> None:
    one, other = patient, city.patient("李测试")
    result = observation(subject={"identifier": {"system": systems.CARD, "value": other.card_number}})
    reply = send(city, machine, bundle(report(card(one.card_number)), result))
    assert refusal_of(reply) == (422, "records.person_not_matched")
    assert timeline_of(city, one) == timeline_of(city, other) == []


def test_an_identifier_that_leads_to_nobody_contradicts_one_that_leads_to_somebody(
    city: City, patient: Patient, machine: Machine
) -> None:
    result = observation(subject={"identifier": {"system": systems.PATIENT_NUMBER, "value": "unknown"}})
    reply = send(city, machine, bundle(report(card(patient.card_number)), result))
    assert refusal_of(reply) == (422, "records.person_not_matched")
    assert timeline_of(city, patient) == []


def test_another_hospitals_patient_number_leads_to_nobody(city: City, patient: Patient, machine: Machine) -> None:
    there = city.hospital()
    city.visit(city.staff(there), patient, there, patient_number="MZ1")
    reply = send(city, machine, bundle(report((systems.PATIENT_NUMBER, "MZ1")), observation()))
    assert refusal_of(reply) == (422, "records.person_not_matched")


def test_sent_again_it_waits_once_and_leaves_quarantine_when_the_person_is_known(
    city: City, hospital: Hospital, patient: Patient, machine: Machine
) -> None:
    body = bundle(report((systems.PATIENT_NUMBER, "MZ42")), observation())
    send(city, machine, body)
    send(city, machine, body)
    assert len(waiting_at(city, machine)) == 1
    city.visit(city.staff(hospital), patient, hospital, patient_number="MZ42")
    report_id = report_id_of(send(city, machine, body))
    assert waiting_at(city, machine) == []
    assert [item["object_id"] for item in timeline_of(city, patient)] == [report_id]


def test_all_reports_of_a_message_are_filed_or_none(city: City, patient: Patient, machine: Machine) -> None:
    one, other = patient, city.patient("李测试")
    taken = report(card(other.card_number))
    send(city, machine, bundle(taken, observation()))
    body = bundle(report(card(one.card_number)), observation())
    second = bundle(taken | {"subject": report(card(one.card_number))["subject"]}, observation())
    body["entry"] += second["entry"]
    assert refusal_of(send(city, machine, body)) == (409, "records.report_of_another_person")
    assert timeline_of(city, one) == []
    assert waiting_at(city, machine) == [("records.report_of_another_person", "fhir")]


def test_two_reports_in_one_message_are_two_lines_of_the_timeline(
    city: City, patient: Patient, machine: Machine
) -> None:
    body = bundle(report(card(patient.card_number)), observation())
    body["entry"] += bundle(report(card(patient.card_number)), observation(), observation())["entry"]
    reply = send(city, machine, body)
    assert reply.status_code == 200
    assert len({entry["response"]["location"] for entry in json.loads(reply.text)["entry"]}) == 5
    assert len(timeline_of(city, patient)) == 2


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"status": "preliminary"}, True),
        ({"issued": "2026-03-20T09:59:59+08:00", "conclusion": "late"}, True),
        ({"issued": "2026-03-20T10:00:00+08:00", "conclusion": "same time"}, False),
        ({"issued": None, "status": "amended"}, False),
        ({"status": "cancelled"}, False),
    ],
)
def test_what_is_outdated_never_becomes_current(
    city: City, patient: Patient, machine: Machine, changes: dict[str, Any], refused: bool
) -> None:
    sent = report(card(patient.card_number))
    report_id = report_id_of(send(city, machine, bundle(sent, observation())))
    later = {name: value for name, value in (sent | changes).items() if value is not None}
    reply = send(city, machine, bundle(later, observation()))
    if refused:
        assert refusal_of(reply) == (409, "records.report_outdated")
        assert waiting_at(city, machine) == [("records.report_outdated", "fhir")]
    read = city.client.get(f"/api/v1/reports/{report_id}", headers=bearer(patient.token))
    assert read.status_code == 200, read.text
    assert read.json["version"] == (1 if refused else 2)


def test_a_final_report_follows_a_preliminary_one(city: City, patient: Patient, machine: Machine) -> None:
    sent = report(card(patient.card_number), status="partial")
    report_id = report_id_of(send(city, machine, bundle(sent, observation(status="preliminary"))))
    send(city, machine, bundle(sent | {"status": "final"}, observation()))
    read = city.client.get(f"/api/v1/reports/{report_id}", headers=bearer(patient.token)).json
    assert (read["version"], read["status"], read["observations"][0]["status"]) == (2, "final", "final")


def test_one_more_zero_is_another_result(city: City, patient: Patient, machine: Machine) -> None:
    sent = report(card(patient.card_number))
    first = json.dumps(bundle(sent, observation()))
    second = json.dumps(bundle(sent, observation())).replace('"value": 7.2,', '"value": 7.20,')
    report_id_of(send(city, machine, first))
    assert json.loads(send(city, machine, second).text)["entry"][0]["response"]["etag"] == 'W/"2"'


def test_the_same_identifier_at_another_hospital_is_another_report(city: City, patient: Patient) -> None:
    sent = {"identifier": [{"system": "urn:example:lis", "value": "1"}]}
    for _ in range(2):
        send(city, city.machine(city.hospital()), bundle(report(card(patient.card_number), **sent), observation()))
    assert len(timeline_of(city, patient)) == 2


def named_visit(visit_id: UUID) -> dict[str, Any]:
    return {"identifier": {"system": systems.VISIT, "value": str(visit_id)}}


def visit_of(report_id: str) -> UUID | None:
    with db.transaction() as session:
        return session.scalars(select(Report.visit_id).where(Report.id == UUID(report_id), Report.is_current)).one()


def recent() -> dict[str, str]:
    now = clock.now().isoformat(timespec="seconds")
    return {"effectiveDateTime": now, "issued": now}


def checked_in(city: City, hospital: Hospital, patient: Patient) -> UUID:
    return city.visit(city.staff(hospital), patient, hospital)


def test_a_report_stands_under_the_visit_that_it_names_or_the_latest_one(
    city: City, hospital: Hospital, patient: Patient, machine: Machine, stepping_clock: Any
) -> None:
    first = checked_in(city, hospital, patient)
    stepping_clock.forward(minutes=2)
    second = checked_in(city, hospital, patient)
    stepping_clock.forward(minutes=2)
    named = report(card(patient.card_number), encounter=named_visit(first), **recent())
    unnamed = report(card(patient.card_number), **recent())
    assert visit_of(report_id_of(send(city, machine, bundle(named, observation())))) == first
    assert visit_of(report_id_of(send(city, machine, bundle(unnamed, observation())))) == second


def test_a_visit_that_is_not_the_persons_at_this_hospital_is_refused(
    city: City, hospital: Hospital, patient: Patient, machine: Machine
) -> None:
    here, there, other = hospital, city.hospital(), city.patient("李测试")
    wrong = [checked_in(city, here, other), checked_in(city, there, patient), uuid4()]
    for visit_id in wrong:
        reply = send(city, machine, bundle(report(card(patient.card_number), encounter=named_visit(visit_id))))
        assert refusal_of(reply) == (422, "records.visit_not_matched")
    assert waiting_at(city, machine) == [("records.visit_not_matched", "fhir")] * 3
    assert timeline_of(city, patient) == []


def test_a_doctor_reads_under_a_grant_only_and_learns_nothing_otherwise(
    city: City, patient: Patient, machine: Machine
) -> None:
    there = city.hospital("市第二测试医院")
    report_id = report_id_of(send(city, machine, bundle(report(card(patient.card_number)), observation())))
    doctor = city.staff(there)
    hidden = city.client.get(f"/api/v1/reports/{report_id}", headers=bearer(doctor.token))
    nothing = city.client.get(f"/api/v1/reports/{uuid4()}", headers=bearer(doctor.token))
    for reply in (hidden, nothing):
        assert (reply.status_code, reply.json["code"]) == (404, "records.report_not_found")
    assert dict(hidden.json or {}).keys() == dict(nothing.json or {}).keys()
    city.visit(doctor, patient, there)
    assert city.client.get(f"/api/v1/reports/{report_id}", headers=bearer(doctor.token)).status_code == 200
    (grant,) = city.client.get("/api/v1/grants", headers=bearer(patient.token)).json["grants"]
    city.client.post(f"/api/v1/grants/{grant['id']}/revoke", headers=bearer(patient.token))
    again = city.client.get(f"/api/v1/reports/{report_id}", headers=bearer(doctor.token))
    assert (again.status_code, again.json["code"]) == (404, "records.report_not_found")
    log = city.client.get("/api/v1/access-log", headers=bearer(patient.token)).json["rows"]
    (read,) = [row for row in log if row["action"] == "records.report.read"]
    assert (read["who"], read["hospital_name"], read["object_id"]) == ("测试医生甲", "市第二测试医院", report_id)
    assert (read["purpose"], read["grant_id"]) == ("treatment", grant["id"])


def test_another_patient_learns_nothing(city: City, patient: Patient, machine: Machine) -> None:
    other = city.patient("李测试")
    report_id = report_id_of(send(city, machine, bundle(report(card(patient.card_number)), observation())))
    reply = city.client.get(f"/api/v1/reports/{report_id}", headers=bearer(other.token))
    assert (reply.status_code, reply.json["code"]) == (404, "records.report_not_found")
    assert city.client.get(f"/api/v1/reports/{report_id}", headers=bearer(machine.token)).status_code == 403


def test_filing_leaves_an_audit_row_without_content(city: City, patient: Patient, machine: Machine) -> None:
    report_id = report_id_of(send(city, machine, bundle(report(card(patient.card_number)), observation())))
    with db.transaction() as session:
        (entry,) = session.scalars(
            select(AuditEntry).filter_by(action="records.report.filed", subject_id=patient.person_id)
        )
        assert (entry.subject_id, str(entry.object_id), entry.actor_id) == (patient.person_id, report_id, machine.id)
        assert entry.facts == {"version": 1, "status": "final", "category": "laboratory"}


def test_the_database_keeps_earlier_versions_and_refuses_to_change_what_was_said(
    city: City, patient: Patient, machine: Machine
) -> None:
    sent = report(card(patient.card_number))
    report_id = UUID(report_id_of(send(city, machine, bundle(sent, observation()))))
    send(city, machine, bundle(sent | {"status": "corrected"}, observation(valueInteger=5, valueQuantity=None)))
    with db.transaction() as session:
        versions = session.execute(
            select(Report.version, Report.status, Report.is_current, Observation.value)
            .join(Observation, Observation.report_version == Report.version)
            .where(Report.id == report_id, Observation.report_id == report_id)
            .order_by(Report.version)
        ).all()
        assert [(row[0], row[1], row[2], str(row[3])) for row in versions] == [
            (1, "final", False, "7.2"),
            (2, "corrected", True, "5"),
        ]
    for statement in (
        update(Report).values(status="final"),
        delete(Report),
        update(Observation).values(text="x", value=None, comparator=None),
        delete(Observation),
        text("TRUNCATE reports, observations CASCADE"),
    ):
        with pytest.raises(IntegrityError, match="append-only"), db.transaction() as session:
            session.execute(statement)


_RESULTS = """
INSERT INTO observations (report_id, report_version, position, status, code, code_system, name)
SELECT report_id, version, position, 'final', '2345-7', 'urn:tests', '葡萄糖'
FROM (VALUES (CAST(:here AS uuid), 1, 2), (CAST(:here AS uuid), :version, 3)) line (report_id, version, position)
"""


def test_the_database_takes_results_of_filed_versions_only(city: City, patient: Patient, machine: Machine) -> None:
    here = report_id_of(send(city, machine, bundle(report(card(patient.card_number)), observation())))
    with pytest.raises(IntegrityError, match="no version of a report"), db.transaction() as session:
        session.execute(text(_RESULTS), {"here": here, "version": 2})
    with db.transaction() as session:
        session.execute(text(_RESULTS), {"here": here, "version": 1})
        mine = select(Observation.position).filter_by(report_id=UUID(here)).order_by(Observation.position)
        assert session.scalars(mine).all() == [1, 2, 3]


def test_results_that_count_are_found_by_code(
    city: City, hospital: Hospital, patient: Patient, machine: Machine
) -> None:
    here, there = hospital, city.hospital("市第二测试医院")
    counted = report_id_of(send(city, machine, bundle(report(card(patient.card_number)), observation())))
    for changes, result in [
        ({"status": "preliminary"}, observation()),
        ({"status": "cancelled"}, observation()),
        ({}, observation(status="preliminary")),
        ({}, observation(dataAbsentReason={"text": "溶血"}, valueQuantity=None)),
        ({}, observation() | {"code": {"coding": [{"system": "urn:other", "code": "2345-7"}]}}),
        ({}, observation("718-7")),
        ({"effectiveDateTime": "2020-01-01"}, observation()),
    ]:
        assert send(city, machine, bundle(report(card(patient.card_number), **changes), result)).status_code == 200
    doctor = city.staff(there)

    def find_results() -> list[reports.ResultView]:
        since = datetime(2025, 1, 1, tzinfo=UTC)
        with db.transaction() as session:
            return reports.list_results(session, doctor.actor, person_id=patient.person_id, code="2345-7", since=since)

    assert find_results() == []
    city.visit(doctor, patient, there)
    (found,) = find_results()
    assert (str(found.report_id), found.report_version, found.hospital_id) == (counted, 1, here.id)
