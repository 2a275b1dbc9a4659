"""The machine interface of the timeline: the patient's own, and as shared with a treating hospital."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from records.timeline import service
from records.timeline.schemas import ItemPath, PageQuery, Timeline, TimelineItemShown
from records.visits import service as visits
from records.visits.schemas import VisitPath

api = Api("timeline", tag="Records 健康档案", url_prefix="/api/v1")


@api.get("/timeline", responses={200: Timeline})
@requires("records:timeline:read")
def read_own(query: PageQuery) -> Response:
    """My reports and images from every hospital, newest first"""
    with db.transaction() as session:
        items = service.list_own_timeline(session, current_actor(), **dict(query))
    return present(Timeline(items=[TimelineItemShown.model_validate(item) for item in items]))


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


@api.get("/visits/<uuid:visit_id>/timeline", responses={200: Timeline})
@requires("records:shared_timeline:read")
def read_shared(path: VisitPath, query: PageQuery) -> Response:
    """A doctor reads what the patient of an own visit shares"""
    with db.transaction() as session:
        visit = visits.get_visit(session, current_actor(), path.visit_id)
        items = service.list_shared_timeline(session, current_actor(), person_id=visit.person_id, **dict(query))
    return present(Timeline(items=[TimelineItemShown.model_validate(item) for item in items]))
