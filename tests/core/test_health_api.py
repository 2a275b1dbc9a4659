"""Up, ready, and how it is doing."""

import socket
from dataclasses import replace

import pytest
from flask import Flask

from app import create_app
from core import keys, limits, vault
from core.config import Config


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def test_up_and_ready(app: Flask) -> None:
    assert app.test_client().get("/healthz").text == "ok\n"
    assert app.test_client().get("/readyz").text == "ready\n"


def test_not_ready_while_redis_is_away(
    app: Flask, config: Config, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = replace(config, redis_url=f"redis://127.0.0.1:{closed_port}/0")
    monkeypatch.setitem(app.extensions, "yimatong.config", away)
    reply = app.test_client().get("/readyz")
    assert (reply.status_code, reply.json["code"]) == (503, "core.not_ready")
    assert reply.json["waiting_for"] == ["redis"]
    assert app.test_client().get("/healthz").status_code == 200


def test_not_ready_while_the_database_is_away(migrated_app: Flask, config: Config, closed_port: int) -> None:
    away = replace(config, database_url=f"postgresql+psycopg://u:p@127.0.0.1:{closed_port}/x")
    app = create_app(away)
    try:
        reply = app.test_client().get("/readyz")
        assert (reply.status_code, reply.json["waiting_for"]) == (503, ["database"])
        assert "127.0.0.1:" + str(closed_port) not in reply.text
        assert app.test_client().get("/healthz").status_code == 200
        signing_in = app.test_client().post("/api/v1/staff/sessions", json={"username": "u", "password": "p"})
        assert (signing_in.status_code, signing_in.json["code"]) == (503, "core.database_unavailable")
    finally:
        vault.configure(config)
        limits.configure(config)
        keys.forget_rings()


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", "Basic {token}", "Bearer {token}x", "令牌"])
def test_metrics_are_hidden_from_everybody(app: Flask, config: Config, header: str | None) -> None:
    headers = {"Authorization": header.format(token=config.metrics_token)} if header is not None else {}
    reply = app.test_client().get("/metrics", headers=headers)
    assert (reply.status_code, reply.json["code"]) == (404, "core.metrics_hidden")


def test_metrics_for_the_operator(app: Flask, config: Config) -> None:
    app.test_client().get("/healthz")
    app.test_client().open("/healthz", method="INVENTED")
    reply = app.test_client().get("/metrics", headers={"Authorization": f"Bearer {config.metrics_token}"})
    assert reply.status_code == 200
    assert 'yimatong_requests_total{method="GET",route="/healthz",status="200"}' in reply.text
    assert 'method="(other)"' in reply.text
    assert "INVENTED" not in reply.text
