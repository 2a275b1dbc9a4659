"""``python -m simulator --port P --state DIR``: WeChat and WeChat Pay on 127.0.0.1, as a process of its own."""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

from simulator.application import create_application
from simulator.notifications import Sender
from simulator.settings import SettingsError, read_settings
from simulator.state import AlreadyRunning, State


class _QuietHandler(WSGIRequestHandler):
    """Logs the path only: the query of a login holds the application's secret."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """One line a request, to standard error: standard output says only that the simulator is ready."""
        print(f"{self.command} {self.path.partition('?')[0]} {code} {size}", file=sys.stderr, flush=True)


def main() -> int:
    """Serve until SIGTERM or SIGINT, or until standard input ends when ``--until-stdin-ends`` was given."""
    arguments = _read_arguments()
    # What is written here belongs to nobody else on the machine.
    os.umask(0o077)
    try:
        settings = read_settings(os.environ)
        state = State(arguments.state)
    except (SettingsError, AlreadyRunning) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2
    sender = Sender(settings, state)
    app = create_application(settings, state, sender)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        server = make_server("127.0.0.1", arguments.port, app, threaded=True, request_handler=_QuietHandler)
    except (OSError, SystemExit):
        # Werkzeug has already written why the port could not be had.
        state.close()
        return 2
    if arguments.until_stdin_ends:
        threading.Thread(target=_wait_for_starter, args=(stopping,), daemon=True).start()
    sender.start()
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    serving.start()
    print(f"simulator ready on http://127.0.0.1:{server.server_port}", flush=True)
    stopping.wait()
    server.shutdown()
    server.server_close()
    sender.stop()
    state.close()
    return 0


def _wait_for_starter(stopping: threading.Event) -> None:
    sys.stdin.buffer.read()
    stopping.set()


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator", description="WeChat and WeChat Pay on this machine.")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and prints it")
    parser.add_argument("--state", type=Path, required=True, help="folder that outlives the process")
    parser.add_argument("--until-stdin-ends", action="store_true", help="stop when the starter is gone")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
