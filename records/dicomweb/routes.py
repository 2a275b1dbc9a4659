"""DICOMweb at /dicomweb: STOW-RS for hospital systems; QIDO-RS and WADO-RS for patients and doctors."""

import json
from typing import Any

from flask import Response, request

from core import db
from core.api import Api
from core.storage import Staging
from core.web import current_actor, current_config, requires
from records.dicomweb import media, qido, stow, wado
from records.dicomweb.schemas import FramePath, InstancePath, PageQuery, SeriesPath, StudyPath, StudyQuery
from records.images import service
from records.images.dicom import read_metadata
from records.images.service import InstanceFile

api = Api("dicomweb", tag="DICOMweb 影像", url_prefix="/dicomweb")

_AS_JSON = {"x-also-produces": [media.DICOM_JSON]}
_AS_INSTANCE = {"x-also-produces": [media.MULTIPART, media.DICOM]}
_AS_PICTURE = {"x-also-produces": [media.JPEG]}
# All stored, some, none (PS3.18, section 10.5.3).
_STORED: dict[Any, Any] = {200: None, 202: None, 409: None}


@api.post("/studies", responses=_STORED, openapi_extensions=_AS_JSON)
@requires("records:image:submit")
def store() -> Response:
    """STOW-RS: store instances (multipart/related; type="application/dicom")"""
    return _store()


@api.post("/studies/<string:study>", responses=_STORED, openapi_extensions=_AS_JSON)
@requires("records:image:submit")
def store_in_study(path: StudyPath) -> Response:
    """STOW-RS: store instances of one study"""
    return _store(into_study=path.study)


def _store(into_study: str | None = None) -> Response:
    """The instances of one study are filed in one transaction: whatever ends it, no half of what was sent stays.

    What one of them is refused for costs no other its place.
    """
    # The 4 MiB that hold elsewhere are less than one X-ray. The stream is written to disk as it comes.
    request.max_content_length = stow.LARGEST_REQUEST_BYTES
    actor, config = current_actor(), current_config()
    with Staging() as staging:
        outcomes = stow.read_headers(stow.receive_files(request.stream, request.content_type, staging))
        for study_uid, instances in stow.by_study(outcomes):
            with db.transaction() as session:
                service.hold_study(session, actor, study_uid)
                for outcome, header in instances:
                    with outcome.noting_refusal(), db.attempt(session):
                        service.file_instance(
                            session,
                            actor,
                            staged=outcome.staged,
                            header=header,
                            card_issuer=config.issuer_code,
                            into_study=into_study,
                        )
    dataset, status = stow.to_store_response(outcomes, config.base_url)
    return _present(dataset, status)


@api.get("/studies", openapi_extensions=_AS_JSON)
@requires("records:image:read")
def search_studies(query: StudyQuery) -> Response:
    """QIDO-RS: the studies that I may see, newest first"""
    media.check_accepts(request.headers.get("Accept"), media.DICOM_JSON, "application/json")
    with db.transaction() as session:
        found = service.list_studies(
            session, current_actor(), search=query.to_search(), limit=query.limit, offset=query.offset
        )
    return _present([qido.to_study(study, current_config().base_url) for study in found])


@api.get("/studies/<string:study>/series", openapi_extensions=_AS_JSON)
@requires("records:image:read")
def search_series(path: StudyPath, query: PageQuery) -> Response:
    """QIDO-RS: the series of a study"""
    media.check_accepts(request.headers.get("Accept"), media.DICOM_JSON, "application/json")
    with db.transaction() as session:
        found = service.list_series(session, current_actor(), study_uid=path.study)
    page = found[query.offset : query.offset + query.limit]
    return _present([qido.to_series(series, path.study, current_config().base_url) for series in page])


@api.get("/studies/<string:study>/series/<string:series>/instances", openapi_extensions=_AS_JSON)
@requires("records:image:read")
def search_instances(path: SeriesPath, query: PageQuery) -> Response:
    """QIDO-RS: the instances of a series"""
    media.check_accepts(request.headers.get("Accept"), media.DICOM_JSON, "application/json")
    with db.transaction() as session:
        found = service.list_instances(session, current_actor(), study_uid=path.study, series_uid=path.series)
    page = found[query.offset : query.offset + query.limit]
    return _present([qido.to_instance(one, path.study, path.series, current_config().base_url) for one in page])


@api.get("/studies/<string:study>/series/<string:series>/instances/<string:instance>", openapi_extensions=_AS_INSTANCE)
@requires("records:image:read")
def retrieve_instance(path: InstancePath) -> Response:
    """WADO-RS: an instance, byte for byte as it was stored"""
    return wado.answer_instance(_open_instance(path), request)


@api.get(
    "/studies/<string:study>/series/<string:series>/instances/<string:instance>/metadata", openapi_extensions=_AS_JSON
)
@requires("records:image:read")
def retrieve_metadata(path: InstancePath) -> Response:
    """WADO-RS: the attributes of an instance, without bulk data"""
    media.check_accepts(request.headers.get("Accept"), media.DICOM_JSON, "application/json")
    with _open_instance(path).open() as stream:
        return _present([read_metadata(stream)])


@api.get(
    "/studies/<string:study>/series/<string:series>/instances/<string:instance>/rendered",
    openapi_extensions=_AS_PICTURE,
)
@requires("records:image:read")
def retrieve_rendered(path: InstancePath) -> Response:
    """WADO-RS: the (first) frame of an instance as JPEG"""
    return wado.answer_rendered(_open_instance(path), 1, request)


@api.get(
    "/studies/<string:study>/series/<string:series>/instances/<string:instance>/frames/<int:frame>/rendered",
    openapi_extensions=_AS_PICTURE,
)
@requires("records:image:read")
def retrieve_rendered_frame(path: FramePath) -> Response:
    """WADO-RS: one frame of an instance as JPEG; frames count from 1"""
    return wado.answer_rendered(_open_instance(path, path.frame), path.frame, request)


def _open_instance(path: InstancePath, frame: int = 1) -> InstanceFile:
    """Decided and recorded in one short transaction; the file is read after it."""
    with db.transaction() as session:
        return service.get_instance(
            session,
            current_actor(),
            study_uid=path.study,
            series_uid=path.series,
            sop_uid=path.instance,
            frame=frame,
        )


def _present(model: Any, status: int = 200) -> Response:
    reply = Response(json.dumps(model, ensure_ascii=False), status, mimetype=media.DICOM_JSON)
    reply.headers["Cache-Control"] = "no-store"
    return reply
