"""What letting apps in takes in and gives out."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from consent.apps.service import AppAccess, AskedOf
from core.api import Received, Shown


class AppRequestNumber(Received):
    number: str = Field(pattern=r"^[0-9]{8}$", description="as the app's page shows it; 10 minutes")


class AppRequestPath(Received):
    request_id: UUID


class AppChoiceShown(Shown):
    person_id: UUID
    name: str = Field(description="masked")
    is_self: bool


class AppRequestShown(Shown):
    id: UUID
    app_name: str
    provider: str = Field(description="who runs the app")
    contact: str = Field(description="how to reach who runs the app")
    purpose: str = Field(description="why it reads records, in the words of who runs it")
    redirect_uri: str = Field(description="where the browser goes back to")
    scopes: list[str] = Field(description="what is asked for (SMART App Launch 2)")
    sees: list[str] = Field(description="the same in Chinese, to be shown before the answer")
    is_lasting: bool = Field(description="true: for up to 180 days; false: for one hour")
    persons: list[AppChoiceShown] = Field(description="whose records this login may let an app read; itself first")
    expires_at: datetime

    @classmethod
    def of(cls, asked: AskedOf) -> "AppRequestShown":
        persons = [AppChoiceShown.model_validate(choice) for choice in asked.persons]
        return cls(**vars(asked.file), persons=persons)


class AppAgreement(Received):
    person_id: UUID
    scopes: list[str] | None = Field(None, max_length=40, description="of those asked for; left out: all of them")
    shows_sensitive: bool = Field(
        False, description="true: also HIV, psychiatric, reproductive and genetic matters; only when ticked by itself"
    )


class AppAgreementShown(Shown):
    confirmation: str = Field(description="six digits, to be typed on the page where the request began")
    expires_at: datetime


class AppAccessPath(Received):
    access_id: UUID


class AppAccessShown(Shown):
    id: UUID
    app_name: str
    provider: str
    contact: str
    purpose: str
    person_id: UUID
    person_name: str = Field(description="whose records, masked")
    sees: list[str] = Field(description="what it may read, in Chinese")
    shows_sensitive: bool
    status: Literal["in_force", "expired", "ended"]
    agreed_at: datetime
    expires_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, access: AppAccess) -> "AppAccessShown":
        shown = {name: value for name, value in vars(access.authorization).items() if name != "app_id"}
        return cls(**shown, person_name=access.person_name)


class AppAccessList(Shown):
    apps: list[AppAccessShown]
