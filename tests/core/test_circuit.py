"""An outside system that was silent is left alone for a while."""

import time

import pytest

from core.circuit import Circuit


def test_it_rests_for_its_time_after_a_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: seconds[0])
    tried = Circuit(rest_seconds=30)
    seen = [tried.is_open]
    tried.trip()
    for passed in (29.9, 0.2):
        seconds[0] += passed
        seen.append(tried.is_open)
    assert seen == [False, True, False]


def test_it_can_be_made_to_forget() -> None:
    tried = Circuit(rest_seconds=30)
    tried.trip()
    tried.close()
    assert not tried.is_open
