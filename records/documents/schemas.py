"""What anybody is told of a document."""

from datetime import datetime

from pydantic import Field

from core.api import Received, Shown
from records.documents.service import Finding


class NumberQuery(Received):
    number: str | None = Field(None, max_length=40, description="as printed on the document; dashes do not matter")


class NumberPath(Received):
    number: str = Field(max_length=40, description="12 characters as printed on the document; dashes do not matter")


class ProvenShown(Shown):
    finding: Finding = Field(
        description="genuine; superseded: the report has a newer version; changed: not what was signed; unknown"
    )
    number: str | None
    hospital_name: str | None = Field(description="this and what follows only of what is genuine or superseded")
    category: str | None = Field(description="laboratory, imaging, other")
    performed_at: datetime | None
    person_name: str | None = Field(description="masked")
    version: int | None = Field(description="of the report that the document shows")
    issued_at: datetime | None
    current_version: int | None
    current_status: str | None = Field(description="final, amended, corrected, cancelled ...")
