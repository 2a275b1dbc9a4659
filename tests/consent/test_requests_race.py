"""A request has one end, whoever is first; and no scan slips past a policy that was changed."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.models import Purpose
from consent.policies import service as policies
from consent.policies.models import Treating
from consent.requests import service as requests
from consent.requests.refusals import RequestOver
from consent.scope import Scope
from core import db
from records.visits import service as visits
from tests.conftest import SteppingClock
from tests.support.asking import Asking
from tests.support.city import City

ROUNDS = 12

Act = Callable[[Session, Asking, UUID], object]


def grant(session: Session, asking: Asking, request_id: UUID) -> None:
    part = requests.Part()
    requests.grant_request(session, asking.patient.actor, request_id=request_id, version=1, part=part)


def deny(session: Session, asking: Asking, request_id: UUID) -> None:
    requests.deny_request(session, asking.patient.actor, request_id=request_id, version=1)


def withdraw(session: Session, asking: Asking, request_id: UUID) -> None:
    requests.withdraw_request(session, asking.doctor.actor, request_id=request_id)


def lapse(session: Session, asking: Asking, request_id: UUID) -> None:
    assert requests.lapse_request(session, request_id=request_id) is None


ENDS: dict[Act, str] = {grant: "granted", deny: "denied", withdraw: "withdrawn", lapse: "lapsed"}


@pytest.fixture
def asking(committing_city: City) -> Asking:
    return Asking(committing_city)


def ask(asking: Asking) -> UUID:
    """A request, as often as is wished."""
    asking.city.bind_number(asking.hospital, asking.patient, "R1")
    with db.transaction() as session:
        wish = requests.Wish(
            requests.Circle.HOSPITAL, Scope(), Purpose.TREATMENT, requests.RequestReason.HISTORY, None,
            *[timedelta(hours=1)] * 2,
        )  # fmt: skip
        return requests.ask_patient(
            session, asking.doctor.actor, person_id=asking.patient.person_id, visit_id=None, wish=wish
        )


def tried(act: Act, asking: Asking, request_id: UUID) -> bool:
    """Whether the act was not refused."""
    with asking.city.app.app_context():
        try:
            with db.transaction() as session:
                act(session, asking, request_id)
        except RequestOver:
            return False
        return True


def history(request_id: UUID) -> tuple[list[str], list[str], int]:
    """The states that were ever kept, the ends that were recorded, and the grants of it."""
    asked = {"id": request_id}
    with db.transaction() as session:
        kept = session.scalars(
            text("SELECT said ->> 'state' FROM access_request_versions WHERE request_id = :id ORDER BY version"), asked
        )
        acts = session.scalars(text("SELECT action FROM audit_entries WHERE object_id = :id ORDER BY at, id"), asked)
        grants = session.scalar(text("SELECT count(*) FROM grants WHERE request_id = :id"), asked)
        return list(kept), list(acts), int(grants or 0)


def wait_until_it_waits(session: Session, second: "Future[Any]") -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    while not session.scalar(waiting) and not second.done():
        time.sleep(0.01)


@pytest.mark.parametrize("first", ENDS)
def test_of_two_ends_at_the_same_moment_the_second_waits_and_does_nothing(
    asking: Asking, stepping_clock: SteppingClock, first: Act
) -> None:
    for second in ENDS:
        request_id = ask(asking)
        if first is lapse:
            stepping_clock.forward(hours=1)
        with ThreadPoolExecutor(1) as pool:
            with db.transaction() as session:
                first(session, asking, request_id)
                if second is lapse and first is not lapse:
                    stepping_clock.forward(hours=1)
                late = pool.submit(tried, second, asking, request_id)
                wait_until_it_waits(session, late)
            # To lapse, or to be withdrawn again, what has ended so is no refusal, and no act.
            assert late.result(timeout=60) is (second is lapse or (second, first) == (withdraw, withdraw))
        end = ENDS[first]
        recorded = ["consent.request.asked", f"consent.request.{end}"]
        assert history(request_id) == (["requested", end], recorded, int(first is grant)), second
        stepping_clock.forward(hours=25)


def test_of_many_answers_at_once_one_counts(asking: Asking, stepping_clock: SteppingClock) -> None:
    acts: list[Act] = [grant, deny, grant, withdraw]
    ends = set()
    with ThreadPoolExecutor(len(acts)) as pool:
        for _ in range(ROUNDS):
            request_id, together = ask(asking), threading.Barrier(len(acts))

            def at_once(act: Act, request_id: UUID = request_id, together: threading.Barrier = together) -> bool:
                together.wait(timeout=60)
                return tried(act, asking, request_id)

            done = [each.result(timeout=60) for each in [pool.submit(at_once, act) for act in acts]]
            assert done.count(True) == 1
            end = ENDS[acts[done.index(True)]]
            kept, recorded, grants = history(request_id)
            assert (kept, grants) == (["requested", end], int(end == "granted"))
            assert recorded == ["consent.request.asked", f"consent.request.{end}"]
            ends.add(end)
            stepping_clock.forward(hours=25)
    assert ends <= set(ENDS.values())


def change_to_never(session: Session, asking: Asking) -> policies.ChangedPolicy:
    read = policies.get_policy(session, asking.patient.actor)
    return policies.change_policy(
        session,
        asking.patient.actor,
        person_id=None,
        choice=policies.Choice(Treating.NEVER, {}, frozenset()),
        version=read.version,
        notice_hash=read.notice.hash,
    )


def in_a_transaction(asking: Asking, act: Callable[[Session, Asking], Any]) -> Any:
    with asking.city.app.app_context(), db.transaction() as session:
        return act(session, asking)


def scan(session: Session, asking: Asking, code: str) -> visits.CheckIn:
    terminal = text("SELECT id FROM terminals WHERE hospital_id = :id")
    terminal_id = session.scalar(terminal, {"id": asking.hospital.id})
    return visits.check_in(
        session,
        asking.doctor.actor,
        text=code,
        issuer=asking.city.config.issuer_code,
        terminal_id=terminal_id,
        context=visits.ScanContext(asking.hospital.terminal, "010101", "0300"),
        visit_days=1,
    )


def test_a_scan_during_a_change_of_the_policy_opens_nothing(asking: Asking) -> None:
    code = asking.city.code(asking.patient)
    with ThreadPoolExecutor(1) as pool:
        with db.transaction() as session:
            assert change_to_never(session, asking).ended_grant_ids == []
            scanned = pool.submit(in_a_transaction, asking, partial(scan, code=code))
            wait_until_it_waits(session, scanned)
            assert not scanned.done(), "it did not wait for the change"
        assert scanned.result(timeout=60).shares_records is False
    assert asking.grants() == []


def test_a_change_during_a_scan_ends_what_the_scan_opens(asking: Asking) -> None:
    code = asking.city.code(asking.patient)
    with ThreadPoolExecutor(1) as pool:
        with db.transaction() as session:
            assert scan(session, asking, code).shares_records is True
            changed = pool.submit(in_a_transaction, asking, change_to_never)
            wait_until_it_waits(session, changed)
            assert not changed.done(), "it did not wait for the scan"
        assert len(changed.result(timeout=60).ended_grant_ids) == 1
    assert [grant["status"] for grant in asking.grants()] == ["revoked"]
