"""One simulated WeChat for these tests, and a platform that asks it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.config import Config
from simulator.running import Running, running
from tests.support.city import City


@pytest.fixture(scope="session")
def wechat(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    state: Path = tmp_path_factory.mktemp("wechat")
    names = ("WECHAT", "SIMULATOR")
    told = {name: value for name, value in environment.items() if name.startswith(names)}
    with running(state, told) as simulator:
        yield simulator


@pytest.fixture
def patients_city(city: City, wechat: Running, config: Config, monkeypatch: pytest.MonkeyPatch) -> City:
    """A city whose platform finds WeChat at the simulator's address."""
    reachable = replace(config, wechat_base_url=wechat.base_url)
    monkeypatch.setitem(city.app.extensions, "yimatong.config", reachable)
    wechat.control.clear_faults()
    return city
