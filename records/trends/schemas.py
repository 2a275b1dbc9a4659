"""A trend as it goes out. Numbers are texts, so that 5.10 stays 5.10."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from pydantic import ConfigDict, Field

from core.api import Received, Shown
from records.items.schemas import ItemShown
from records.trends import service


class TrendPath(Received):
    person_id: UUID
    item: str = Field(max_length=32, description="the city's code of the item")


class TrendQuery(Received):
    before: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[0-9]{1,4}$",
        description="`older` of the page before",
    )
    limit: int = Field(100, ge=1, le=200)

    def last_line(self) -> tuple[UUID, int] | None:
        """Report and position where the page before ended."""
        return service.read_line(self.before) if self.before else None


class TrendPointShown(Shown):
    id: str
    report_id: UUID
    hospital_name: str
    performed_at: datetime
    status: str = Field(description="preliminary, final, amended, corrected")
    value: Decimal | None = Field(description="in the item's unit; left out when it cannot be converted")
    comparator: str | None = Field(description="< <= >= > when the value is only a bound")
    original_value: Decimal | None = Field(description="exactly as sent")
    original_text: str | None = Field(description="a result that is no number")
    original_unit: str | None = Field(description="as the hospital writes it")
    reference_low: Decimal | None = Field(description="as sent, in the original unit")
    reference_high: Decimal | None
    flag: str | None = Field(description="HL7 ObservationInterpretation: H, L, HH, LL, N, A ...")
    flag_source: str | None = Field(description="hospital: as sent; hospital_range: by its range; city_range: by ours")
    explanation: str | None = Field(description="what the flag means, in Chinese")


class TrendShown(Shown):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "item": {
                    "id": "018f0000-0000-7000-8000-0000000000f1",
                    "code": "LAB-GLU",
                    "version": 1,
                    "name": "葡萄糖",
                    "name_en": "Glucose",
                    "short_name": "GLU",
                    "category": "laboratory",
                    "value_kind": "quantity",
                    "unit": "mmol/L",
                    "decimals": 2,
                    "molar_mass": "180.156",
                    "changed_at": "2026-01-01T00:00:00Z",
                    "loinc": ["2345-7"],
                    "ranges": [],
                },
                "points": [
                    {
                        "id": "018f0000-0000-7000-8000-0000000000d1.1",
                        "report_id": "018f0000-0000-7000-8000-0000000000d1",
                        "hospital_name": "市第一测试医院",
                        "performed_at": "2026-03-20T00:30:00Z",
                        "status": "final",
                        "value": "7.22",
                        "comparator": None,
                        "original_value": "130",
                        "original_text": None,
                        "original_unit": "mg/dL",
                        "reference_low": "70",
                        "reference_high": "110",
                        "flag": "H",
                        "flag_source": "hospital_range",
                        "explanation": "高于参考范围（按该医院的参考范围）",
                    }
                ],
                "apart": [],
                "older": None,
            }
        }
    )

    item: ItemShown
    points: list[TrendPointShown] = Field(description="newest first")
    apart: list[TrendPointShown] = Field(description="of the same page: what cannot be converted to the item's unit")
    older: str | None = Field(description="`before` of the next page; left out on the last one")
