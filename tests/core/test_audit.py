"""The audit trail: written once, with the act or not at all."""

import secrets
from collections.abc import Callable

import pytest
from psycopg.errors import RestrictViolation
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core import db
from core.audit import AuditEntry
from health_card.models import Person
from tests.support.city import City, bearer, resident_id


def count(entity: type[db.Base]) -> int:
    with db.transaction() as session:
        return session.scalar(select(func.count()).select_from(entity)) or 0


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_entries SET action = 'nothing'",
        "UPDATE audit_entries SET actor_id = subject_id",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
        "TRUNCATE audit_entries CASCADE",
    ],
)
def test_the_database_refuses_every_change_of_the_trail(city: City, change: str) -> None:
    city.patient()
    before = count(AuditEntry)
    assert before > 0
    with pytest.raises(IntegrityError) as refused, db.transaction() as session:
        session.execute(text(change))
    assert isinstance(refused.value.orig, RestrictViolation)
    assert count(AuditEntry) == before


@pytest.fixture
def broken_id(city: City) -> str:
    """No audit row can be written for requests that carry this id."""
    broken = f"broken-{secrets.token_hex(8)}"
    with db.transaction() as session:
        session.execute(
            text(
                "CREATE TRIGGER audit_is_broken BEFORE INSERT ON audit_entries FOR EACH ROW "
                f"WHEN (NEW.request_id = '{broken}') EXECUTE FUNCTION refuse_change()"
            )
        )
    return broken


def test_without_its_audit_row_nothing_is_written(city: City, broken_id: str) -> None:
    token, _ = city.login()
    body = {"certificate_type": "01", "certificate_number": resident_id(), "name": "张测试", "phone": "13800000001"}
    before = count(Person)
    broken = city.client.post("/api/v1/registrations", json=body, headers=bearer(token) | {"X-Request-Id": broken_id})
    assert (broken.status_code, broken.json["code"]) == (500, "core.internal_error")
    assert count(Person) == before
    assert city.client.post("/api/v1/registrations", json=body, headers=bearer(token)).status_code == 201


def test_without_its_audit_row_nothing_is_read(city: City, broken_id: str) -> None:
    hospital, patient = city.hospital(), city.patient()
    doctor = city.staff(hospital)
    visit_id = city.visit(doctor, patient, hospital)
    city.place_report(patient, hospital, title="血常规")
    for token, path in ((doctor.token, f"/api/v1/visits/{visit_id}/timeline"), (patient.token, "/api/v1/timeline")):
        assert "血常规" in city.client.get(path, headers=bearer(token)).text
        unseen = city.client.get(path, headers=bearer(token) | {"X-Request-Id": broken_id})
        assert unseen.status_code == 500
        assert "血常规" not in unseen.text


def test_each_act_of_a_visit_leaves_its_row(city: City) -> None:
    hospital, patient = city.hospital(), city.patient()
    doctor = city.staff(hospital)

    def actions_of(act: Callable[[], object]) -> list[str]:
        before = count(AuditEntry)
        act()
        with db.transaction() as session:
            newest = select(AuditEntry.action).order_by(AuditEntry.id.desc()).limit(count_in(session) - before)
            return sorted(session.scalars(newest))

    visit_id = None

    def check_in() -> None:
        nonlocal visit_id
        visit_id = city.visit(doctor, patient, hospital, patient_number="MZ1")

    assert actions_of(check_in) == [
        "consent.grant.opened",
        "health_card.code.scanned",
        "health_card.code.shown",
        "health_card.patient_number.bound",
        "records.visit.opened",
    ]
    shared = f"/api/v1/visits/{visit_id}/timeline"
    assert actions_of(lambda: city.client.get(shared, headers=bearer(doctor.token))) == ["records.timeline.read"]
    grants = city.client.get("/api/v1/grants", headers=bearer(patient.token)).json["grants"]
    revoke = f"/api/v1/grants/{grants[0]['id']}/revoke"
    assert actions_of(lambda: city.client.post(revoke, headers=bearer(patient.token))) == ["consent.grant.revoked"]
    assert actions_of(lambda: city.client.post(revoke, headers=bearer(patient.token))) == []


def count_in(session: Session) -> int:
    return session.scalar(select(func.count(AuditEntry.id))) or 0
