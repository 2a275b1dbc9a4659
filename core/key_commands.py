"""Commands of the operator for signing keys, and the daily look at their age."""

from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.exc import NoResultFound

from core import db, keys
from core.actor import SYSTEM
from core.dispatch import Handler, TryLater

ROTATION_TOPIC = "core.key_rotation_planned"
_DAY_SECONDS = 24 * 3600

commands = AppGroup("keys", help="The keys that the platform signs with.")


@commands.command("rotate")
@click.argument("purpose")
def rotate(purpose: str) -> None:
    """Publish the next key of PURPOSE; it signs in a day."""
    try:
        with db.transaction() as session:
            kid = keys.rotate_ring(session, SYSTEM, purpose)
    except LookupError as unknown:
        raise click.ClickException(str(unknown)) from None
    click.echo(f"{kid} signs in {keys.PUBLISHED_AHEAD.total_seconds() / 3600:.0f} hours")


@commands.command("kill")
@click.argument("kid")
def kill(kid: str) -> None:
    """Make the key KID worthless everywhere, at once."""
    try:
        with db.transaction() as session:
            keys.kill_key(session, kid)
    except NoResultFound:
        raise click.ClickException(f"there is no key {kid}") from None
    click.echo(f"{kid} is dead in every process within {keys.CACHE_SECONDS:.0f} seconds")


def rotate_old_keys(_payload: dict[str, Any]) -> None:
    """Rotate what is old, and look again tomorrow.

    :raises TryLater: always.
    """
    with db.transaction() as session:
        keys.rotate_old_rings(session, SYSTEM)
    raise TryLater(_DAY_SECONDS)


HANDLERS: dict[str, Handler] = {ROTATION_TOPIC: rotate_old_keys}
