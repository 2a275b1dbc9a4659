"""A platform with a simulated WeChat and real-name source, and its worker."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask
from sqlalchemy import delete, select, update

from accounts import service as accounts
from core import clock, db
from core.config import Config, MessageTemplate, RealNameAccess
from core.dispatch import Dispatcher
from core.outbox import OutboxMessage
from health_card.notices import jobs as notice_jobs
from health_card.realname import jobs as real_name_jobs
from simulator.control import Control
from simulator.running import Running, running
from tests.support.city import City, Patient

TEMPLATE = "tests-template-of-all-kinds"
CLIENT_ID = "tests-platform"


@dataclass(frozen=True)
class Outside:
    """The simulated world, and the key under which its real-name source knows the platform."""

    running: Running
    real_name_key: str

    @property
    def control(self) -> Control:
        return self.running.control

    @property
    def access(self) -> RealNameAccess:
        return RealNameAccess(self.running.base_url, CLIENT_ID, self.real_name_key)


@pytest.fixture(scope="session")
def outside_world(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    state: Path = tmp_path_factory.mktemp("outside")
    key = new_key()
    told = environment | {"REALNAME_CLIENT_ID": CLIENT_ID, "REALNAME_KEY": key}
    with running(state, told) as simulator:
        yield Outside(simulator, key)


@pytest.fixture
def outside(outside_world: Outside) -> Iterator[Outside]:
    """The shared world, healthy and trusted before the test and after it."""
    _make_healthy(outside_world)
    yield outside_world
    _make_healthy(outside_world)


def _make_healthy(world: Outside) -> None:
    world.control.clear_faults()
    world.control.agree_again()
    notice_jobs.circuit.close()
    real_name_jobs.circuit.close()


@dataclass(frozen=True)
class Town:
    """A city whose platform reaches the outside world."""

    city: City
    app: Flask
    control: Control

    def work(self) -> int:
        """The worker does what is due."""
        return Dispatcher(self.app, {**notice_jobs.HANDLERS, **real_name_jobs.HANDLERS}).run_due()

    def messages(self, topic: str) -> list[OutboxMessage]:
        with db.transaction() as session:
            found = session.scalars(select(OutboxMessage).filter_by(topic=topic).order_by(OutboxMessage.id)).all()
            session.expunge_all()
            return list(found)

    def make_due(self, topic: str) -> None:
        """The wait after a failure has passed."""
        notice_jobs.circuit.close()
        real_name_jobs.circuit.close()
        with db.transaction() as session:
            session.execute(
                update(OutboxMessage).where(OutboxMessage.topic == topic).values(due_at=clock.now(), done_at=None)
            )

    def openid(self, login_id: UUID) -> str:
        with db.transaction() as session:
            return accounts.get_openid(session, login_id)

    def accept(self, patient: Patient, *, times: int = 100) -> str:
        """WeChat knows the patient's phone, and it takes messages; returns its openid."""
        openid = self.openid(patient.actor.id)
        self.control.mint_code(openid)
        self.control.accept_messages(openid, TEMPLATE, times=times)
        return openid

    def configure(self, **changes: Any) -> None:
        """The platform is told something else from now on; the fixture puts it right again."""
        told = self.app.extensions["yimatong.config"]
        self.app.extensions["yimatong.config"] = replace(told, **changes)


@pytest.fixture
def town(city: City, outside: Outside, config: Config, monkeypatch: pytest.MonkeyPatch) -> Town:
    data = {"thing1": "title", "thing2": "hospital", "time3": "time"}
    reachable = replace(
        config,
        wechat_base_url=outside.running.base_url,
        wechat_templates={"*": MessageTemplate(TEMPLATE, data)},
        realname=outside.access,
    )
    monkeypatch.setitem(city.app.extensions, "yimatong.config", reachable)
    with db.transaction() as session:
        # Races have left messages of theirs; the rollback after the test puts them back.
        session.execute(delete(OutboxMessage))
    return Town(city, city.app, outside.control)


def new_key() -> str:
    """An Ed25519 private key, PKCS#8 PEM."""
    private = Ed25519PrivateKey.generate()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
