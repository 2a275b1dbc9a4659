"""The machine interface of imaging studies for phones and pages. Systems and viewers use DICOMweb."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from records.images import service
from records.images.schemas import StudyPath, StudyShown, show_study

api = Api("images", tag="Records 健康档案", url_prefix="/api/v1")


@api.get("/studies/<uuid:study_id>", responses={200: StudyShown})
@requires("records:image:read")
def read_study(path: StudyPath) -> Response:
    """An imaging study with its series, and the addresses of its frames as JPEG"""
    with db.transaction() as session:
        study = service.get_study(session, current_actor(), path.study_id)
    return present(show_study(study))
