"""Orders as they go out."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from core.api import Shown


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


class Orders(Shown):
    orders: list[OrderShown]
