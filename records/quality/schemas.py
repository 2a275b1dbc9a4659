"""Quality control, as it comes in and goes out."""

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from core.api import Received, Shown

CityDay = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2999, 11, 30))]
Modality = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,16}$", description="DICOM defined term: CT, MR, DX, US ...")]


def _check_first(day: date) -> date:
    if day.day != 1:
        raise ValueError("must be the first day of a month")
    return day


Month = Annotated[CityDay, AfterValidator(_check_first)]


class MarksQuery(Received):
    since: CityDay = Field(description="first day, in the city")
    until: CityDay = Field(description="last day, in the city")
    hospital_id: UUID | None = None


class DeviceMarkShown(Shown):
    hospital_id: UUID
    hospital_name: str
    studied_on: date
    modality: str
    department: str | None = Field(description="InstitutionalDepartmentName")
    station: str | None = Field(description="StationName")
    manufacturer: str | None
    series: int = Field(description="series checked")
    flagged: int = Field(description="of these: with a finding, of their own, of an instance or of the study")


class DeviceMarks(Shown):
    marks: list[DeviceMarkShown]


class FindingsQuery(Received):
    study_instance_uid: str = Field(pattern=r"^[0-9.]{1,64}$")


class FindingShown(Shown):
    level: Literal["study", "series", "instance"]
    object_id: UUID
    code: str = Field(description="docs/interfaces/imaging-quality.md")
    facts: dict[str, Any] = Field(description="which attributes are missing, how many instances")


class Findings(Shown):
    findings: list[FindingShown]


class SampleOrder(Received):
    hospital_id: UUID
    modality: Modality
    month: Month = Field(description="its first day")
    size: int = Field(10, ge=1, le=100, description="studies")


class SampleDrawnShown(Shown):
    studies: int = Field(description="how many were drawn")


class SamplesQuery(Received):
    month: Month = Field(description="its first day")


class SamplePath(Received):
    sample_id: UUID


class ScoreReceived(Received):
    grade: Literal["A", "B", "C", "D"] = Field(description="甲 to 丙, and 废片")
    fault: Literal["position", "exposure", "artefact", "coverage", "labelling", "other"] | None = Field(
        None, description="why it is not A"
    )


class SampleShown(Shown):
    id: UUID
    hospital_name: str
    modality: str
    month: date
    study_instance_uid: str
    accession_number: str | None
    findings: list[str] = Field(description="codes of what the automatic checks found")
    grade: str | None
    fault: str | None


class Samples(Shown):
    samples: list[SampleShown]


class PassedQuery(Received):
    hospital_id: UUID
    modality: Modality
    day: CityDay


class PassedShown(Shown):
    has_passed: bool
    series: int = Field(description="series checked in the 30 days up to the day")
    flagged: int = Field(description="of these: with a finding")
    sampled: int = Field(description="studies of the newest wholly scored sample of the year before; 0: none")
    good: int = Field(description="of these: scored A or B")
