"""The MLLP listener (HL7 Minimal Lower Layer Protocol, release 1): one port a hospital, one message at a time each.

A frame is ``0x0B message 0x1C 0x0D``. The event loop only moves bytes; the work on the database is done in a small
pool of threads, so the number of connections does not decide how many transactions are open.
"""

import asyncio
import threading
from asyncio import IncompleteReadError, LimitOverrunError, Server, StreamReader, StreamWriter, Task
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from core import observe
from core.config import Config
from records.hl7v2 import jobs

START = b"\x0b"
END = b"\x1c\r"

Result = TypeVar("Result")


@dataclass(frozen=True)
class Limits:
    """What a peer may do. A frame that has begun must end within ``frame_seconds``."""

    frame_bytes: int = 1024 * 1024
    connections: int = 1000
    idle_seconds: float = 900.0
    frame_seconds: float = 30.0
    write_seconds: float = 30.0
    stop_seconds: float = 20.0


class BrokenFrame(Exception):
    """The peer does not speak MLLP, or not to its end."""


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
    :param workers: messages worked on at the same moment.
    """
    asyncio.run(_Listener(app, limits or Limits(), workers).run(stop, poll_seconds))


class _Listener:
    def __init__(self, app: Flask, limits: Limits, workers: int) -> None:
        config: Config = app.extensions["yimatong.config"]
        self._app = app
        self._host = config.mllp_host
        self._limits = limits
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="mllp")
        self._servers: dict[int, Server] = {}
        # Every open connection, and whether a message of it is being worked on.
        self._connections: dict[Task[None], bool] = {}
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
        for port in self._servers.keys() - wanted:
            self._servers.pop(port).close()
        for port in wanted - self._servers.keys():
            try:
                self._servers[port] = await asyncio.start_server(
                    partial(self._serve, port), self._host, port, limit=self._limits.frame_bytes
                )
            except OSError:
                # Somebody else has the port, perhaps a worker that is about to end: looked at again soon.
                observe.log.warning("mllp.port_unavailable", port=port)

    async def _close(self) -> None:
        self._stopping = True
        for server in self._servers.values():
            server.close()
        for connection, is_busy in list(self._connections.items()):
            if not is_busy:
                connection.cancel()
        if self._connections:
            await asyncio.wait(list(self._connections), timeout=self._limits.stop_seconds)
        self._pool.shutdown()

    async def _serve(self, port: int, reader: StreamReader, writer: StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        try:
            if len(self._connections) < self._limits.connections and not self._stopping:
                self._connections[connection] = False
                await self._converse(connection, port, reader, writer)
        except (BrokenFrame, TimeoutError, OSError) as error:
            observe.log.info("mllp.peer_dropped", port=port, error=type(error).__name__)
        except asyncio.CancelledError:
            # Only _close cancels, and only a connection on which nothing is under way.
            pass
        finally:
            self._connections.pop(connection, None)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _converse(self, connection: Task[None], port: int, reader: StreamReader, writer: StreamWriter) -> None:
        while not self._stopping:
            frame = await self._read_frame(reader)
            if frame is None:
                return
            self._connections[connection] = True
            answer = await self._work(partial(jobs.receive_frame, port, frame))
            if answer is None:
                return
            writer.write(START + answer + END)
            await asyncio.wait_for(writer.drain(), self._limits.write_seconds)
            self._connections[connection] = False

    async def _read_frame(self, reader: StreamReader) -> bytes | None:
        """The next message; None when the peer closed the connection between two."""
        first = b"\r"
        while first in b"\r\n":
            first = await asyncio.wait_for(reader.read(1), self._limits.idle_seconds)
            if not first:
                return None
        if first != START:
            raise BrokenFrame
        try:
            frame = await asyncio.wait_for(reader.readuntil(END), self._limits.frame_seconds)
        except (IncompleteReadError, LimitOverrunError):
            raise BrokenFrame from None
        return frame[: -len(END)]

    async def _work(self, act: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._in_app, act)

    def _in_app(self, act: Callable[[], Result]) -> Result:
        with self._app.app_context():
            return act()
