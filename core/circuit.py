"""A rest for an outside system that is silent: whoever asks it waits for its timeout, and all work behind him too."""

import time


class Circuit:
    """Whether an outside system is worth asking now, as this process knows it."""

    def __init__(self, rest_seconds: float) -> None:
        self._rest_seconds = rest_seconds
        self._rests_until = 0.0

    @property
    def is_open(self) -> bool:
        """It was silent a moment ago: do not ask."""
        return time.monotonic() < self._rests_until

    def trip(self) -> None:
        """It was silent just now."""
        self._rests_until = time.monotonic() + self._rest_seconds

    def close(self) -> None:
        """Forget what was: the next one asks."""
        self._rests_until = 0.0
