"""ADT and ORM: visits and patient numbers as a hospital's system tells of them, and what was ordered."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from accounts.models import Role
from core import clock, db
from core.audit import AuditEntry
from core.outbox import OutboxMessage
from health_card import service as health_card
from records.orders.models import LabOrder
from records.visits.models import Visit, VisitNumber, VisitStep
from records.visits.service import DEPARTMENT_NOT_SAID
from tests.records.hl7v2.conftest import Speaking
from tests.support.city import resident_id
from tests.support.hl7v2 import adt, orm, oru


def test_a_told_visit_is_opened_once_named_and_shares_nothing(speaking: Speaking) -> None:
    doctor = speaking.city.staff(speaking.hospital)
    message = adt(speaking.hospital.code, "MZ1", "A04", number="V1", service="0301")
    assert [speaking.send(message), speaking.send(message)] == [("AA", "")] * 2
    assert speaking.send(adt(speaking.hospital.code, "MZ1", "A01", number="V1")) == ("AA", "")
    (visit,) = speaking.visits(doctor.token)
    assert (visit["kind"], visit["department"]) == ("O", "0301")
    shared = speaking.get(f"/api/v1/visits/{visit['visit_id']}/timeline", doctor.token)
    assert shared["code"] == "consent.nothing_shared"
    with db.transaction() as session:
        steps = session.scalars(select(VisitStep).filter_by(visit_id=visit["visit_id"])).all()
        assert [(step.code_class, step.terminal_id, step.staff_id) for step in steps] == [("N", None, None)]


def test_a_visit_that_a_desk_opened_is_named_not_doubled(speaking: Speaking) -> None:
    registrar = speaking.city.staff(speaking.hospital, Role.REGISTRAR)
    visit_id = speaking.city.visit(registrar, speaking.patient, speaking.hospital)
    assert speaking.send(adt(speaking.hospital.code, "MZ1", "A04", number="V2", service="0301")) == ("AA", "")
    assert [line["visit_id"] for line in speaking.visits(registrar.token)] == [str(visit_id)]
    with db.transaction() as session:
        assert session.scalar(select(VisitNumber.visit_id).filter_by(number="V2")) == visit_id
    # A result that names the number stands under it.
    result = oru(speaking.hospital.code, "MZ1").replace("PV1|1|O", f"PV1|1|O{'|' * 17}V2")
    assert speaking.send(result) == ("AA", "")
    with db.transaction() as session:
        visit = session.get_one(Visit, visit_id)
        assert (visit.department, visit.closed_at) == ("0300", None)


@pytest.mark.parametrize("kind", ["O", "I"])
def test_a_registration_adopts_the_visit_that_was_told_of_without_a_department(speaking: Speaking, kind: str) -> None:
    """One stay is one visit; the department that the desk says is the visit's from then on."""
    city, registrar = speaking.city, speaking.city.staff(speaking.hospital, Role.REGISTRAR)
    told = adt(speaking.hospital.code, "MZ1", "A04", number="V6", pv1=kind).replace("|20260305083000", "")
    assert speaking.send(told) == ("AA", "")
    adopted = city.visit(registrar, speaking.patient, speaking.hospital, visit_kind=kind)
    (line,) = speaking.visits(registrar.token)
    assert (line["visit_id"], line["department"]) == (str(adopted), "0300")
    with db.transaction() as session:
        assert session.scalar(select(VisitNumber.visit_id).filter_by(number="V6")) == adopted
        assert session.get_one(Visit, adopted).department == "0300"
    # Its department is known now: a registration elsewhere is another visit.
    assert city.visit(registrar, speaking.patient, speaking.hospital, visit_kind=kind, department="0400") != adopted


@pytest.mark.parametrize("changed", [{"visit_kind": "E"}, {"new_visit": True}])
def test_a_registration_of_another_kind_adopts_nothing(speaking: Speaking, changed: dict[str, Any]) -> None:
    registrar = speaking.city.staff(speaking.hospital, Role.REGISTRAR)
    told = adt(speaking.hospital.code, "MZ1", "A04", number="V7").replace("|20260305083000", "")
    assert speaking.send(told) == ("AA", "")
    speaking.city.visit(registrar, speaking.patient, speaking.hospital, **changed)
    assert sorted(line["department"] for line in speaking.visits(registrar.token)) == [DEPARTMENT_NOT_SAID, "0300"]


def test_what_was_told_of_another_day_is_not_adopted(speaking: Speaking) -> None:
    registrar = speaking.city.staff(speaking.hospital, Role.REGISTRAR)
    yesterday = clock.in_city(clock.now() - timedelta(days=1)).strftime("%Y%m%d%H%M%S")
    told = adt(speaking.hospital.code, "MZ1", "A04", number="V7").replace("20260305083000", yesterday)
    assert speaking.send(told) == ("AA", "")
    speaking.city.visit(registrar, speaking.patient, speaking.hospital)
    assert len(speaking.visits(registrar.token)) == 2


def test_leaving_closes_the_visit_and_ends_what_was_shared(speaking: Speaking) -> None:
    doctor = speaking.city.staff(speaking.hospital)
    visit_id = speaking.city.visit(doctor, speaking.patient, speaking.hospital)
    code = speaking.hospital.code
    assert speaking.send(adt(code, "MZ1", "A03", number="V3")) == ("AE", "records.visit_not_matched")
    assert speaking.send(adt(code, "MZ1", "A04", number="V3")) == ("AA", "")
    assert speaking.send(adt(code, "MZ1", "A03", number="V3")) == ("AA", "")
    assert speaking.visits(doctor.token) == []
    assert speaking.get(f"/api/v1/visits/{visit_id}/timeline", doctor.token)["code"] == "consent.nothing_shared"
    assert speaking.waiting() == ["records.visit_not_matched"]


def test_another_persons_visit_is_not_taken(speaking: Speaking) -> None:
    other = speaking.city.patient()
    speaking.city.bind_number(speaking.hospital, other, "MZ2")
    code = speaking.hospital.code
    assert speaking.send(adt(code, "MZ2", "A01", number="V4", pv1="I")) == ("AA", "")
    for message in (
        adt(code, "MZ1", "A03", number="V4"),
        adt(code, "MZ1", "A01", number="V4"),
        oru(code, "MZ1").replace("PV1|1|O", f"PV1|1|O{'|' * 17}V4"),
        orm(code, "MZ1", number="V4"),
        adt(code, "MZ1", "A03", number=f"{clock.now():%s}^^^YIMATONG"),
    ):
        assert speaking.send(message)[0] == "AE"
    with db.transaction() as session:
        (visit,) = session.scalars(select(Visit).filter_by(hospital_id=speaking.hospital.id))
        assert (visit.kind, visit.closed_at, visit.department) == ("I", None, DEPARTMENT_NOT_SAID)


@pytest.mark.parametrize(
    ("pid", "answer"),
    [
        ("张^测试||19850412|", "AA"),
        ("张测试", "AA"),
        ("张^张测试", "AA"),
        ("Zhang^Ceshi", "AA"),
        ("李测试", "AE"),
        ("张^测试||19850413", "AE"),
        ("", "AA"),
    ],
)
def test_who_is_verified_is_never_changed_by_a_message(speaking: Speaking, pid: str, answer: str) -> None:
    found, code = speaking.send(adt(speaking.hospital.code, "MZ1", "A08", pid=pid))
    assert (found, code) == (answer, "" if answer == "AA" else "records.person_contradicts")
    with db.transaction() as session:
        assert health_card.get_plain_demographics(session, speaking.patient.person_id).name == "张测试"


def test_another_sex_is_reviewed(speaking: Speaking) -> None:
    with db.transaction() as session:
        sex = health_card.get_plain_demographics(session, speaking.patient.person_id).sex
    written = {"male": "F", "female": "M"}[sex]
    differing = adt(speaking.hospital.code, "MZ1", "A04", number="V5", pid=f"|||{written}")
    assert speaking.send(differing) == ("AE", "records.person_contradicts")
    assert speaking.waiting() == ["records.person_contradicts"]


def test_an_update_binds_a_new_number_only_on_proof(speaking: Speaking) -> None:
    patient, code = speaking.city.patient(), speaking.hospital.code
    assert speaking.send(adt(code, "NEW1", "A08")) == ("AE", "records.person_not_matched")
    proof = f"NEW1^^^{code}^MR~{patient.card_number}^^^^HC"
    assert speaking.send(adt(code, f"NEW1^^^{code}^MR~{resident_id()}^^^^NNCHN", "A08"))[0] == "AE"
    assert speaking.send(adt(code, f"NEW1~MZ1~{patient.card_number}^^^^HC", "A08"))[0] == "AE"
    assert speaking.send(adt(code, proof, "A08")) == ("AA", "")
    assert speaking.send(oru(code, "NEW1")) == ("AA", "")
    # The person has a number here; a second one comes by a merge.
    assert speaking.send(adt(code, f"NEW2~{patient.card_number}^^^^HC", "A08"))[0] == "AE"
    assert speaking.send(oru(code, "NEW2"))[0] == "AE"


def test_merged_numbers_both_lead_to_the_person(speaking: Speaking) -> None:
    code = speaking.hospital.code
    merge = adt(code, f"MZ9^^^{code}^MR", "A40", "MRG|MZ1")
    assert [speaking.send(merge), speaking.send(merge)] == [("AA", "")] * 2
    assert [speaking.send(oru(code, number)) for number in ("MZ1", "MZ9")] == [("AA", "")] * 2
    assert speaking.send(adt(code, "MZ7", "A40", "MRG|MZ8")) == ("AE", "health_card.patient_number_unknown")
    other = speaking.city.patient()
    speaking.city.bind_number(speaking.hospital, other, "MZ2")
    assert speaking.send(adt(code, "MZ9", "A40", "MRG|MZ2")) == ("AE", "health_card.patient_numbers_reviewed")
    for broken in (adt(code, "MZ9", "A40"), adt(code, "MZ9", "A40", "MRG|MZ9"), adt(code, "", "A40", "MRG|MZ9")):
        assert speaking.send(broken) == ("AE", "records.message_not_understood")


def test_orders_are_kept_changed_and_shown_at_the_visit(speaking: Speaking) -> None:
    doctor, code = speaking.city.staff(speaking.hospital), speaking.hospital.code
    visit_id = speaking.city.visit(doctor, speaking.patient, speaking.hospital)
    two = ("ORC|NW|P1", "OBR|1|||58410-2^全血细胞计数^LN", "ORC|NW|P2|F2", "OBR|2|||X1^尿常规")
    assert speaking.send(orm(code, "MZ1", *two)) == ("AA", "")
    assert speaking.send(orm(code, "MZ1", "ORC|CA|P1|F1", "OBR|1|||58410-2^全血细胞计数^LN")) == ("AA", "")
    orders = speaking.get(f"/api/v1/visits/{visit_id}/orders", doctor.token)["orders"]
    assert {(order["placer_number"], order["status"], order.get("filler_number")) for order in orders} == {
        ("P1", "revoked", "F1"),
        ("P2", "active", "F2"),
    }
    other = speaking.city.patient()
    speaking.city.bind_number(speaking.hospital, other, "MZ2")
    assert speaking.send(orm(code, "MZ2", two[0], two[1])) == ("AE", "records.order_of_another_person")
    elsewhere = speaking.city.staff(speaking.city.hospital())
    assert speaking.get(f"/api/v1/visits/{visit_id}/orders", elsewhere.token)["code"] == "records.visit_not_found"
    with db.transaction() as session:
        assert {order.person_id for order in session.scalars(select(LabOrder))} >= {speaking.patient.person_id}


def test_an_order_follows_the_reports_that_answer_it(speaking: Speaking) -> None:
    doctor, code = speaking.city.staff(speaking.hospital), speaking.hospital.code
    visit_id = speaking.city.visit(doctor, speaking.patient, speaking.hospital)

    def send_result(order: str, status: str, *, number: str = "", patient: str = "MZ1", issued: int = 10) -> None:
        result = oru(
            code, patient, order=order, obr=f"X1^血||||20260305083000|||||||||||||||20260305{issued}0000||LAB|{status}"
        )
        result = result.replace(f"OBR|1||{order}|X1^血||", f"OBR|1|{number}|{order}|X1^血|")
        assert speaking.send(result) == ("AA", "")

    def orders() -> dict[str, tuple[str, bool]]:
        listed = speaking.get(f"/api/v1/visits/{visit_id}/orders", doctor.token)["orders"]
        return {order["placer_number"]: (order["status"], "report_id" in order) for order in listed}

    two = ("ORC|NW|P1", "OBR|1|||X1^血", "ORC|NW|P2|F2", "OBR|2|||X1^血", "ORC|CA|P3|F3", "OBR|3|||X1^血")
    assert speaking.send(orm(code, "MZ1", *two)) == ("AA", "")
    other = speaking.city.patient()
    speaking.city.bind_number(speaking.hospital, other, "MZ2")
    # The number of somebody else's order, or none that is known, says nothing.
    send_result("F8", "F", number="P1", patient="MZ2")
    send_result("F9", "F")
    assert orders() == {"P1": ("active", False), "P2": ("active", False), "P3": ("revoked", False)}
    send_result("F1", "P", number="P1")
    send_result("F2", "F")
    send_result("F3", "F")
    assert orders() == {"P1": ("active", True), "P2": ("completed", True), "P3": ("revoked", False)}
    send_result("F1", "F", number="P1")
    assert speaking.send(orm(code, "MZ1", "ORC|XO|P2|F2", "OBR|2|||X1^血")) == ("AA", "")
    assert orders() == {"P1": ("completed", True), "P2": ("completed", True), "P3": ("revoked", False)}
    send_result("F1", "C", number="P1", issued=11)
    send_result("F2", "X", issued=12)
    assert orders() == {"P1": ("completed", True), "P2": ("revoked", True), "P3": ("revoked", False)}
    acts = select(AuditEntry.facts["status"].as_string()).filter_by(action="records.order.answered")
    with db.transaction() as session:
        found = session.scalars(acts.where(AuditEntry.hospital_id == speaking.hospital.id).order_by(AuditEntry.id))
        assert list(found) == ["active", "completed", "completed", "revoked"]


@pytest.mark.parametrize(
    "orders",
    [
        ("ORC|NW|P1",),
        ("OBR|1|P1||X^y",),
        ("ORC|NW", "OBR|1|||X^y"),
        ("ORC|ZZ|P1", "OBR|1|||X^y"),
        ("ORC|SC|P1|||ZZ", "OBR|1|||X^y"),
        ("ORC|NW|P1", "OBR|1|||X^y", "ORC|NW|P1", "OBR|1|||X^y"),
        ("ORC|NW|P1", "OBR|1|||^按名称"),
    ],
    ids=range(7),
)
def test_an_order_that_is_not_understood_waits(speaking: Speaking, orders: tuple[str, ...]) -> None:
    assert speaking.send(orm(speaking.hospital.code, "MZ1", *orders)) == ("AE", "records.message_not_understood")


def test_a_told_visit_is_closed_when_its_days_are_over(speaking: Speaking) -> None:
    speaking.send(adt(speaking.hospital.code, "MZ1", "A04", number="V8"))
    with db.transaction() as session:
        visit = session.scalars(select(Visit).filter_by(hospital_id=speaking.hospital.id)).one()
        due = session.scalars(select(OutboxMessage).filter_by(topic="records.visit_expiring")).all()
        assert any(
            message.payload == {"visit_id": str(visit.id)} and message.due_at == visit.opened_at + timedelta(days=1)
            for message in due
        )
