"""What payments takes in and gives out. Amounts are integer fen."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from core import clock
from core.api import Headers, Received, Shown
from payments.models import Repayment, RepaymentState
from payments.service import Bill, LineView, PaymentCode
from payments.wechatpay import WechatPay

# Strict: neither "100" nor 100.0 nor true is an amount of money.
AmountFen = Annotated[int, Field(strict=True, ge=1, le=100_000_000, description="fen")]


class IdempotencyHeader(Headers):
    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        description="required: 8 to 128 printable characters, new for each new intent; the same key with the same "
        "request has one effect and the same reply (then with the header Idempotency-Replayed: true)",
    )


class ProductShown(Shown):
    code: str
    name: str
    provider: str
    limit_fen: int
    interest_free_days: int
    statement_day: int = Field(description="day of the month")
    due_day: int = Field(description="day of the month")
    agreement_version: str
    agreement_text_hash: str = Field(description="SHA-256 of the agreement's UTF-8 text, hexadecimal")


class ProductList(Shown):
    products: list[ProductShown]


class SignUpAtDesk(Received):
    product_code: str = Field(min_length=1, max_length=64)
    agreement_version: str = Field(min_length=1, max_length=64, description="of the text that the patient agreed to")


class SignUp(SignUpAtDesk):
    pin: str = Field(pattern=r"^[0-9]{6}$", description="the PIN of PUT /api/v1/code-pin: the patient confirms")


class VisitPath(Received):
    visit_id: UUID


class LineShown(Shown):
    line_id: UUID
    person_name: str = Field(description="who signed up, masked")
    product_code: str
    product_name: str
    provider: str
    state: Literal["active", "suspended", "closed"]
    limit_fen: int
    drawn_fen: int
    held_fen: int
    available_fen: int
    payable_fen: int = Field(description="what can be repaid now: drawn, minus repayments under way")
    interest_free_days: int
    statement_day: int
    due_day: int
    agreement_version: str = Field(description="that this line was opened with")
    opened_at: datetime

    @classmethod
    def of(cls, view: LineView) -> "LineShown":
        line, product = view.line, view.product
        return cls.model_validate(
            {
                "line_id": line.id,
                "person_name": view.person_name,
                "product_code": product.code,
                "product_name": product.name,
                "provider": product.provider,
                "state": line.state,
                "limit_fen": line.limit_fen,
                "drawn_fen": line.drawn_fen,
                "held_fen": line.held_fen,
                "available_fen": view.available_fen,
                "payable_fen": view.payable_fen,
                "interest_free_days": product.interest_free_days,
                "statement_day": product.statement_day,
                "due_day": product.due_day,
                "agreement_version": line.agreement_version,
                "opened_at": line.opened_at,
            }
        )


class LineList(Shown):
    lines: list[LineShown]


class LinePath(Received):
    line_id: UUID


class EntryQuery(Received):
    before: UUID | None = Field(None, description="the entry_id of the last row of the page before")


class LedgerEntryShown(Shown):
    entry_id: UUID
    kind: Literal["charge", "repayment"]
    source_id: UUID = Field(description="the charge or the repayment")
    posted_at: datetime
    amount_fen: int = Field(description="above zero drawn, below zero repaid")
    balance_fen: int = Field(description="owed on the line after this entry")
    hospital_name: str | None
    medical_step: str | None
    bill_number: str | None


class EntryList(Shown):
    entries: list[LedgerEntryShown]


class ChargeRequest(Received):
    visit_id: UUID
    amount_fen: AmountFen
    medical_step: Literal["010101", "010102", "010103", "010104", "010105", "010106", "010107"] = Field(
        description="what is billed: 010101 register, 010102 diagnose, 010103 dispense, 010104 examine, "
        "010105 charge, 010106 prescribe, 010107 operate"
    )
    bill_number: str = Field(
        pattern=r"^[0-9A-Za-z._/-]{1,64}$", description="this hospital's own number of the bill, unique there"
    )
    payment_code: str | None = Field(
        None,
        min_length=1,
        max_length=400,
        description="a payment code that the patient made for this hospital and this amount; used up by the charge",
    )

    def read_bill(self) -> Bill:
        """The bill itself."""
        return Bill(self.visit_id, self.amount_fen, self.medical_step, self.bill_number)

    def read_code(self, issuer: str) -> PaymentCode | None:
        """The patient's code, when one was sent."""
        return None if self.payment_code is None else PaymentCode(self.payment_code, issuer)


class ChargeShown(Shown):
    charge_id: UUID
    visit_id: UUID
    bill_number: str
    medical_step: str
    amount_fen: int
    state: Literal["captured"]
    captured_at: datetime


class RepaymentRequest(Received):
    amount_fen: AmountFen


class RepaymentOpened(Shown):
    repayment_id: UUID
    line_id: UUID
    amount_fen: int
    state: Literal["opened"]
    expires_at: datetime = Field(description="unpaid, it ends then")


class RepaymentPath(Received):
    repayment_id: UUID


class PaymentArguments(Shown):
    """For ``wx.requestPayment``; ``appId`` is for pages in WeChat's browser, a mini-program leaves it out."""

    app_id: str = Field(alias="appId")
    time_stamp: str = Field(alias="timeStamp")
    nonce_str: str = Field(alias="nonceStr")
    package: str
    sign_type: str = Field(alias="signType")
    pay_sign: str = Field(alias="paySign")


class RepaymentShown(Shown):
    repayment_id: UUID
    line_id: UUID
    amount_fen: int
    state: Literal["opened", "ordered", "paid", "closed", "failed"] = Field(
        description="opened: wait a second and ask again; ordered: pay with `payment`; paid; closed: not paid in time; "
        "failed: WeChat Pay refused the order"
    )
    out_trade_no: str = Field(description="our number of the order at WeChat Pay, as it stands on the patient's bill")
    opened_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    payment: PaymentArguments | None = Field(
        description="while it can be paid: the arguments of wx.requestPayment, freshly signed"
    )

    @classmethod
    def of(cls, repayment: Repayment, gateway: WechatPay) -> "RepaymentShown":
        can_be_paid = repayment.state == RepaymentState.ORDERED and repayment.expires_at > clock.now()
        arguments = gateway.payment_arguments(repayment.prepay_id) if can_be_paid and repayment.prepay_id else None
        return cls.model_validate(
            {
                "repayment_id": repayment.id,
                "line_id": repayment.line_id,
                "amount_fen": repayment.amount_fen,
                "state": repayment.state,
                "out_trade_no": repayment.out_trade_no,
                "opened_at": repayment.opened_at,
                "expires_at": repayment.expires_at,
                "paid_at": repayment.paid_at,
                "payment": PaymentArguments.model_validate(arguments) if arguments else None,
            }
        )
