"""Hospitals and everybody who can sign in."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from core.db import Base, WithId


class Hospital(WithId, Base):
    """A medical institution. ``code`` is its organisation code, as hospitals write it in messages (MSH-4)."""

    __tablename__ = "hospitals"

    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    level: Mapped[int]
    is_enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


class Terminal(WithId, Base):
    """A place in a hospital where codes are scanned. ``kind``: 01 manned window, 02 kiosk, 99 other."""

    __tablename__ = "terminals"
    __table_args__ = (
        UniqueConstraint("hospital_id", "code"),
        CheckConstraint("kind IN ('01', '02', '99')", name="kind"),
    )

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    code: Mapped[str]
    kind: Mapped[str]
    is_enabled: Mapped[bool] = mapped_column(default=True)


class Role(StrEnum):
    REGISTRAR = "registrar"
    DOCTOR = "doctor"
    OPERATOR = "operator"


class StaffMember(WithId, Base):
    """Somebody who works at a hospital, or an operator of the platform (no hospital)."""

    __tablename__ = "staff_members"
    __table_args__ = (
        CheckConstraint("role IN ('registrar', 'doctor', 'operator')", name="role"),
        CheckConstraint("(role = 'operator') = (hospital_id IS NULL)", name="operator_has_no_hospital"),
    )

    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospitals.id"))
    username: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[str]
    password_hash: Mapped[str]
    is_enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


class StaffSession(WithId, Base):
    """One sign-in of a staff member. The token itself is not kept, only its hash."""

    __tablename__ = "staff_sessions"

    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff_members.id"))
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Login(WithId, Base):
    """A WeChat account. It is not a person: health_card ties it to one."""

    __tablename__ = "logins"
    __table_args__ = (UniqueConstraint("app_id", "openid"),)

    app_id: Mapped[str]
    openid: Mapped[str]
    unionid: Mapped[str | None]
    created_at: Mapped[datetime]


class LoginSession(WithId, Base):
    """One sign-in of a login: the family of its refresh tokens. Ended once, for all of them."""

    __tablename__ = "login_sessions"

    login_id: Mapped[UUID] = mapped_column(ForeignKey("logins.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]


class RefreshToken(WithId, Base):
    """One refresh token: good for one use. Using it again ends its family."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (Index("ix_refresh_tokens_session_id", "session_id"),)

    session_id: Mapped[UUID] = mapped_column(ForeignKey("login_sessions.id"))
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class MachineClient(WithId, Base):
    """A system of a hospital (HIS, LIS, PACS, billing) with its own registered public keys (RFC 7517)."""

    __tablename__ = "machine_clients"

    client_id: Mapped[str] = mapped_column(unique=True)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    name: Mapped[str]
    jwks: Mapped[dict[str, Any]]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    is_enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


class SpentAssertion(Base):
    """A client assertion that was accepted: its ``jti`` is never accepted again (RFC 7523, section 3, item 7)."""

    __tablename__ = "spent_assertions"

    client_id: Mapped[UUID] = mapped_column(ForeignKey("machine_clients.id"), primary_key=True)
    jti: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class MllpEndpoint(Base):
    """The port on which one hospital's HL7 v2 messages arrive: the port says whose they are."""

    __tablename__ = "mllp_endpoints"

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"), primary_key=True)
    port: Mapped[int] = mapped_column(unique=True)
    is_enabled: Mapped[bool] = mapped_column(default=True)
