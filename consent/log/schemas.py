"""The access log as it is asked for and shown."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from consent.service.access_log import PAGE
from core.api import Received, Shown


class AccessWanted(Received):
    person_id: UUID | None = Field(None, description="a person whom the login acts for; all of them when left out")
    hospital_id: UUID | None = None
    who_kind: Literal["patient", "staff", "machine", "app", "link", "system"] | None = None
    purpose: (
        Literal["own", "guardian", "family", "treatment", "consultation", "insurance", "sharing", "emergency", "app"]
        | None
    ) = None
    since: date | None = Field(None, description="on this day of the city or later")
    until: date | None = Field(None, description="on this day of the city or before")
    is_unusual: bool = Field(False, description="true: only looks in an emergency and first looks of a hospital")
    limit: int = Field(PAGE, ge=1, le=100)


class AccessLogQuery(AccessWanted):
    before: UUID | None = Field(None, description="the id of the last row of the page before")
    fold: UUID | None = Field(None, description="the id of a line: the rows that are folded in it, and no filters")


class AccessLinesQuery(AccessWanted):
    after: str | None = Field(None, max_length=80, description="`next` of the page before")


class AccessShown(Shown):
    id: UUID
    at: datetime
    person_id: UUID
    person_name: str = Field(description="whose data it was, masked")
    action: str = Field(description="for example records.report.read")
    what: str = Field(description="the act in Chinese")
    who_kind: str = Field(description="patient, staff, machine, app, link or system")
    who: str = Field(
        description="of a login: 本人, 监护人, 家人 or 另一个微信登录; of staff as the hospital tells it: "
        "the name, the surname with the role, or the role alone"
    )
    role: str | None = Field(description="of staff: doctor, registrar ...")
    department_code: str | None = Field(description="standard code of where the staff member worked at that time")
    department: str | None = Field(description="the same as the hospital calls it")
    acted_by: str | None = Field(description="guardian or family: a login that acted for the person")
    is_me: bool = Field(description="this login itself did it")
    hospital_id: UUID | None
    hospital_name: str | None
    object_kind: str | None
    object_id: UUID | None
    item_kind: str | None = Field(description="kind of what was looked at: laboratory, imaging ...; never what it says")
    item_on: date | None = Field(description="its day in the city")
    purpose: str | None = Field(
        description="own, guardian or family (a login acted for this person), treatment, consultation, insurance, "
        "sharing, emergency or app"
    )
    why: str | None = Field(description="the purpose in Chinese")
    how: str | None = Field(description="by which way it came to the right to look, in Chinese")
    is_first: bool = Field(description="the first look of this hospital at this record; known within seconds")
    grant_id: UUID | None = Field(description="of an app: the id of its authorization")
    grant_version: int | None
    grant_words: str | None = Field(description="what the grant allowed in that version, in Chinese")


class AccessLog(Shown):
    rows: list[AccessShown]


class AccessLineShown(Shown):
    newest: AccessShown = Field(description="the last act of the line; its id unfolds it: GET /access-log?fold=")
    count: int = Field(description="how many acts it stands for")
    first_at: datetime
    last_at: datetime
    item_kinds: list[str] = Field(description="kinds of what was looked at")
    items_since_on: date | None = Field(description="the days of what was looked at, the first of them")
    items_until_on: date | None = Field(description="the last of them")


class AccessLines(Shown):
    lines: list[AccessLineShown]
    next: str | None = Field(description="for `after`; none: this was the last page")
