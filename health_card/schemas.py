"""What health_card takes in and gives out."""

from datetime import date, datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from core.api import Received, Shown
from health_card.certificates import CertificateType, check_certificate
from health_card.codes import Payment
from health_card.service.identities import PHONE_SHAPE, PLAIN_TEXT, Details
from health_card.service.persons import Registration


class Certified(Received):
    """A person by his certificate, without a phone number."""

    certificate_type: CertificateType = Field(description="WS 364.3 CV02.01.101, for example 01 resident ID")
    certificate_number: str = Field(min_length=4, max_length=32)
    name: str = Field(min_length=1, max_length=50, pattern=PLAIN_TEXT)
    country: str = Field("", pattern=r"^([A-Z]{3})?$", description="of a foreign passport: ISO 3166-1 alpha-3")
    sex: Literal["male", "female", "unknown"] = Field("unknown", description="needed when the number does not tell it")
    birth_date: date | None = Field(None, description="needed when the number does not tell it")
    nation: str | None = Field(None, pattern=r"^[0-9]{2}$", description="ethnic group, GB/T 3304, for example 01 汉族")
    address: str | None = Field(None, min_length=1, max_length=200, pattern=PLAIN_TEXT)

    def details_with(self, phone: str) -> Details:
        """:raises CertificateInvalid: the number cannot be one of its type."""
        certificate = check_certificate(self.certificate_type, self.certificate_number, self.country)
        return Details(self.name, phone, certificate, self.sex, self.birth_date, self.nation, self.address)


class Application(Certified):
    phone: str = Field(pattern=PHONE_SHAPE)

    def as_details(self) -> Details:
        """:raises CertificateInvalid: the number cannot be one of its type."""
        return self.details_with(self.phone)


class RegistrationShown(Shown):
    card_id: UUID
    state: int = Field(description="1 normal, 2 lost, 3 cancelled, 4 being made, 5 not issued")
    is_new: bool
    holder: Literal["confirmed", "awaiting_desk"] = Field(
        description="awaiting_desk: another login registered this person first; a desk must see the document"
    )

    @classmethod
    def of(cls, registration: Registration) -> "RegistrationShown":
        return cls(
            card_id=registration.card.id,
            state=registration.card.state,
            is_new=registration.is_new,
            holder="confirmed" if registration.is_confirmed else "awaiting_desk",
        )


class CardShown(Shown):
    card_id: UUID
    number: str = Field(description="the card's own 256-bit random id, 64 hexadecimal digits")
    state: int = Field(description="1 normal, 2 lost, 3 cancelled, 4 being made, 5 not issued")
    state_text: str = Field(description="the state in Chinese, for showing")
    channel: int = Field(description="1 app, 2 kiosk, 3 window, 4 batch")
    name: str = Field(description="masked")
    relation: str | None = Field(
        description="what the person is to this login: self, child, ward, spouse, parent or other; absent at a desk"
    )
    is_self: bool
    valid_until: datetime | None = Field(description="this login may act until then; absent: no age ends it")
    issued_at: datetime


class CardList(Shown):
    cards: list[CardShown]


class CardPath(Received):
    card_id: UUID


class CodeRequest(Received):
    kind: Literal["dynamic", "static", "confirmed", "payment"] = Field(
        "dynamic", description="confirmed and payment are made with the PIN of PUT /api/v1/code-pin"
    )
    pin: str | None = Field(None, pattern=r"^[0-9]{6}$", description="for confirmed and payment")
    payee_id: UUID | None = Field(None, description="for payment: the hospital that may capture it")
    amount_fen: int | None = Field(
        None, strict=True, ge=1, le=100_000_000, description="for payment: exactly this amount, in fen"
    )

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        needs_pin, is_payment = self.kind in {"confirmed", "payment"}, self.kind == "payment"
        if (self.pin is not None) != needs_pin:
            raise ValueError("a pin belongs to confirmed and payment codes, and to no others")
        if {self.payee_id is not None, self.amount_fen is not None} != {is_payment}:
            raise ValueError("payee_id and amount_fen belong to payment codes, and to no others")
        return self

    def read_payment(self) -> Payment | None:
        """What a payment code may pay."""
        if self.payee_id is None or self.amount_fen is None:
            return None
        return Payment(self.payee_id, self.amount_fen)


class CodeShown(Shown):
    text: str = Field(description="what the QR code says; draw it at error correction level M")
    expires_at: datetime | None = Field(description="absent: until the card is revoked")
