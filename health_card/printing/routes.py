"""The machine interface of printing."""

from uuid import UUID

from flask import Response

from core import db, storage
from core.api import Api
from core.web import current_actor, current_config, present, requires
from health_card.batches.schemas import BatchPath
from health_card.desk.schemas import LookUpPath
from health_card.printing import drawing, service
from health_card.printing.schemas import CardPrint, PrintQuery, SheetList, SheetPath, SheetShown
from health_card.schemas import CardPath

api = Api("printing", tag="Health card 健康卡", url_prefix="/api/v1")

_PDF = "application/pdf"


@api.get("/cards/<uuid:card_id>/card.pdf", openapi_extensions={"x-also-produces": [_PDF]})
@requires("health_card:card:print")
def print_card(path: CardPath, query: PrintQuery) -> Response:
    """My card to be printed, with its static code, as PDF; only while it is in force"""
    config = current_config()
    with db.transaction() as session:
        face = service.print_card(session, current_actor(), card_id=path.card_id, issuer=config.issuer_code)
    document = drawing.draw_card(face, config.issuer_name, on_sheet=query.layout == "sheet")
    return _present_pdf(document, "card.pdf")


@api.post("/desk/persons/<uuid:look_up_id>/card-prints", openapi_extensions={"x-also-produces": [_PDF]})
@requires("health_card:person_card:print")
def print_card_at_desk(path: LookUpPath, body: CardPrint) -> Response:
    """Print a card of the person whose document was seen, with its static code, as PDF; the person is told"""
    return print_for_visitor(path.look_up_id, body)


def print_for_visitor(look_up_id: UUID, body: CardPrint) -> Response:
    """The print itself, shared with the desk page."""
    config = current_config()
    with db.transaction() as session:
        face = service.print_card_at_desk(
            session, current_actor(), look_up_id=look_up_id, card_id=body.card_id, issuer=config.issuer_code
        )
    return _present_pdf(drawing.draw_card(face, config.issuer_name, on_sheet=body.layout == "sheet"), "card.pdf")


@api.post("/operator/batches/<uuid:batch_id>/sheets", responses={202: SheetList})
@requires("health_card:batch:manage")
def order_sheets(path: BatchPath) -> Response:
    """Have the cards of an ended batch printed: A4, ten a page, 500 a file; made in the background"""
    with db.transaction() as session:
        sheets = service.order_sheets(session, current_actor(), batch_id=path.batch_id)
        shown = SheetList(sheets=[SheetShown.of(sheet) for sheet in sheets])
    return present(shown, 202)


@api.get("/operator/batches/<uuid:batch_id>/sheets", responses={200: SheetList})
@requires("health_card:batch:manage")
def list_sheets(path: BatchPath) -> Response:
    """The files with the printed cards of a batch, and which of them are made"""
    with db.snapshot() as session:
        sheets = service.list_sheets(session, batch_id=path.batch_id)
        shown = SheetList(sheets=[SheetShown.of(sheet) for sheet in sheets])
    return present(shown)


@api.get("/operator/card-sheets/<uuid:sheet_id>/sheet.pdf", openapi_extensions={"x-also-produces": [_PDF]})
@requires("health_card:batch:manage")
def download_sheet(path: SheetPath) -> Response:
    """One file of printed cards, for 30 days"""
    with db.transaction() as session:
        sheet = service.open_sheet(session, current_actor(), sheet_id=path.sheet_id)
    assert sheet.storage_key is not None
    assert sheet.data_key is not None
    with storage.open_file(sheet.storage_key, sheet.data_key) as stream:
        return _present_pdf(stream.read(), f"cards-{sheet.number:03d}.pdf")


def _present_pdf(document: bytes, filename: str) -> Response:
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'inline; filename="{filename}"'}
    return Response(document, 200, headers, mimetype=_PDF)
