"""Commands of the operator about persons."""

from uuid import UUID

import click
from flask.cli import AppGroup
from sqlalchemy import select

from core import db
from health_card.models import Person
from health_card.service.identities import announce_change

persons = AppGroup("persons", help="The master index.")

_BATCH = 1000


@persons.command("index")
def index() -> None:
    """Have the worker look at every record again: what it can be found by, and who may be the same person."""
    done, last = 0, UUID(int=0)
    while True:
        with db.transaction() as session:
            batch = session.scalars(select(Person.id).where(Person.id > last).order_by(Person.id).limit(_BATCH)).all()
            for person_id in batch:
                announce_change(session, person_id)
        if not batch:
            break
        done, last = done + len(batch), batch[-1]
    click.echo(f"{done} records announced to the worker")
