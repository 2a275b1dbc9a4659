"""The web application: the only module, beside worker.py, that knows every package."""

from core import starting  # isort: split

import os
from pathlib import Path

import click
from flask import Flask
from flask.cli import with_appcontext
from flask_migrate import Migrate, upgrade

import accounts.administration.pages
import accounts.administration.ports.dicom.routes
import accounts.administration.ports.routes
import accounts.administration.routes
import accounts.apps.pages
import accounts.apps.routes
import accounts.apps.service
import accounts.commands
import accounts.pages
import accounts.routes
import consent.apps.routes
import consent.emergencies.pages
import consent.emergencies.routes
import consent.links.routes
import consent.log.routes
import consent.policies.routes
import consent.proving.routes
import consent.proving.service
import consent.questions.pages
import consent.questions.routes
import consent.receipts.pages
import consent.receipts.routes
import consent.receipts.service
import consent.requests.pages
import consent.requests.routes
import consent.rights.pages
import consent.rights.routes
import consent.rights.service
import consent.routes
import core.sealing.routes
import health_card.batches.pages
import health_card.batches.routes
import health_card.card_life.routes
import health_card.carriers.routes
import health_card.confirmation.routes
import health_card.corrections.routes
import health_card.counts.pages
import health_card.counts.routes
import health_card.desk.pages
import health_card.desk.routes
import health_card.devices.routes
import health_card.family.pages
import health_card.family.routes
import health_card.matching.commands
import health_card.matching.pages
import health_card.matching.routes
import health_card.notices.routes
import health_card.offline.routes
import health_card.patient_numbers.routes
import health_card.printing.routes
import health_card.realname.routes
import health_card.routes
import health_card.showings.routes
import health_card.tencent.pages
import health_card.tencent.routes
import payments.commands
import payments.routes
import payments.service
import recognition.routes
import records.chart.pages
import records.dicomweb.routes
import records.documents.pages
import records.documents.proof
import records.documents.routes
import records.emergencies.pages
import records.emergencies.routes
import records.entries.routes
import records.exports.routes
import records.fhir.routes
import records.hl7v2.routes
import records.images.routes
import records.items.house.pages
import records.items.pages
import records.items.routes
import records.items.service
import records.life.routes
import records.news.pages
import records.news.routes
import records.orders.pages
import records.orders.routes
import records.pacs.pages
import records.pacs.routes
import records.quality.pages
import records.quality.routes
import records.quarantine.pages
import records.quarantine.routes
import records.rectifications.pages
import records.rectifications.routes
import records.releasing.pages
import records.releasing.relabelling
import records.releasing.routes
import records.reports.routes
import records.rights.pages
import records.rights.service
import records.sharing.identify
import records.sharing.pages
import records.sharing.routes
import records.timeline.routes
import records.trends.routes
import records.uploads.pages
import records.uploads.routes
import records.viewing.identify
import records.viewing.pages
import records.viewing.routes
import records.viewing.workstation.pages
import records.visits.pages
import records.visits.routes
import records.visits.service
from accounts import tokens
from accounts.apps.service import identity
from accounts.identify import identify_request
from core import (
    api,
    cross_origin,
    db,
    error_page,
    health,
    key_commands,
    keys,
    limits,
    observe,
    outbox,
    pages,
    sealing,
    statements,
    storage,
    vault,
    web,
)
from core.actor import SYSTEM
from core.config import Config, read_config
from core.cross_origin import CrossOrigin
from core.sealing.commands import adopt_audit_copy, verify_audit
from core.storage.commands import commands as file_commands
from health_card.service.codes import KEY_PURPOSE

starting.end()

BLUEPRINTS = [
    health.api,
    core.sealing.routes.api,
    accounts.routes.api,
    accounts.routes.oauth,
    accounts.administration.routes.api,
    accounts.apps.routes.api,
    accounts.administration.ports.routes.api,
    accounts.administration.ports.dicom.routes.api,
    health_card.routes.api,
    health_card.matching.routes.api,
    health_card.notices.routes.api,
    health_card.confirmation.routes.api,
    health_card.devices.routes.api,
    health_card.offline.routes.api,
    health_card.card_life.routes.api,
    health_card.desk.routes.api,
    health_card.corrections.routes.api,
    health_card.realname.routes.api,
    health_card.carriers.routes.api,
    health_card.family.routes.api,
    health_card.printing.routes.api,
    health_card.batches.routes.api,
    health_card.counts.routes.api,
    health_card.showings.routes.api,
    health_card.tencent.routes.api,
    health_card.tencent.routes.administration,
    health_card.patient_numbers.routes.api,
    consent.routes.api,
    consent.log.routes.api,
    consent.questions.routes.api,
    consent.apps.routes.api,
    consent.receipts.routes.api,
    consent.rights.routes.api,
    consent.emergencies.routes.api,
    consent.links.routes.api,
    consent.policies.routes.api,
    consent.requests.routes.api,
    consent.proving.routes.api,
    records.visits.routes.api,
    records.emergencies.routes.api,
    records.timeline.routes.api,
    records.life.routes.api,
    records.quality.routes.api,
    records.releasing.routes.api,
    records.quarantine.routes.api,
    records.uploads.routes.api,
    records.reports.routes.api,
    records.items.routes.api,
    records.trends.routes.api,
    records.entries.routes.api,
    records.documents.routes.api,
    records.exports.routes.api,
    records.news.routes.api,
    records.rectifications.routes.api,
    records.fhir.routes.api,
    records.fhir.routes.discovery,
    records.hl7v2.routes.api,
    records.orders.routes.api,
    recognition.routes.api,
    records.images.routes.api,
    records.viewing.routes.api,
    records.sharing.routes.api,
    records.dicomweb.routes.api,
    records.pacs.routes.api,
    payments.routes.api,
    payments.routes.notify,
]
PAGES = [
    api.pages,
    accounts.pages.pages,
    *accounts.administration.pages.PAGES,
    accounts.apps.pages.pages,
    health_card.desk.pages.pages,
    health_card.family.pages.pages,
    health_card.batches.pages.pages,
    health_card.counts.pages.pages,
    health_card.matching.pages.pages,
    health_card.tencent.pages.pages,
    consent.receipts.pages.pages,
    consent.rights.pages.pages,
    consent.emergencies.pages.pages,
    consent.requests.pages.pages,
    consent.questions.pages.pages,
    records.visits.pages.pages,
    records.emergencies.pages.pages,
    records.chart.pages.pages,
    records.viewing.pages.pages,
    records.sharing.pages.pages,
    records.viewing.workstation.pages.pages,
    records.items.pages.pages,
    records.items.house.pages.pages,
    records.news.pages.pages,
    records.rectifications.pages.pages,
    records.rights.pages.pages,
    records.orders.pages.pages,
    records.quality.pages.pages,
    records.releasing.pages.pages,
    records.quarantine.pages.pages,
    records.uploads.pages.pages,
    records.documents.pages.pages,
    records.pacs.pages.pages,
]

MIGRATIONS = str(Path(__file__).parent / "migrations")

# The purposes for which the platform signs, and how.
KEY_RINGS = {
    tokens.PURPOSE: keys.EDDSA,
    identity.PURPOSE: keys.RS256,
    KEY_PURPOSE: keys.EDDSA,
    records.documents.proof.PURPOSE: keys.EDDSA,
    sealing.KEY_PURPOSE: keys.EDDSA,
    consent.proving.service.PURPOSE: keys.EDDSA,
}


def create_app(config: Config | None = None) -> Flask:
    """Compose the application from its packages.

    :param config: read from the environment when left out.
    """
    config = config or read_config(os.environ)
    observe.configure_logs()
    vault.configure(config)
    limits.configure(config)
    storage.configure(config)
    consent.receipts.service.configure(config)
    consent.rights.service.install(
        holds=(records.rights.service.list_holds, payments.service.list_holds),
        endings=(records.rights.service.end_all,),
    )
    app = api.new_app(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = config.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": 4, "max_overflow": 4}
    app.config["MAX_CONTENT_LENGTH"] = 4 * 1024 * 1024
    db.orm.init_app(app)
    with app.app_context():
        statements.ping_idle_connections(db.orm.engine)
    Migrate(app, db.orm, directory=MIGRATIONS, compare_type=True)
    identify = records.viewing.identify.also_by_view(identify_request)
    identify = records.sharing.identify.also_by_link(identify)
    web.install(app, config, identify, sign_in_page=accounts.pages.SIGN_IN_PAGE)
    apps_paths = ("/fhir", "/oauth/token", "/oauth/revoke", "/.well-known")
    cross_origin.install(
        app,
        CrossOrigin(apps_paths, accounts.apps.service.is_origin_known),
        # Programs of whomever open SMART Health Links, and prove themselves by what the link says.
        CrossOrigin(("/shl",), lambda _origin: True),
    )
    pages.install(app)
    health_card.tencent.routes.install(app, open_visit=records.visits.service.open_verified)
    consent.requests.routes.install(app, find_visitor=records.visits.service.find_open_visitor)
    for blueprint in BLUEPRINTS:
        app.register_api(blueprint)
    for page_blueprint in PAGES:
        app.register_blueprint(page_blueprint)
    app.cli.add_command(prepare)
    app.cli.add_command(accounts.commands.staff)
    app.cli.add_command(payments.commands.ledger)
    app.cli.add_command(health_card.matching.commands.persons)
    app.cli.add_command(error_page.commands)
    app.cli.add_command(key_commands.commands)
    app.cli.add_command(file_commands)
    app.cli.add_command(verify_audit)
    app.cli.add_command(adopt_audit_copy)
    return app


@click.command("prepare")
@with_appcontext
def prepare() -> None:
    """Bring the database to the newest schema, make the keys and items that are missing, rotate old keys.

    Safe to repeat."""
    make_ready()


def make_ready() -> None:
    """What ``prepare`` does; needs an app context."""
    upgrade()
    with db.transaction() as session:
        for purpose, algorithm in KEY_RINGS.items():
            keys.prepare_ring(session, purpose, algorithm=algorithm)
        keys.rotate_old_rings(session, SYSTEM)
        # One message for ever: it comes back every day.
        outbox.announce(session, key_commands.ROTATION_TOPIC, {}, key=key_commands.ROTATION_TOPIC)
        records.items.service.load_starting_list(session)
        outbox.announce(session, records.items.service.FOLDING_DUE, {}, key=records.items.service.FOLDING_DUE)
        outbox.announce(session, consent.receipts.service.SWEEP_DUE, {}, key=consent.receipts.service.SWEEP_DUE)
        outbox.announce(session, records.rights.service.COUNT_DUE, {}, key=records.rights.service.COUNT_DUE)
        records.releasing.relabelling.announce_list(session)
