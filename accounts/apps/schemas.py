"""What the registry of apps takes in and gives out."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from accounts.apps.service import AppDetails
from core.api import Received, Shown

_Words = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f<>]+$")]
_KEYS = "a JWK Set (RFC 7517) of 1 to 10 public keys, each with kid and alg"


class AppFacts(Received):
    name: _Words = Field(description="as patients see it")
    provider: _Words = Field(description="who runs it, as patients see it")
    contact: _Words = Field(description="how patients reach who runs it")
    purpose: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f<>]+$", description="why it reads records")
    redirect_uris: list[str] = Field(
        min_length=1, max_length=10, description="https, compared exactly; http://127.0.0.1 with any port"
    )
    scopes: list[str] = Field(
        min_length=1, max_length=40, description="SMART: patient/<Type>.rs, patient/*.rs, offline_access"
    )

    def as_details(self) -> AppDetails:
        """The facts as the service takes them."""
        return AppDetails(self.name, self.provider, self.contact, self.purpose, self.redirect_uris, self.scopes)


class NewApp(AppFacts):
    client_id: str = Field(pattern=r"^[!-~]{3,64}$")
    jwks: dict[str, Any] | None = Field(None, description=f"{_KEYS}; left out: a public client, which has no secret")


class AppChange(AppFacts):
    is_enabled: bool = Field(description="false: the app and its tokens are out at once")


class AppKeySet(Received):
    jwks: dict[str, Any] = Field(description=_KEYS)


class AppPath(Received):
    app_id: UUID


class AppCreated(Shown):
    id: UUID


class AppShown(Shown):
    id: UUID
    client_id: str
    name: str
    provider: str
    contact: str
    purpose: str
    redirect_uris: list[str]
    scopes: list[str]
    kids: list[str] = Field(description="names of its keys; none: a public client")
    is_enabled: bool
    created_at: datetime


class Apps(Shown):
    apps: list[AppShown]


class PhoneConfirmation(Received):
    confirmation: str = Field(pattern=r"^[0-9]{6}$", description="the six digits that the phone shows")
    number: str = Field("", pattern=r"^([0-9]{8})?$", description="that of the page, to be shown again")
