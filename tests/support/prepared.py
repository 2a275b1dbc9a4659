"""Processes that a test kills, forked off this one: reading the application anew takes longer than such a test."""

import os
import signal
from collections.abc import Callable
from types import TracebackType

from core import db


class Prepared:
    """A process that waits to be started, with no connection of this one's. What is left of it ends with the block.

    Made before the test starts threads: what they hold at the moment of a fork would be held for ever in the child.
    """

    def __init__(self, run: Callable[[], None]) -> None:
        waiting, self._go = os.pipe()
        self._is_there = True
        self._process_id = os.fork()
        if self._process_id == 0:
            try:
                os.close(self._go)
                # Nothing comes when the test gave up, or was killed itself.
                if os.read(waiting, 1):
                    db.orm.engine.dispose(close=False)
                    run()
            finally:
                os._exit(1)
        os.close(waiting)

    def __enter__(self) -> "Prepared":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        os.close(self._go)
        self.kill()

    def start(self) -> None:
        os.write(self._go, b"!")

    def kill(self) -> None:
        """``kill -9``; returns when it is gone."""
        if self._is_there:
            os.kill(self._process_id, signal.SIGKILL)
            os.waitpid(self._process_id, 0)
            self._is_there = False
