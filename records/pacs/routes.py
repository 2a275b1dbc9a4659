"""The machine interface of hospitals' image archives."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, current_config, present, requires
from records.pacs import service
from records.pacs.schemas import (
    ArchiveHospitalPath,
    ArchiveStudyReceived,
    ImageArchiveReceived,
    ImageArchives,
    ImageArchiveShown,
)

api = Api("image_archives", tag="DICOMweb 影像", url_prefix="/api/v1")


@api.get("/operator/image-archives", responses={200: ImageArchives})
@requires("accounts:overview:read")
def list_archives() -> Response:
    """Every hospital's image archive that is asked, and how far its index is filled"""
    with db.snapshot() as session:
        found = [ImageArchiveShown.model_validate(each) for each in service.list_archives(session)]
    return present(ImageArchives(archives=found))


@api.put("/operator/image-archives/<hospital_code>", responses={204: None})
@requires("records:image_archive:manage")
def register_archive(path: ArchiveHospitalPath, body: ImageArchiveReceived) -> Response:
    """Register a hospital's archive, or another address or secret; its index is filled in the background"""
    with db.transaction() as session:
        service.register_archive(
            session,
            current_actor(),
            hospital_code=path.hospital_code,
            archive=body.to_archive(),
            profile=current_config().profile,
        )
    return Response(status=204)


@api.post("/operator/image-archives/<hospital_code>/close", responses={204: None})
@requires("records:image_archive:manage")
def close_archive(path: ArchiveHospitalPath) -> Response:
    """Ask it no more; its secret is destroyed, what is indexed stays, its pixels are not shown"""
    with db.transaction() as session:
        service.close_archive(session, current_actor(), hospital_code=path.hospital_code)
    return Response(status=204)


@api.post("/image-archive/studies", responses={202: None})
@requires("records:image:submit")
def note_study(body: ArchiveStudyReceived) -> Response:
    """A study in our own archive is new or has changed: have its index filled now"""
    with db.transaction() as session:
        service.note_study(session, current_actor(), study_uid=body.study_instance_uid)
    return Response(status=202)
