"""A revoke holds from its acknowledgement: no read that starts after it succeeds."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text

from consent import service as consent
from consent.models import Grant, Purpose
from consent.refusals import NothingShared
from core import clock, db
from core.ids import new_id
from tests.support.city import City, Patient, Staff

RACES = 200
READERS = 2
READS = 4


class Ward:
    """A patient whose records a doctor reads while the patient takes the grant back."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.patient: Patient = city.patient()
        self.doctor: Staff = city.staff(city.hospital())

    def open_grant(self) -> UUID:
        now = clock.now()
        grant = Grant(
            person_id=self.patient.person_id,
            hospital_id=self.doctor.actor.house_id,
            purpose=Purpose.TREATMENT,
            visit_id=new_id(),
            starts_at=now,
            expires_at=now + timedelta(hours=1),
        )
        with db.transaction() as session:
            session.add(grant)
        return grant.id

    def revoke(self, grant_id: UUID) -> None:
        with self.city.app.app_context(), db.transaction() as session:
            consent.revoke_grant(session, self.patient.actor, grant_id=grant_id)

    def read(self) -> bool:
        """Whether a read was allowed."""
        try:
            with self.city.app.app_context(), db.transaction() as session:
                consent.release(session, self.doctor.actor, person_id=self.patient.person_id, action="tests.read")
        except NothingShared:
            return False
        return True

    def race(self, pool: ThreadPoolExecutor) -> list[tuple[bool, bool]]:
        """One revoke against many reads: of each read, whether it began after the acknowledgement and was allowed."""
        grant_id = self.open_grant()
        together, acknowledged = threading.Barrier(READERS + 1), threading.Event()

        def read_often() -> list[tuple[bool, bool]]:
            together.wait()
            return [(acknowledged.is_set(), self.read()) for _ in range(READS)]

        readers = [pool.submit(read_often) for _ in range(READERS)]
        together.wait()
        self.revoke(grant_id)
        acknowledged.set()
        return [outcome for reader in readers for outcome in reader.result()]


def test_200_revokes_race_reads_and_nothing_is_read_after_an_acknowledgement(committing_city: City) -> None:
    ward = Ward(committing_city)
    with ThreadPoolExecutor(READERS) as pool:
        outcomes = [outcome for _ in range(RACES) for outcome in ward.race(pool)]
    late = [outcome for outcome in outcomes if outcome == (True, True)]
    allowed = [was_allowed for _, was_allowed in outcomes]
    assert late == []
    assert len(outcomes) == RACES * READERS * READS
    assert True in allowed, "no read came before a revoke: nothing raced"
    assert False in allowed, "no read came after a revoke: nothing raced"


def test_a_revoke_is_acknowledged_only_when_the_reads_under_it_have_ended(committing_city: City) -> None:
    ward = Ward(committing_city)
    grant_id = ward.open_grant()
    with ThreadPoolExecutor(2) as pool:
        with db.transaction() as session:
            consent.release(session, ward.doctor.actor, person_id=ward.patient.person_id, action="tests.read")
            acknowledged = pool.submit(ward.revoke, grant_id)
            while not pool.submit(somebody_waits, ward.city).result():
                assert not acknowledged.done(), "acknowledged while a read under the grant was still going on"
        acknowledged.result(timeout=60)
    assert not ward.read()


def somebody_waits(city: City) -> bool:
    with city.app.app_context(), db.transaction() as session:
        return bool(session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))
