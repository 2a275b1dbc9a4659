"""What is said of a carrier."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from core.api import Received, Shown
from health_card.carriers.models import Kind
from health_card.desk.schemas import LookUpPath


class CarrierRequest(Received):
    kind: Kind = Field(description="id_card: the ID card itself, read by a reader")
    number: str = Field(
        min_length=4,
        max_length=40,
        description="social_security_card 9 letters and digits; id_card a resident ID number; resident_health_card 16 "
        "to 20; regional_visit_card 4 to 32",
    )


class CarrierRead(CarrierRequest):
    certificate_number: str | None = Field(
        None, min_length=4, max_length=32, description="as read from the document; not needed with the ID card itself"
    )


class CarrierBound(Shown):
    carrier_id: UUID


class CarrierPath(LookUpPath):
    carrier_id: UUID


class CarrierEnd(Received):
    reason: Literal["lost", "renewed", "mistake"]
