"""The machine interface of a person's rights over his record, for the patient's phone."""

from flask import Response

from consent.rights import service
from consent.rights.presenting import RIGHTS, show_deletion, show_plan
from consent.rights.schemas import (
    DeletionAsked,
    DeletionList,
    DeletionPath,
    DeletionPlanShown,
    DeletionShown,
    PlanQuery,
    RetentionRuleShown,
    RightsShown,
)
from core import db
from core.api import Api
from core.web import current_actor, current_config, present, requires

api = Api("consent_rights", tag="Rights 个人信息权利", url_prefix="/api/v1/rights")


@api.get("", responses={200: RightsShown})
@requires("consent:deletion:ask")
def show_rights() -> Response:
    """Which rights I have over my record and where to use them; what is kept how long, and by which law"""
    rules = [RetentionRuleShown.model_validate(rule) for rule in service.list_rules()]
    return present(RightsShown(rights=RIGHTS, retention=rules))


@api.get("/deletion-plan", responses={200: DeletionPlanShown})
@requires("consent:deletion:ask")
def show_deletion_plan(query: PlanQuery) -> Response:
    """What deleting a record would do now: what goes, what the law keeps until when, what has to be settled first"""
    with db.snapshot() as session:
        plan = service.get_plan(session, current_actor(), person_id=query.person_id)
    return present(show_plan(plan))


@api.get("/deletions", responses={200: DeletionList})
@requires("consent:deletion:ask")
def list_deletions() -> Response:
    """The deletions that were asked for, and how far each has come"""
    with db.snapshot() as session:
        found = service.list_own_deletions(session, current_actor())
    return present(DeletionList(deletions=[show_deletion(each) for each in found]))


@api.post("/deletions", responses={201: DeletionShown})
@requires("consent:deletion:ask")
def ask_for_deletion(body: DeletionAsked) -> Response:
    """Ask that a record be deleted: after the cooling-off two persons at the platform have to agree"""
    days = current_config().deletion_cooling_days
    with db.transaction() as session:
        asked = service.ask_for_deletion(session, current_actor(), person_id=body.person_id, cooling_days=days)
    return present(show_deletion(asked), 201)


@api.post("/deletions/<uuid:request_id>/withdrawal", responses={200: DeletionShown})
@requires("consent:deletion:ask")
def withdraw_deletion(path: DeletionPath) -> Response:
    """Change my mind, at any time before it was done"""
    with db.transaction() as session:
        withdrawn = service.withdraw_deletion(session, current_actor(), request_id=path.request_id)
    return present(show_deletion(withdrawn))
