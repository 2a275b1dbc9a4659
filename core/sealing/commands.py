"""Verifying the log from the command line."""

from collections.abc import Callable
from typing import Any, cast

import click
import psycopg
from flask.cli import with_appcontext

from core import db
from core.sealing.copying import OutsideCopy
from core.sealing.verifying import Report, verify_log
from core.sealing.verifying_copy import verify_copy
from core.web import current_config


@click.command("verify-audit")
@with_appcontext
@click.pass_context
def verify_audit(context: click.Context) -> None:
    """Verify the sealed audit log and its copy; the exit code is 1 when anything is wrong."""
    copy = OutsideCopy(current_config().audit_copy_dir)
    with db.snapshot() as session:
        connection = cast("psycopg.Connection[Any]", session.connection().connection.driver_connection)
        context.exit(report_on(connection, copy, click.echo))


def report_on(connection: "psycopg.Connection[Any] | None", copy: OutsideCopy | None, say: Callable[[str], Any]) -> int:
    """Verify what there is, and say what is wrong.

    :param connection: to the database, as ``verify_log`` wants it; None: only the copy is looked at.
    :returns: the exit code.
    """
    report = Report() if connection is None else verify_log(connection, copy)
    if copy is not None:
        report.copied = verify_copy(copy, report.add)
    for kind, sentence in dict.fromkeys(report.found):
        say(f"{kind}: {sentence}")
    if report.more:
        say(f"... and {report.more} more")
    if connection is not None:
        say(f"{report.leaves} sealed rows, {report.checkpoints} checkpoints, {report.waiting} rows wait for the next")
    if report.copied is not None:
        say(f"the copy outside the database has {report.copied} of them")
    elif copy is None:
        say("compared with no copy: a log that was cut off, or written anew as a whole, is not noticed")
    say("NOT AS SEALED" if report.found else "the log holds")
    return 1 if report.found else 0
