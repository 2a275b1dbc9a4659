"""The machine interface of payments: for the patient's phone, for hospital billing, and for WeChat Pay."""

from contextlib import nullcontext
from typing import Any

from flask import Response, jsonify, request
from pydantic import BaseModel

from core import db, idempotency, observe
from core.actor import SYSTEM
from core.api import Api
from core.web import current_actor, current_config, present, public, requires
from health_card import service as health_card
from payments import service
from payments.refusals import NotificationRefused
from payments.schemas import (
    ChargeRequest,
    ChargeShown,
    EntryList,
    EntryQuery,
    IdempotencyHeader,
    LedgerEntryShown,
    LineList,
    LinePath,
    LineShown,
    ProductList,
    ProductShown,
    RepaymentOpened,
    RepaymentPath,
    RepaymentRequest,
    RepaymentShown,
    SignUp,
    SignUpAtDesk,
    VisitPath,
)
from payments.wechatpay import NOTIFY_PATH, WechatPay

api = Api("payments", tag="Pay later 信用就医", url_prefix="/api/v1")
notify = Api("payments_notify", tag="Pay later 信用就医", speaks="application/json")


@api.get("/credit/products", responses={200: ProductList})
@requires("payments:credit_line:read")
def list_products() -> Response:
    """The credit products that can be signed up for"""
    with db.snapshot() as session:
        products = service.list_products(session)
    return present(ProductList(products=[ProductShown.model_validate(product) for product in products]))


@api.post("/credit/lines", responses={200: LineShown, 201: LineShown})
@requires("payments:credit_line:open")
def open_line(body: SignUp) -> Response:
    """Sign up for credit visits, confirmed with the PIN; again: the same line"""
    with db.transaction() as session:
        line, is_new = service.open_line(session, current_actor(), **dict(body))
    return present(LineShown.of(line), 201 if is_new else 200)


@api.post("/visits/<uuid:visit_id>/credit-lines", responses={200: LineShown, 201: LineShown})
@requires("payments:credit_line:sign_up")
def open_line_at_desk(path: VisitPath, body: SignUpAtDesk) -> Response:
    """Sign the patient of a visit up at a desk; again: the same line

    The patient has confirmed it on the phone at this desk within 5 minutes: with a tap (purpose `credit` of
    `/visits/{visit_id}/confirmations`), or by showing a code made with the PIN. That is used up."""
    with db.transaction() as session:
        line, is_new = service.open_line_at_desk(session, current_actor(), visit_id=path.visit_id, **dict(body))
    return present(LineShown.of(line), 201 if is_new else 200)


@api.get("/credit/lines", responses={200: LineList})
@requires("payments:credit_line:read")
def list_lines() -> Response:
    """My credit lines: limit, drawn, available"""
    with db.snapshot() as session:
        lines = service.list_lines(session, current_actor())
    return present(LineList(lines=[LineShown.of(line) for line in lines]))


@api.get("/credit/lines/<uuid:line_id>/entries", responses={200: EntryList})
@requires("payments:credit_line:read")
def list_entries(path: LinePath, query: EntryQuery) -> Response:
    """What was charged to my line and what I repaid, newest first, 50 a page"""
    with db.transaction() as session:
        entries = service.list_entries(session, current_actor(), line_id=path.line_id, before=query.before)
    return present(EntryList(entries=[LedgerEntryShown.model_validate(entry) for entry in entries]))


@api.post("/billing/charges", responses={201: ChargeShown})
@requires("payments:charge:capture")
def capture_charge(header: IdempotencyHeader, body: ChargeRequest) -> Response:
    """Hospital billing charges a bill to the patient's credit, at once and whole"""
    key, actor = idempotency.check_key(header.idempotency_key), current_actor()
    code = body.read_code(current_config().issuer_code)
    # Without a code a billing system goes on charging, however many bad codes it sent before.
    counting = health_card.counting_failures(f"{actor.house_id}/{actor.id}") if code else nullcontext()
    with counting, db.transaction() as session:
        reply, is_replay = service.capture_charge(session, actor, key=key, bill=body.read_bill(), code=code)
    return _present_once(ChargeShown, reply, is_replay)


@api.post("/credit/lines/<uuid:line_id>/repayments", responses={201: RepaymentOpened})
@requires("payments:repayment:create")
def open_repayment(header: IdempotencyHeader, path: LinePath, body: RepaymentRequest) -> Response:
    """Repay a part or all; ask for the repayment until it is `ordered`, then pay"""
    key = idempotency.check_key(header.idempotency_key)
    with db.transaction() as session:
        reply, is_replay = service.open_repayment(
            session, current_actor(), key=key, line_id=path.line_id, amount_fen=body.amount_fen
        )
    return _present_once(RepaymentOpened, reply, is_replay)


@api.get("/credit/repayments/<uuid:repayment_id>", responses={200: RepaymentShown})
@requires("payments:repayment:create")
def get_repayment(path: RepaymentPath) -> Response:
    """How a repayment stands and, when it can be paid, the arguments of wx.requestPayment"""
    with db.snapshot() as session:
        repayment = service.get_repayment(session, current_actor(), repayment_id=path.repayment_id)
    return present(RepaymentShown.of(repayment, WechatPay(current_config())))


@notify.post(NOTIFY_PATH, responses={204: None})
@public("the signature of WeChat Pay is the proof")
def take_wechatpay_notification() -> Response:
    """WeChat Pay tells that an order was paid; answered 204 once it is booked, and 401 when it is not genuine"""
    told = WechatPay(current_config()).read_notification(request.headers, request.get_data())
    with db.transaction() as session:
        service.accept_notification(
            session, SYSTEM, notification_id=told.id, event_type=told.event_type, paid=told.paid
        )
    return Response(status=204)


@notify.errorhandler(NotificationRefused)
def _answer_gateway(refusal: NotificationRefused) -> tuple[Response, int]:
    observe.REFUSALS.labels(refusal.code).inc()
    observe.log.warning("payments.notification_refused", code=refusal.code)
    return jsonify(code="FAIL", message=refusal.title), refusal.status


def _present_once(shape: type[BaseModel], reply: dict[str, Any], is_replay: bool) -> Response:
    presented = present(shape.model_validate(reply), 201)
    presented.headers.update({"Idempotency-Replayed": "true"} if is_replay else {})
    return presented
