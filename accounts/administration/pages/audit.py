"""The audit trail, for the audit administrator: ids and codes as they were written."""

from flask import Response, request

from accounts.administration import wording
from accounts.administration.schemas import AuditQuery
from accounts.administration.wording import audit_filter
from accounts.service import oversight
from core import db
from core.errors import Refusal
from core.pages import read_query, show_page, show_refused
from core.web import Pages, current_actor, requires

pages = Pages("audit_pages", __name__)

TEMPLATE = "accounts/operator_audit.html"
LINES = 50


@pages.get("/operator/audit")
@requires("accounts:audit:read")
def show_audit() -> Response:
    """A page of the trail; that it was read stands in it afterwards."""
    try:
        wanted = read_query(AuditQuery)
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, lines=[], asked=request.args, words=wording)
    with db.transaction() as session:
        found = oversight.list_audit_entries(
            session, current_actor(), wanted=audit_filter(wanted), before=wanted.before, limit=LINES + 1
        )
    lines = found[:LINES]
    older = lines[-1].id if len(found) > LINES else None
    return show_page(TEMPLATE, lines=lines, older=older, asked=request.args, words=wording)
