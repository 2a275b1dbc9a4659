"""Merges of one hospital at the same moment: no ring, and one number counts."""

import threading
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from core import db
from health_card.models import PatientNumber
from tests.support.city import City, bearer

NUMBERS = ["A", "B", "C", "D"]


def test_merges_in_a_ring_at_once_leave_one_number_that_counts(committing_city: City) -> None:
    city = committing_city
    for _ in range(5):
        hospital, patient = city.hospital(), city.patient()
        headers, together = bearer(city.machine(hospital).token), threading.Barrier(len(NUMBERS))
        city.bind_number(hospital, patient, "A")

        def merge(turn: int, headers: dict[str, str] = headers, together: threading.Barrier = together) -> int:
            pair = {"retired": NUMBERS[turn], "surviving": NUMBERS[(turn + 1) % len(NUMBERS)]}
            together.wait()
            return city.client.post("/api/v1/patient-numbers/merges", json=pair, headers=headers).status_code

        with ThreadPoolExecutor(len(NUMBERS)) as pool:
            outcomes = list(pool.map(merge, range(len(NUMBERS))))
        assert set(outcomes) <= {200, 404, 409}
        assert 200 in outcomes
        with db.transaction() as session:
            known = session.scalars(select(PatientNumber).filter_by(hospital_id=hospital.id)).all()
            assert {each.person_id for each in known} == {patient.person_id}
            assert len([each for each in known if each.replaced_by is None]) == 1
