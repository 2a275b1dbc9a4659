"""OHIF, the viewer of radiologists, served as static files (``make ohif``): it speaks DICOMweb with the page session.

Its compiled decoders make functions of texts, so its addresses, and only they, have a policy that allows it.
"""

from pathlib import Path
from typing import cast
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, redirect, render_template, send_from_directory, url_for
from pydantic import Field

from core import db
from core.api import Received
from core.pages import read_query
from core.web import Pages, current_actor, current_config, public, requires
from records.viewing import service
from records.viewing.refusals import WorkstationMissing

pages = Pages("workstation_pages", __name__, url_prefix="/ohif")

_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval' blob:; worker-src 'self' blob:; "
    "connect-src 'self' blob: data:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; font-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

# How OHIF calls the arrangement of two studies beside each other.
_SIDE_BY_SIDE = {"hangingProtocolId": "@ohif/hpCompare"}


class ChosenQuery(Received):
    """``beside``: a second study of the same person, of another day or hospital."""

    beside: UUID | None = Field(None)


@pages.get("/studies/<uuid:study_id>")
@requires("records:image:read")
def open_study(study_id: UUID) -> Response:
    """Open a study, or two beside each other; where OHIF is missing, the first one on our own page."""
    beside = read_query(ChosenQuery).beside
    with db.transaction() as session:
        uids = service.list_uids(session, current_actor(), study_ids=[study_id, *([beside] if beside else [])])
    if current_config().ohif_dir is None:
        return cast(Response, redirect(url_for("viewing_pages.show", study_id=study_id), 303))
    asked = {"StudyInstanceUIDs": ",".join(uids)} | (_SIDE_BY_SIDE if beside else {})
    return cast(Response, redirect(f"{url_for('workstation_pages.show')}?{urlencode(asked, safe=',@/')}", 303))


@pages.get("/viewer")
@requires("records:image:read")
def show() -> Response:
    """The page itself, without scripts in it; which study, stands in its address."""
    reply = send_from_directory(_folder(), "index.html")
    reply.headers["Content-Security-Policy"] = _POLICY
    reply.headers["Cache-Control"] = "no-store"
    return reply


@pages.get("/reader")
@requires("records:image:read")
def name_reader() -> Response:
    """What its settings write over every picture: who looks, and when."""
    with db.snapshot() as session:
        text = service.name_reader(session, current_actor())
    return Response(text or "", mimetype="text/plain", headers={"Cache-Control": "no-store"})


@pages.get("/app-config.js")
@public("settings of the viewer, without anything about anybody")
def show_settings() -> Response:
    """Where our DICOMweb is, and what is switched off."""
    return Response(render_template("records/ohif.js"), mimetype="text/javascript")


@pages.get("/<path:name>")
@public("program text that anybody can get from its makers")
def show_file(name: str) -> Response:
    """A file of the viewer."""
    reply = send_from_directory(_folder(), name, max_age=86_400)
    # Workers take the policy of their own file.
    reply.headers["Content-Security-Policy"] = _POLICY
    return reply


def _folder() -> Path:
    folder = current_config().ohif_dir
    if folder is None:
        raise WorkstationMissing
    return folder
