"""What consent takes in and gives out."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from core.api import Received, Shown


class GrantPath(Received):
    grant_id: UUID


class GrantShown(Shown):
    id: UUID
    person_id: UUID
    person_name: str = Field(description="whose records, masked")
    hospital_name: str
    purpose: str = Field(description="treatment")
    visit_id: UUID | None
    version: int
    status: str = Field(description="in_force, expired or revoked")
    starts_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class GrantList(Shown):
    grants: list[GrantShown]
