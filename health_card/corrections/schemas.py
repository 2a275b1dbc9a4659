"""What a correction says."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import Field, model_validator

from core.api import Received, Shown
from health_card.corrections.service.details import NewDetails
from health_card.desk.schemas import DocumentRead, LookUpPath


class CorrectionRequest(Received):
    """Only what is sent is corrected."""

    reason: Literal["mistake", "changed"] = Field(description="wrong from the start, or the world has changed")
    name: str | None = Field(None, min_length=1, max_length=50, pattern=r"^[^\x00-\x1f<>]+$")
    phone: str | None = Field(None, pattern=r"^(1[3-9][0-9]{9}|\+[1-9][0-9]{5,14})$")
    sex: Literal["male", "female", "unknown"] | None = Field(None, description="when no certificate's number tells it")
    birth_date: date | None = Field(None, description="when no certificate's number tells it")
    nation: str | None = Field(None, pattern=r"^[0-9]{2}$", description="ethnic group, GB/T 3304, for example 01 汉族")
    address: str | None = Field(None, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f<>]+$")

    def as_details(self) -> NewDetails:
        return NewDetails(**self.model_dump(exclude={"reason"}))


class CorrectedShown(Shown):
    changed: list[str] = Field(description="name, phone, sex, birth_date, nation, address; empty: all was right")


class CertificateRequest(DocumentRead):
    reason: Literal["added", "renewed", "mistake"] = Field(
        description="added: one more; renewed: in the place of an older one, which still leads to the person; "
        "mistake: in the place of one that was never this person's"
    )
    replaces: UUID | None = Field(None, description="the certificate that this one replaces; none when added")

    @model_validator(mode="after")
    def _replaces_what(self) -> "CertificateRequest":
        if (self.replaces is None) != (self.reason == "added"):
            raise ValueError("replaces goes with renewed and mistake, and not with added")
        return self


class CertificateAdded(Shown):
    certificate_id: UUID


class CertificatePath(LookUpPath):
    certificate_id: UUID


class ChangesQuery(Received):
    before: UUID | None = Field(None, description="the id of the last row of the page before")


class ChangeShown(Shown):
    id: UUID
    field: str = Field(description="name, phone, sex, birth_date, nation, address or certificate")
    certificate_type: str | None = Field(description="of a certificate: WS 364.3 CV02.01.101")
    old: str | None = Field(description="masked; absent: not known before")
    new: str | None = Field(description="masked; absent: withdrawn or no longer current")
    reason: str = Field(description="mistake, changed, renewed or added")
    evidence: str = Field(description="the type of the document that the desk had seen")
    hospital_name: str
    changed_at: datetime


class ChangeList(Shown):
    changes: list[ChangeShown]
