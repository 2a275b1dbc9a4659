"""The world with its canaries, made once for each module that asks about it."""

from collections.abc import Iterator

import pytest

from core import clock
from tests.canary.asking import Asking
from tests.canary.world import World, build
from tests.conftest import SteppingClock
from tests.support.city import City


@pytest.fixture(scope="module")
def world(module_city: City) -> Iterator[World]:
    # Codes, tickets and birthdays are as they were made, however long the machine takes.
    stepping = SteppingClock()
    clock.set_clock(stepping)
    try:
        yield build(module_city, stepping)
    finally:
        clock.set_clock(None)


@pytest.fixture(scope="module")
def asking(world: World) -> Asking:
    return Asking.prepare(world)
