"""Exports as they are asked for and shown."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from core.api import Received, Shown


class ExportAsked(Received):
    person_id: UUID | None = Field(None, description="a person whom the login acts for; its own person when left out")


class ExportPath(Received):
    export_id: UUID


class ExportShown(Shown):
    id: UUID
    person_id: UUID
    state: str = Field(
        description="running, ready (to be downloaded), cancelled, expired; ended: the login may not act for the person"
    )
    asked_at: datetime = Field(description="the records are exported as they stood then")
    visits: int = Field(description="collected so far, as are the next four")
    reports: int = Field(description="each with its PDF, as it can be proven, and the documents that came inside it")
    studies: int = Field(description="listed in the file, with the address to fetch them from; images are not in it")
    accesses: int = Field(description="lines of the access log")
    entries: int = Field(description="vaccinations, allergies, diagnoses, medication, orders ...")
    size_bytes: int
    ended_at: datetime | None
    expires_at: datetime | None = Field(description="downloadable until then")


class ExportList(Shown):
    exports: list[ExportShown]
