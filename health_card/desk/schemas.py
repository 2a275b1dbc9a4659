"""What a registrar's desk sends and sees."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from core.api import Received, Shown
from health_card.certificates import CertificateType, check_certificate
from health_card.desk.service.assurance import Document
from health_card.desk.service.registration import DeskRegistration
from health_card.schemas import Application, CardShown


class DocumentRead(Received):
    certificate_type: CertificateType = Field(description="WS 364.3 CV02.01.101, for example 01 resident ID")
    certificate_number: str = Field(min_length=4, max_length=32, description="as read from the document")
    country: str = Field("", pattern=r"^([A-Z]{3})?$", description="of a foreign passport: ISO 3166-1 alpha-3")
    expires_on: date | None = Field(None, description="the document's last day, where it says one")

    def as_document(self) -> Document:
        """:raises CertificateInvalid: the number cannot be one of its type."""
        return Document(
            check_certificate(self.certificate_type, self.certificate_number, self.country), self.expires_on
        )


class LookUpRequest(DocumentRead):
    is_document_seen: bool = Field(
        False, description="the registrar has the document itself in hand: verifies it at once, as verify-document does"
    )


class DeskApplication(Application):
    channel: Literal["kiosk", "window"] = Field("window", description="where the document was read")
    expires_on: date | None = Field(None, description="the document's last day, where it says one")

    def as_document(self) -> Document:
        """:raises CertificateInvalid: the number cannot be one of its type."""
        return Document(
            check_certificate(self.certificate_type, self.certificate_number, self.country), self.expires_on
        )


class DeskRegistrationShown(Shown):
    look_up_id: UUID = Field(description="the desk goes on with this person under it, for 15 minutes")
    card_id: UUID
    state: int = Field(description="1 normal, 2 lost, 3 cancelled, 4 being made, 5 not issued")
    is_new: bool

    @classmethod
    def of(cls, done: DeskRegistration) -> "DeskRegistrationShown":
        return cls(look_up_id=done.look_up_id, card_id=done.card.id, state=done.card.state, is_new=done.is_new)


class LookUpPath(Received):
    look_up_id: UUID


class CardAtDeskPath(LookUpPath):
    card_id: UUID


class PersonAtDeskShown(Shown):
    name: str = Field(description="masked")
    sex: str
    birth_date: date | None
    age: int | None
    nation: str | None
    certificate_type: str | None
    certificate_number: str | None = Field(description="masked")
    phone: str = Field(description="masked")
    assurance: str = Field(description="asserted, document, bank or face")
    assured_at: datetime | None = Field(description="when that was last checked")
    assured_by: str | None = Field(description="the hospital that checked it")


class CertificateShown(Shown):
    certificate_id: UUID
    type: str = Field(description="WS 364.3 CV02.01.101")
    country: str = Field(description="ISO 3166-1 alpha-3; empty for our own authorities")
    number: str = Field(description="masked")
    state: str = Field(description="current; former: renewed, still leads to the person; withdrawn: leads to nobody")
    is_primary: bool
    can_be_primary: bool
    added_at: datetime
    ended_at: datetime | None


class CarrierShown(Shown):
    carrier_id: UUID
    kind: str = Field(description="social_security_card, id_card, resident_health_card or regional_visit_card")
    number: str = Field(description="masked")
    bound_at: datetime


class PersonFileShown(Shown):
    look_up_id: UUID
    expires_at: datetime = Field(description="after this, look the person up again")
    is_document_seen: bool = Field(description="needed before anything of the person can be changed")
    person: PersonAtDeskShown
    certificates: list[CertificateShown]
    cards: list[CardShown]
    carriers: list[CarrierShown]


class AssuranceShown(Shown):
    assurance: str = Field(description="the level now: document, bank or face")


class EndLogins(Received):
    until_confirmed: bool = Field(
        description="true: the logins may act for nobody until a desk has confirmed them again; for a phone that "
        "somebody else holds, who could sign in with WeChat at once. false: they only have to sign in again"
    )


class PinsClearedShown(Shown):
    pins_cleared: int = Field(description="of the person's own logins; 0 when none had a PIN")


class EndedShown(Shown):
    sign_ins_ended: int
