"""What may happen once happens once, however many ask at the same moment."""

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from accounts.models import Role
from accounts.service import oversight, personnel
from core import db, keys
from core.actor import SYSTEM
from core.errors import Refusal
from core.keys import SigningKey
from tests.support.city import City
from tests.support.terminals import SCAN, Terminal, enrolment_code, hashed

THREADS = 12


def together(city: City, act: Callable[[int], str]) -> list[str]:
    """All threads at once; what came of each, a refusal by its code."""
    barrier = threading.Barrier(THREADS)

    def run(number: int) -> str:
        with city.app.app_context():
            barrier.wait()
            try:
                return act(number)
            except Refusal as refusal:
                return refusal.code

    with ThreadPoolExecutor(THREADS) as pool:
        return sorted(pool.map(run, range(THREADS)))


def test_12_accounts_for_one_person_at_once_make_one(committing_city: City) -> None:
    number, name = f"E{secrets.token_hex(6)}", f"a{secrets.token_hex(4)}"

    def appoint(place: int) -> str:
        with db.transaction() as session:
            personnel.appoint_administrator(
                session, SYSTEM, username=f"{name}-{place}", name="某", role=Role.OPERATOR, employee_number=number
            )
        return "appointed"

    outcomes = together(committing_city, appoint)
    assert outcomes == ["accounts.roles_exclude_each_other"] * (THREADS - 1) + ["appointed"]


def test_12_accounts_of_one_person_switched_on_at_once_leave_one_on(committing_city: City) -> None:
    number, ids = f"E{secrets.token_hex(6)}", []
    for _ in range(THREADS):
        with db.transaction() as session:
            given = personnel.appoint_administrator(
                session,
                SYSTEM,
                username=f"a{secrets.token_hex(6)}",
                name="某",
                role=Role.OPERATOR,
                employee_number=number,
            )
            personnel.switch_staff(session, SYSTEM, given.staff_id, of_platform=True, is_enabled=False)
            ids.append(given.staff_id)

    def switch_on(place: int) -> str:
        with db.transaction() as session:
            personnel.switch_staff(session, SYSTEM, ids[place], of_platform=True, is_enabled=True)
        return "on"

    outcomes = together(committing_city, switch_on)
    assert outcomes == ["accounts.roles_exclude_each_other"] * (THREADS - 1) + ["on"]


def test_12_browsers_with_one_enrolment_code_make_one_terminal(committing_city: City) -> None:
    city = committing_city
    code, browsers = enrolment_code(city.hospital()), [Terminal(city) for _ in range(THREADS)]
    outcomes = together(city, lambda place: str(browsers[place].enrol(code).status_code))
    assert outcomes == ["201"] + ["401"] * (THREADS - 1)


def test_12_scans_with_one_proof_are_one(committing_city: City) -> None:
    city = committing_city
    hospital = city.hospital()
    staff, terminal, code = city.staff(hospital), Terminal(city).enrol_as(hospital), city.code(city.patient())
    proof = terminal.prove(SCAN, ath=hashed(staff.token), code_hash=hashed(code))
    outcomes = together(city, lambda _: str(terminal.scan(staff, hospital, code, proof=proof).status_code))
    assert outcomes == ["201"] + ["401"] * (THREADS - 1)


def test_all_keys_of_a_ring_killed_at_once_leave_one_that_signs(committing_city: City) -> None:
    purpose = "race_" + "".join(secrets.choice("abcdefghij") for _ in range(10))
    with db.transaction() as session:
        kids = [keys.add_key(session, purpose) for _ in range(THREADS)]

    def kill(place: int) -> str:
        with db.transaction() as session:
            oversight.kill_signing_key(session, SYSTEM, kids[place], confirmation=kids[place])
        return "killed"

    assert together(committing_city, kill) == ["killed"] * THREADS
    with db.transaction() as session:
        living = session.scalars(select(SigningKey.kid).filter_by(purpose=purpose, killed_at=None)).all()
    assert len(living) == 1
    assert living[0] not in kids
