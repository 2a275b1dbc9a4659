"""The machine interface for desks without the network."""

from flask import Response, request

from core import db, limits
from core.api import Api
from core.web import current_actor, current_config, present, public, requires
from health_card.offline import service
from health_card.offline.schemas import CodeKeySet, OfflineResults, OfflineScans

api = Api("offline", tag="Desk 登记窗口")

READS_PER_MINUTE = 120
# A killed key or a lost card must not outlive a minute in a cache.
CACHE_CONTROL = "public, max-age=30"


@api.get(
    "/.well-known/yimatong/code-keys.json",
    responses={200: CodeKeySet},
    openapi_extensions={"x-also-produces": ["application/jwk-set+json"]},
)
@public("desks verify codes with public keys")
def get_code_keys() -> Response:
    """The public keys of codes (JWK Set)"""
    limits.count("code_keys", request.remote_addr or "-", per_minute=READS_PER_MINUTE)
    with db.snapshot() as session:
        published = service.publish_keys(session, issuer=current_config().issuer_code)
    reply = present(CodeKeySet.model_validate(published))
    reply.mimetype = "application/jwk-set+json"
    return _cacheable(reply)


@api.get("/.well-known/yimatong/code-revocations", openapi_extensions={"x-also-produces": ["application/jose"]})
@public("it names cards by a part of a hash of a random number")
def get_code_revocations() -> Response:
    """What is no longer good, signed (JWS compact); 304 with the ETag of an unchanged list"""
    limits.count("code_revocations", request.remote_addr or "-", per_minute=READS_PER_MINUTE)
    with db.snapshot() as session:
        signed = service.publish_revocations(session, issuer=current_config().issuer_code)
    return _cacheable(Response(signed, mimetype="application/jose"))


@api.post("/api/v1/desk/offline-scans", responses={200: OfflineResults})
@requires("health_card:offline_scan:submit")
def submit_scans(body: OfflineScans) -> Response:
    """A desk hands in what it accepted without the network; again: the same results"""
    with db.transaction() as session:
        results, next_sequence = service.submit_scans(
            session, current_actor(), submission=body.read(), issuer=current_config().issuer_code
        )
    return present(OfflineResults.of(results, next_sequence))


def _cacheable(reply: Response) -> Response:
    reply.headers["Cache-Control"] = CACHE_CONTROL
    reply.add_etag()
    reply.make_conditional(request)
    return reply
