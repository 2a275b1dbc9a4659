"""Desks and phones at the same moment: one living card, one owner of a certificate, one of a carrier."""

import time
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from core import db
from health_card.certificates import CertificateType, check_certificate
from health_card.corrections.models import PersonChange
from health_card.models import Card, CertificateState, PersonCertificate
from health_card.service.identities import certificate_index, lock_person
from tests.support.city import City, bearer, resident_id
from tests.support.desks import Desk, refused

THREADS = 16


def test_however_often_a_card_is_issued_anew_at_once_one_lives(committing_city: City) -> None:
    city = committing_city
    patient, desk = city.patient(), Desk(city)
    path = desk.open(patient)

    def reissue(number: int) -> tuple[int, str]:
        if number % 2:
            reply = desk.post(f"{path}/cards/{patient.card_id}/reissue")
        else:
            url = f"/api/v1/cards/{patient.card_id}/reissue"
            reply = city.client.post(url, headers=bearer(patient.token))
        return reply.status_code, reply.json.get("code", "")

    with ThreadPoolExecutor(THREADS) as pool:
        outcomes = list(pool.map(reissue, range(THREADS)))
    assert sorted(set(outcomes)) == [(201, ""), (409, "health_card.card_replaced")]
    assert outcomes.count((201, "")) == 1
    with db.transaction() as session:
        theirs = select(func.count(Card.id)).where(Card.person_id == patient.person_id)
        assert session.scalar(theirs) == 2
        assert session.scalar(theirs.where(Card.replaced_at.is_(None))) == 1


def test_of_cancelling_and_restoring_at_once_each_follows_the_other(committing_city: City) -> None:
    city = committing_city
    patient = city.patient()

    def change(name: str) -> int:
        path = f"/api/v1/cards/{patient.card_id}/{name}"
        return city.client.post(path, headers=bearer(patient.token)).status_code

    with ThreadPoolExecutor(THREADS) as pool:
        outcomes = list(pool.map(change, ["report-lost"] * THREADS))
    assert (outcomes.count(200), outcomes.count(409)) == (1, THREADS - 1)
    with db.transaction() as session:
        assert session.get_one(Card, patient.card_id).epoch == 1


def test_a_number_that_desks_add_and_a_phone_registers_at_once_is_one_persons(committing_city: City) -> None:
    city = committing_city
    number = f"E{resident_id()[-8:-1]}9"
    desks = [Desk(city) for _ in range(4)]
    paths = [desk.open(city.patient()) for desk in desks]
    body = {"certificate_type": "03", "certificate_number": number}
    token, _ = city.login()

    def claim(at: int) -> str:
        if at == len(desks):
            details = {"name": "李测试", "phone": "13800000009", "sex": "male", "birth_date": "1985-04-12"}
            reply = city.client.post("/api/v1/registrations", json=body | details, headers=bearer(token))
        else:
            reply = desks[at].post(f"{paths[at]}/certificates", body | {"reason": "added"})
        return "" if reply.status_code in {200, 201} else refused(reply)[1]

    with ThreadPoolExecutor(THREADS) as pool:
        outcomes = list(pool.map(claim, range(len(desks) + 1)))
    assert outcomes.count("") == 1
    assert set(outcomes) - {""} <= {"health_card.certificate_of_another", "health_card.person_details_differ"}
    with db.transaction() as session:
        index = certificate_index(check_certificate(CertificateType.PASSPORT, number))
        rows = session.scalars(select(PersonCertificate.state).filter_by(number_index=index)).all()
    assert rows == [CertificateState.CURRENT]


def test_a_carrier_that_desks_bind_at_once_is_one_persons(committing_city: City) -> None:
    city = committing_city
    body = {"kind": "resident_health_card", "number": resident_id()}
    desks = [Desk(city) for _ in range(4)]
    paths = [desk.open(city.patient()) for desk in desks]

    def bind(at: int) -> tuple[int, str]:
        reply = desks[at].post(f"{paths[at]}/carriers", body)
        return reply.status_code, reply.json.get("code", "")

    with ThreadPoolExecutor(THREADS) as pool:
        outcomes = list(pool.map(bind, range(len(desks))))
    assert sorted(outcomes) == [(201, ""), *[(409, "health_card.carrier_taken")] * 3]


def test_a_correction_waits_for_a_merge_and_goes_to_the_record_that_stands_then(committing_city: City) -> None:
    city = committing_city
    one, into, desk = city.patient(), city.patient("李测试"), Desk(city)
    path = desk.open(one)
    with ThreadPoolExecutor(1) as pool:
        with db.transaction() as session:
            lock_person(session, one.person_id).root_id = into.person_id
            session.flush()
            waiting = pool.submit(desk.post, f"{path}/corrections", {"reason": "changed", "name": "王测试"})
            wait_for_a_lock(session)
        assert waiting.result().json == {"changed": ["name"]}
    with db.snapshot() as session:
        changed = session.scalars(select(PersonChange.person_id).where(PersonChange.look_up_id == path.split("/")[2]))
        assert list(changed) == [into.person_id]


def wait_for_a_lock(session: Session) -> None:
    """Until some other session waits for what this one holds."""
    blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    gives_up_at = time.monotonic() + 60
    while not session.scalar(text(blocked)):
        assert time.monotonic() < gives_up_at, "nobody waits"
