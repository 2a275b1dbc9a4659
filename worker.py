"""The worker processes: ``jobs`` carries the outbox out, ``listener`` takes hospitals' HL7 v2 messages in, ``images``
what their PACS send by DIMSE, ``sealer`` seals the audit trail.

``python -m worker`` does all. Where many messages come each has a process of its own: in one process the threads of
one wait for those of the other at every statement.
"""

from core import starting  # isort: split

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from flask import Flask

import consent.emergencies.jobs
import consent.questions.jobs
import consent.receipts.jobs
import consent.requests.jobs
import consent.watching.jobs
import health_card.batches.jobs
import health_card.family.jobs
import health_card.matching.jobs
import health_card.notices.jobs
import health_card.printing.jobs
import health_card.realname.jobs
import payments.jobs
import records.dicomsr.jobs
import records.dimse.jobs
import records.exports.jobs
import records.items.jobs
import records.news.jobs
import records.pacs.jobs
import records.quality.jobs
import records.quarantine.jobs
import records.rectifications.jobs
import records.releasing.jobs
import records.rights.jobs
import records.uploads.jobs
import records.viewing.jobs
import records.visits.jobs
from app import create_app
from core import key_commands, observe
from core.config import read_config
from core.dispatch import Dispatcher, Handler
from core.sealing import sealer
from records.dimse import listener
from records.hl7v2 import mllp

starting.end()

# Outbox topic -> handler.
HANDLERS: dict[str, Handler] = {
    **key_commands.HANDLERS,
    **health_card.family.jobs.HANDLERS,
    **health_card.matching.jobs.HANDLERS,
    **health_card.notices.jobs.HANDLERS,
    **health_card.realname.jobs.HANDLERS,
    **health_card.batches.jobs.HANDLERS,
    **health_card.printing.jobs.HANDLERS,
    **consent.receipts.jobs.HANDLERS,
    **consent.emergencies.jobs.HANDLERS,
    **consent.requests.jobs.HANDLERS,
    **consent.questions.jobs.HANDLERS,
    **consent.watching.jobs.HANDLERS,
    **payments.jobs.HANDLERS,
    **records.visits.jobs.HANDLERS,
    **records.items.jobs.HANDLERS,
    **records.releasing.jobs.HANDLERS,
    **records.quarantine.jobs.HANDLERS,
    **records.uploads.jobs.HANDLERS,
    **records.news.jobs.HANDLERS,
    **records.rectifications.jobs.HANDLERS,
    **records.rights.jobs.HANDLERS,
    **records.exports.jobs.HANDLERS,
    **records.pacs.jobs.HANDLERS,
    **records.dimse.jobs.HANDLERS,
    **records.dicomsr.jobs.HANDLERS,
    **records.viewing.jobs.HANDLERS,
    **records.quality.jobs.HANDLERS,
}
DISPATCHERS = 2

Task = Callable[[threading.Event], None]

WORK: Mapping[str, Callable[[Flask], list[Task]]] = {
    "jobs": lambda app: [Dispatcher(app, HANDLERS).run_forever] * DISPATCHERS,
    "listener": lambda app: [partial(mllp.serve, app)],
    "images": lambda app: [partial(listener.serve, app)],
    "sealer": lambda app: [partial(sealer.run_forever, app)],
}


def main(chosen: Sequence[str] = ()) -> int:
    """Work until SIGTERM or SIGINT.

    :param chosen: of ``WORK``; all of it when left out.
    :returns: the exit code: 1 when a part of the work broke, so that whoever watches the process starts it again.
    """
    app = create_app(read_config(os.environ))
    stop, broken = threading.Event(), threading.Event()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, lambda *_: stop.set())
    tasks = [task for name in chosen or WORK for task in WORK[name](app)]
    threads = [threading.Thread(target=_run, args=(task, stop, broken)) for task in tasks]
    for thread in threads:
        thread.start()
    observe.log.info("worker.started", work=list(chosen or WORK))
    stop.wait()
    for thread in threads:
        thread.join()
    observe.log.info("worker.stopped")
    return 1 if broken.is_set() else 0


def _run(task: Task, stop: threading.Event, broken: threading.Event) -> None:
    try:
        task(stop)
    except Exception as error:
        # A worker that limps is worse than one that starts anew.
        observe.log.error("worker.broken", error=type(error).__name__)
        broken.set()
        stop.set()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
