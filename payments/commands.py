"""Commands of the operator."""

import click
from flask.cli import AppGroup

from core import db
from payments import service

ledger = AppGroup("ledger", help="The double-entry ledger.")


@ledger.command("verify")
@click.pass_context
def verify(context: click.Context) -> None:
    """Check every invariant of the ledger; the exit code is 1 when one does not hold."""
    with db.snapshot() as session:
        findings = service.verify_ledger(session)
    for finding in findings:
        click.echo(
            f"{finding.rule}: {finding.object_id} should be {finding.expected_fen} fen, is {finding.found_fen} fen"
        )
    click.echo(f"{len(findings)} findings" if findings else "the ledger holds")
    context.exit(1 if findings else 0)
