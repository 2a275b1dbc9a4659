"""Orders as they go out."""

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from core.api import Received, Shown


class OrderShown(Shown):
    id: UUID
    placer_number: str = Field(description="of the system that ordered")
    filler_number: str | None = Field(description="of the laboratory")
    code: str
    code_system: str = Field(description="for example http://loinc.org, or as the hospital calls its own")
    name: str
    status: str = Field(description="active, on-hold, completed, revoked, entered-in-error")
    report_id: UUID | None = Field(description="the report that answers it; an active order with one is in process")
    ordered_at: datetime


class OrderQuery(Received):
    status: str | None = Field(None, max_length=32, pattern=r"^[a-z-]+$", description="only those of this status")
    since: date | None = Field(None, description="ordered on this day of the city or later")
    until: date | None = Field(None, description="ordered on this day of the city or before")
    before: UUID | None = Field(None, description="the id of the last line of the page before")
    limit: int = Field(30, ge=1, le=100)


class HouseOrderShown(OrderShown):
    person_name: str = Field(description="masked")
    patient_number: str | None = Field(description="this hospital's own")
    visit_id: UUID | None = Field(description="the visit at which it was ordered")
    changed_at: datetime = Field(description="when the hospital's system last said something of it")


class HouseOrders(Shown):
    orders: list[HouseOrderShown]


class Orders(Shown):
    orders: list[OrderShown]
