"""The machine interface of changed reports, for the staff of hospitals that had read them."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from records.news import service
from records.news.schemas import CorrectionList, CorrectionPath, CorrectionQuery, CorrectionShown

api = Api("news", tag="Records 健康档案", url_prefix="/api/v1")


@api.get("/corrections", responses={200: CorrectionList})
@requires("records:correction:read")
def list_corrections(query: CorrectionQuery) -> Response:
    """Reports that were changed after my hospital had read them"""
    with db.transaction() as session:
        found = service.list_corrections(session, current_actor(), **dict(query))
    return present(CorrectionList(corrections=[CorrectionShown.model_validate(each) for each in found]))


@api.post("/corrections/<uuid:correction_id>/seen", responses={200: CorrectionShown})
@requires("records:correction:read")
def see_correction(path: CorrectionPath) -> Response:
    """Somebody of my hospital has taken note"""
    with db.transaction() as session:
        correction = service.see_correction(session, current_actor(), correction_id=path.correction_id)
    return present(CorrectionShown.model_validate(correction))
