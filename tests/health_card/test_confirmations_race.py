"""What was confirmed is used up once, also by two who use it at the same moment."""

import time
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text

from accounts.models import Role
from core import db
from health_card import service as health_card
from health_card.confirmation.refusals import NotConfirmed
from tests.support.city import City, Patient, Staff, bearer

PIN = "483920"


def use(city: City, desk: Staff, patient: Patient, purpose: str) -> bool:
    with city.app.app_context():
        try:
            with db.transaction() as session:
                health_card.consume_confirmation(session, desk.actor, purpose=purpose, person_id=patient.person_id)
        except NotConfirmed:
            return False
        return True


def test_of_two_uses_at_the_same_moment_the_second_waits_and_is_refused(committing_city: City) -> None:
    city = committing_city
    hospital, patient = city.hospital(), city.patient()
    desk = city.staff(hospital, Role.REGISTRAR)
    city.client.put("/api/v1/code-pin", json={"pin": PIN}, headers=bearer(patient.token))
    path, body = f"/api/v1/cards/{patient.card_id}/codes", {"kind": "confirmed", "pin": PIN}
    code = city.client.post(path, json=body, headers=bearer(patient.token)).json["text"]
    assert city.scan(desk, code, hospital).status_code == 201
    assert city.scan(desk, code, hospital).status_code == 201, "read again at the same terminal"
    with ThreadPoolExecutor(1) as pool:
        with db.transaction() as session:
            used = health_card.consume_confirmation(session, desk.actor, purpose="account", person_id=patient.person_id)
            assert used.login_id == patient.actor.id
            second = pool.submit(use, city, desk, patient, "credit")
            waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            while not session.scalar(waiting) and not second.done():
                time.sleep(0.01)
        assert second.result() is False
    assert use(city, desk, patient, "account") is False
