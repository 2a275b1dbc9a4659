"""The machine interface of quality control: for the operator and for experts."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from records.quality import service
from records.quality.schemas import (
    DeviceMarks,
    DeviceMarkShown,
    Findings,
    FindingShown,
    FindingsQuery,
    MarksQuery,
    PassedQuery,
    PassedShown,
    SampleDrawnShown,
    SampleOrder,
    SamplePath,
    Samples,
    SampleShown,
    SamplesQuery,
    ScoreReceived,
)

api = Api("imaging_quality", tag="Imaging quality 影像质控", url_prefix="/api/v1/imaging-quality")


@api.get("/marks", responses={200: DeviceMarks})
@requires("records:quality:read")
def list_marks(query: MarksQuery) -> Response:
    """What the automatic checks found, per hospital, department, device and day; newest first, at most 500 lines"""
    with db.snapshot() as session:
        found = service.list_marks(session, since=query.since, until=query.until, hospital_id=query.hospital_id)
    return present(DeviceMarks(marks=[DeviceMarkShown.model_validate(each) for each in found]))


@api.get("/findings", responses={200: Findings})
@requires("records:quality:read")
def list_findings(query: FindingsQuery) -> Response:
    """What was found of one study, its series and its instances"""
    with db.snapshot() as session:
        found = service.list_findings(session, study_instance_uid=query.study_instance_uid)
    return present(Findings(findings=[FindingShown.model_validate(each) for each in found]))


@api.post("/samples", responses={201: SampleDrawnShown})
@requires("records:quality:draw")
def draw_sample(body: SampleOrder) -> Response:
    """Draw studies of a hospital's month of one modality by lot"""
    with db.transaction() as session:
        drawn = service.draw_sample(
            session,
            current_actor(),
            hospital_id=body.hospital_id,
            modality=body.modality,
            month=body.month,
            size=body.size,
        )
    return present(SampleDrawnShown(studies=drawn), 201)


@api.get("/samples", responses={200: Samples})
@requires("records:quality:read")
def list_samples(query: SamplesQuery) -> Response:
    """What was drawn of a month, without patients"""
    with db.snapshot() as session:
        found = service.list_samples(session, month=query.month)
    return present(Samples(samples=[SampleShown.model_validate(each) for each in found]))


@api.post("/samples/<uuid:sample_id>/score", responses={204: None})
@requires("records:quality:score")
def score_sample(path: SamplePath, body: ScoreReceived) -> Response:
    """Score what was drawn; a score stands"""
    with db.transaction() as session:
        service.score_sample(session, current_actor(), sample_id=path.sample_id, grade=body.grade, fault=body.fault)
    return Response(status=204)


@api.get("/passed", responses={200: PassedShown})
@requires("records:quality:read")
def show_passed(query: PassedQuery) -> Response:
    """Whether a hospital's department for a modality had passed on a day, and by what figures"""
    with db.snapshot() as session:
        passed = service.passed_on(session, hospital_id=query.hospital_id, modality=query.modality, day=query.day)
    return present(PassedShown.model_validate(passed))
