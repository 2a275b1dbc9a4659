"""The interface that hospital systems already speak, and its switch for the operator."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any, TypeVar
from uuid import UUID

from flask import Flask, Response, current_app, request

from accounts import service as accounts
from core import db, limits
from core.actor import Actor
from core.api import Api
from core.errors import Refusal
from core.vault import vault
from core.web import current_actor, current_config, present, public, requires
from health_card import service as health_card
from health_card.refusals import CodeRefused, PersonDetailsDiffer
from health_card.showings.refusals import PersonNotFoundHere
from health_card.tencent import answers, operations, registering, service
from health_card.tencent.envelope import MOST_BYTES, Envelope, read_envelope
from health_card.tencent.reading import read_fields
from health_card.tencent.refusals import BodyTooLarge, OperationUnknown, ProofFailed
from health_card.tencent.schemas import (
    AccessChange,
    AccessList,
    AccessPath,
    AccessSecret,
    Answer,
    AppTokenRequest,
    Batch,
    BatchDone,
    BatchItem,
    Binding,
    Bound,
    ByHealthCardId,
    ByHealthCode,
    ByQRCode,
    CommonIn,
    FailedItem,
    HealthCardShown,
    NewAccess,
    Nothing,
    QRCodeRequest,
    QRCodeShown,
    Registered,
    Registration,
    Reply,
    Request,
    Sent,
    TencentAccessShown,
    TokenShown,
    UseReport,
    Verification,
    Verified,
)

TAG = "Hospital systems 系统接入"
OPERATIONS = "/HealthOpenPlatform/ISVOpenObj"
REQUESTS_PER_MINUTE = 1200
FAILURES_PER_MINUTE = 20
GUESSES_PER_MINUTE = 5

api = Api(
    "tencent",
    tag=TAG,
    url_prefix="/rest/auth/HealthCard",
    present_problem=answers.present_problem,
    speaks="application/json",
)
administration = Api("tencent_administration", tag=TAG, url_prefix="/api/v1")

Req = TypeVar("Req", bound=Request)
Operation = Callable[[Actor, Req], Reply]

_OPEN_VISIT = "yimatong.tencent.open_visit"

public_by_proof = public("the envelope's signature is the proof")


def install(app: Flask, *, open_visit: Callable[..., UUID]) -> None:
    """Say what opens the visit of a code that was verified by this interface.

    :param open_visit: an ``operations.OpenVisit`` that also takes ``visit_days``.
    """
    app.extensions[_OPEN_VISIT] = open_visit


def proved(reads: type[Req]) -> Callable[[Operation[Req]], Callable[[], Response]]:
    """Make an operation a view: it gets who signed the request, and its ``req``; what it returns becomes ``rsp``."""

    def mark(operation: Operation[Req]) -> Callable[[], Response]:
        @wraps(operation)
        def serve() -> Response:
            envelope, common = _read_request()
            with _counting_failures(common), db.transaction() as session:
                actor = service.identify(session, envelope, common)
            limits.count("tencent", str(actor.id), per_minute=REQUESTS_PER_MINUTE)
            return answers.present(operation(actor, read_fields(reads, envelope.req, within="req")))

        return _documented(serve, reads)

    return mark


def _documented(view: Callable[[], Response], reads: type[Request]) -> Callable[[], Response]:
    """The OpenAPI document takes the body from the annotations; we read it ourselves, after the signature."""
    view.__annotations__ = {"body": Sent[reads], "return": Response}  # type: ignore[valid-type]
    view.__delay_validate_request__ = True  # type: ignore[attr-defined]
    return view


@api.post("/HealthOpenAuth/AuthObj/getAppToken", responses={200: Answer[TokenShown]})
@public_by_proof
def get_app_token() -> Response:
    """A token of 7200 seconds; the one before ends"""
    envelope, common = _read_request()
    body = read_fields(AppTokenRequest, envelope.req, within="req")
    with _counting_failures(common), db.transaction() as session:
        token = service.issue_token(session, envelope, common, app_id=body.app_id)
    return answers.present(TokenShown(app_token=token, expires_in=int(service.TOKEN_LIFE.total_seconds())))


@api.post(f"{OPERATIONS}/registerHealthCard", responses={200: Answer[Registered]})
@public_by_proof
@proved(Registration)
def register(actor: Actor, body: Registration) -> Registered:
    """Register a person and get the card; again: the same card"""
    return _register(actor, body)


@api.post(f"{OPERATIONS}/registerBatchHealthCard", responses={200: Answer[BatchDone]})
@public_by_proof
@proved(Batch)
def register_batch(actor: Actor, body: Batch) -> BatchDone:
    """Register up to 15 persons, each for itself"""
    done = BatchDone(rsp_items=[], failed_items=[])
    for item in body.health_card_items:
        id_number, id_type = item.id_number or "", item.id_type or ""
        try:
            card = _register(actor, item)
        except Refusal as refusal:
            told = answers.describe_refusal(refusal)
            done.failed_items.append(FailedItem(id_number=id_number, id_type=id_type, **told))
            continue
        shown = {"qr_code_text": card.qr_code_text, "health_card_id": card.health_card_id}
        done.rsp_items.append(BatchItem(id_number=id_number, id_type=id_type, **shown))
    return done


@api.post(f"{OPERATIONS}/getHealthCardByHealthCode", responses={200: Answer[HealthCardShown]})
@public_by_proof
@proved(ByHealthCode)
def get_by_health_code(actor: Actor, body: ByHealthCode) -> HealthCardShown:
    """The card that the patient's phone authorised this hospital to read"""
    with _counting_codes(actor), db.transaction() as session:
        return HealthCardShown(card=operations.read_by_health_code(session, actor, body.health_code, issuer=_issuer()))


@api.post(f"{OPERATIONS}/getHealthCardByQRCode", responses={200: Answer[HealthCardShown]})
@public_by_proof
@proved(ByQRCode)
def get_by_qr_code(actor: Actor, body: ByQRCode) -> HealthCardShown:
    """The card of a code, when it was shown to this hospital in the last 30 days"""
    with _counting_codes(actor), db.transaction() as session:
        return HealthCardShown(card=operations.read_by_qr_code(session, actor, body.qr_code_text, issuer=_issuer()))


@api.post(f"{OPERATIONS}/getHealthCardByHealthCardId", responses={200: Answer[HealthCardShown]})
@public_by_proof
@proved(ByHealthCardId)
def get_by_card_number(actor: Actor, body: ByHealthCardId) -> HealthCardShown:
    """The card of a healthCardId, when it was shown to this hospital in the last 30 days"""
    with db.transaction() as session:
        return HealthCardShown(
            card=operations.read_by_card_number(session, actor, body.health_card_id, issuer=_issuer())
        )


@api.post(f"{OPERATIONS}/getDynamicQRCode", responses={200: Answer[QRCodeShown]})
@public_by_proof
@proved(QRCodeRequest)
def get_code(actor: Actor, body: QRCodeRequest) -> QRCodeShown:
    """A static code to print; a dynamic one only where the access allows it and registered the card on a phone"""
    guessing = _counting_guesses(actor, body.health_card_id)
    with guessing, db.transaction() as session:
        return operations.show_code(session, actor, body, issuer=_issuer())


@api.post(f"{OPERATIONS}/bindCardRelation", responses={200: Answer[Bound]})
@public_by_proof
@proved(Binding)
def bind(actor: Actor, body: Binding) -> Bound:
    """Bind this hospital's patient number to the person of a card that was shown to it"""
    with _counting_codes(actor), db.transaction() as session:
        operations.bind(session, actor, body, issuer=_issuer())
    return Bound(result=True)


@api.post(f"{OPERATIONS}/verifyQRCode", responses={200: Answer[Verified]})
@public_by_proof
@proved(Verification)
def verify(actor: Actor, body: Verification) -> Verified:
    """Redeem a code at an enrolled terminal: who it is, and with a department a visit, new or continued"""
    open_visit = partial(current_app.extensions[_OPEN_VISIT], visit_days=current_config().visit_days)
    counting = health_card.counting_failures(
        f"{actor.hospital_id}/{body.terminal_id}", lock=partial(_lock, actor, body.terminal_id)
    )
    with counting, db.transaction() as session:
        return operations.verify(session, actor, body, issuer=_issuer(), open_visit=open_visit)


@api.post(f"{OPERATIONS}/reportHISData", responses={200: Answer[Nothing]})
@public_by_proof
@proved(UseReport)
def report_use(actor: Actor, body: UseReport) -> Nothing:
    """Report that a card was used; the same use again is kept once"""
    with _counting_codes(actor), _counting_guesses(actor, body.id_card_number), db.transaction() as session:
        operations.report_use(session, actor, body, issuer=_issuer())
    return Nothing()


@api.post("/<path:rest>", doc_ui=False)
@public("answers the same to everybody: there is nothing here")
def refuse_operation(**_rest: str) -> Response:
    """Whatever else the original interface knows"""
    raise OperationUnknown


@administration.get("/tencent-apps", responses={200: AccessList})
@requires("health_card:tencent_app:manage")
def list_accesses() -> Response:
    """The hospitals that have access to the older interface"""
    with db.snapshot() as session:
        found = service.list_accesses(session)
    return present(AccessList(apps=[TencentAccessShown.model_validate(access) for access in found]))


@administration.post("/tencent-apps", responses={201: AccessSecret})
@requires("health_card:tencent_app:manage")
def switch_on(body: NewAccess) -> Response:
    """Give a hospital access to the older interface, or give it again with a new secret"""
    with db.transaction() as session:
        issued = service.switch_on(session, current_actor(), hospital_code=body.hospital_code)
    return present(AccessSecret.model_validate(issued), 201)


@administration.put("/tencent-apps/<app_id>", responses={200: TencentAccessShown})
@requires("health_card:tencent_app:manage")
def change_access(path: AccessPath, body: AccessChange) -> Response:
    """Switch an access on or off, and say whether it may show dynamic codes"""
    with db.transaction() as session:
        access = service.change_access(session, current_actor(), app_id=path.app_id, **dict(body))
    return present(TencentAccessShown.model_validate(access))


@administration.post("/tencent-apps/<app_id>/secrets", responses={201: AccessSecret})
@requires("health_card:tencent_app:manage")
def rotate_secret(path: AccessPath) -> Response:
    """A new secret in place of the earlier one, which is worthless at once"""
    with db.transaction() as session:
        issued = service.rotate_secret(session, current_actor(), app_id=path.app_id)
    return present(AccessSecret.model_validate(issued), 201)


def _register(actor: Actor, body: Registration) -> Registered:
    # WeChat is asked before the transaction: it may be slow.
    wechat = accounts.exchange_wechat_code(current_config(), body.wechat_code) if body.wechat_code else None
    # A newborn is asked for by its mother's certificate.
    about = body.id_number or (body.child_info.mother_id_number if body.child_info else "")
    limit = current_config().family_limit
    with _counting_guesses(actor, about), db.transaction() as session:
        return registering.register(session, actor, body, wechat=wechat, issuer=_issuer(), family_limit=limit)


def _read_request() -> tuple[Envelope, CommonIn]:
    if (request.content_length or 0) > MOST_BYTES:
        raise BodyTooLarge
    envelope = read_envelope(request.get_data())
    return envelope, read_fields(CommonIn, envelope.common, within="commonIn")


def _counting_failures(common: CommonIn) -> Any:
    # By address too: who only knows a hospital's code cannot lock the hospital out.
    subject = f"{request.remote_addr}/{common.hospital_id}"
    return limits.counting_failures("tencent_proofs", subject, ProofFailed, per_minute=FAILURES_PER_MINUTE)


def _counting_codes(actor: Actor) -> Any:
    return limits.counting_failures("tencent_codes", str(actor.id), CodeRefused, per_minute=FAILURES_PER_MINUTE)


@contextmanager
def _counting_guesses(actor: Actor, about: str) -> Iterator[None]:
    """Nobody may find out by trying what belongs to a certificate or a card."""
    subject = f"{actor.id}/{vault().blind_index(about, context='tencent.guesses').hex()}"
    counting = partial(limits.counting_failures, "tencent_guesses", subject, per_minute=GUESSES_PER_MINUTE)
    with counting(failure=PersonDetailsDiffer), counting(failure=PersonNotFoundHere):
        yield


def _lock(actor: Actor, terminal: str, seconds: int) -> None:
    with db.transaction() as session:
        accounts.lock_terminal(session, actor, code=terminal, seconds=seconds)


def _issuer() -> str:
    return current_config().issuer_code
