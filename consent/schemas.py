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


class AccessLogQuery(Received):
    before: UUID | None = Field(None, description="the id of the last row of the page before")


class AccessShown(Shown):
    id: UUID
    at: datetime
    person_id: UUID
    person_name: str = Field(description="whose data it was, masked")
    action: str = Field(description="for example records.report.read")
    who_kind: str = Field(description="patient, staff, machine, app or system")
    who: str = Field(description="of a login: 本人, 监护人, 家人 or 另一个微信登录")
    is_me: bool = Field(description="this login itself did it")
    hospital_name: str | None
    object_kind: str | None
    object_id: UUID | None
    purpose: str | None = Field(description="own, guardian or family (a login acted for this person), treatment or app")
    grant_id: UUID | None = Field(description="of an app: the id of its authorization")
    grant_version: int | None


class AccessLog(Shown):
    rows: list[AccessShown]
