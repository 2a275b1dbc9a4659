"""The machine interface of release: the operator's rules, and the doctor's review."""

from flask import Response

from consent import service as consent
from core import db
from core.api import Api
from core.web import current_actor, present, requires
from records.releasing import service
from records.releasing.schemas import (
    HeldList,
    HeldPath,
    HeldQuery,
    HeldShown,
    NewRule,
    RuleList,
    RulePath,
    RuleShown,
)

api = Api("releasing", tag="Records 健康档案", url_prefix="/api/v1")


@api.get("/operator/release-rules", responses={200: RuleList})
@requires("records:release_rule:manage")
def list_rules() -> Response:
    """When patients see new reports: the rules in force"""
    with db.snapshot() as session:
        rules = service.list_rules(session)
    return present(RuleList(rules=[RuleShown.model_validate(rule) for rule in rules]))


@api.post("/operator/release-rules", responses={201: RuleShown})
@requires("records:release_rule:manage")
def set_rule(body: NewRule) -> Response:
    """Set a rule for what is filed from now on; it replaces the one about the same matter"""
    with db.transaction() as session:
        rule = service.set_rule(
            session,
            current_actor(),
            matter=body.as_matter(),
            mode=body.mode,
            review_days=body.review_days,
        )
    return present(RuleShown.model_validate(rule), 201)


@api.post("/operator/release-rules/<uuid:rule_id>/end", responses={204: None})
@requires("records:release_rule:manage")
def end_rule(path: RulePath) -> Response:
    """End a rule; what is held under it stays so"""
    with db.transaction() as session:
        service.end_rule(session, current_actor(), rule_id=path.rule_id)
    return Response(status=204)


@api.get("/held-items", responses={200: HeldList})
@requires("records:held_item:release")
def list_held(query: HeldQuery) -> Response:
    """What this hospital made and its patients do not see yet, newest first, 50 at a time; ids only"""
    with db.snapshot() as session:
        items = consent.list_held(session, current_actor(), before=query.before)
    return present(HeldList(items=[HeldShown.model_validate(item) for item in items]))


@api.post("/reports/<uuid:object_id>/release", responses={204: None})
@requires("records:held_item:release")
def release_report(path: HeldPath) -> Response:
    """A doctor of the hospital that made it has reviewed a report: the patient sees it from now on"""
    with db.transaction() as session:
        service.release_item(session, current_actor(), object_id=path.object_id)
    return Response(status=204)


@api.post("/studies/<uuid:object_id>/release", responses={204: None})
@requires("records:held_item:release")
def release_study(path: HeldPath) -> Response:
    """The same of an imaging study"""
    with db.transaction() as session:
        service.release_item(session, current_actor(), object_id=path.object_id)
    return Response(status=204)
