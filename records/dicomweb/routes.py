"""DICOMweb at /dicomweb: STOW-RS for hospital systems; QIDO-RS and WADO-RS for patients and doctors."""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session

from consent.service import Need
from core import db
from core.api import Api
from core.errors import Refusal
from core.storage import Staged, Staging
from core.web import current_actor, current_config, requires
from records.dicomweb import media, pictures, qido, stow, wado
from records.dicomweb.keys import read_query
from records.dicomweb.schemas import (
    Asked,
    BulkPath,
    FramePath,
    FramesPath,
    InstancePath,
    InstanceQuery,
    PictureQuery,
    SeriesPath,
    SeriesQuery,
    StudyPath,
    StudyQuery,
)
from records.dicomweb.standing import ask_again
from records.images import service
from records.images.dicom import Header
from records.images.service import InstanceFile, Level

api = Api("dicomweb", tag="DICOMweb 影像", url_prefix="/dicomweb")

_AS_JSON = {"x-also-produces": [media.DICOM_JSON]}
_AS_INSTANCE = {"x-also-produces": [media.MULTIPART, media.DICOM]}
_AS_FRAMES = {"x-also-produces": [media.MULTIPART, media.OCTETS]}
_AS_PICTURE = {"x-also-produces": [media.JPEG]}
_AS_PICTURES = {"x-also-produces": [media.MULTIPART, media.JPEG]}
_INSTANCE = "/studies/<string:study>/series/<string:series>/instances/<string:instance>"
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
                filed = _file_together(session, instances, into_study)
                for outcome, header in instances:
                    if outcome.staged in filed:
                        continue
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


def _file_together(
    session: Session, instances: Sequence[tuple[stow.Outcome, Header]], into_study: str | None
) -> set[Staged]:
    """Those that hold no question. When one cannot be kept, none is filed: each is then tried alone."""
    with suppress(Refusal), db.attempt(session):
        return service.file_together(
            session,
            current_actor(),
            [(outcome.staged, header) for outcome, header in instances],
            card_issuer=current_config().issuer_code,
            into_study=into_study,
        )
    return set()


@api.get("/studies", openapi_extensions=_AS_JSON)
@requires("records:image:read")
def search_studies(query: StudyQuery) -> Response:
    """QIDO-RS: the studies that I may see, newest first"""
    return _search(Level.STUDY)


@api.get("/series", openapi_extensions=_AS_JSON)
@requires("records:image:read")
def search_series(query: SeriesQuery) -> Response:
    """QIDO-RS: the series of the studies that I may see, each with its study"""
    return _search(Level.SERIES)


@api.get("/instances", openapi_extensions=_AS_JSON)
@requires("records:image:read")
def search_instances(query: InstanceQuery) -> Response:
    """QIDO-RS: the instances of the studies that I may see, each with its study and series"""
    return _search(Level.INSTANCE)


@api.get("/studies/<string:study>/series", openapi_extensions=_AS_JSON)
@requires("records:image:read")
def search_series_of_study(path: StudyPath, query: SeriesQuery) -> Response:
    """QIDO-RS: the series of a study"""
    return _search(Level.SERIES, path.study)


@api.get("/studies/<string:study>/instances", openapi_extensions=_AS_JSON)
@requires("records:image:read")
def search_instances_of_study(path: StudyPath, query: InstanceQuery) -> Response:
    """QIDO-RS: the instances of a study, each with its series"""
    return _search(Level.INSTANCE, path.study)


@api.get("/studies/<string:study>/series/<string:series>/instances", openapi_extensions=_AS_JSON)
@requires("records:image:read")
def search_instances_of_series(path: SeriesPath, query: InstanceQuery) -> Response:
    """QIDO-RS: the instances of a series"""
    return _search(Level.INSTANCE, path.study, path.series)


def _search(level: Level, study_uid: str | None = None, series_uid: str | None = None) -> Response:
    base_url, media_type = current_config().base_url, media.choose_json(request)
    query = read_query(request.args, level, study_uid=study_uid, series_uid=series_uid)
    page = service.find_images(current_actor(), query.search)
    if page is None:
        with db.transaction() as session:
            page = service.search_images(session, current_actor(), query.search)
    reply = _present(qido.to_results(query, page, base_url), media_type=media_type)
    reply.headers.extend([("Warning", text) for text in qido.list_warnings(query, page, base_url)])
    return reply


@api.get("/studies/<string:study>", openapi_extensions=_AS_INSTANCE)
@requires("records:image:read")
def retrieve_study(path: StudyPath, query: Asked) -> Response:
    """WADO-RS: all instances of a study"""
    return wado.answer_instances(_list_files(path.study, need=Need.DOWNLOAD), request, ask_again())


@api.get("/studies/<string:study>/series/<string:series>", openapi_extensions=_AS_INSTANCE)
@requires("records:image:read")
def retrieve_series(path: SeriesPath, query: Asked) -> Response:
    """WADO-RS: all instances of a series"""
    return wado.answer_instances(_list_files(path.study, path.series, need=Need.DOWNLOAD), request, ask_again())


@api.get(_INSTANCE, openapi_extensions=_AS_INSTANCE)
@requires("records:image:read")
def retrieve_instance(path: InstancePath, query: Asked) -> Response:
    """WADO-RS: an instance, byte for byte as it was stored, or in another transfer syntax"""
    return wado.answer_instances([_open_instance(path, need=Need.DOWNLOAD)], request, ask_again())


@api.get("/studies/<string:study>/metadata", openapi_extensions=_AS_JSON)
@requires("records:image:read")
def retrieve_metadata_of_study(path: StudyPath, query: Asked) -> Response:
    """WADO-RS: the attributes of all instances of a study, bulk data by address"""
    return _present_metadata(path.study)


@api.get("/studies/<string:study>/series/<string:series>/metadata", openapi_extensions=_AS_JSON)
@requires("records:image:read")
def retrieve_metadata_of_series(path: SeriesPath, query: Asked) -> Response:
    """WADO-RS: the attributes of all instances of a series, bulk data by address"""
    return _present_metadata(path.study, path.series)


@api.get(f"{_INSTANCE}/metadata", openapi_extensions=_AS_JSON)
@requires("records:image:read")
def retrieve_metadata(path: InstancePath, query: Asked) -> Response:
    """WADO-RS: the attributes of an instance, bulk data by address"""
    return _present_metadata(path.study, path.series, path.instance)


@api.get(f"{_INSTANCE}/frames/<string:frames>", openapi_extensions=_AS_FRAMES)
@requires("records:image:read")
def retrieve_frames(path: FramesPath, query: Asked) -> Response:
    """WADO-RS: frames, decoded or encoded as they were stored; they count from 1"""
    numbers = [int(number) for number in path.frames.split(",")]
    return wado.answer_frames(_open_instance(path, max(numbers)), numbers, request)


@api.get(f"{_INSTANCE}/bulkdata/<string:attribute>", openapi_extensions=_AS_FRAMES)
@requires("records:image:read")
def retrieve_bulk_data(path: BulkPath, query: Asked) -> Response:
    """WADO-RS: the value of an attribute that metadata gives by address"""
    return wado.answer_bulk(_open_instance(path), path.attribute, request)


@api.get("/studies/<string:study>/rendered", openapi_extensions=_AS_PICTURES)
@requires("records:image:read")
def retrieve_rendered_study(path: StudyPath, query: PictureQuery) -> Response:
    """WADO-RS: the (first) frame of each picture of a study as JPEG"""
    return pictures.answer_pictures(_list_files(path.study), request, ask_again())


@api.get("/studies/<string:study>/series/<string:series>/rendered", openapi_extensions=_AS_PICTURES)
@requires("records:image:read")
def retrieve_rendered_series(path: SeriesPath, query: PictureQuery) -> Response:
    """WADO-RS: the (first) frame of each picture of a series as JPEG"""
    return pictures.answer_pictures(_list_files(path.study, path.series), request, ask_again())


@api.get(f"{_INSTANCE}/rendered", openapi_extensions=_AS_PICTURE)
@requires("records:image:read")
def retrieve_rendered(path: InstancePath, query: PictureQuery) -> Response:
    """WADO-RS: the (first) frame of an instance as JPEG"""
    return pictures.answer_picture(_open_instance(path, for_picture=True), 1, request)


@api.get(f"{_INSTANCE}/frames/<int:frame>/rendered", openapi_extensions=_AS_PICTURE)
@requires("records:image:read")
def retrieve_rendered_frame(path: FramePath, query: PictureQuery) -> Response:
    """WADO-RS: one frame of an instance as JPEG; frames count from 1"""
    return pictures.answer_picture(_open_instance(path, path.frame, for_picture=True), path.frame, request)


@api.get("/studies/<string:study>/thumbnail", openapi_extensions=_AS_PICTURE)
@requires("records:image:read")
def retrieve_thumbnail_of_study(path: StudyPath, query: PictureQuery) -> Response:
    """WADO-RS: a small picture of a study"""
    return pictures.answer_thumbnail(_list_files(path.study), 1, request)


@api.get("/studies/<string:study>/series/<string:series>/thumbnail", openapi_extensions=_AS_PICTURE)
@requires("records:image:read")
def retrieve_thumbnail_of_series(path: SeriesPath, query: PictureQuery) -> Response:
    """WADO-RS: a small picture of a series"""
    return pictures.answer_thumbnail(_list_files(path.study, path.series), 1, request)


@api.get(f"{_INSTANCE}/thumbnail", openapi_extensions=_AS_PICTURE)
@requires("records:image:read")
def retrieve_thumbnail(path: InstancePath, query: PictureQuery) -> Response:
    """WADO-RS: a small picture of an instance"""
    return pictures.answer_thumbnail([_open_instance(path, for_picture=True)], 1, request)


@api.get(f"{_INSTANCE}/frames/<int:frame>/thumbnail", openapi_extensions=_AS_PICTURE)
@requires("records:image:read")
def retrieve_thumbnail_of_frame(path: FramePath, query: PictureQuery) -> Response:
    """WADO-RS: a small picture of a frame"""
    return pictures.answer_thumbnail([_open_instance(path, path.frame, for_picture=True)], path.frame, request)


def _open_instance(
    path: InstancePath, frame: int = 1, *, for_picture: bool = False, need: Need | None = None
) -> InstanceFile:
    """Decided and recorded in one short transaction, or by one statement; the file is read after it."""
    asked: dict[str, Any] = {
        "study_uid": path.study,
        "series_uid": path.series,
        "sop_uid": path.instance,
        "frame": frame,
        "for_picture": for_picture,
    }
    found = service.find_instance(current_actor(), **asked)
    if found is None:
        with db.transaction() as session:
            found = service.get_instance(session, current_actor(), **asked, need=need)
    return found


def _list_files(study_uid: str, series_uid: str | None = None, need: Need | None = None) -> list[InstanceFile]:
    with db.transaction() as session:
        return service.list_files(session, current_actor(), study_uid=study_uid, series_uid=series_uid, need=need)


def _present_metadata(study_uid: str, series_uid: str | None = None, sop_uid: str | None = None) -> Response:
    asked: dict[str, Any] = {"study_uid": study_uid, "series_uid": series_uid, "sop_uid": sop_uid}
    files = service.find_metadata(current_actor(), **asked)
    if files is None:
        with db.transaction() as session:
            files = service.list_metadata(session, current_actor(), **asked)
    return wado.answer_metadata(files, request, f"{current_config().base_url}/dicomweb/studies/{study_uid}")


def _present(model: Any, status: int = 200, *, media_type: str = media.DICOM_JSON) -> Response:
    reply = Response(json.dumps(model, ensure_ascii=False), status, mimetype=media_type)
    reply.headers["Cache-Control"] = "no-store"
    return reply
