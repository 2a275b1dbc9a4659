"""Many desks at once: one visit; and no scan continues what is being closed at that moment."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import func, select

from accounts import service as accounts
from consent.models import Grant
from core import clock, db
from core.actor import SYSTEM
from records.hl7v2 import jobs
from records.visits.models import Visit, VisitStep
from tests.support.city import City, bearer
from tests.support.hl7v2 import adt

DESKS = 20
ROUNDS = 10


def test_20_desks_scanning_one_person_at_once_open_one_visit(committing_city: City) -> None:
    city = committing_city
    hospital, patient = city.hospital(), city.patient()
    staff, codes = city.staff(hospital), [city.code(patient) for _ in range(DESKS)]
    with db.transaction() as session:
        for number in range(DESKS):
            accounts.enrol_terminal(session, SYSTEM, hospital_id=hospital.id, code=f"R{number:02d}", kind="02")
    together = threading.Barrier(DESKS)

    def scan(number: int) -> tuple[int, str, bool]:
        together.wait()
        reply = city.scan(staff, codes[number], hospital, terminal=f"R{number:02d}", medical_step="010102")
        return reply.status_code, reply.json["visit_id"], reply.json["is_new"]

    with ThreadPoolExecutor(DESKS) as pool:
        outcomes = list(pool.map(scan, range(DESKS)))
    assert {status for status, _, _ in outcomes} == {201}
    assert len({visit_id for _, visit_id, _ in outcomes}) == 1
    assert Counter(is_new for _, _, is_new in outcomes) == {True: 1, False: DESKS - 1}
    with db.transaction() as session:
        (visit,) = session.scalars(select(Visit).filter_by(person_id=patient.person_id)).all()
        assert session.scalar(select(func.count(VisitStep.id)).filter_by(visit_id=visit.id)) == DESKS
        (grant,) = session.scalars(select(Grant).filter_by(person_id=patient.person_id)).all()
        assert grant.version == DESKS


def test_a_scan_never_continues_a_visit_that_is_being_closed(committing_city: City) -> None:
    """Whichever comes first: a closed visit shares nothing, and the scan that followed has one of its own."""
    city = committing_city
    hospital, patient = city.hospital(), city.patient()
    staff = city.staff(hospital)
    outcomes: Counter[bool] = Counter()
    with ThreadPoolExecutor(2) as pool:
        for _ in range(ROUNDS):
            visit_id, code = city.visit(staff, patient, hospital), city.code(patient)
            path, together = f"/api/v1/visits/{visit_id}/close", threading.Barrier(2)

            def close(path: str = path, together: threading.Barrier = together) -> int:
                together.wait()
                return city.client.post(path, headers=bearer(staff.token)).status_code

            closing = pool.submit(close)
            together.wait()
            scanned = city.scan(staff, code, hospital)
            assert (closing.result(), scanned.status_code) == (200, 201)
            outcomes[scanned.json["visit_id"] == str(visit_id)] += 1
            with db.transaction() as session:
                shared = session.scalars(select(Grant).where(Grant.visit_id == visit_id)).all()
                assert [grant for grant in shared if grant.expires_at > clock.now()] == []
            city.client.post(f"/api/v1/visits/{scanned.json['visit_id']}/close", headers=bearer(staff.token))
    assert sum(outcomes.values()) == ROUNDS


def test_a_scan_and_a_system_that_tells_of_it_at_once_open_one_visit(committing_city: City) -> None:
    city = committing_city
    hospital, patient = city.hospital(), city.patient()
    staff = city.staff(hospital)
    city.bind_number(hospital, patient, "MZ1")
    with db.transaction() as session:
        accounts.open_mllp_port(session, SYSTEM, hospital_id=hospital.id, port=2577)

    def tell(number: int, together: threading.Barrier) -> None:
        told = adt(hospital.code, "MZ1", "A04", number=f"R{number}").replace("|20260305083000", "")
        together.wait()
        with city.app.app_context():
            (answers,) = jobs.receive_frames(2577, [told.encode()])
        assert answers is not None
        assert b"|AA|" in answers[0]

    with ThreadPoolExecutor(1) as pool:
        for number in range(ROUNDS):
            code, together = city.code(patient), threading.Barrier(2)
            telling = pool.submit(tell, number, together)
            together.wait()
            scanned = city.scan(staff, code, hospital)
            telling.result()
            with db.transaction() as session:
                open_now = select(Visit.id).filter_by(hospital_id=hospital.id, closed_at=None)
                assert [str(visit_id) for visit_id in session.scalars(open_now)] == [scanned.json["visit_id"]]
            city.client.post(f"/api/v1/visits/{scanned.json['visit_id']}/close", headers=bearer(staff.token))
