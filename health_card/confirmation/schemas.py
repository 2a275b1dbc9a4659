"""What confirming takes in and gives out."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from core.api import Received, Shown

Purpose = Literal["records", "account", "credit"]


class PinChange(Received):
    pin: str = Field(pattern=r"^[0-9]{6}$", description="six digits, for confirming on this phone")
    old_pin: str | None = Field(None, pattern=r"^[0-9]{6}$", description="needed when there is one")


class ConfirmationPath(Received):
    confirmation_id: UUID


class ConfirmationShown(Shown):
    confirmation_id: UUID
    purpose: Purpose
    state: Literal["waiting", "confirmed", "refused", "expired"]
    expires_at: datetime


class PendingShown(Shown):
    confirmation_id: UUID
    card_id: UUID
    hospital_name: str
    purpose: Purpose
    asked_at: datetime
    expires_at: datetime


class PendingList(Shown):
    confirmations: list[PendingShown]


class ConfirmationAnswer(Received):
    answer: Literal["confirmed", "refused"]
