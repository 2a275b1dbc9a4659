"""Batches through the interface: sending, looking after, reading the result."""

import pytest
from sqlalchemy import func, select

from accounts.models import Role
from core import db
from health_card.batches import issuing, jobs, reading, service
from health_card.batches.models import CardBatch
from tests.conftest import SteppingClock
from tests.support.city import City, bearer
from tests.support.lists import HEADER, open_batch, person, progress, result, send, work, write_list

PATH = "/api/v1/operator/batches"


def count_batches() -> int:
    with db.transaction() as session:
        return session.scalar(select(func.count(CardBatch.id))) or 0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_list_is_taken_in_the_encodings_of_spreadsheets(city: City, encoding: str) -> None:
    operator = city.staff(None, Role.OPERATOR)
    reply = send(city, operator, write_list([person(name="测试喆堃"), [], person()], encoding=encoding))
    assert (reply.status_code, reply.json["rows_total"]) == (202, 2)
    batch_id = reply.json["batch_id"]
    assert progress(city, operator, batch_id)["state"] == "running"
    work(batch_id)
    shown = progress(city, operator, batch_id)
    assert (shown["state"], shown["rows_done"], shown["rows_made"]) == ("done", 2, 2)
    assert [row[0] for row in result(city, operator, batch_id)] == ["2", "4"]


def test_english_headers_and_cells_over_several_lines(city: City) -> None:
    operator = city.staff(None, Role.OPERATOR)
    header = ("address", "NAME", "certificate_number", "certificate_type", "phone")
    kind, number, name, phone = person()
    rows = [["a\nb", name, number, kind, phone], ["测试路2号", name, person()[1], "居民身份证", phone]]
    batch_id = open_batch(city, operator, rows, header=header)
    work(batch_id)
    outcome = result(city, operator, batch_id)
    assert [(row[0], row[1]) for row in outcome] == [("2", "未发卡"), ("4", "已发卡")]
    assert outcome[0][5] == "地址"


@pytest.mark.parametrize(
    ("document", "code", "members"),
    [
        (b"", "health_card.batch_unreadable", {}),
        (write_list([]), "health_card.batch_unreadable", {}),
        (b"\xff\xfe\x00\x01", "health_card.batch_unreadable", {}),
        (write_list([person()]) + b'"never closed', "health_card.batch_unreadable", {}),
        (
            write_list([person()], header=["证件类型", "证件号码", "姓名", "电话号"]),
            "health_card.batch_header_unknown",
            {"missing": ["phone"], "unknown": [4]},
        ),
        (
            write_list([person()], header=[*HEADER[:3], "姓名"]),
            "health_card.batch_header_unknown",
            {"missing": ["phone"], "unknown": [4]},
        ),
    ],
    # The documents are random, the names of the tests are not.
    ids=["nothing", "no lines", "no text", "an open quote", "a wrong header", "a header twice"],
)
def test_what_cannot_be_read_is_refused_at_once(
    city: City, document: bytes, code: str, members: dict[str, object]
) -> None:
    before = count_batches()
    reply = send(city, city.staff(None, Role.OPERATOR), document)
    assert (reply.status_code, reply.json["code"]) == (422, code)
    assert {name: reply.json.get(name) for name in members} == members
    assert count_batches() == before


def test_a_list_that_is_too_long_is_refused(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_ROWS", 2)
    reply = send(city, city.staff(None, Role.OPERATOR), write_list([person()] * 3))
    assert (reply.status_code, reply.json["code"]) == (422, "health_card.batch_too_long")


def test_bigger_bodies_are_taken_here_and_nowhere_else(city: City) -> None:
    operator = city.staff(None, Role.OPERATOR)
    padded = write_list([person()]) + (b" " * 999 + b"\n") * (5 * 1024)
    assert send(city, operator, padded).status_code == 202
    refused = city.client.post(
        "/api/v1/registrations",
        data=padded,
        content_type="application/json",
        headers=bearer(city.login()[0]),
    )
    assert refused.status_code == 413
    too_big = city.client.post(
        PATH,
        data=b"never read",
        environ_overrides={"CONTENT_LENGTH": str(reading.LARGEST_BYTES + 1)},
        content_type="text/csv",
        headers=bearer(operator.token) | {"Idempotency-Key": "too-big-a-list"},
    )
    assert too_big.status_code == 413


def test_one_key_is_one_batch(city: City) -> None:
    operator, document = city.staff(None, Role.OPERATOR), write_list([person()])
    first = send(city, operator, document, key="the-same-key")
    again = send(city, operator, document, key="the-same-key")
    other = send(city, operator, write_list([person()]), key="the-same-key")
    assert first.json == again.json
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.json["code"]) == (409, "core.idempotency_key_reused")


def test_only_operators_may_see_and_send(city: City) -> None:
    registrar, patient = city.staff(city.hospital(), Role.REGISTRAR), city.patient()
    batch_id = open_batch(city, city.staff(None, Role.OPERATOR), [person()])
    for token in (registrar.token, patient.token):
        for path in (PATH, f"{PATH}/{batch_id}", f"{PATH}/{batch_id}/result.csv", f"{PATH}/{batch_id}/refused-rows"):
            assert city.client.get(path, headers=bearer(token)).status_code == 403
    assert send(city, registrar, write_list([person()])).status_code == 403


def test_a_batch_is_paused_resumed_and_cancelled(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuing, "CHUNK_ROWS", 2)
    operator = city.staff(None, Role.OPERATOR)
    batch_id = open_batch(city, operator, [person() for _ in range(6)])

    def act(name: str) -> tuple[int, str]:
        reply = city.client.post(f"{PATH}/{batch_id}/{name}", headers=bearer(operator.token))
        return reply.status_code, reply.json.get("state") or reply.json["code"]

    next(jobs.issue_chunks(batch_id))
    assert act("pause") == (200, "paused")
    assert act("pause") == (200, "paused")
    work(batch_id)
    assert progress(city, operator, batch_id)["rows_done"] == 2
    early = city.client.get(f"{PATH}/{batch_id}/result.csv", headers=bearer(operator.token))
    assert (early.status_code, early.json["code"]) == (409, "health_card.batch_under_way")
    assert act("resume") == (200, "running")
    next(jobs.issue_chunks(batch_id))
    assert act("cancel") == (200, "cancelled")
    work(batch_id)
    assert progress(city, operator, batch_id)["rows_done"] == 4
    assert len(result(city, operator, batch_id)) == 4
    for name in ("pause", "resume", "cancel"):
        assert act(name) == (409, "health_card.batch_has_ended")


def test_a_chunk_read_before_a_cancellation_is_not_written_after_it(city: City) -> None:
    operator = city.staff(None, Role.OPERATOR)
    batch_id = open_batch(city, operator, [person()])
    with db.snapshot() as session:
        batch = issuing.find_running(session, batch_id)
        assert batch is not None
    chunk = issuing.read_chunk(batch, offset=batch.next_offset, line=batch.next_line)
    city.client.post(f"{PATH}/{batch_id}/cancel", headers=bearer(operator.token))
    with db.transaction() as session:
        assert not issuing.issue_chunk(session, chunk=chunk)
    assert progress(city, operator, batch_id)["rows_done"] == 0


def test_refused_lines_come_in_pages(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PAGE", 2)
    operator = city.staff(None, Role.OPERATOR)
    batch_id = open_batch(city, operator, [person(number="123456") for _ in range(3)])
    work(batch_id)
    path, headers = f"{PATH}/{batch_id}/refused-rows", bearer(operator.token)
    first = city.client.get(path, headers=headers).json["rows"]
    rest = city.client.get(path, query_string={"after": first[-1]["line"]}, headers=headers).json["rows"]
    assert [row["line"] for row in first + rest] == [2, 3, 4]
    assert first[0]["code"] == "health_card.certificate_invalid"
    assert first[0]["title"] == "证件号码不正确,请核对"


def test_batches_come_newest_first_in_pages(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PAGE", 2)
    operator = city.staff(None, Role.OPERATOR)
    sent = [str(open_batch(city, operator, [person()])) for _ in range(3)]
    headers = bearer(operator.token)
    first = city.client.get(PATH, headers=headers).json["batches"]
    rest = city.client.get(PATH, query_string={"before": first[-1]["batch_id"]}, headers=headers).json["batches"]
    assert [batch["batch_id"] for batch in first + rest][:3] == sent[::-1]


def test_the_result_is_there_for_thirty_days(city: City, stepping_clock: SteppingClock) -> None:
    operator = city.staff(None, Role.OPERATOR)
    batch_id = open_batch(city, operator, [person()])
    work(batch_id)
    assert len(result(city, operator, batch_id)) == 1
    stepping_clock.forward(days=30)
    reader = city.staff(None, Role.OPERATOR)
    late = city.client.get(f"{PATH}/{batch_id}/result.csv", headers=bearer(reader.token))
    assert (late.status_code, late.json["code"]) == (410, "health_card.batch_result_expired")


def test_nobody_knows_a_batch_that_is_not_there(city: City) -> None:
    headers = bearer(city.staff(None, Role.OPERATOR).token)
    path = f"{PATH}/01930000-0000-7000-8000-000000000000"
    replies = [
        city.client.get(path, headers=headers),
        city.client.get(f"{path}/result.csv", headers=headers),
        city.client.get(f"{path}/refused-rows", headers=headers),
        city.client.post(f"{path}/pause", headers=headers),
    ]
    assert {(reply.status_code, reply.json["code"]) for reply in replies} == {(404, "health_card.batch_not_found")}
