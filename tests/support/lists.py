"""Lists of people as an operator sends them, and the worker that takes them further."""

import csv
import io
import secrets
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from werkzeug.test import TestResponse

from core.dispatch import TryLater
from health_card.batches import jobs
from tests.support.city import City, Staff, bearer, resident_id

HEADER = ("证件类型", "证件号码", "姓名", "手机号")


def person(number: str | None = None, name: str = "测试居民甲", phone: str = "13900000001") -> list[str]:
    """A line that is in order."""
    return ["01", number or resident_id(), name, phone]


def write_list(rows: Iterable[Sequence[str]], header: Sequence[str] = HEADER, encoding: str = "utf-8") -> bytes:
    sheet = io.StringIO(newline="")
    csv.writer(sheet).writerows([header, *rows])
    return sheet.getvalue().encode(encoding)


def send(
    city: City, operator: Staff, document: bytes, *, key: str | None = None, name: str = "测试名单"
) -> TestResponse:
    return city.client.post(
        "/api/v1/operator/batches",
        query_string={"name": name},
        data=document,
        content_type="text/csv",
        headers=bearer(operator.token) | {"Idempotency-Key": key or secrets.token_hex(8)},
    )


def open_batch(city: City, operator: Staff, rows: Iterable[Sequence[str]], **options: Any) -> UUID:
    reply = send(city, operator, write_list(rows, **options))
    assert reply.status_code == 202, reply.get_data(as_text=True)
    return UUID(reply.json["batch_id"])


def work(batch_id: UUID) -> None:
    """As the worker does, until there is no more to do."""
    while True:
        try:
            jobs.issue_batch({"batch_id": str(batch_id)})
        except TryLater:
            continue
        return


def progress(city: City, operator: Staff, batch_id: UUID) -> dict[str, Any]:
    reply = city.client.get(f"/api/v1/operator/batches/{batch_id}", headers=bearer(operator.token))
    assert reply.status_code == 200
    return dict(reply.get_json())


def result(city: City, operator: Staff, batch_id: UUID) -> list[list[str]]:
    """The result file: its lines without the header."""
    reply = city.client.get(f"/api/v1/operator/batches/{batch_id}/result.csv", headers=bearer(operator.token))
    assert reply.status_code == 200, reply.get_data(as_text=True)
    return list(csv.reader(io.StringIO(reply.get_data().decode("utf-8-sig"), newline="")))[1:]
