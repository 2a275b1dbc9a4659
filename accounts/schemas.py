"""What accounts takes in and gives out."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from accounts.service.logins import TokenPair
from core.api import Received, Shown


class WechatCode(Received):
    code: str = Field(min_length=1, max_length=128, description="from wx.login; valid 5 minutes, once")


class RefreshRequest(Received):
    refresh_token: str = Field(min_length=20, max_length=128)


class Tokens(Shown):
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int = Field(description="seconds")
    refresh_token: str = Field(description="for one use; using it twice ends the sign-in")
    refresh_expires_at: datetime

    @classmethod
    def of(cls, pair: TokenPair) -> "Tokens":
        return cls(
            access_token=pair.access.text,
            expires_in=pair.access.expires_in_seconds,
            refresh_token=pair.refresh_token,
            refresh_expires_at=pair.refresh_expires_at,
        )


class StaffCredentials(Received):
    username: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=256)


class StaffSessionShown(Shown):
    token: str = Field(description="send as Authorization: Bearer; ends after 30 minutes without use")
    expires_at: datetime
    name: str
    role: str
    hospital_name: str | None


class TokenRequest(Received):
    """RFC 6749 section 4.4 with RFC 7523 section 2.2."""

    # Standards add optional form fields over time (resource, client_id ...): they are not our business to refuse.
    model_config = ConfigDict(extra="ignore")

    grant_type: str
    client_assertion_type: str = ""
    client_assertion: str = Field("", max_length=8192)
    scope: str | None = Field(None, max_length=512)


class MachineToken(Shown):
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int = Field(description="seconds")
    scope: str
