"""What share links take in and give out."""

import base64
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from consent.links.service import LinkView, MadeLink, Viewers, Wish
from consent.models import ItemKind, Purpose, Sensitivity
from consent.scope import Scope
from core.api import Received, Shown

_WORDS = r"^[^\x00-\x1f<>]+$"
_PASSCODE = r"^[0-9]{6,12}$"


class ShareScope(Received):
    """What is shared. What is left out narrows nothing, except that nothing sensitive is shared unless it is named."""

    kinds: list[ItemKind] | None = Field(None, min_length=1, max_length=12)
    sensitivities: list[Sensitivity] = Field([], max_length=4, description="each only when it was ticked by itself")
    visit_ids: list[UUID] | None = Field(None, min_length=1, max_length=100)
    item_ids: list[UUID] | None = Field(None, min_length=1, max_length=200, description="reports, studies and entries")
    since_on: date | None = Field(None, description="the item's day in the city, included")
    until_on: date | None = Field(None, description="the item's day in the city, included")

    def as_scope(self, *, may_download: bool) -> Scope:
        """As the service takes it."""
        return Scope(
            kinds=None if self.kinds is None else frozenset(self.kinds),
            sensitivities=frozenset(self.sensitivities),
            visit_ids=None if self.visit_ids is None else frozenset(self.visit_ids),
            item_ids=None if self.item_ids is None else frozenset(self.item_ids),
            since_on=self.since_on,
            until_on=self.until_on,
            may_download=may_download,
        )


class ShareWish(Received):
    person_id: UUID
    recipient: str = Field(min_length=1, max_length=64, pattern=_WORDS, description="for whom, in the patient's words")
    purpose: Literal["sharing", "insurance"] = "sharing"
    scope: ShareScope = Field(default_factory=lambda: ShareScope.model_validate({}))
    may_download: bool = Field(False, description="false: view only, without PDF or files")
    passcode: str | None = Field(None, pattern=_PASSCODE, description="left out: eight digits are made")
    days: int = Field(7, ge=1, le=90, description="how long it lasts")
    openings: int = Field(20, ge=1, le=1000, description="how often it can be opened")

    def as_wish(self) -> Wish:
        """As the service takes it."""
        return Wish(
            person_id=self.person_id,
            recipient=self.recipient,
            purpose=Purpose(self.purpose),
            scope=self.scope.as_scope(may_download=self.may_download),
            passcode=self.passcode,
            days=self.days,
            openings=self.openings,
        )


class ShareLinkPath(Received):
    link_id: UUID


class ShareScopeShown(Shown):
    kinds: list[str] | None
    sensitivities: list[str]
    visit_ids: list[UUID] | None
    item_ids: list[UUID] | None
    since_on: date | None
    until_on: date | None


class ShareLinkShown(Shown):
    id: UUID
    grant_id: UUID = Field(description="the grant under which the access log shows every look")
    person_id: UUID
    person_name: str = Field(description="whose records, masked")
    recipient: str
    purpose: str
    scope: ShareScopeShown
    scope_text: str = Field(description="the scope in Chinese")
    may_download: bool
    status: Literal["in_force", "suspended", "locked", "used_up", "expired", "revoked"] = Field(
        description="suspended: a card is reported lost, or who made it no longer decides; locked: change the passcode"
    )
    version: int = Field(description="rises with every extension")
    tries_left: int = Field(description="wrong passcodes that are still let try")
    openings: int = Field(description="how often it was opened")
    openings_left: int
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None

    @classmethod
    def of(cls, link: LinkView) -> "ShareLinkShown":
        scope = link.scope
        chosen = ShareScopeShown(
            kinds=None if scope.kinds is None else sorted(scope.kinds),
            sensitivities=sorted(scope.sensitivities),
            visit_ids=None if scope.visit_ids is None else sorted(scope.visit_ids),
            item_ids=None if scope.item_ids is None else sorted(scope.item_ids),
            since_on=scope.since_on,
            until_on=scope.until_on,
        )
        said = vars(link) | {"scope": chosen, "scope_text": scope.describe(), "may_download": scope.may_download}
        return cls.model_validate(said)


class ShareLinkMade(Shown):
    """Shown this once: address and passcode are kept as hashes only."""

    link: ShareLinkShown
    address: str = Field(description="opens our page; the secret stands behind the hash sign")
    health_link: str | None = Field(
        description="the same page with a SMART Health Link (shlink:/...), for other programs too; only with download"
    )
    qr_png: str = Field(description="`health_link`, or else `address`, as a QR code: PNG, base64")
    passcode: str = Field(description="to be told on another way than the address")

    @classmethod
    def of(cls, made: MadeLink, picture: bytes) -> "ShareLinkMade":
        return cls(
            link=ShareLinkShown.of(made.link),
            address=made.addresses.page,
            health_link=made.addresses.health_link,
            qr_png=base64.b64encode(picture).decode(),
            passcode=made.passcode,
        )


class ShareLinkList(Shown):
    notice: str = Field(description="to be shown to the patient before he makes a link")
    links: list[ShareLinkShown]


class SharePasscode(Received):
    passcode: str | None = Field(None, pattern=_PASSCODE, description="left out: eight digits are made")


class SharePasscodeShown(Shown):
    passcode: str = Field(description="shown this once")
    link: ShareLinkShown


class ShareOpeningShown(Shown):
    id: UUID
    opened_at: datetime
    way: Literal["page", "health_link"] = Field(description="our page, or another program")
    viewer: str = Field(description="the name that was typed; nobody checked it")
    device: str = Field(description="a kind of device, for example iPhone or 电脑; no address is kept")


class ShareLookShown(Shown):
    id: UUID
    at: datetime
    action: str = Field(description="for example records.report.read")
    object_kind: str | None
    object_id: UUID | None


class ShareViewers(Shown):
    openings: list[ShareOpeningShown]
    looks: list[ShareLookShown]

    @classmethod
    def of(cls, viewers: Viewers) -> "ShareViewers":
        return cls(
            openings=[ShareOpeningShown.model_validate(one) for one in viewers.openings],
            looks=[ShareLookShown.model_validate(one) for one in viewers.looks],
        )
