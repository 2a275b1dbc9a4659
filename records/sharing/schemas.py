"""What the holders of links send, and what programs get that open one."""

from datetime import datetime
from uuid import UUID

from pydantic import ConfigDict, Field, field_validator

from core.api import Received, Shown
from records.trends.service import read_line

_WORDS = r"^[^\x00-\x1f<>]+$"
_BEHIND_HASH = r"^[A-Za-z0-9_-]{43}$"
_PASSCODE = r"^[0-9]{6,12}$"


class ShareKnock(Received):
    secret: str = Field(pattern=_BEHIND_HASH, description="what stands behind the hash sign of the link's address")
    passcode: str = Field(pattern=_PASSCODE)
    viewer: str = Field(min_length=1, max_length=64, pattern=_WORDS, description="who looks; the owner reads it")


class ShareDoor(Shown):
    address: str = Field(description="where the page stands, for the browser that now holds the cookie")
    expires_at: datetime


class SharedQuery(Received):
    """``open``: a report, study or entry. ``trend``: an item over time instead."""

    open: UUID | None = None
    trend: str | None = Field(None, max_length=64)
    trend_before: str | None = Field(None, max_length=64)
    before: UUID | None = None

    @field_validator("trend_before")
    @classmethod
    def _is_line(cls, written: str | None) -> str | None:
        if written is not None:
            read_line(written)
        return written


class SharedAttachmentPath(Received):
    report_id: UUID
    number: int = Field(ge=1, le=99)


class SharedDocumentPath(Received):
    entry_id: UUID
    number: int = Field(ge=1, le=99)


class HealthLinkPath(Received):
    secret: str = Field(pattern=_BEHIND_HASH)


class HealthLinkFilePath(Received):
    token: str = Field(pattern=_BEHIND_HASH)


class ManifestRequest(Received):
    """As the specification of SMART Health Links has it; other members are passed over."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True, populate_by_name=True)

    recipient: str = Field(min_length=1, max_length=200, description="who asks, as the owner reads it")
    passcode: str = Field("", max_length=64)
    embedded_length_max: int | None = Field(None, alias="embeddedLengthMax", ge=0)


class ManifestFile(Shown):
    content_type: str = Field(serialization_alias="contentType")
    last_updated: str = Field(serialization_alias="lastUpdated")
    embedded: str | None = Field(None, description="JWE, compact")
    location: str | None = Field(None, description="the same to be fetched once, within ten minutes")


class HealthLinkManifest(Shown):
    status: str = Field(description="can-change: asked again later, there may be more")
    files: list[ManifestFile]


def describe_device(user_agent: str) -> str:
    """What kind of device it was, in a word: more is not needed to recognise one's own doctor."""
    known: list[tuple[str, str]] = [
        ("iPad", "平板"),
        ("iPhone", "iPhone"),
        ("Android", "安卓设备"),
        ("Windows", "Windows 电脑"),
        ("Macintosh", "苹果电脑"),
        ("Linux", "电脑"),
    ]
    device = next((word for mark, word in known if mark in user_agent), "其他设备")
    return f"{device} 微信" if "MicroMessenger" in user_agent else device
