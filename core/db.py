"""The database: the typed base of all tables, and the two ways to open a transaction."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import psycopg
from flask_sqlalchemy import SQLAlchemy
from psycopg.types.json import Jsonb
from sqlalchemy import Connection, DateTime, LargeBinary, MetaData, Text, Uuid, exc, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, registry

from core.errors import Refusal
from core.ids import new_id


class Base(DeclarativeBase):
    """Every table. Texts are ``text``, times carry their zone, documents are ``jsonb``."""

    # A registry, not loose class attributes: Flask-SQLAlchemy makes a base of its own from this one and shares it.
    registry = registry(
        metadata=MetaData(
            naming_convention={
                "ix": "ix_%(table_name)s_%(column_0_N_name)s",
                "uq": "uq_%(table_name)s_%(column_0_N_name)s",
                "ck": "ck_%(table_name)s_%(constraint_name)s",
                "fk": "fk_%(table_name)s_%(column_0_N_name)s",
                "pk": "pk_%(table_name)s",
            }
        ),
        type_annotation_map={
            str: Text(),
            bytes: LargeBinary(),
            datetime: DateTime(timezone=True),
            UUID: Uuid(),
            dict[str, Any]: JSONB(),
            list[Any]: JSONB(),
        },
    )


class WithId:
    """A UUIDv7 primary key, known before the row is written."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)


orm = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})


@contextmanager
def transaction() -> Iterator[Session]:
    """One unit of work: committed when the block ends, rolled back when it raises. Needs an app context.

    A refusal that says so (``keeps_changes``) commits first and is raised then.
    """
    session = orm.session()
    if session.in_transaction():
        raise RuntimeError("a transaction is open already: pass its session on")
    kept: Refusal | None = None
    try:
        with session.begin():
            try:
                yield session
            except Refusal as refusal:
                if not refusal.keeps_changes:
                    raise
                kept = refusal
    finally:
        orm.session.remove()
    if kept is not None:
        raise kept


# What a part of a transaction must not take with it when it is undone (``core.appending``).
before_attempt: list[Callable[[Session], None]] = []


@contextmanager
def attempt(session: Session) -> Iterator[None]:
    """A part of a transaction that may be refused by itself: its own changes are undone, those before it stay.

    A refusal that says so (``keeps_changes``) undoes nothing. It is raised in either case.
    """
    for write in before_attempt:
        write(session)
    kept: Refusal | None = None
    with session.begin_nested():
        try:
            yield
        except Refusal as refusal:
            if not refusal.keeps_changes:
                raise
            kept = refusal
    if kept is not None:
        raise kept


@contextmanager
def snapshot() -> Iterator[Session]:
    """A consistent view that cannot write: the database itself refuses to."""
    with transaction() as session:
        # Tests run inside an outer transaction, whose isolation level cannot be changed any more.
        nested = isinstance(session.get_bind(), Connection)
        level = "" if nested else "ISOLATION LEVEL REPEATABLE READ, "
        session.execute(text(f"SET TRANSACTION {level}READ ONLY"))
        yield session


def copy_rows(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write many rows at once (COPY), several times as fast as one by one.

    :param rows: all with the same columns; defaults of the model do not apply, those of the database do.
    """
    if rows:
        columns = list(rows[0])
        copy_lines(session, table, columns, [[row.get(column) for column in columns] for row in rows])


def copy_lines(session: Session, table: type[Base], columns: Sequence[str], lines: Iterable[Sequence[Any]]) -> None:
    """As ``copy_rows``; each line has the values of the columns in their order."""
    session.flush()
    statement = psycopg.sql.SQL("COPY {} ({}) FROM STDIN").format(
        psycopg.sql.Identifier(table.__tablename__), psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, columns))
    )
    driver = cast("psycopg.Connection[Any]", session.connection().connection.driver_connection)
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for line in lines:
                copy.write_row([Jsonb(value) if isinstance(value, dict) else value for value in line])
    except psycopg.Error as failed:
        # The same error as from every other statement; without the values, which may be a person's.
        raise exc.DBAPIError.instance(None, None, failed, psycopg.Error) from failed
