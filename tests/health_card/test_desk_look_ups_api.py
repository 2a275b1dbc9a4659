"""A desk finds the person in front of it by a document or a visit, and raises how well he is known."""

from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from accounts.models import Role
from core import clock, db
from core.actor import SYSTEM
from core.audit import AuditEntry
from health_card import service as health_card
from health_card.desk.models import AssuranceCheck
from health_card.desk.routes import FAILURES_PER_MINUTE, LOOK_UPS_PER_MINUTE
from health_card.desk.service.assurance import raise_assurance
from health_card.models import Assurance
from tests.conftest import SteppingClock
from tests.support.city import City, resident_id
from tests.support.desks import Desk, refused


def test_a_desk_sees_masked_details_and_each_look_up_is_recorded(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    reply = desk.look_up(patient.certificate_number, is_document_seen=False)
    assert reply.status_code == 201
    assert (reply.json["person"]["name"], reply.json["person"]["phone"]) == ("张*试", "138****0001")
    assert [card["state_text"] for card in reply.json["cards"]] == ["正常"]
    assert reply.json["is_document_seen"] is False
    assert patient.certificate_number not in reply.text
    with db.transaction() as session:
        mine = select(func.count(AuditEntry.id)).where(AuditEntry.subject_id == patient.person_id)
        assert session.scalar(mine.where(AuditEntry.action == "health_card.person.looked_up")) == 1
        assert session.scalar(mine.where(AuditEntry.action == "health_card.person.read")) == 1


def test_who_is_not_registered_is_not_found(city: City) -> None:
    assert refused(Desk(city).look_up(resident_id())) == (404, "health_card.person_not_found")


def test_a_look_up_is_its_hospitals_and_ends_after_15_minutes(city: City, stepping_clock: SteppingClock) -> None:
    desk, other = Desk(city), Desk(city)
    path = desk.open(city.patient())
    assert refused(other.get(path)) == (404, "health_card.look_up_not_found")
    stepping_clock.forward(minutes=14, seconds=59)
    assert desk.get(path).status_code == 200
    stepping_clock.forward(seconds=1)
    assert refused(desk.get(path)) == (404, "health_card.look_up_not_found")
    assert refused(desk.post(f"{path}/corrections", {"reason": "changed", "name": "李测试"}))[0] == 404


def test_an_open_visit_leads_to_a_look_up_but_nothing_changes_before_the_document_was_seen(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    visit_id = city.visit(desk.staff, patient, desk.hospital)
    assert refused(Desk(city).post(f"/visits/{visit_id}/look-ups")) == (404, "records.visit_not_found")
    path = f"/persons/{desk.post(f'/visits/{visit_id}/look-ups').json['look_up_id']}"
    correction = {"reason": "changed", "phone": "13900000002"}
    acts: list[tuple[str, dict[str, Any]]] = [
        (f"{path}/corrections", correction),
        (f"{path}/certificates/{desk.certificate_id(path)}/withdraw", {}),
        (f"{path}/cards/{patient.card_id}/report-lost", {}),
        (f"{path}/cards/{patient.card_id}/reissue", {}),
        (f"{path}/carriers", {"kind": "social_security_card", "number": "A12345678"}),
        (f"{path}/end-logins", {"until_confirmed": True}),
    ]
    assert {refused(desk.post(*act)) for act in acts} == {(409, "health_card.document_not_seen")}
    document = {"certificate_type": "01", "certificate_number": patient.certificate_number}
    assert desk.post(f"{path}/verify-document", document).json == {"assurance": "document"}
    assert desk.post(f"{path}/corrections", correction).json == {"changed": ["phone"]}


def test_a_closed_visit_leads_to_nobody(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    visit_id = city.visit(desk.staff, patient, desk.hospital)
    with db.transaction() as session:
        session.execute(text("UPDATE visits SET closed_at = now() WHERE id = :id"), {"id": visit_id})
    assert refused(desk.post(f"/visits/{visit_id}/look-ups")) == (404, "records.visit_not_found")


def test_the_level_is_shown_at_every_scan_with_when_and_where(city: City) -> None:
    desk, patient = Desk(city, "市第一测试医院"), city.patient()
    desk.open(patient)
    other = Desk(city, "市第二测试医院")
    person = city.scan(other.staff, city.code(patient), other.hospital).json["person"]
    assert (person["assurance"], person["assured_by"]) == ("document", "市第一测试医院")
    assert person["assured_at"]


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"certificate_number": resident_id("19700101")}, (422, "health_card.document_not_theirs")),
        ({"expires_on": "2020-01-01"}, (422, "health_card.document_expired")),
        ({"certificate_number": "110105194912310021"}, (422, "health_card.certificate_invalid")),
    ],
)
def test_what_is_no_good_document_of_the_person_raises_nothing(
    city: City, changes: dict[str, str], outcome: tuple[int, str]
) -> None:
    desk, patient = Desk(city), city.patient()
    path = f"/persons/{desk.look_up(patient.certificate_number, is_document_seen=False).json['look_up_id']}"
    document = {"certificate_type": "01", "certificate_number": patient.certificate_number}
    assert refused(desk.post(f"{path}/verify-document", document | changes)) == outcome
    assert desk.get(path).json["person"]["assurance"] == "asserted"
    with db.transaction() as session:
        assert session.scalar(select(func.count()).select_from(AssuranceCheck)) == 0


def test_a_document_is_good_until_its_last_day_is_over_in_the_city(city: City, stepping_clock: SteppingClock) -> None:
    stepping_clock.time = clock.in_city(stepping_clock.time).replace(hour=23, minute=59)
    desk, patient, today = Desk(city), city.patient(), str(stepping_clock.time.date())
    assert desk.look_up(patient.certificate_number, expires_on=today).status_code == 201
    stepping_clock.forward(minutes=1)
    reply = desk.look_up(patient.certificate_number, expires_on=today)
    assert refused(reply) == (422, "health_card.document_expired")


def test_the_level_only_rises(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    with db.transaction() as session:
        raise_assurance(session, SYSTEM, person_id=patient.person_id, level=Assurance.FACE, evidence="face")
    desk.open(patient)
    with db.snapshot() as session:
        shown = health_card.get_demographics(session, patient.person_id)
    assert (shown.assurance, shown.assured_by) == ("face", None)


def test_checks_are_never_changed(city: City) -> None:
    Desk(city).open(city.patient())
    for statement in ("UPDATE assurance_checks SET level = 'face'", "DELETE FROM assurance_checks"):
        with pytest.raises(DBAPIError, match="append-only"), db.transaction() as session:
            session.execute(text(statement))


def test_a_desk_cannot_search(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    outcomes = [refused(desk.look_up(resident_id())) for _ in range(FAILURES_PER_MINUTE + 1)]
    assert outcomes[-2:] == [(404, "health_card.person_not_found"), (429, "core.rate_exceeded")]
    busy = Desk(city)
    served = [busy.look_up(patient.certificate_number).status_code for _ in range(LOOK_UPS_PER_MINUTE + 1)]
    assert (set(served[:-1]), served[-1]) == ({201}, 429)


def test_a_desk_cannot_find_a_number_out_by_trying(city: City) -> None:
    desk, patient = Desk(city), city.patient()
    path = f"/persons/{desk.look_up(patient.certificate_number, is_document_seen=False).json['look_up_id']}"
    tries = [
        desk.post(f"{path}/verify-document", {"certificate_type": "01", "certificate_number": resident_id()})
        for _ in range(FAILURES_PER_MINUTE + 1)
    ]
    assert [reply.status_code for reply in tries[-2:]] == [422, 429]


def test_only_registrars_look_people_up(city: City) -> None:
    patient = city.patient()
    assert refused(Desk(city, role=Role.DOCTOR).look_up(patient.certificate_number)) == (403, "core.permission_missing")
