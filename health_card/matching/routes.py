"""The machine interface of the master index, for the operator."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from health_card.matching import service
from health_card.matching.schemas import (
    LinkList,
    LinkPath,
    LinkShown,
    MatchDecision,
    MatchLineShown,
    MatchList,
    MatchPath,
    MatchQuery,
    MatchShown,
    Merge,
    MergeDecision,
    PageQuery,
)

api = Api("matching", tag="Master index 主索引", url_prefix="/api/v1/operator")


@api.get("/matches", responses={200: MatchList})
@requires("health_card:match:review")
def list_matches(query: MatchQuery) -> Response:
    """Pairs of records that may be one person's, the likeliest first; or what was decided, the latest first"""
    with db.transaction() as session:
        lines = service.list_matches(session, current_actor(), **dict(query))
    return present(MatchList(matches=[MatchLineShown.model_validate(line) for line in lines]))


@api.get("/matches/<uuid:match_id>", responses={200: MatchShown})
@requires("health_card:match:review")
def get_match(path: MatchPath) -> Response:
    """Both persons side by side, masked; they can read that it was looked at"""
    with db.transaction() as session:
        match = service.get_match(session, current_actor(), match_id=path.match_id)
    return present(MatchShown.of(match))


@api.post("/matches/<uuid:match_id>/merge", responses={201: LinkShown})
@requires("health_card:person:merge")
def merge_match(path: MatchPath, body: MergeDecision) -> Response:
    """They are one person: put the records together"""
    with db.transaction() as session:
        link = service.merge_match(session, current_actor(), match_id=path.match_id, **dict(body))
    return present(LinkShown.of(link), 201)


@api.post("/matches/<uuid:match_id>/refusal", responses={204: None})
@requires("health_card:match:review")
def refuse_match(path: MatchPath, body: MatchDecision) -> Response:
    """They are two persons: onto the do-not-match list"""
    with db.transaction() as session:
        service.refuse_match(session, current_actor(), match_id=path.match_id, reason=body.reason)
    return Response(status=204)


@api.post("/matches/<uuid:match_id>/postponement", responses={204: None})
@requires("health_card:match:review")
def postpone_match(path: MatchPath, body: MatchDecision) -> Response:
    """Not now: the pair stays open, behind those that nobody has looked at"""
    with db.transaction() as session:
        service.postpone_match(session, current_actor(), match_id=path.match_id, reason=body.reason)
    return Response(status=204)


@api.delete("/matches/<uuid:match_id>/refusal", responses={204: None})
@requires("health_card:match:review")
def reopen_match(path: MatchPath) -> Response:
    """Take a pair off the do-not-match list"""
    with db.transaction() as session:
        service.reopen_match(session, current_actor(), match_id=path.match_id)
    return Response(status=204)


@api.get("/merges", responses={200: LinkList})
@requires("health_card:match:review")
def list_merges(query: PageQuery) -> Response:
    """What was put together, by the operator or by the platform itself, and what was taken apart; newest first"""
    with db.transaction() as session:
        links = service.list_links(session, current_actor(), before=query.before)
    return present(LinkList(merges=[LinkShown.of(link) for link in links]))


@api.post("/merges", responses={201: LinkShown})
@requires("health_card:person:merge")
def merge_persons(body: Merge) -> Response:
    """Put the person of one record behind the person of another"""
    with db.transaction() as session:
        link = service.merge_persons(session, current_actor(), **dict(body))
    return present(LinkShown.of(link), 201)


@api.post("/merges/<uuid:link_id>/undo", responses={200: LinkShown})
@requires("health_card:person:merge")
def unmerge_persons(path: LinkPath, body: MatchDecision) -> Response:
    """Take a merge back: each has again what came through its own record; the pair goes onto the do-not-match list"""
    with db.transaction() as session:
        link = service.unmerge_persons(session, current_actor(), link_id=path.link_id, reason=body.reason)
    return present(LinkShown.of(link))
