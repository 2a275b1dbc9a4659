"""The one account that nobody signed in can open: the first security administrator's."""

import click
from flask.cli import with_appcontext

from accounts.models import Role
from accounts.service import personnel
from core import db
from core.actor import SYSTEM


@click.group("staff")
def staff() -> None:
    """Accounts of staff."""


@staff.command("appoint-first")
@click.argument("username")
@click.argument("name")
@click.argument("employee_number")
@with_appcontext
def appoint_first(username: str, name: str, employee_number: str) -> None:
    """Open the account of the first security administrator, who opens all others; prints the password for once."""
    with db.transaction() as session:
        appointed = personnel.list_staff(session, hospital_id=None)
        if any(member.role == Role.SECURITY_ADMINISTRATOR and member.is_enabled for member in appointed):
            raise click.ClickException("there is a security administrator already: he opens further accounts")
        given = personnel.appoint_administrator(
            session,
            SYSTEM,
            username=username,
            name=name,
            role=Role.SECURITY_ADMINISTRATOR,
            employee_number=employee_number,
        )
    click.echo(f"{given.username} signs in until {given.expires_at.isoformat(timespec='minutes')} with {given.text}")
