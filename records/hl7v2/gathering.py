"""What waits at one port is taken in together, by few transactions at a time."""

import asyncio
from asyncio import Future, Task
from collections import deque
from collections.abc import Awaitable, Callable

# The acknowledgements of a message; None: nobody is served here any more.
Answers = list[bytes] | None

# With one under way the next is gathered and prepared while the database writes; more would only split the work.
TURNS = 2


class Gathering:
    """A queue of messages. While nothing is under way a message is taken in at once, and alone.

    :param receive: takes in several, and gives the answers of each.
    :param together: at most so many at once.
    """

    def __init__(self, receive: Callable[[list[bytes]], Awaitable[list[Answers]]], *, together: int) -> None:
        self._receive = receive
        self._together = together
        self._waiting: deque[tuple[bytes, Future[Answers]]] = deque()
        self._turns: set[Task[None]] = set()

    async def take_in(self, frame: bytes) -> Answers:
        """Wait for the answers of one message."""
        answers: Future[Answers] = asyncio.get_running_loop().create_future()
        self._waiting.append((frame, answers))
        if len(self._turns) < TURNS:
            turn = asyncio.create_task(self._empty())
            self._turns.add(turn)
            turn.add_done_callback(self._turns.discard)
        return await answers

    async def _empty(self) -> None:
        while self._waiting:
            taken = [self._waiting.popleft() for _ in range(min(self._together, len(self._waiting)))]
            try:
                received = await self._receive([frame for frame, _ in taken])
            except Exception:
                # Without an answer the sender sends again: nothing is lost by closing its connection.
                received = [None] * len(taken)
            for (_, answers), found in zip(taken, received, strict=True):
                if not answers.done():
                    answers.set_result(found)
