"""The dictionary and its mappings as they come in and go out. Numbers are texts, so that 5.10 stays 5.10."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from core.api import Received, Shown
from records.items.service import ItemContent, MappingWanted, RangeContent

_ItemCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=100)]
_SentText = Annotated[str, StringConstraints(min_length=1, max_length=255)]
_Number = Annotated[Decimal, Field(max_digits=20, decimal_places=8, allow_inf_nan=False)]
_OLDEST_DAYS = 55_000


def _check_loinc(code: str) -> str:
    """The last digit is the check digit of LOINC (mod 10, LOINC Users' Guide, appendix)."""
    if not re.fullmatch(r"[1-9][0-9]{0,6}-[0-9]", code) or _check_digit(code[:-2]) != code[-1]:
        raise ValueError("not a LOINC code")
    return code


def _check_digit(digits: str) -> str:
    doubled = int(digits[::-2][::-1]) * 2
    total = sum(map(int, str(doubled))) + sum(map(int, digits[-2::-2]))
    return str(-total % 10)


_Loinc = Annotated[str, AfterValidator(_check_loinc)]


class ItemPath(Received):
    code: _ItemCode = Field(description="the city's code of the item")


class ItemQuery(Received):
    text: str | None = Field(None, max_length=64, description="part of a code or name, or a LOINC code")
    after: str | None = Field(None, max_length=32, description="the code of the last line of the page before")
    limit: int = Field(100, ge=1, le=200)


class RangeReceived(Received):
    sex: Literal["male", "female"] | None = Field(None, description="left out: both")
    age_from_days: int = Field(0, ge=0, le=_OLDEST_DAYS, description="from this age on; a year is 365.25 days")
    age_until_days: int | None = Field(None, ge=1, le=_OLDEST_DAYS, description="below this age")
    low: _Number | None = Field(None, description="in the item's unit")
    high: _Number | None = None
    critical_low: _Number | None = Field(None, description="below it: LL")
    critical_high: _Number | None = Field(None, description="above it: HH")

    @model_validator(mode="after")
    def _in_order(self) -> "RangeReceived":
        bounds = [each for each in (self.critical_low, self.low, self.high, self.critical_high) if each is not None]
        if bounds != sorted(bounds) or (self.low is None and self.high is None):
            raise ValueError("critical_low <= low <= high <= critical_high, and low or high, are expected")
        if (self.critical_low is not None and self.low is None) or (
            self.critical_high is not None and self.high is None
        ):
            raise ValueError("a critical bound needs the plain one")
        if self.age_until_days is not None and self.age_until_days <= self.age_from_days:
            raise ValueError("age_until_days is not above age_from_days")
        return self


class ItemReceived(Received):
    after_version: int = Field(ge=0, description="the version that this one follows; 0 makes a new item")
    name: _Text
    name_en: _Text
    short_name: _Text
    category: Literal["laboratory", "imaging", "other"]
    value_kind: Literal["quantity", "coded", "text"]
    unit: Annotated[str, StringConstraints(min_length=1, max_length=60)] | None = Field(
        None, description="UCUM; with value_kind quantity"
    )
    decimals: int | None = Field(None, ge=0, le=6, description="of converted numbers; with value_kind quantity")
    molar_mass: Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=5)] | None = Field(
        None, description="g/mol; where mass and amount of the substance may be converted"
    )
    loinc: list[_Loinc] = Field(default=[], max_length=20, description="LOINC codes that mean this item everywhere")
    ranges: list[RangeReceived] = Field(default=[], max_length=40, description="the first one that applies counts")

    @model_validator(mode="after")
    def _is_whole(self) -> "ItemReceived":
        measured = self.value_kind == "quantity"
        if measured != (self.unit is not None) or measured != (self.decimals is not None):
            raise ValueError("unit and decimals belong to a quantity, and to nothing else")
        if not measured and (self.molar_mass is not None or self.ranges):
            raise ValueError("molar_mass and ranges belong to a quantity")
        return self

    def content(self) -> ItemContent:
        """What the service takes."""
        said = {name: getattr(self, name) for name in type(self).model_fields if name != "after_version"}
        ranges = tuple(RangeContent(**dict(one)) for one in self.ranges)
        return ItemContent(**said | {"loinc": tuple(dict.fromkeys(self.loinc)), "ranges": ranges})


class RangeShown(Shown):
    sex: str | None = Field(description="male, female; left out: both")
    age_from_days: int
    age_until_days: int | None
    low: Decimal | None
    high: Decimal | None
    critical_low: Decimal | None
    critical_high: Decimal | None


class ItemShown(Shown):
    id: UUID
    code: str = Field(description="the city's code; its code system is urn:yimatong:code:item")
    version: int
    name: str
    name_en: str
    short_name: str
    category: str = Field(description="laboratory, imaging, other")
    value_kind: str = Field(description="quantity, coded, text")
    unit: str | None = Field(description="UCUM")
    decimals: int | None
    molar_mass: Decimal | None = Field(description="g/mol")
    changed_at: datetime
    loinc: list[str]
    ranges: list[RangeShown] = Field(description="the city's default reference ranges; empty in lists")


class ItemList(Shown):
    items: list[ItemShown]


class UnmappedQuery(Received):
    before: UUID | None = Field(None, description="the id of the last line of the page before")
    limit: int = Field(50, ge=1, le=200)


class SuggestionShown(Shown):
    item: str
    name: str
    likeness: float = Field(description="0 to 1")


class UnmappedShown(Shown):
    id: UUID
    hospital_id: UUID
    hospital_name: str
    code_system: str
    code: str
    unit: str | None = Field(description="as the hospital writes it")
    names: list[str] = Field(description="as the hospital writes them")
    seen_count: int
    first_seen_at: datetime
    last_seen_at: datetime
    suggestions: list[SuggestionShown] = Field(description="by likeness of the names; a help, not a decision")


class UnmappedList(Shown):
    codes: list[UnmappedShown]


class MappingReceived(Received):
    hospital_id: UUID | None = Field(None, description="operator only; left out: for all hospitals")
    code_system: _SentText = Field(description="for example urn:yimatong:code:local: a hospital's own codes")
    code: _SentText
    unit: _SentText | None = Field(None, description="only results written in this unit; left out: in any")
    item: _ItemCode | None = Field(None, description="left out: this code is nothing of the dictionary")

    def wanted(self) -> MappingWanted:
        """What the service takes."""
        return MappingWanted(**{name: getattr(self, name) for name in MappingReceived.model_fields})


class MappingChosen(MappingReceived):
    """The page's form: an item left empty is an oversight there, unless it is said."""

    is_none: bool = False

    @model_validator(mode="after")
    def _is_said(self) -> "MappingChosen":
        if self.is_none != (self.item is None):
            raise ValueError("an item, or that there is none")
        return self


class MappingQuery(Received):
    item: _ItemCode | None = None
    hospital_id: UUID | None = None
    before: UUID | None = Field(None, description="the id of the last line of the page before")
    limit: int = Field(100, ge=1, le=200)


class MappingPath(Received):
    mapping_id: UUID


class MappingShown(Shown):
    id: UUID
    hospital_id: UUID | None = Field(description="left out: for all hospitals")
    hospital_name: str | None
    code_system: str
    code: str
    unit: str | None
    item: str | None = Field(description="left out: nothing of the dictionary")
    item_name: str | None
    mapped_at: datetime


class MappingList(Shown):
    mappings: list[MappingShown]
