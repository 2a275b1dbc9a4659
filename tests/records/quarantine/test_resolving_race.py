"""Of many who resolve one message at once exactly one does, and the sender's repeat at that moment doubles nothing."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from core import db
from records.reports.models import Report
from tests.support.channels import House
from tests.support.city import City

HANDS = 6
ROUNDS = 3


@pytest.fixture
def house(committing_city: City) -> House:
    return House(committing_city, speaks_hl7v2=False)


@pytest.mark.parametrize("channel", ["fhir", "unnamed_fhir"])
def test_a_message_is_resolved_once(house: House, channel: str) -> None:
    for number in range(ROUNDS):
        resolve_at_once(house, channel, f"P{number}")


def resolve_at_once(house: House, channel: str, number: str) -> None:
    patient, transmit = house.city.patient(), house.compose(channel, number)
    transmit()
    (waiting,) = house.waiting()
    house.city.bind_number(house.hospital, patient, number)
    together = threading.Barrier(HANDS)

    def resolve(hand: int) -> int:
        together.wait()
        if hand == 0:
            transmit()
            return 0
        act, body = ("dismiss", {"why": "duplicate"}) if hand == 1 else ("replay", {})
        return int(house.act(waiting["id"], act, **body).status_code)

    with ThreadPoolExecutor(HANDS) as pool:
        outcomes = list(pool.map(resolve, range(HANDS)))
    with db.transaction() as session:
        versions = select(func.count()).select_from(Report).where(Report.person_id == patient.person_id)
        filed = session.scalar(versions)
    is_dismissed = waiting["id"] in {message["id"] for message in house.waiting("?state=dismissed")}
    assert set(outcomes) <= {0, 200, 404, 409}
    assert outcomes.count(200) <= 1
    assert (house.waiting(), filed) == ([], 0 if is_dismissed else 1)
