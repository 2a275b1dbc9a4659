"""A code is accepted once, at one terminal, while it is fresh and its card in force."""

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from accounts import service as accounts
from accounts.service import terminals
from consent.models import Grant
from core import db, keys
from core.actor import SYSTEM
from health_card.models import Card, CardState, CodeRedemption
from health_card.service.codes import KEY_PURPOSE
from health_card.service.scans import FAILURES_PER_MINUTE
from records.visits.models import Visit
from tests.conftest import SteppingClock
from tests.support.city import City, Hospital, Patient, Staff, bearer, resident_id


class Desk:
    """A hospital with two terminals, its doctor, and a patient in front of it."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.hospital: Hospital = city.hospital()
        with db.transaction() as session:
            accounts.enrol_terminal(session, SYSTEM, hospital_id=self.hospital.id, code="W02", kind="01")
        self.staff: Staff = city.staff(self.hospital)
        self.patient: Patient = city.patient()

    def scan(self, code: str, **changes: Any) -> TestResponse:
        return self.city.scan(self.staff, code, self.hospital, **changes)

    def code(self, kind: str = "dynamic") -> str:
        return self.city.code(self.patient, kind)

    def change_card(self, **values: object) -> None:
        with db.transaction() as session:
            session.execute(update(Card).where(Card.id == self.patient.card_id).values(**values))

    def written(self) -> tuple[int, int]:
        """How many visits and grants the patient has."""
        with db.transaction() as session:
            visits = select(func.count(Visit.id)).where(Visit.person_id == self.patient.person_id)
            grants = select(func.count(Grant.id)).where(Grant.person_id == self.patient.person_id)
            return session.scalar(visits) or 0, session.scalar(grants) or 0

    def redemptions(self) -> int:
        """How many codes of the patient's card were used up."""
        with db.transaction() as session:
            mine = select(func.count(CodeRedemption.id)).where(CodeRedemption.card_id == self.patient.card_id)
            return session.scalar(mine) or 0

    def check_refused(self, reply: TestResponse, status: int, code: str) -> None:
        """Refused as said, and nothing was written."""
        assert (reply.status_code, reply.json["code"]) == (status, code)
        assert (self.written(), self.redemptions()) == ((0, 0), 0)


@pytest.fixture
def desk(city: City) -> Desk:
    return Desk(city)


def test_a_code_is_accepted_once(desk: Desk, stepping_clock: SteppingClock) -> None:
    code = desk.code()
    assert desk.scan(code).status_code == 201
    elsewhere = desk.scan(code, terminal="W02")
    assert (elsewhere.status_code, elsewhere.json["code"]) == (409, "health_card.code_redeemed")
    other = Desk(desk.city)
    assert other.scan(code).json["code"] == "health_card.code_redeemed"
    assert desk.written() == (1, 1)


def test_the_same_terminal_may_read_it_again_for_ten_seconds(desk: Desk, stepping_clock: SteppingClock) -> None:
    code = desk.code()
    first = desk.scan(code).json
    stepping_clock.forward(seconds=10)
    assert desk.scan(code).json["visit_id"] == first["visit_id"]
    assert desk.written() == (1, 1)
    stepping_clock.forward(seconds=1)
    late = desk.scan(code)
    assert (late.status_code, late.json["code"]) == (409, "health_card.code_redeemed")


def test_reading_again_does_not_bring_a_revoked_grant_back(desk: Desk, stepping_clock: SteppingClock) -> None:
    code = desk.code()
    desk.scan(code)
    patient = bearer(desk.patient.token)
    (grant,) = desk.city.client.get("/api/v1/grants", headers=patient).json["grants"]
    desk.city.client.post(f"/api/v1/grants/{grant['id']}/revoke", headers=patient)
    again = desk.scan(code)
    assert again.status_code == 201
    assert again.get_json().get("access_until") is None
    assert desk.written() == (1, 1)


def test_a_code_lives_sixty_seconds(desk: Desk, stepping_clock: SteppingClock) -> None:
    stepping_clock.time = stepping_clock.time.replace(microsecond=0)
    fresh, late = desk.code(), desk.code()
    stepping_clock.forward(seconds=60)
    assert desk.scan(fresh).status_code == 201
    stepping_clock.forward(seconds=1)
    reply = desk.scan(late)
    assert (reply.status_code, reply.json["code"]) == (410, "health_card.code_expired")
    assert desk.written() == (1, 1)


def test_a_code_from_the_future_is_refused(desk: Desk, stepping_clock: SteppingClock) -> None:
    stepping_clock.forward(seconds=35)
    code = desk.code()
    stepping_clock.forward(seconds=-35)
    desk.check_refused(desk.scan(code), 410, "health_card.code_expired")


@pytest.mark.parametrize("state", [CardState.LOST, CardState.CANCELLED, CardState.BEING_MADE, CardState.NOT_ISSUED])
def test_a_card_that_is_not_in_force_opens_nothing(desk: Desk, state: CardState) -> None:
    dynamic, static = desk.code(), desk.code("static")
    desk.change_card(state=state.value)
    desk.check_refused(desk.scan(dynamic), 410, "health_card.code_revoked")
    desk.check_refused(
        desk.scan(static, certificate_number=desk.patient.certificate_number), 410, "health_card.code_revoked"
    )
    path = f"/api/v1/cards/{desk.patient.card_id}/codes"
    shown = desk.city.client.post(path, json={}, headers=bearer(desk.patient.token))
    assert (shown.status_code, shown.json["code"]) == (409, "health_card.card_not_in_force")


def test_raising_the_epoch_kills_every_code_that_was_shown(desk: Desk) -> None:
    code = desk.code()
    desk.change_card(epoch=1)
    desk.check_refused(desk.scan(code), 410, "health_card.code_revoked")
    assert desk.scan(desk.code()).status_code == 201


def test_a_killed_key_kills_its_codes(desk: Desk) -> None:
    code = desk.code()
    with db.transaction() as session:
        killed = keys.ring(session, KEY_PURPOSE).signing_kid
        keys.add_key(session, KEY_PURPOSE)
        keys.kill_key(session, killed)
    keys.forget_rings()
    desk.check_refused(desk.scan(code), 422, "health_card.code_forged")
    assert desk.scan(desk.code()).status_code == 201


def test_a_card_that_never_was_is_forged(desk: Desk) -> None:
    nobody = f"{secrets.token_hex(32).upper()}:1"
    desk.check_refused(desk.scan(nobody, certificate_number=resident_id()), 422, "health_card.code_forged")
    desk.check_refused(desk.scan("hello"), 422, "health_card.code_malformed")


def test_a_static_code_proves_nothing_alone(desk: Desk) -> None:
    code = desk.code("static")
    desk.check_refused(desk.scan(code), 422, "health_card.second_factor_missing")
    for wrong in (resident_id(), "110105194912310021", "12345678"):
        desk.check_refused(desk.scan(code, certificate_number=wrong), 422, "health_card.second_factor_wrong")


def test_a_static_code_with_the_certificate_registers_and_shares_nothing(desk: Desk) -> None:
    certificate = desk.patient.certificate_number.lower()
    reply = desk.scan(desk.code("static"), certificate_number=certificate)
    assert reply.status_code == 201
    assert reply.get_json().get("access_until") is None
    assert desk.written() == (1, 0)
    timeline = f"/api/v1/visits/{reply.json['visit_id']}/timeline"
    unseen = desk.city.client.get(timeline, headers=bearer(desk.staff.token))
    assert (unseen.status_code, unseen.json["code"]) == (403, "consent.nothing_shared")


def test_only_the_holder_shows_codes(desk: Desk) -> None:
    stranger, (waiting, _) = desk.city.patient(), desk.city.login()
    body = {
        "certificate_type": "01",
        "certificate_number": desk.patient.certificate_number,
        "name": desk.patient.name,
        "phone": desk.patient.phone,
    }
    registered = desk.city.client.post("/api/v1/registrations", json=body, headers=bearer(waiting))
    assert registered.json["holder"] == "awaiting_desk"
    for token in (stranger.token, waiting):
        path = f"/api/v1/cards/{desk.patient.card_id}/codes"
        reply = desk.city.client.post(path, json={"kind": "static"}, headers=bearer(token))
        assert (reply.status_code, reply.json["code"]) == (404, "health_card.card_not_found")


def test_a_code_is_shown_as_text_svg_and_png(desk: Desk) -> None:
    path, headers = f"/api/v1/cards/{desk.patient.card_id}/codes", bearer(desk.patient.token)
    starts = {"application/json": b'{"text":', "image/svg+xml": b"<?xml", "image/png": b"\x89PNG\r\n"}
    for wanted, start in starts.items():
        reply = desk.city.client.post(path, json={}, headers=headers | {"Accept": wanted})
        assert (reply.status_code, reply.mimetype) == (201, wanted)
        assert reply.data.startswith(start)
        assert reply.headers["Cache-Control"] == "no-store"
        assert wanted == "application/json" or "Expires-At" in reply.headers


def test_twenty_refused_codes_lock_the_terminal_and_no_other(desk: Desk) -> None:
    for _ in range(FAILURES_PER_MINUTE):
        assert desk.scan("hello").json["code"] == "health_card.code_malformed"
    code = desk.code()
    locked = desk.scan(code)
    assert (locked.status_code, locked.json["code"]) == (429, "health_card.terminal_locked")
    assert 1 <= int(locked.headers["Retry-After"]) <= 60
    assert desk.redemptions() == 0
    assert desk.scan(code, terminal="W02").status_code == 201
    assert Desk(desk.city).scan("hello").status_code == 422
    with db.transaction() as session:
        mine = [flag for flag in terminals.list_open_flags(session) if flag.hospital_id == desk.hospital.id]
    assert [(flag.terminal_code, flag.reason) for flag in mine] == [("W01", "refused_codes")]


def test_a_lock_runs_out_and_locking_again_flags_once(desk: Desk, stepping_clock: SteppingClock) -> None:
    for _ in range(2):
        with db.transaction() as session:
            accounts.lock_terminal(session, desk.staff.actor, code="W01", seconds=60)
        assert desk.scan(desk.code()).status_code == 429
        stepping_clock.time += timedelta(seconds=61)
        assert desk.scan(desk.code()).status_code == 201
    with db.transaction() as session:
        flags = [flag for flag in terminals.list_open_flags(session) if flag.hospital_id == desk.hospital.id]
    assert len(flags) == 1


def test_codes_that_are_accepted_lock_nothing(desk: Desk) -> None:
    for _ in range(FAILURES_PER_MINUTE + 2):
        assert desk.scan(desk.code()).status_code == 201


def test_50_threads_at_50_terminals_redeem_one_code_once(committing_city: City) -> None:
    city = committing_city
    hospital, patient = city.hospital(), city.patient()
    staff, code = city.staff(hospital), city.code(patient)
    with db.transaction() as session:
        for number in range(50):
            accounts.enrol_terminal(session, SYSTEM, hospital_id=hospital.id, code=f"R{number:02d}", kind="02")
    together = threading.Barrier(50)

    def scan(number: int) -> str:
        together.wait()
        reply = city.scan(staff, code, hospital, terminal=f"R{number:02d}")
        return "accepted" if reply.status_code == 201 else str(reply.json["code"])

    with ThreadPoolExecutor(50) as pool:
        outcomes = list(pool.map(scan, range(50)))
    assert sorted(outcomes) == ["accepted"] + ["health_card.code_redeemed"] * 49
    with db.transaction() as session:
        visits = session.scalars(select(Visit.id).where(Visit.person_id == patient.person_id)).all()
        grants = session.scalars(select(Grant.id).where(Grant.person_id == patient.person_id)).all()
    assert (len(visits), len(grants)) == (1, 1)


def test_20_threads_at_one_terminal_get_one_visit(committing_city: City) -> None:
    desk = Desk(committing_city)
    code, together = desk.code(), threading.Barrier(20)

    def scan(_: int) -> UUID:
        together.wait()
        return UUID(desk.scan(code).json["visit_id"])

    with ThreadPoolExecutor(20) as pool:
        assert len(set(pool.map(scan, range(20)))) == 1
