"""The worker process: carries the outbox out and listens for hospitals' HL7 v2 messages."""

import os
import signal
import sys
import threading

from app import create_app
from core import observe
from core.config import read_config
from core.dispatch import Dispatcher, Handler

HANDLERS: dict[str, Handler] = {}
DISPATCHERS = 2


def main() -> int:
    """Work until SIGTERM or SIGINT. Returns the exit code."""
    config = read_config(os.environ)
    app = create_app(config)
    stop = threading.Event()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, lambda *_: stop.set())
    threads = [
        threading.Thread(target=Dispatcher(app, HANDLERS).run_forever, args=(stop,), name=f"outbox-{number}")
        for number in range(DISPATCHERS)
    ]
    for thread in threads:
        thread.start()
    observe.log.info("worker.started")
    stop.wait()
    for thread in threads:
        thread.join()
    observe.log.info("worker.stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
