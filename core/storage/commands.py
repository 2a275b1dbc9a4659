"""Commands of the operator for the files that are kept outside the database."""

import sys

import click
from flask.cli import AppGroup

from core import db
from core.storage import checking

commands = AppGroup("files", help="The sealed files: images, documents, lists.")


@commands.command("check")
@click.option("--read", "reads", is_flag=True, help="Read every file too: its name is the SHA-256 of what it holds.")
def check(reads: bool) -> None:
    """Say what rows name and no store has, and what no row names. Ends with 1 where something is missing."""
    found = _look_through(reads=reads)
    for table, address in found.missing:
        click.echo(f"missing {address} of {table}")
    for address in found.damaged:
        click.echo(f"damaged {address}")
    click.echo(
        f"{found.files} files, {len(found.missing)} missing, {len(found.damaged)} damaged,"
        f" {len(found.orphans)} that no row has named for a day"
    )
    if found.missing or found.damaged:
        sys.exit(1)


@commands.command("sweep")
def sweep() -> None:
    """Remove what no row has named for a day, and what was left half received."""
    found = _look_through()
    with db.transaction() as session:
        checking.record_sweep(session, found)
    click.echo(f"{checking.sweep(found)} files removed")


@commands.command("move")
def move() -> None:
    """Bring every file to where new ones are kept (STORAGE_HOME), while the platform serves."""
    click.echo(f"{checking.move_home()} files moved")


def _look_through(*, reads: bool = False) -> checking.Findings:
    with checking.named_addresses() as folder:
        with db.snapshot() as session:
            checking.sort_named(session, folder)
        return checking.look_through(folder, reads=reads)
