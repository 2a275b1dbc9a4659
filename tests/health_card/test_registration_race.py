"""However concurrently a person registers, there is one person and one card."""

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import func, select

from core import db
from health_card.models import Card, Person
from tests.support.city import City, bearer, resident_id

THREADS = 64


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
