"""The machine interface of proofs: for the patient's phone, and for hospitals that hold a grant."""

from flask import Response, request

from consent.proving import service
from consent.proving.schemas import GrantKeySet, GrantProof, ProofQuery
from consent.schemas import GrantPath
from core import db, limits
from core.api import Api
from core.web import current_actor, current_config, present, public, requires

api = Api("consent_proofs", tag="Consent 授权")

READS_PER_MINUTE = 120


@api.get("/api/v1/grants/<uuid:grant_id>/proof", responses={200: GrantProof})
@requires("consent:grant:read")
def prove_grant(path: GrantPath, query: ProofQuery) -> Response:
    """What I agreed to, in any of its versions, signed"""
    with db.transaction() as session:
        proof = service.prove_grant(
            session,
            current_actor(),
            grant_id=path.grant_id,
            version=query.version,
            issuer=current_config().base_url,
        )
    return present(GrantProof.model_validate(proof))


@api.get("/api/v1/received-grants/<uuid:grant_id>/proof", responses={200: GrantProof})
@requires("consent:received_grant:prove")
def prove_received_grant(path: GrantPath, query: ProofQuery) -> Response:
    """What the hospital was given, in any of its versions, signed; also after it has ended"""
    with db.transaction() as session:
        proof = service.prove_received_grant(
            session,
            current_actor(),
            grant_id=path.grant_id,
            version=query.version,
            issuer=current_config().base_url,
        )
    return present(GrantProof.model_validate(proof))


@api.get(
    "/.well-known/yimatong/grant-keys.json",
    responses={200: GrantKeySet},
    openapi_extensions={"x-also-produces": ["application/jwk-set+json"]},
)
@public("whoever is shown a proof verifies it with public keys")
def list_grant_keys() -> Response:
    """The public keys of proofs (JWK Set, RFC 7517), also those that sign no longer"""
    limits.count("grant_keys", request.remote_addr or "-", per_minute=READS_PER_MINUTE)
    with db.snapshot() as session:
        keys = service.list_public_keys(session)
    reply = present(GrantKeySet.model_validate({"keys": keys}))
    reply.mimetype = "application/jwk-set+json"
    return reply
