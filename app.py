"""The web application: the only module, beside worker.py, that knows every package."""

import os

import click
from flask import Flask
from flask.cli import with_appcontext
from flask_migrate import Migrate

import accounts.routes
import consent.routes
import health_card.routes
import records.timeline.routes
import records.visits.routes
from accounts import tokens
from accounts.identify import identify_request
from core import api, db, health, idempotency, keys, limits, observe, outbox, reference, vault, web
from core.config import Config, read_config
from health_card.service.cards import KEY_PURPOSE
from records.intake import models as intake

BLUEPRINTS = [
    health.api,
    accounts.routes.api,
    accounts.routes.oauth,
    health_card.routes.api,
    consent.routes.api,
    records.visits.routes.api,
    records.timeline.routes.api,
]
PAGES = [api.pages]

# Tables that no route imports: the migrations compare all of them with the database.
TABLES = [outbox.OutboxMessage, idempotency.IdempotentReply, intake.InboundMessage]

# The purposes for which the platform signs.
KEY_RINGS = [tokens.PURPOSE, KEY_PURPOSE]


def create_app(config: Config | None = None) -> Flask:
    """Compose the application from its packages.

    :param config: read from the environment when left out.
    """
    config = config or read_config(os.environ)
    observe.configure_logs()
    vault.configure(config)
    limits.configure(config)
    app = api.new_app(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = config.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": 4, "max_overflow": 4, "pool_pre_ping": True}
    app.config["MAX_CONTENT_LENGTH"] = 4 * 1024 * 1024
    db.orm.init_app(app)
    Migrate(app, db.orm, compare_type=True)
    web.install(app, config, identify_request)
    for blueprint in BLUEPRINTS:
        app.register_api(blueprint)
    for pages in PAGES:
        app.register_blueprint(pages)
    app.cli.add_command(prepare)
    app.cli.add_command(reference.commands)
    return app


@click.command("prepare")
@with_appcontext
def prepare() -> None:
    """Make what the platform needs before its first request: its signing keys. Safe to repeat."""
    with db.transaction() as session:
        for purpose in KEY_RINGS:
            keys.prepare_ring(session, purpose)
