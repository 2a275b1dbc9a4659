"""The machine interface of erasure receipts: for hospitals' systems, which answer, and for the patient's phone."""

from flask import Response

from consent.receipts import service
from consent.receipts.schemas import (
    ErasureList,
    ErasurePath,
    ErasureQuery,
    ErasureShown,
    OwnErasureQuery,
    ReceiptReceived,
)
from core import db
from core.api import Api
from core.web import current_actor, present, requires

api = Api("consent_receipts", tag="Consent 授权", url_prefix="/api/v1")


@api.get("/erasure-requests", responses={200: ErasureList})
@requires("consent:erasure:answer")
def list_requests(query: ErasureQuery) -> Response:
    """What patients ask of my hospital: what became of copies that our systems took under a grant that has ended"""
    with db.transaction() as session:
        found = service.list_of_house(session, current_actor(), before=query.before, is_open=query.is_open)
    return present(ErasureList(erasures=[ErasureShown.model_validate(each) for each in found]))


@api.post("/erasure-requests/<uuid:request_id>/receipt", responses={201: ErasureShown})
@requires("consent:erasure:answer")
def answer_request(path: ErasurePath, body: ReceiptReceived) -> Response:
    """Answer with a signed receipt: what was erased and when, or why it is kept"""
    with db.transaction() as session:
        answered = service.answer_request(session, current_actor(), request_id=path.request_id, signed=body.receipt)
    return present(ErasureShown.model_validate(answered), 201)


@api.get("/erasures", responses={200: ErasureList})
@requires("consent:erasure:read")
def list_erasures(query: OwnErasureQuery) -> Response:
    """What hospitals that copied my records were asked when a grant ended, and what they answered"""
    with db.snapshot() as session:
        found = service.list_own(session, current_actor(), before=query.before, grant_id=query.grant_id)
    return present(ErasureList(erasures=[ErasureShown.model_validate(each) for each in found]))
