"""A client that costs little: prepared requests over a few kept connections, each sending as soon as it is answered.

It runs as a process of its own, ``python -m bench.load``: settings and requests come as JSON on standard input, the
measured round leaves as JSON on standard output.
"""

import json
import re
import selectors
import socket
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LONGEST_WAIT_SECONDS = 30.0


@dataclass
class Load:
    """What a client saw. ``statuses``: HTTP status to count; ``latencies_ms``: of every answer, whatever its status."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)


class _Connection:
    """One that speaks HTTP/1.1."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_LONGEST_WAIT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        self.received, self.sent_at = b"", time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Take what has come; True when the answer is complete."""
        chunk = self.socket.recv(65536)
        if not chunk:
            raise ConnectionError("the server closed a kept connection")
        self.received += chunk
        head, end, body = self.received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        return bool(end) and length is not None and len(body) >= int(length.group(1))

    def read_outcome(self) -> str:
        """The status of the answer."""
        return self.received[9:12].decode()


class _MllpConnection(_Connection):
    """One that speaks MLLP: the outcome is MSA-1."""

    def receive(self) -> bool:
        chunk = self.socket.recv(65536)
        if not chunk:
            raise ConnectionError("the listener closed a connection")
        self.received += chunk
        return self.received.endswith(b"\x1c\r")

    def read_outcome(self) -> str:
        return self.received.partition(b"\rMSA|")[2][:2].decode()


def send_all(port: int, requests: Sequence[bytes], *, connections: int, seconds: float, protocol: str = "http") -> Load:
    """Send the requests, each once, until all are answered or the time is over.

    :param connections: how many requests are under way at any moment.
    :param protocol: http, or mllp (whole frames).
    """
    kind = {"http": _Connection, "mllp": _MllpConnection}[protocol]
    seen, waiting = Load(), iter(requests)
    with selectors.DefaultSelector() as selector:
        started, cpu_started = time.perf_counter(), time.process_time()
        for _, request in zip(range(connections), waiting, strict=False):
            connection = kind(port)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(request)
        while selector.get_map():
            ready = selector.select(_LONGEST_WAIT_SECONDS)
            if not ready:
                raise TimeoutError(f"no answer within {_LONGEST_WAIT_SECONDS:.0f} s")
            for key, _ in ready:
                connection = key.data
                if not connection.receive():
                    continue
                now = time.perf_counter()
                seen.latencies_ms.append((now - connection.sent_at) * 1000)
                seen.statuses[connection.read_outcome()] += 1
                following = next(waiting, None) if now - started < seconds else None
                if following is None:
                    selector.unregister(connection.socket)
                    connection.socket.close()
                else:
                    connection.send(following)
        seen.seconds = time.perf_counter() - started
        seen.cpu_seconds = time.process_time() - cpu_started
    return seen


def main() -> None:
    """Measure one round as standard input says."""
    given = json.load(sys.stdin)
    requests = [text.encode() for text in given.pop("requests")]
    json.dump(vars(send_all(given.pop("port"), requests, **given)), sys.stdout)


if __name__ == "__main__":
    main()
