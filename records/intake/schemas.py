"""The quarantine as it is listed: never what a message says."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from core.api import Received, Shown


class QuarantineQuery(Received):
    before: UUID | None = Field(None, description="the id of the last line of the page before")
    limit: int = Field(50, ge=1, le=200)


class WaitingMessageShown(Shown):
    id: UUID
    hospital_name: str
    channel: str = Field(description="fhir, hl7v2 or dicomweb")
    reason: str = Field(description="the code of the refusal, for example records.person_not_matched")
    message_key: str | None = Field(description="the sender's own id of the message")
    received_at: datetime


class Quarantine(Shown):
    messages: list[WaitingMessageShown]
