"""One report of a list, filed as a message of its own: at first, and again from quarantine."""

import hashlib
import json
from dataclasses import replace
from uuid import UUID

from sqlalchemy.orm import Session

from core.actor import Actor
from records.intake.service import Arrival
from records.intake.subjects import Assignment
from records.reports import service as reports
from records.reports.service import FiledReport
from records.uploads.rows import Group, build_incoming

CHANNEL = "upload"


def write_body(group: Group) -> bytes:
    """A report's rows as they are kept: by column, as they were written."""
    return json.dumps({"rows": group.rows}, ensure_ascii=False, sort_keys=True).encode()


def write_key(group: Group, body: bytes) -> str:
    """The report's number and a digest of what it says: the same rows again are the same message."""
    return f"{group.number}/{hashlib.sha256(body).hexdigest()[:32]}"


def refile_report(
    session: Session, actor: Actor, *, body: bytes, message_key: str, assigned: Assignment | None = None
) -> FiledReport:
    """File the report, in whichever list it came.

    :param assigned: whose it is, as somebody of the hospital has said since.
    :returns: where it stands; of a report that came before, where it stood then.
    :raises Refusal: what ``reports.file_reports`` raises.
    """
    incoming = build_incoming(json.loads(body)["rows"])
    told: list[FiledReport] = []

    def answer(filed: list[FiledReport]) -> str:
        told.extend(filed)
        return json.dumps({"report_id": str(filed[0].report_id), "version": filed[0].version})

    reply = reports.file_reports(
        session,
        actor,
        incoming=replace(incoming, subject=replace(incoming.subject, assigned=assigned)),
        arrival=Arrival(CHANNEL, body, "application/json", message_key),
        answer=answer,
    )
    if told:
        return told[0]
    before = json.loads(reply)
    return FiledReport(UUID(before["report_id"]), before["version"], is_new=False)
