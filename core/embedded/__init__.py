"""A PostgreSQL and a Redis of our own, from wheels, for local start-up and tests (docs/adr/0002-embedded-servers.md).

    with embedded.servers(Path("var/test"), durable=False) as (database_url, redis_url):
        ...

Both listen on 127.0.0.1 with random passwords, never run as root, change no mode outside their folder, and end with
the thread that started them.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from core.embedded.errors import AlreadyRunning, EmbeddedError
from core.embedded.postgres import Postgres, find_address
from core.embedded.process import hold_folder
from core.embedded.redis import Redis

__all__ = ["AlreadyRunning", "EmbeddedError", "Postgres", "Redis", "find_address", "hold_folder", "servers"]


@contextmanager
def servers(folder: Path, *, durable: bool = True) -> Iterator[tuple[str, str]]:
    """Run both servers for the length of a ``with`` block.

    :param folder: made when missing; keeps data, passwords and ports for the next start.
    :param durable: False for tests: faster, and a power cut (not a killed process) may lose data.
    :return: ``postgresql+psycopg://...`` and ``redis://...``.
    :raises AlreadyRunning: another process runs servers in this folder.
    :raises EmbeddedError: they cannot be had here; the message says what to do instead.
    """
    with hold_folder(folder), ExitStack() as running:
        postgres, redis = Postgres(folder, durable=durable), Redis(folder, durable=durable)
        for server in (postgres, redis):
            running.callback(server.stop)
            server.start()
        yield postgres.url, redis.url
