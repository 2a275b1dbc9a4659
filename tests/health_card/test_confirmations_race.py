"""What was confirmed is used up once, however many use it at the same moment."""

from concurrent.futures import ThreadPoolExecutor

from accounts.models import Role
from core import db
from health_card import service as health_card
from health_card.confirmation.refusals import NotConfirmed
from tests.support.city import City, bearer

PIN = "483920"


def test_16_uses_of_one_confirmation_are_one(committing_city: City) -> None:
    city = committing_city
    hospital, patient = city.hospital(), city.patient()
    desk = city.staff(hospital, Role.REGISTRAR)
    city.client.put("/api/v1/code-pin", json={"pin": PIN}, headers=bearer(patient.token))
    path, body = f"/api/v1/cards/{patient.card_id}/codes", {"kind": "confirmed", "pin": PIN}
    code = city.client.post(path, json=body, headers=bearer(patient.token)).json["text"]
    assert city.scan(desk, code, hospital).status_code == 201
    assert city.scan(desk, code, hospital).status_code == 201, "read again at the same terminal"

    def use(number: int) -> bool:
        purpose = ("account", "credit")[number % 2]
        with city.app.app_context():
            try:
                with db.transaction() as session:
                    used = health_card.consume_confirmation(
                        session, desk.actor, purpose=purpose, person_id=patient.person_id
                    )
                assert used.login_id == patient.actor.id
            except NotConfirmed:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(use, range(16))) == [False] * 15 + [True]
