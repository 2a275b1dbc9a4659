"""The log in words, by lines and by filters: what systems did folds, nothing hidden is counted, nothing is said of
what a record contains.
"""

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from accounts.models import StaffNaming
from accounts.service.hospitals import choose_staff_naming
from accounts.service.postings import post_staff
from consent import service as consent
from consent.log import service as log
from consent.log.words import ACTIONS
from consent.models import ItemKind, OpenedBy, Purpose
from consent.service.access_log import AccessFilter
from core import clock, db
from core.actor import SYSTEM, Actor
from core.ids import new_id
from tests.conftest import SteppingClock
from tests.health_card.family.household import Household
from tests.support.city import City, Patient, bearer

ROOT = Path(__file__).parents[2]


def look(actor: Actor, person_id: UUID, item_id: UUID, action: str = "records.report.read") -> None:
    with db.transaction() as session:
        consent.release(session, actor, person_id=person_id, action=action, of=("report", item_id))


def get(city: City, token: str, path: str, **query: object) -> dict[str, Any]:
    asked = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}
    reply = city.client.get(f"/api/v1/{path}", headers=bearer(token), query_string=asked)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.get_json()
    return found


def lines_of(city: City, patient: Patient, **query: object) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = get(city, patient.token, "access-log/lines", **query)["lines"]
    return lines


def test_what_a_system_did_on_a_day_is_one_line_that_can_be_unfolded(city: City, stepping_clock: SteppingClock) -> None:
    hospital, patient = city.hospital(), city.patient()
    report_id, machine = city.place_report(patient, hospital), city.machine(hospital)
    # 23:30 in the city: of six looks, ten minutes after each other, the last four are on its next day.
    stepping_clock.time = stepping_clock.time.replace(hour=15, minute=30, second=0) + timedelta(days=1)
    city.visit(city.staff(hospital), patient, hospital)
    for _ in range(6):
        stepping_clock.forward(minutes=10)
        look(machine.actor, patient.person_id, report_id)
    with db.transaction() as session:
        newest, older = log.list_lines(session, patient.actor, wanted=AccessFilter(who_kind="machine")).lines
        assert (newest.count, older.count) == (4, 2)
        assert (newest.item_kinds, newest.newest.item_kind) == (["laboratory"], "laboratory")
        assert newest.last_at == stepping_clock.time
        rows = log.unfold_line(session, patient.actor, line_id=newest.newest.id)
        assert (len(rows), rows[0].id, rows[-1].at) == (4, newest.newest.id, newest.first_at)
        paged = log.unfold_line(session, patient.actor, line_id=newest.newest.id, before=rows[1].id)
        assert [row.id for row in paged] == [row.id for row in rows[2:]]


def test_pages_of_lines_follow_each_other_while_systems_go_on_looking(city: City) -> None:
    hospital, patient = city.hospital(), city.patient()
    report_id = city.place_report(patient, hospital)
    city.visit(city.staff(hospital), patient, hospital)
    machines = [city.machine(hospital) for _ in range(3)]
    for machine in machines * 2:
        look(machine.actor, patient.person_id, report_id)
    before = lines_of(city, patient, limit=100)
    seen: list[str] = []
    page = get(city, patient.token, "access-log/lines", limit=2)
    while True:
        seen += [line["newest"]["id"] for line in page["lines"]]
        look(machines[0].actor, patient.person_id, report_id)
        if "next" not in page:
            break
        page = get(city, patient.token, "access-log/lines", limit=2, after=page["next"])
    assert seen == [line["newest"]["id"] for line in before]
    assert [line["count"] for line in before if line["newest"]["who_kind"] == "machine"] == [2, 2, 2]


@pytest.mark.parametrize("after", ["x", "..", "0"])
def test_a_made_up_place_is_refused(city: City, after: str) -> None:
    patient = city.patient()
    reply = city.client.get("/api/v1/access-log/lines", headers=bearer(patient.token), query_string={"after": after})
    assert (reply.status_code, reply.json["code"]) == (422, "consent.access_place_unknown")
    unknown = {"after": f"{new_id()}.{new_id()}"}
    assert get(city, patient.token, "access-log/lines", **unknown) == {"lines": []}


def test_nobody_unfolds_what_is_not_his(city: City) -> None:
    hospital, patient, other = city.hospital(), city.patient(), city.patient()
    report_id = city.place_report(patient, hospital)
    city.visit(city.staff(hospital), patient, hospital)
    look(city.machine(hospital).actor, patient.person_id, report_id)
    (line,) = lines_of(city, patient, who_kind="machine")
    reply = city.client.get(f"/api/v1/access-log?fold={line['newest']['id']}", headers=bearer(other.token))
    assert (reply.status_code, reply.json["code"]) == (404, "consent.access_not_found")
    assert [each for each in lines_of(city, other) if each["newest"]["person_id"] != str(other.person_id)] == []


def test_what_is_hidden_is_neither_counted_nor_unfolded_for_a_guardian(city: City) -> None:
    household = Household.open(city)
    guardian, child = household.mother, household.minor()
    code = household.invite(guardian, kind="consent", relation="child").json["code"]
    assert household.accept(child, code).status_code == 200
    hospital = city.hospital()
    kept, hidden = city.place_report(child, hospital), city.place_report(child, hospital, "乙肝")
    city.visit(city.staff(hospital), child, hospital)
    machine = city.machine(hospital)
    for item in (kept, hidden, hidden):
        look(machine.actor, child.person_id, item)
    told = {"who_kind": "machine", "person_id": child.person_id}
    assert [line["count"] for line in lines_of(city, guardian, **told)] == [3]
    with db.transaction() as session:
        consent.hide_item(session, child.actor, person_id=child.person_id, of=("report", hidden))
    (line,) = lines_of(city, guardian, **told)
    assert line["count"] == 1
    rows = get(city, guardian.token, "access-log", fold=line["newest"]["id"])["rows"]
    assert [row["object_id"] for row in rows] == [str(kept)]
    (own,) = lines_of(city, child, who_kind="machine")
    assert own["count"] == 3
    refused = city.client.get(f"/api/v1/access-log?fold={own['newest']['id']}", headers=bearer(guardian.token))
    assert (refused.status_code, refused.json["code"]) == (404, "consent.access_not_found")


@pytest.mark.parametrize(
    ("naming", "name", "told"),
    [
        (StaffNaming.FULL, "欧阳测试", "欧阳测试"),
        (StaffNaming.SURNAME, "欧阳测试", "欧阳医生"),
        (StaffNaming.SURNAME, "王小测", "王医生"),
        (StaffNaming.ROLE, "王小测", "医生"),
    ],
)
def test_a_hospital_says_how_its_staff_is_named_to_patients(
    city: City, naming: StaffNaming, name: str, told: str
) -> None:
    hospital, patient = city.hospital(), city.patient()
    doctor = city.staff(hospital, name=name)
    visit_id = city.visit(doctor, patient, hospital)
    assert city.client.get(f"/api/v1/visits/{visit_id}/timeline", headers=bearer(doctor.token)).status_code == 200
    with db.transaction() as session:
        choose_staff_naming(session, SYSTEM, hospital.id, naming=naming)
    rows = get(city, patient.token, "access-log", who_kind="staff")["rows"]
    assert {row["who"] for row in rows} == {told}
    said = city.client.get("/api/v1/access-log/lines", headers=bearer(patient.token)).text
    practitioner = city.client.get(f"/fhir/Practitioner/{doctor.id}", headers=bearer(patient.token))
    assert practitioner.status_code == 200
    assert practitioner.json["name"] == [{"text": told}]
    assert (name in said) is (told == name)


def test_a_row_says_where_the_doctor_worked_then_and_by_which_words_of_the_grant(
    city: City, stepping_clock: SteppingClock
) -> None:
    hospital, patient = city.hospital(), city.patient()
    doctor, report_id = city.staff(hospital), city.place_report(patient, city.hospital())
    with db.transaction() as session:
        post_staff(session, SYSTEM, doctor.id, department="0304")
    city.visit(doctor, patient, hospital)
    stepping_clock.forward(seconds=1)
    look(doctor.actor, patient.person_id, report_id)
    stepping_clock.forward(seconds=1)
    with db.transaction() as session:
        post_staff(session, SYSTEM, doctor.id, department="0400")
    row = get(city, patient.token, "access-log", who_kind="staff")["rows"][0]
    assert (row["what"], row["role"], row["department_code"], row["department"]) == (
        "查看报告",
        "doctor",
        "0304",
        "心血管内科",
    )
    assert (row["why"], row["how"], row["item_kind"]) == ("诊疗", "出示二维码就诊", "laboratory")
    assert row["grant_words"].startswith("诊疗:全部记录")
    assert row["item_on"]
    assert "血常规" not in str(row)


def test_filters_choose_and_never_widen(city: City) -> None:
    first, second, patient, other = city.hospital(), city.hospital(), city.patient(), city.patient()
    report_id = city.place_report(patient, first)
    for hospital in (first, second):
        doctor = city.staff(hospital)
        city.visit(doctor, patient, hospital)
        look(doctor.actor, patient.person_id, report_id)
    city.visit(city.staff(first), other, first)
    of_first = get(city, patient.token, "access-log", hospital_id=first.id)["rows"]
    assert {row["hospital_id"] for row in of_first} == {str(first.id)}
    assert {row["person_id"] for row in of_first} == {str(patient.person_id)}
    assert get(city, patient.token, "access-log", person_id=other.person_id)["rows"] == []
    assert get(city, patient.token, "access-log/lines", person_id=other.person_id)["lines"] == []
    looks = get(city, patient.token, "access-log", purpose="treatment", who_kind="staff")["rows"]
    assert {row["purpose"] for row in looks} == {"treatment"}
    assert get(city, patient.token, "access-log", purpose="emergency")["rows"] == []
    assert get(city, patient.token, "access-log", until="2020-01-01")["rows"] == []
    assert get(city, patient.token, "access-log", since="2020-01-01", until="2999-01-01")["rows"] != []


def test_a_look_under_a_grant_of_the_patient_says_how(city: City) -> None:
    hospital, patient = city.hospital(), city.patient()
    doctor, report_id = city.staff(hospital), city.place_report(patient, city.hospital())
    with db.transaction() as session:
        consent.open_grant(
            session,
            patient.actor,
            person_id=patient.person_id,
            recipient=consent.Recipient(hospital_id=hospital.id),
            scope=consent.Scope(kinds=frozenset({ItemKind.LABORATORY})),
            purpose=Purpose.CONSULTATION,
            opened_by=OpenedBy.PATIENT,
            expires_at=clock.now() + timedelta(hours=1),
        )
    look(doctor.actor, patient.person_id, report_id)
    row = get(city, patient.token, "access-log", who_kind="staff")["rows"][0]
    assert (row["why"], row["how"]) == ("会诊", "主动授权")
    assert row["grant_words"].startswith("会诊:检验报告")


# Acts whose last words are filled in: what they can be.
_FILLED = {
    "accounts.staff.": [],
    "health_card.card.": [
        "reported_lost",
        "restored",
        "cancelled",
        "applied_for_again",
        "issued",
        "withheld",
        "replaced",
    ],
    "consent.access_question.": ["asked", "reminded", "overdue", "answered", "accepted", "escalated", "concluded"],
    "consent.deletion.": ["done", "withdrawn", "refused"],
    "consent.request.": ["granted", "denied", "lapsed", "withdrawn"],
    "consent.share_link.": ["made", "extended", "passcode_changed"],
    "records.rectification.": ["asked", "withdrawn", "escalated"],
    "health_card.carrier.": ["bound", "ended"],
    "health_card.holder.": ["confirmed", "refused"],
    "records.export.": ["asked", "cancelled", "ended"],
    "records.message.": ["accepted", "quarantined", "dismissed", "reopened", "replayed", "assigned"],
    "records.": ["visit.read", "report.read", "entry.read"],
    "recognition.result.": ["recognised", "refused"],
    "payments.repayment.": ["closed", "failed"],
}
_ACT = re.compile(r"(accounts|health_card|consent|records|recognition|payments)\.[a-z_]+\.[a-z_]+")
# What concerns no person: nobody's log has it.
_OF_NOBODY = re.compile(
    r"accounts\.(?!app_authorization)|records\.(upload|sample|release_rule|quarantine|items|item\.changed|image_archive"
    r"|code|unmapped_codes|bulk_replay|commitment|correction\.listed|order\.listed|visit\.listed|document\.unknown|rectification\.overseen)"
    r"|health_card\.(batch|card_sheet|tencent_app|messages|matching|matches|merges|pin\.set)|payments\.product"
    r"|recognition\.(item|hospital)|consent\.[a-z_]+\.(listed|overseen)"
)


def _texts() -> Iterator[ast.AST]:
    for package in ("accounts", "health_card", "consent", "records", "recognition", "payments"):
        for file in sorted((ROOT / package).rglob("*.py")):
            if file != ROOT / "consent" / "log" / "words.py":
                yield from ast.walk(ast.parse(file.read_text()))


def test_every_act_on_a_person_has_its_words() -> None:
    acts: set[str] = set()
    for node in _texts():
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _ACT.fullmatch(node.value):
            acts.add(node.value)
        elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
            begin = str(node.values[0].value)
            if re.fullmatch(r"(accounts|health_card|consent|records|recognition|payments)\.([a-z_]+\.)?", begin):
                acts.update(begin + end for end in _FILLED[begin])
    told = {act for act in acts if not _OF_NOBODY.match(act)}
    assert len(told) > 100
    assert sorted(told - ACTIONS.keys()) == []
    assert {words for words in ACTIONS.values() if not re.fullmatch(r"[\u4e00-\u9fff0-9]{2,16}", words)} == set()
