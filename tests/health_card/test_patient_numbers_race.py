"""Merges of one hospital at the same moment: no ring, and one number counts."""

import threading
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select, update

from core import db
from health_card.models import PatientNumber, Person
from tests.support.city import City, bearer


def test_two_numbers_merged_into_each_other_at_once_leave_one_that_counts(committing_city: City) -> None:
    city = committing_city
    for _ in range(5):
        hospital, one, other = city.hospital(), city.patient(), city.patient()
        headers, together = bearer(city.machine(hospital).token), threading.Barrier(2)
        city.bind_number(hospital, one, "A")
        city.bind_number(hospital, other, "B")
        with db.transaction() as session:
            session.execute(update(Person).where(Person.id == other.person_id).values(root_id=one.person_id))

        def merge(pair: str, headers: dict[str, str] = headers, together: threading.Barrier = together) -> int:
            together.wait()
            body = {"retired": pair[0], "surviving": pair[1]}
            return city.client.post("/api/v1/patient-numbers/merges", json=body, headers=headers).status_code

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(merge, ("AB", "BA"))) == [200, 409]
        with db.transaction() as session:
            known = session.scalars(select(PatientNumber).filter_by(hospital_id=hospital.id)).all()
            assert len([each for each in known if each.replaced_by is None]) == 1
