"""Sheets of a batch are drawn here: half a minute of work at most a file, outside every transaction."""

from typing import Any
from uuid import UUID

from core import db, storage
from core.dispatch import Handler
from core.web import current_config
from health_card.printing import drawing, service


def make_sheet(payload: dict[str, Any]) -> None:
    """Draw the cards of one sheet into a sealed file."""
    sheet_id, config = UUID(payload["sheet_id"]), current_config()
    with db.snapshot() as session:
        sheet = service.find_unmade(session, sheet_id)
        if sheet is None:
            return
        printed = service.read_sheet_cards(session, sheet, issuer=config.issuer_code)
    with storage.Staging() as staging:
        file = staging.new_file()
        file.write(drawing.draw_sheets(printed.faces, config.issuer_name))
        file.finish()
        with db.transaction() as session:
            service.record_sheet(session, sheet_id=sheet_id, file=file, printed=printed)


def expire_sheet(payload: dict[str, Any]) -> None:
    """A file that was kept long enough leaves the disk."""
    with db.transaction() as session:
        address = service.expire_sheet(session, UUID(payload["sheet_id"]))
    if address is not None:
        storage.discard(address)


HANDLERS: dict[str, Handler] = {service.DUE_TOPIC: make_sheet, service.EXPIRED_TOPIC: expire_sheet}
