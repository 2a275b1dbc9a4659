"""What certifying devices takes in and gives out."""

import base64
from datetime import datetime
from uuid import UUID

from pydantic import Field, field_validator

from core.api import Received, Shown
from health_card import codes
from health_card.devices.service import CertifiedDevice


class DeviceKey(Received):
    public_key: str = Field(
        pattern=r"^[A-Za-z0-9_-]{43}$",
        description="Ed25519 public key, 32 bytes in base64url without padding (`x` of its JWK, RFC 8037)",
    )
    pin: str = Field(pattern=r"^[0-9]{6}$")

    @field_validator("public_key")
    @classmethod
    def _check_one_text(cls, sent: str) -> str:
        if codes.encode(base64.urlsafe_b64decode(sent + "=")) != sent:
            raise ValueError("not the base64url of 32 bytes: the spare bits of the last character must be zero")
        return sent


class DeviceCertified(Shown):
    device_id: UUID
    card_number: str
    issuer: str
    certificate: str = Field(
        description="base64url; the phone puts it into each code that it makes (layout: docs/interfaces/codes.md)"
    )
    expires_at: datetime

    @classmethod
    def of(cls, certified: CertifiedDevice) -> "DeviceCertified":
        return cls(
            device_id=certified.device_id,
            card_number=certified.card_number,
            issuer=certified.issuer,
            certificate=codes.encode(certified.certificate),
            expires_at=certified.expires_at,
        )


class DeviceShown(Shown):
    device_id: UUID = Field(validation_alias="id")
    certified_at: datetime
    expires_at: datetime


class DeviceList(Shown):
    devices: list[DeviceShown]


class DevicePath(Received):
    card_id: UUID
    device_id: UUID
