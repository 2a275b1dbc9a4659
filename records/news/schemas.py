"""Changes of reports as they go out."""

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from core.api import Received, Shown
from records.news.service import PAGE


class CorrectionQuery(Received):
    before: UUID | None = Field(None, description="the id of the last line of the page before")
    is_seen: bool | None = Field(None, description="false: only those that nobody has taken note of")
    since: date | None = Field(None, description="noted on this day of the city or later")
    until: date | None = Field(None, description="noted on this day of the city or before")
    limit: int = Field(PAGE, ge=1, le=100)


class CorrectionPath(Received):
    correction_id: UUID


class CorrectionShown(Shown):
    id: UUID
    report_id: UUID = Field(description="to be read again at /api/v1/reports/{report_id} while the patient shares")
    person_name: str = Field(description="masked")
    patient_number: str | None = Field(description="this hospital's own")
    visit_id: UUID | None = Field(description="this hospital's visit under which it was read")
    hospital_name: str = Field(description="whose report it is")
    category: str = Field(description="laboratory, imaging, other")
    status: str = Field(description="amended, corrected, cancelled; or as the hospital calls the new version")
    performed_at: datetime
    report_version: int = Field(description="the version that changed it")
    read_version: int = Field(description="the newest version that this hospital had read before")
    read_at: datetime
    read_by: list[str] = Field(description="staff of this hospital who had read what it said before, by name")
    noted_at: datetime
    seen_at: datetime | None = Field(description="when somebody of this hospital took note, or read the report again")
    seen_by: str | None = Field(description="who that was, by name")


class CorrectionList(Shown):
    corrections: list[CorrectionShown]
