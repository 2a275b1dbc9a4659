"""Desk scans a second: the product, and beside it the same work in one hand-written statement (bench/bare.py)."""

import json
import random
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from app import create_app
from bench.harness import Figure, Machines, Round, Settings, alternate, machines
from bench.town import Desk, Town, make_town
from core import db
from core.config import read_config

PATH = "/api/v1/desk/scans"
_WARM_UP_SECONDS, _WARM_UP_REQUESTS = 1.0, 3000


def measure(settings: Settings) -> list[Figure]:
    """Requests a second, latencies and CPU a request; every request redeems a fresh code."""
    with tempfile.TemporaryDirectory(prefix="yimatong-bench-") as name, machines(Path(name) / "servers") as running:
        town = _make_town(running, settings)
        bare_url = running.copy_database("bare")
        running.serve("product", "app:create_app", database_url=running.product_url, ready="/readyz")
        running.serve("bare", "bench.bare:create_app", database_url=bare_url, ready="/healthz")
        chance = random.Random(settings.seed)
        contenders = {name: _contender(running, name, town, chance, settings) for name in ("product", "bare")}
        return alternate("desk_scan", contenders, settings.rounds)


def prepare_requests(town: Town, chance: random.Random, count: int) -> list[str]:
    """So many scans at random desks of random cards, each with a code of its own that was made just now."""
    return [_request(town.show_code(chance.choice(town.card_numbers)), chance.choice(town.desks)) for _ in range(count)]


def scan_body(code: str, desk: Desk) -> dict[str, str]:
    """What a desk sends."""
    return {"code": code, "medical_step": "010101", "department": "0300", "terminal": desk.terminal}


def _make_town(running: Machines, settings: Settings) -> Town:
    config = read_config(running.environment)
    with create_app(config).app_context():
        town = make_town(config, persons=settings.persons, seed=settings.seed)
        db.orm.session.remove()
        db.orm.engine.dispose()
    return town


def _contender(
    running: Machines, name: str, town: Town, chance: random.Random, settings: Settings
) -> Callable[[], Round]:
    """Warm the server up, and learn how many codes a round will need: they live for a minute only."""
    warm_up = replace(settings, seconds=_WARM_UP_SECONDS)
    seen = running.measure(name, prepare_requests(town, chance, _WARM_UP_REQUESTS), warm_up, expected_status=201)
    enough = int(seen["per_second"] * settings.seconds * 2) + 100

    def one_round() -> Round:
        requests = prepare_requests(town, chance, enough)
        return running.measure(name, requests, settings, expected_status=201)

    return one_round


def _request(code: str, desk: Desk) -> str:
    body = json.dumps(scan_body(code, desk))
    head = (
        f"POST {PATH} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {desk.token}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*head, "", body))
