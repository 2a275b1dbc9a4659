"""The machine interface of standing policies, for the patient's phone."""

from flask import Response

from consent.policies import service
from consent.policies.schemas import (
    HospitalPath,
    NoticePathByHash,
    NoticeTextShown,
    PolicyChange,
    PolicyChangeShown,
    PolicyQuery,
    PolicyShown,
    show_notice,
)
from core import db
from core.api import Api
from core.web import current_actor, present, requires

api = Api("sharing_policies", tag="Consent 授权", url_prefix="/api/v1")


@api.get("/sharing-policy", responses={200: PolicyShown})
@requires("consent:policy:read")
def get_policy(query: PolicyQuery) -> Response:
    """What hospitals see when my code is shown there, and the notice to be shown before I change it"""
    with db.snapshot() as session:
        policy = service.get_policy(session, current_actor(), person_id=query.person_id)
    return present(PolicyShown.of(policy))


@api.put("/sharing-policy", responses={200: PolicyChangeShown})
@requires("consent:policy:change")
def change_policy(body: PolicyChange) -> Response:
    """Choose anew, whole: it holds from the next request on, for what codes have opened already too"""
    with db.transaction() as session:
        changed = service.change_policy(
            session,
            current_actor(),
            person_id=body.person_id,
            choice=body.as_choice(),
            version=body.version,
            notice_hash=body.notice_hash,
        )
    return present(PolicyChangeShown.of(changed))


@api.put("/blocked-hospitals/<uuid:hospital_id>", responses={200: PolicyShown})
@requires("consent:policy:change")
def block_hospital(path: HospitalPath, query: PolicyQuery) -> Response:
    """This hospital may not ask me for more any longer. What it sees already it sees until that ends or is revoked"""
    with db.transaction() as session:
        policy = service.block_hospital(
            session, current_actor(), person_id=query.person_id, hospital_id=path.hospital_id
        )
    return present(PolicyShown.of(policy))


@api.delete("/blocked-hospitals/<uuid:hospital_id>", responses={200: PolicyShown})
@requires("consent:policy:change")
def let_hospital_ask(path: HospitalPath, query: PolicyQuery) -> Response:
    """This hospital may ask me again"""
    with db.transaction() as session:
        policy = service.let_hospital_ask(
            session, current_actor(), person_id=query.person_id, hospital_id=path.hospital_id
        )
    return present(PolicyShown.of(policy))


@api.get("/notice-texts/<string:text_hash>", responses={200: NoticeTextShown})
@requires("consent:policy:read")
def get_notice(path: NoticePathByHash) -> Response:
    """What I was shown when I agreed, by the hash that a policy, a request or a grant names"""
    with db.snapshot() as session:
        notice = service.get_notice(session, path.text_hash)
    return present(show_notice(notice))
