"""Batches and single registrations at the same moment: one person, one card; two workers, each line once."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import func, select

from accounts.models import Role
from core import db
from core.dispatch import TryLater
from health_card.batches import issuing, jobs
from health_card.batches.models import CardBatchRow
from health_card.models import Card, Person
from tests.support.city import City, bearer, resident_id
from tests.support.lists import open_batch, person, progress, result


def count_persons_and_cards() -> tuple[int, int]:
    with db.transaction() as session:
        return session.scalar(select(func.count(Person.id))) or 0, session.scalar(select(func.count(Card.id))) or 0


def test_batches_and_phones_registering_the_same_people_make_each_once(
    committing_city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuing, "CHUNK_ROWS", 20)
    city = committing_city
    operator = city.staff(None, Role.OPERATOR)
    numbers = [resident_id() for _ in range(40)]
    # In opposite orders: who locked as the lines come would wait in a circle.
    batches = [open_batch(city, operator, [person(number) for number in order]) for order in (numbers, numbers[::-1])]
    phones = [(number, city.login()[0]) for number in numbers[::2]]

    def register(phone: tuple[str, str]) -> int:
        number, token = phone
        body = {"certificate_type": "01", "certificate_number": number, "name": "测试居民甲", "phone": "13900000001"}
        return city.client.post("/api/v1/registrations", json=body, headers=bearer(token)).status_code

    def work_on(batch_id: UUID) -> int:
        with city.app.app_context():
            for _ in jobs.issue_chunks(batch_id):
                pass
        return 200

    before = count_persons_and_cards()
    with ThreadPoolExecutor(8) as pool:
        tasks = [pool.submit(work_on, batch_id) for batch_id in batches]
        tasks += [pool.submit(register, phone) for phone in phones]
        assert {task.result() for task in tasks} <= {200, 201}
    assert count_persons_and_cards() == (before[0] + 40, before[1] + 40)
    outcomes = [result(city, operator, batch_id) for batch_id in batches]
    assert {row[2] for row in outcomes[0]} == {row[2] for row in outcomes[1]}
    assert {row[1] for rows in outcomes for row in rows} <= {"已发卡", "已有卡"}


def test_two_workers_do_each_line_of_a_batch_once(committing_city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuing, "CHUNK_ROWS", 5)
    city = committing_city
    operator = city.staff(None, Role.OPERATOR)
    batch_id = open_batch(city, operator, [person() for _ in range(60)])

    def work_on(_: int) -> None:
        with city.app.app_context():
            while True:
                try:
                    jobs.issue_batch({"batch_id": str(batch_id)})
                except TryLater:
                    continue
                return

    before = count_persons_and_cards()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work_on, range(4)))
    assert count_persons_and_cards() == (before[0] + 60, before[1] + 60)
    with db.transaction() as session:
        lines = session.scalars(select(CardBatchRow.line).filter_by(batch_id=batch_id)).all()
    assert sorted(lines) == list(range(2, 62))
    assert progress(city, operator, batch_id)["rows_made"] == 60
