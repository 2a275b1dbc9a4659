"""The machine interface of the timeline: the patient's own, and as shared with a treating hospital."""

from dataclasses import replace

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, present, present_view, requires
from records.life import service as life
from records.timeline import choosing, service
from records.timeline.schemas import (
    ChoicesQuery,
    ChoicesShown,
    ItemPath,
    OwnPageQuery,
    PageQuery,
    SeenRequest,
    SeenShown,
    Timeline,
    TimelineItemShown,
)
from records.visits import service as visits
from records.visits.schemas import VisitPath

api = Api("timeline", tag="Records 健康档案", url_prefix="/api/v1")


@api.get("/timeline", responses={200: Timeline})
@requires("records:timeline:read")
def read_own(query: OwnPageQuery) -> Response:
    """My reports and images from every hospital, newest first"""
    with db.transaction() as session:
        wanted = life.narrow_to_stage(session, current_actor(), query.as_filter(), stage=query.stage)
        items = service.list_own_timeline(
            session, current_actor(), wanted=wanted, before=query.before, limit=query.limit
        )
    return present_view(service.TimelinePage(items))


@api.get("/timeline/choices", responses={200: ChoicesShown})
@requires("records:timeline:read")
def list_choices(query: ChoicesQuery) -> Response:
    """What my timeline can be narrowed to: the hospitals and the kinds that are on it"""
    with db.transaction() as session:
        choices = choosing.list_own_choices(session, current_actor(), person_id=query.person_id)
    return present(ChoicesShown.model_validate(choices))


@api.post("/timeline/<uuid:object_id>/hide", responses={200: TimelineItemShown})
@requires("records:timeline:hide")
def hide_item(path: ItemPath) -> Response:
    """Keep one report or study from who acts for me (from 14 years on): to them it is as if it were not there"""
    with db.transaction() as session:
        item = service.hide_item(session, current_actor(), object_id=path.object_id)
    return present(TimelineItemShown.model_validate(item))


@api.post("/timeline/<uuid:object_id>/show", responses={200: TimelineItemShown})
@requires("records:timeline:hide")
def show_item(path: ItemPath) -> Response:
    """Let those who act for me see it again"""
    with db.transaction() as session:
        item = service.show_item(session, current_actor(), object_id=path.object_id)
    return present(TimelineItemShown.model_validate(item))


@api.post("/timeline/<uuid:object_id>/disclose", responses={200: TimelineItemShown})
@requires("records:timeline:hide")
def disclose_item(path: ItemPath) -> Response:
    """Let every hospital that treats me see one sensitive report or study, as it sees the rest"""
    with db.transaction() as session:
        item = service.disclose_item(session, current_actor(), object_id=path.object_id)
    return present(TimelineItemShown.model_validate(item))


@api.post("/timeline/<uuid:object_id>/withhold", responses={200: TimelineItemShown})
@requires("records:timeline:hide")
def withhold_item(path: ItemPath) -> Response:
    """Keep a sensitive report or study again to me and the hospital that made it"""
    with db.transaction() as session:
        item = service.withhold_item(session, current_actor(), object_id=path.object_id)
    return present(TimelineItemShown.model_validate(item))


@api.post("/timeline/seen", responses={200: SeenShown})
@requires("records:timeline:read")
def mark_all_seen(body: SeenRequest) -> Response:
    """Everything on the timeline counts as read; opening a report or study marks that one by itself"""
    with db.transaction() as session:
        marked = service.mark_all_seen(session, current_actor(), person_id=body.person_id)
    return present(SeenShown(marked=marked))


@api.get("/visits/<uuid:visit_id>/timeline", responses={200: Timeline})
@requires("records:shared_timeline:read")
def read_shared(path: VisitPath, query: PageQuery) -> Response:
    """A doctor reads what the patient of an own visit shares"""
    with db.transaction() as session:
        visit = visits.get_visit(session, current_actor(), path.visit_id)
        of_patient = replace(query.as_filter(), person_id=visit.person_id)
        wanted = life.narrow_to_stage(session, current_actor(), of_patient, stage=query.stage)
        items = service.list_shared_timeline(
            session,
            current_actor(),
            person_id=visit.person_id,
            wanted=wanted,
            before=query.before,
            limit=query.limit,
        )
    return present_view(service.TimelinePage(items))
