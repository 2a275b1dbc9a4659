"""The tables about themselves: what the migrations made is what the models say, and the types keep the house rules."""

import re
from enum import Enum
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from flask import Flask
from sqlalchemy import CheckConstraint, Column, DateTime, Float, Integer, Numeric, Table, text

from core import db
from core.db import Base


@pytest.fixture
def tables(migrated_app: Flask) -> list[Table]:
    return list(Base.metadata.tables.values())


def columns(tables: list[Table]) -> list[Column[Any]]:
    return [column for table in tables for column in table.columns]


def checks(table: Table) -> dict[str, str]:
    found = [each for each in table.constraints if isinstance(each, CheckConstraint)]
    return {str(each.name): str(each.sqltext) for each in found}


def test_the_migrations_make_exactly_what_the_models_say(committing_app: Flask) -> None:
    with db.orm.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, Base.metadata)
    assert differences == []


# PostgreSQL says how it has understood each check of one schema.
_CHECKS = """
SELECT conrelid::regclass::text, conname, regexp_replace(pg_get_constraintdef(oid), '\\s+', ' ', 'g')
FROM pg_constraint WHERE contype = 'c' AND connamespace = current_schema()::regnamespace AND conrelid <> 0
"""


def test_the_migrations_make_every_check_as_the_models_say_it(committing_app: Flask, tables: list[Table]) -> None:
    """Alembic does not compare these: the models make their tables in a schema beside, and both are asked."""
    with db.orm.engine.connect() as connection:
        named = {table.name for table in tables}
        made = {tuple(row) for row in connection.execute(text(_CHECKS)) if row[0] in named}
        connection.execute(text("CREATE SCHEMA of_models"))
        connection.execute(text("SET LOCAL search_path TO of_models"))
        Base.metadata.create_all(connection, checkfirst=False)
        said = {tuple(row) for row in connection.execute(text(_CHECKS))}
        connection.rollback()
    assert made == said


def test_every_time_has_its_zone(tables: list[Table]) -> None:
    times = [column for column in columns(tables) if isinstance(column.type, DateTime)]
    assert len(times) > 20
    assert [str(column) for column in times if not getattr(column.type, "timezone", False)] == []


def test_names_say_what_a_column_holds(tables: list[Table]) -> None:
    for column in columns(tables):
        if isinstance(column.type, DateTime):
            assert re.search(r"(^|_)(at|until|since|from|to)$", column.name), column
        if column.name.endswith("_fen"):
            assert isinstance(column.type, Integer), column
        assert not re.search(r"(amount|price|limit|balance)$", column.name), f"{column}: money says its unit: _fen"


def test_no_column_is_a_float(tables: list[Table]) -> None:
    # Float is a kind of Numeric in SQLAlchemy; exact numbers (Numeric) are for measured values, never for money.
    floats = [column for column in columns(tables) if isinstance(column.type, Float)]
    assert [str(column) for column in floats] == []
    money = [column for column in columns(tables) if isinstance(column.type, Numeric) and "fen" in column.name]
    assert [str(column) for column in money] == []


def test_a_column_named_after_an_enum_is_checked_by_the_database(migrated_app: Flask) -> None:
    checked = 0
    for mapper in Base.registry.mappers:
        module = __import__(mapper.class_.__module__, fromlist=["x"])
        own = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Enum)]
        names = {kind.__name__.lower() for kind in own if kind.__module__ == module.__name__}
        table = mapper.local_table
        assert isinstance(table, Table)
        for column in table.columns:
            if column.name in names:
                checked += 1
                assert any(column.name in text for text in checks(table).values()), column
    assert checked >= 3


def test_no_relationship_ties_tables_together(migrated_app: Flask) -> None:
    """A relationship would load what its package did not decide to show; foreign keys are enough."""
    for mapper in Base.registry.mappers:
        for tie in mapper.relationships:
            ours, theirs = mapper.class_.__module__, tie.mapper.class_.__module__
            assert ours.split(".")[0] == theirs.split(".")[0], tie


def test_constraints_are_named_by_the_convention(tables: list[Table]) -> None:
    for table in tables:
        for constraint in table.constraints:
            assert constraint.name, f"{table.name}: {constraint}"
