"""However concurrently a person registers, there is one person and one card."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import func, select

from core import db
from health_card import service as health_card
from health_card.certificates import CertificateType, check_certificate
from health_card.models import Card, Person
from tests.support.city import City, bearer, resident_id

THREADS = 64
CERTIFICATES, REGISTRATIONS = 20, 400


def test_64_threads_registering_one_person_make_one_person_and_one_card(committing_city: City) -> None:
    city = committing_city
    body = {"certificate_type": "01", "certificate_number": resident_id(), "name": "张测试", "phone": "13800000001"}
    tokens = [city.login()[0] for _ in range(4)]

    def register(number: int) -> tuple[int, str]:
        headers = bearer(tokens[number % len(tokens)])
        reply = city.client.post("/api/v1/registrations", json=body, headers=headers)
        return reply.status_code, reply.json["card_id"]

    before = count_persons_and_cards()
    with ThreadPoolExecutor(THREADS) as pool:
        outcomes = list(pool.map(register, range(THREADS)))
    assert {status for status, _ in outcomes} <= {200, 201}
    assert [status for status, _ in outcomes].count(201) == 1
    assert len({card for _, card in outcomes}) == 1
    assert count_persons_and_cards() == (before[0] + 1, before[1] + 1)


def count_persons_and_cards() -> tuple[int, int]:
    with db.transaction() as session:
        return session.scalar(select(func.count(Person.id))) or 0, session.scalar(select(func.count(Card.id))) or 0


def test_400_registrations_at_once_make_one_person_and_one_card_a_certificate(committing_city: City) -> None:
    """Over 50 threads; each certificate is asked for by two logins, some of it over HTTP."""
    city = committing_city
    numbers = [resident_id() for _ in range(CERTIFICATES)]
    tokens = [[city.login()[0] for _ in range(2)] for _ in numbers]
    actors = [[city.actor(token) for token in pair] for pair in tokens]

    def register(order: int) -> tuple[int, int, str]:
        which, login = order % CERTIFICATES, order // CERTIFICATES % 2
        if order // CERTIFICATES % 10 == 0:
            return which, *register_over_http(tokens[which][login], numbers[which])
        certificate = check_certificate(CertificateType.RESIDENT_ID, numbers[which])
        details = health_card.Details("张测试", "13800000001", certificate)
        with city.app.app_context(), db.transaction() as session:
            done = health_card.register_person(session, actors[which][login], details=details)
        return which, 201 if done.is_new else 200, str(done.card.id)

    def register_over_http(token: str, number: str) -> tuple[int, str]:
        body = {"certificate_type": "01", "certificate_number": number, "name": "张测试", "phone": "13800000001"}
        reply = city.client.post("/api/v1/registrations", json=body, headers=bearer(token))
        return reply.status_code, reply.json["card_id"]

    before = count_persons_and_cards()
    with ThreadPoolExecutor(50) as pool:
        outcomes = list(pool.map(register, range(REGISTRATIONS)))
    assert Counter(status for _, status, _ in outcomes) == {201: CERTIFICATES, 200: REGISTRATIONS - CERTIFICATES}
    assert len({(which, card) for which, _, card in outcomes}) == CERTIFICATES
    assert count_persons_and_cards() == (before[0] + CERTIFICATES, before[1] + CERTIFICATES)
