"""Of many who resolve one message at once exactly one does, and the sender's repeat at that moment doubles nothing."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import func, select, text

from core import db
from records.intake import service as intake
from records.intake.models import InboundMessage
from records.reports.models import Report
from tests.support.channels import House
from tests.support.city import City

HANDS = 6
ROUNDS = 3


@pytest.fixture
def house(committing_city: City) -> House:
    return House(committing_city, speaks_hl7v2=False)


def test_a_message_is_resolved_once(house: House) -> None:
    for number in range(ROUNDS):
        resolve_at_once(house, f"P{number}")


@pytest.mark.parametrize("channel", ["fhir", "unnamed_fhir"])
def test_who_dismisses_waits_for_a_filing_under_way(house: House, channel: str) -> None:
    house.compose(channel, "P1")()
    (waiting,) = house.waiting()
    with ThreadPoolExecutor(1) as pool:
        with db.transaction() as session:
            kept = session.get_one(InboundMessage, UUID(waiting["id"]))
            name = kept.message_key or kept.digest.hex()
            # As filing does when the same is sent again.
            intake.lock_key(session, kept.hospital_id, kept.channel, name)
            kept.state, kept.reason = "accepted", None
            session.flush()
            dismissed = pool.submit(house.act, waiting["id"], "dismiss", why="duplicate")
            for _ in range(3000):
                if session.scalar(text(_WAITING)):
                    break
                threading.Event().wait(0.02)
            else:
                pytest.fail("it does not wait for the lock of the message")
        assert dismissed.result(timeout=60).status_code == 409


_WAITING = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND NOT granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def resolve_at_once(house: House, number: str) -> None:
    patient, transmit = house.city.patient(), house.compose("fhir", number)
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
