"""The web application: the only module, beside worker.py, that knows every package."""

import os
from pathlib import Path

import click
from flask import Flask
from flask.cli import with_appcontext
from flask_migrate import Migrate, upgrade

import accounts.pages
import accounts.routes
import consent.routes
import health_card.notices.routes
import health_card.patient_numbers.routes
import health_card.routes
import payments.commands
import payments.routes
import recognition.routes
import records.chart.pages
import records.dicomweb.routes
import records.fhir.routes
import records.hl7v2.refusals  # worker.py speaks HL7 v2, but its codes stand at /docs/errors too
import records.images.routes
import records.intake.routes
import records.reports.routes
import records.timeline.routes
import records.visits.pages
import records.visits.routes
from accounts import tokens
from accounts.identify import identify_request
from core import api, db, error_page, health, keys, limits, observe, pages, statements, storage, vault, web
from core.config import Config, read_config
from health_card.service.cards import KEY_PURPOSE

BLUEPRINTS = [
    health.api,
    accounts.routes.api,
    accounts.routes.oauth,
    health_card.routes.api,
    health_card.notices.routes.api,
    health_card.patient_numbers.routes.api,
    consent.routes.api,
    records.visits.routes.api,
    records.timeline.routes.api,
    records.intake.routes.api,
    records.reports.routes.api,
    records.fhir.routes.api,
    recognition.routes.api,
    records.images.routes.api,
    records.dicomweb.routes.api,
    payments.routes.api,
    payments.routes.notify,
]
PAGES = [api.pages, accounts.pages.pages, records.visits.pages.pages, records.chart.pages.pages]

MIGRATIONS = str(Path(__file__).parent / "migrations")

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
    storage.configure(config)
    app = api.new_app(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = config.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": 4, "max_overflow": 4}
    app.config["MAX_CONTENT_LENGTH"] = 4 * 1024 * 1024
    db.orm.init_app(app)
    with app.app_context():
        statements.ping_idle_connections(db.orm.engine)
    Migrate(app, db.orm, directory=MIGRATIONS, compare_type=True)
    web.install(app, config, identify_request, sign_in_page=accounts.pages.SIGN_IN_PAGE)
    pages.install(app)
    for blueprint in BLUEPRINTS:
        app.register_api(blueprint)
    for page_blueprint in PAGES:
        app.register_blueprint(page_blueprint)
    app.cli.add_command(prepare)
    app.cli.add_command(payments.commands.ledger)
    app.cli.add_command(error_page.commands)
    return app


@click.command("prepare")
@with_appcontext
def prepare() -> None:
    """Bring the database to the newest schema and make the signing keys that are missing. Safe to repeat."""
    upgrade()
    with db.transaction() as session:
        for purpose in KEY_RINGS:
            keys.prepare_ring(session, purpose)
