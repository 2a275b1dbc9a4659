"""Alembic's entry: runs the migrations on the application's own engine, in one transaction, one process at a time."""

from alembic import context
from flask import current_app
from sqlalchemy import text

from core.db import Base, orm

_LOCK = 7_305_100_001


def run_offline() -> None:
    """Write the SQL instead of running it (``flask db upgrade --sql``)."""
    context.configure(url=orm.engine.url.render_as_string(hide_password=True), literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Bring the database to the wanted revision."""
    options = current_app.extensions["migrate"].configure_args
    with orm.engine.connect() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata, **options)
        with context.begin_transaction():
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
