"""The MLLP listener (HL7 Minimal Lower Layer Protocol, release 1): one port a hospital, one message at a time each.

A frame is ``0x0B message 0x1C 0x0D``. The event loop only moves bytes; the work on the database is done in a small
pool of threads, so the number of connections does not decide how many transactions are open. What waits at one port
while its turn comes is taken in together. A connection reads its next message when the last one is answered, and few
at a time hold a large one: a sender that is faster than the database is slowed down by its own connection.

A port whose hospital has registered certificates speaks TLS only, and only with who proves himself by one of them.
"""

import asyncio
import resource
import threading
from asyncio import IncompleteReadError, LimitOverrunError, Server, StreamReader, StreamWriter, Task
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from core import observe
from core.config import Config
from records.hl7v2 import jobs
from records.hl7v2.gathering import Answers, Gathering
from records.hl7v2.securing import CertificateMissing, is_shown_by, secure

# What the process opens beside connections: the database, logs, what a library reads.
SPARE_FILES = 256
# Where the system sets no limit.
ENOUGH_FILES = 65_536
START = b"\x0b"
END = b"\x1c\r"

Result = TypeVar("Result")


@dataclass(frozen=True)
class Limits:
    """What a peer may do. A frame that has begun must end within ``frame_seconds``.

    ``small_bytes``: a longer frame waits until fewer than ``port_large_frames`` such of its port are held, and
    fewer than ``large_frames`` of all. ``together``: messages of one port that are taken in with one transaction.
    """

    frame_bytes: int = 4 * 1024 * 1024
    small_bytes: int = 32 * 1024
    large_frames: int = 32
    port_large_frames: int = 8
    connections: int = 10_000
    port_connections: int = 4000
    together: int = 128
    idle_seconds: float = 900.0
    frame_seconds: float = 30.0
    write_seconds: float = 30.0
    handshake_seconds: float = 10.0
    stop_seconds: float = 20.0


class BrokenFrame(Exception):
    """The peer does not speak MLLP, or not to its end, or is not who it should be."""


@dataclass
class _Port:
    """A port that is listened on, whom it lets in, and what waits there."""

    certificates: tuple[bytes, ...]
    server: Server
    gathering: Gathering
    large: asyncio.Semaphore


def serve(
    app: Flask,
    stop: threading.Event,
    *,
    limits: Limits | None = None,
    poll_seconds: float = 2.0,
    workers: int = 4,
) -> None:
    """Listen on every hospital's port until ``stop`` is set; then finish the messages in work and return.

    :param poll_seconds: how often to look whether ports were opened or closed.
    :param workers: transactions under way at the same moment.
    """
    config: Config = app.extensions["yimatong.config"]
    limits = limits or Limits(port_connections=config.mllp_port_connections)
    asyncio.run(_Listener(app, limits, workers).run(stop, poll_seconds))


def claim_files() -> int:
    """Let this process open as many files as the system allows it; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY in {soft, hard}:
        hard = ENOUGH_FILES
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return hard


async def _stop_listening(server: Server) -> None:
    """Let nobody more in.

    Who was let in at this moment joins the server before it is closed: afterwards he could not, and nobody would
    close the socket (CPython 3.11).
    """
    for listening in server.sockets:
        asyncio.get_running_loop().remove_reader(listening.fileno())
    await asyncio.sleep(0)
    server.close()


class _Listener:
    def __init__(self, app: Flask, limits: Limits, workers: int) -> None:
        self._app = app
        self._config: Config = app.extensions["yimatong.config"]
        self._limits = limits
        self._most_connections = min(limits.connections, claim_files() - SPARE_FILES)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="mllp")
        self._ports: dict[int, _Port] = {}
        # Every open connection, and whether a message of it is being worked on.
        self._connections: dict[Task[None], bool] = {}
        self._at_port: Counter[int] = Counter()
        self._large = asyncio.Semaphore(limits.large_frames)
        self._stopping = False

    async def run(self, stop: threading.Event, poll_seconds: float) -> None:
        try:
            while not stop.is_set():
                await self._follow_ports()
                await asyncio.to_thread(stop.wait, poll_seconds)
        finally:
            await self._close()

    async def _follow_ports(self) -> None:
        try:
            wanted = await self._work(jobs.list_ports)
        except SQLAlchemyError:
            observe.log.warning("mllp.database_unavailable")
            return
        for number, port in list(self._ports.items()):
            if wanted.get(number) != port.certificates:
                await _stop_listening(self._ports.pop(number).server)
        for number in wanted.keys() - self._ports.keys():
            try:
                self._ports[number] = await self._open(number, wanted[number])
            except (OSError, CertificateMissing):
                # Somebody else has the port, perhaps a worker that is about to end: looked at again soon. The same
                # when it should speak TLS and our own certificate is not there.
                observe.log.warning("mllp.port_unavailable", port=number)

    async def _open(self, number: int, certificates: tuple[bytes, ...]) -> _Port:
        context = secure(self._config, certificates) if certificates else None
        server = await asyncio.start_server(
            partial(self._serve, number),
            self._config.mllp_host,
            number,
            limit=self._limits.small_bytes,
            backlog=1024,
            ssl=context,
            ssl_handshake_timeout=self._limits.handshake_seconds if context else None,
            ssl_shutdown_timeout=self._limits.handshake_seconds if context else None,
        )
        receive = partial(self._receive, number)
        gathering = Gathering(receive, together=self._limits.together)
        return _Port(certificates, server, gathering, asyncio.Semaphore(self._limits.port_large_frames))

    async def _receive(self, number: int, frames: list[bytes]) -> list[Answers]:
        return await self._work(partial(jobs.receive_frames, number, frames))

    async def _close(self) -> None:
        self._stopping = True
        for port in self._ports.values():
            await _stop_listening(port.server)
        for connection, is_busy in list(self._connections.items()):
            if not is_busy:
                connection.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.stop_seconds):
                await self._finish()
        self._pool.shutdown()

    async def _finish(self) -> None:
        """Wait for everybody: also who is being let in at this moment begins, sees that we stop, and closes.

        A connection that is only accepted has a task of the event loop, and then one of ours: cancelled before its
        first step it would never close its socket.
        """
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)

    async def _serve(self, number: int, reader: StreamReader, writer: StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._at_port[number] += 1
        try:
            if self._has_room(number) and not self._stopping:
                self._connections[connection] = False
                await self._converse(connection, number, reader, writer)
        except (BrokenFrame, TimeoutError, OSError) as error:
            observe.log.info("mllp.peer_dropped", port=number, error=type(error).__name__)
        except asyncio.CancelledError:
            # Only _close cancels, and only a connection on which nothing is under way.
            pass
        finally:
            self._connections.pop(connection, None)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            self._at_port[number] -= 1

    def _has_room(self, number: int) -> bool:
        """Whether the connection just counted may stay: no hospital's systems take the places of another's."""
        is_full = len(self._connections) >= self._most_connections
        return not is_full and self._at_port[number] <= self._limits.port_connections

    async def _converse(self, connection: Task[None], number: int, reader: StreamReader, writer: StreamWriter) -> None:
        while not self._stopping:
            async with AsyncExitStack() as held:
                frame = await self._read_frame(number, reader, held)
                # Asked again with every message: a port that was closed, or now wants another certificate, ends here.
                port = self._ports.get(number)
                if frame is None or port is None:
                    return
                if not is_shown_by(writer, port.certificates):
                    raise BrokenFrame
                self._connections[connection] = True
                answers = await port.gathering.take_in(frame)
            if answers is None:
                return
            for answer in answers:
                writer.write(START + answer + END)
            async with asyncio.timeout(self._limits.write_seconds):
                await writer.drain()
            self._connections[connection] = False

    async def _read_frame(self, number: int, reader: StreamReader, held: AsyncExitStack) -> bytes | None:
        """The next message; None when the peer closed the connection between two, or the port was closed."""
        first = b"\r"
        while first in b"\r\n":
            async with asyncio.timeout(self._limits.idle_seconds):
                first = await reader.read(1)
            if not first:
                return None
        if first != START:
            raise BrokenFrame
        async with asyncio.timeout(self._limits.frame_seconds):
            try:
                frame = await reader.readuntil(END)
            except LimitOverrunError:
                port = self._ports.get(number)
                if port is None:
                    return None
                # First among the port's own: slow senders of one hospital hold nobody else up.
                await held.enter_async_context(port.large)
                await held.enter_async_context(self._large)
                frame = await self._read_large(reader)
            except IncompleteReadError:
                raise BrokenFrame from None
        return frame[: -len(END)]

    async def _read_large(self, reader: StreamReader) -> bytes:
        frame = bytearray()
        while len(frame) <= self._limits.frame_bytes:
            try:
                frame += await reader.readuntil(END)
            except LimitOverrunError as overrun:
                frame += await reader.readexactly(overrun.consumed)
            except IncompleteReadError:
                raise BrokenFrame from None
            else:
                return bytes(frame)
        raise BrokenFrame

    async def _work(self, act: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._in_app, act)

    def _in_app(self, act: Callable[[], Result]) -> Result:
        with self._app.app_context():
            return act()
