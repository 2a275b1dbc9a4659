"""The machine interface of entries, for those who read them."""

from uuid import UUID

from flask import Response

from core import db, exact_json
from core.api import Api
from core.web import current_actor, requires
from records.entries import service
from records.entries.papers import ENDINGS, NO_TYPE
from records.entries.schemas import EntryDocumentPath, EntryPath, RecordEntryShown

api = Api("entries", tag="Records 健康档案", url_prefix="/api/v1")


@api.get("/entries/<uuid:entry_id>", responses={200: RecordEntryShown})
@requires("records:entry:read")
def read_entry(path: EntryPath) -> Response:
    """One entry of a record: a problem, an allergy, a vaccination, an order ..."""
    with db.transaction() as session:
        entry = service.get_entry(session, current_actor(), path.entry_id)
    # Not by the schema's own writer: 0.50 mL stays 0.50 mL.
    shown = RecordEntryShown.model_validate(entry).model_dump(mode="json", exclude={"content"}, exclude_none=True)
    reply = Response(exact_json.dump(shown | {"content": entry.content}), mimetype="application/json")
    reply.headers["Cache-Control"] = "no-store"
    return reply


@api.get(
    "/entries/<uuid:entry_id>/documents/<int:number>",
    openapi_extensions={"x-also-produces": [*ENDINGS, NO_TYPE]},
)
@requires("records:entry:read")
def read_document(path: EntryDocumentPath) -> Response:
    """A document that came inside an entry, as the hospital made it"""
    return send_document(path.entry_id, path.number)


def send_document(entry_id: UUID, number: int) -> Response:
    """The document itself, shared with other addresses."""
    with db.transaction() as session:
        document = service.open_document(session, current_actor(), entry_id, number)
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="document-{document.file_name}"',
        # Nobody here has looked into it: whatever opens it on our address runs none of it and reaches nothing of ours.
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return Response(document.content, 200, headers, mimetype=document.content_type)
