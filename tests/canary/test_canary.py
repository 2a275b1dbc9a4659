"""Nobody sees anything of anybody but what he may, by whatever route; and what he may see, he sees."""

import os
import random
from collections.abc import Iterator

import pytest
from flask import Flask

from core import clock
from tests.canary.asking import NOBODY, Ask, Asking
from tests.canary.judging import Judge, set_to_show
from tests.canary.world import Member, World, build
from tests.conftest import SteppingClock
from tests.support.city import City

SEED = int(os.environ.get("CANARY_SEED", "20261122"))


@pytest.fixture(scope="module")
def world(module_city: City) -> Iterator[World]:
    # Codes, tickets and birthdays are as they were made, however long the machine takes.
    stepping = SteppingClock()
    clock.set_clock(stepping)
    world = build(module_city)
    world.clock = stepping
    yield world
    clock.set_clock(None)


@pytest.fixture(scope="module")
def asking(world: World) -> Asking:
    return Asking.prepare(world)


Case = tuple[str, Ask, Member]


def plan(asking: Asking, *, shown: int, allowed: int, refused: int) -> list[Case]:
    """So many cases of each route by those who may ask it, and by those who may not; drawn, but always the same."""
    chance, cases = random.Random(SEED), []
    principals = sorted([*asking.world.tokens, NOBODY])
    for rule in asking.rules():
        asks = [(ask, member) for member in asking.world.cast.values() for ask in asking.asks(rule, member)]
        may = [who for who in principals if asking.may(who, rule)]
        others = [who for who in principals if who not in may]
        for among, most in ((may, allowed), (others, refused)):
            every = [(who, ask, member) for who in among for ask, member in asks]
            positive = [case for case in every if case[0] in may and set_to_show(asking.world, *case)]
            cases += positive if len(positive) <= shown else chance.sample(positive, shown)
            cases += every if len(every) <= most else chance.sample(every, most)
    return cases


def test_nobody_sees_what_he_may_not(app: Flask, asking: Asking) -> None:
    judge = Judge(asking, asking.world.clock)
    import time
    a=time.process_time()
    import cProfile, pstats
    pr=cProfile.Profile()
    if os.environ.get("PROF"): pr.enable()
    with judge.listening():
        for number, (who, ask, member) in enumerate(plan(asking, shown=8, allowed=int(os.environ.get("ALLOWED","4")), refused=6)):
            judge.judge(who, ask, member, number=number)
    if os.environ.get("PROF"):
        pr.disable(); pstats.Stats(pr).sort_stats("cumtime").print_stats(70)
    print(f"seed {SEED}: {dict(judge.counts)}", time.process_time()-a)
    print("\n".join(f"{fault} | {told}" for fault, told in sorted(judge.faults.items())))
    assert judge.faults == {}
    assert judge.counts["cases"] >= 5_000
