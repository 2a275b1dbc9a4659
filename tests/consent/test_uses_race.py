"""Uses are counted, times end and grants are made narrower while many read: no read is more than the grant said."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select

from consent import service as consent
from consent.models import Grant
from consent.refusals import NothingShared
from core import clock, db
from core.audit import AuditEntry
from records.timeline.models import TimelineEntry
from tests.conftest import SteppingClock
from tests.support.city import City, Patient, Staff

THREADS = 32
FEW, MANY = 40, pytest.param(4000, marks=pytest.mark.prove)
ACTION = "tests.read"


class Undone(Exception):
    """The read is not acknowledged: its transaction is rolled back."""


class Ward:
    """A doctor in many places at once, and a patient who lets him read."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.patient: Patient = city.patient()
        self.doctor: Staff = city.staff(city.hospital())
        self.item = city.place_report(self.patient, city.hospital())

    def give(self, *, seconds: float = 3600, **scope: object) -> consent.GrantView:
        with self.city.app.app_context(), db.transaction() as session:
            return consent.give_grant(
                session,
                self.patient.actor,
                person_id=self.patient.person_id,
                recipient=consent.Recipient(hospital_id=self.doctor.actor.hospital_id),
                scope=consent.Scope(**scope),  # type: ignore[arg-type]
                purpose=consent.Purpose.CONSULTATION,
                expires_at=clock.now() + timedelta(seconds=seconds),
            )

    def read(self, *, is_undone: bool = False) -> bool:
        """Whether a read was allowed, and acknowledged."""
        try:
            with self.city.app.app_context(), db.transaction() as session:
                consent.release(
                    session,
                    self.doctor.actor,
                    person_id=self.patient.person_id,
                    action=ACTION,
                    of=("report", self.item),
                )
                if is_undone:
                    raise Undone
        except (NothingShared, Undone):
            return False
        return True

    def rows(self, grant_id: UUID) -> int:
        with self.city.app.app_context(), db.transaction() as session:
            mine = select(func.count()).where(AuditEntry.basis_id == grant_id, AuditEntry.action == ACTION)
            return session.scalar(mine) or 0

    def left(self, grant_id: UUID) -> int | None:
        with self.city.app.app_context(), db.transaction() as session:
            return session.get_one(Grant, grant_id).uses_left

    def narrow(self, grant: consent.GrantView, to: consent.Narrowing) -> None:
        with self.city.app.app_context(), db.transaction() as session:
            consent.narrow_grant(session, self.patient.actor, grant_id=grant.id, version=grant.version, to=to)


@pytest.mark.parametrize("uses", [FEW, MANY])
def test_thirty_two_readers_use_a_grant_exactly_as_often_as_it_says(committing_city: City, uses: int) -> None:
    """Two grants, of which one is used up on the way; every fourth read is rolled back and costs nothing."""
    ward = Ward(committing_city)
    first, second = ward.give(uses=uses), ward.give(uses=uses // 2, seconds=600)
    together = threading.Barrier(THREADS)

    def read_often() -> int:
        together.wait()
        return sum(ward.read(is_undone=at % 4 == 3) for at in range(4 * uses // THREADS))

    with ThreadPoolExecutor(THREADS) as pool:
        allowed = sum(one.result() for one in [pool.submit(read_often) for _ in range(THREADS)])
    assert allowed == uses + uses // 2
    assert [ward.rows(grant.id) for grant in (first, second)] == [uses, uses // 2]
    assert [ward.left(grant.id) for grant in (first, second)] == [0, 0]
    assert not ward.read()


@pytest.mark.parametrize("races", [FEW // 2, MANY])
def test_a_narrowing_holds_from_its_acknowledgement(committing_city: City, races: int) -> None:
    ward, outcomes = Ward(committing_city), list[tuple[bool, bool]]()
    with ThreadPoolExecutor(2) as pool:
        for _ in range(races):
            grant, acknowledged = ward.give(), threading.Event()
            together = threading.Barrier(3)
            assert ward.read()

            def read_often(together: threading.Barrier, acknowledged: threading.Event) -> list[tuple[bool, bool]]:
                together.wait()
                return [(acknowledged.is_set(), ward.read()) for _ in range(4)]

            readers = [pool.submit(read_often, together, acknowledged) for _ in range(2)]
            together.wait()
            ward.narrow(grant, consent.Narrowing(kinds=frozenset({consent.ItemKind.IMMUNIZATION})))
            acknowledged.set()
            outcomes += [outcome for reader in readers for outcome in reader.result()]
            assert not ward.read()
    assert (True, True) not in outcomes, "read after the patient was told that it is no longer shown"
    assert len(outcomes) == races * 2 * 4


def test_a_grant_ends_at_its_moment_for_everybody(committing_city: City, stepping_clock: SteppingClock) -> None:
    ward, history = Ward(committing_city), list[tuple[datetime, bool]]()
    grant = ward.give(seconds=1)
    together, is_over = threading.Barrier(5), threading.Event()

    def read_often() -> list[tuple[datetime, bool]]:
        found = list[tuple[datetime, bool]]()
        together.wait()
        while not (is_over.is_set() and len(found) > 5):
            found.append((clock.now(), ward.read()))
        return found

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read_often) for _ in range(4)]
        together.wait()
        for _ in range(10):
            ward.rows(grant.id)
            stepping_clock.forward(microseconds=99_999.9)
        stepping_clock.time = grant.expires_at - timedelta(microseconds=1)
        assert ward.read()
        stepping_clock.time = grant.expires_at
        assert not ward.read()
        is_over.set()
        history = [one for reader in readers for one in reader.result()]
    assert not any(allowed for began, allowed in history if began >= grant.expires_at)
    assert ward.rows(grant.id) == 1 + sum(allowed for _, allowed in history)


def test_what_is_kept_of_a_scope_is_read_from_the_item_itself(committing_city: City) -> None:
    """A report that turns out to be of another day or kind is judged by what it is now."""
    ward = Ward(committing_city)
    ward.give(kinds=frozenset({consent.ItemKind.LABORATORY}))
    assert ward.read()
    with db.transaction() as session:
        session.scalars(select(TimelineEntry).where(TimelineEntry.object_id == ward.item)).one().category = "imaging"
    assert not ward.read()
