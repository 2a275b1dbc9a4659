"""The same intent sent twice has one effect and one reply."""

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from core import db, outbox
from core.errors import IdempotencyKeyMissing, IdempotencyKeyReused, NotSignedIn
from core.idempotency import check_key, do_once
from core.ids import new_id
from core.outbox import OutboxMessage


class Till:
    """Does one effect (a row) each time it is really asked."""

    def __init__(self) -> None:
        self.owner, self.topic = new_id(), f"tests.{secrets.token_hex(8)}"

    def ask(self, key: str, owner: UUID | None = None, **request: Any) -> tuple[dict[str, Any], bool]:
        with db.transaction() as session:

            def act() -> dict[str, Any]:
                outbox.announce(session, self.topic, request)
                return {"z": secrets.token_hex(8), "a": [1, {"b": None}], "amount_fen": 12_345}

            return do_once(
                session, owner_id=owner or self.owner, operation="tests.buy", key=key, request=request, act=act
            )

    @property
    def effects(self) -> int:
        with db.transaction() as session:
            return session.query(OutboxMessage).filter_by(topic=self.topic).count()


def test_a_replay_is_identical_and_has_no_effect(app: Flask) -> None:
    till = Till()
    first, was_replay = till.ask("key-00000001", amount_fen=1)
    assert not was_replay
    assert [till.ask("key-00000001", amount_fen=1) for _ in range(3)] == [(first, True)] * 3
    assert till.effects == 1


@pytest.mark.parametrize("other", [{"amount_fen": 2}, {"amount_fen": "1"}, {}, {"amount_fen": 1, "note": None}])
def test_the_same_key_with_another_request_is_refused(app: Flask, other: dict[str, Any]) -> None:
    till = Till()
    till.ask("key-00000001", amount_fen=1)
    with pytest.raises(IdempotencyKeyReused) as refused:
        till.ask("key-00000001", **other)
    assert refused.value.code == "core.idempotency_key_reused"
    assert till.effects == 1


def test_another_key_or_another_owner_is_another_intent(app: Flask) -> None:
    till = Till()
    replies = [till.ask("key-00000001"), till.ask("key-00000002"), till.ask("key-00000001", owner=new_id())]
    assert [was_replay for _, was_replay in replies] == [False] * 3
    assert till.effects == 3


def test_a_refused_act_leaves_the_key_free(app: Flask) -> None:
    till = Till()

    def refuse() -> dict[str, Any]:
        raise NotSignedIn

    with pytest.raises(NotSignedIn), db.transaction() as session:
        do_once(session, owner_id=till.owner, operation="tests.buy", key="key-00000001", request={}, act=refuse)
    assert till.ask("key-00000001")[1] is False


def test_20_threads_with_one_key_have_one_effect_and_one_reply(committing_app: Flask) -> None:
    till, together = Till(), threading.Barrier(20)

    def ask(_: int) -> tuple[dict[str, Any], bool]:
        with committing_app.app_context():
            together.wait()
            return till.ask("key-00000001", amount_fen=1)

    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(ask, range(20)))
    assert [was_replay for _, was_replay in outcomes].count(False) == 1
    assert len({reply["z"] for reply, _ in outcomes}) == 1
    assert till.effects == 1


@pytest.mark.parametrize(
    "key", [None, "", "short", "a" * 129, "with space", "密钥密钥密钥密钥", "tab\ttab\ttab", "nul\0nul\0nul"]
)
def test_a_key_has_8_to_128_printable_characters(key: str | None) -> None:
    with pytest.raises(IdempotencyKeyMissing) as refused:
        check_key(key)
    assert refused.value.code == "core.idempotency_key_missing"
    assert check_key("!" * 8) == "!" * 8
    assert check_key("~" * 128) == "~" * 128
