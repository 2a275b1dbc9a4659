"""Apps, what they ask for, what patients agreed to, and the tokens of that."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from core.db import Base, WithId


class App(WithId, Base):
    """A registered app. ``jwks``: its public keys (RFC 7517); None: a public client, which cannot keep a secret.

    ``provider``, ``contact`` and ``purpose`` are what a patient is told of it before he agrees (PIPL, article 23).
    """

    __tablename__ = "apps"
    __table_args__ = (
        CheckConstraint("cardinality(redirect_uris) BETWEEN 1 AND 10", name="redirect_uris"),
        CheckConstraint("cardinality(scopes) > 0", name="scopes"),
    )

    client_id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    provider: Mapped[str]
    contact: Mapped[str]
    purpose: Mapped[str]
    redirect_uris: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    jwks: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    is_enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


class AppAuthorization(WithId, Base):
    """A login lets an app read one person's records until it expires or is ended.

    ``person_id`` is a row of health_card, above us: no foreign key. ``shows_sensitive``: sensitive items too.
    ``notice_hash``: SHA-256 of what the patient was told before he agreed. ``began_at``: when the app fetched its first
    token; until then it expires with the request. ``user_id``: the own record of the person who agreed.
    """

    __tablename__ = "app_authorizations"
    __table_args__ = (
        CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="ended"),
        CheckConstraint("octet_length(notice_hash) = 32", name="notice_hash"),
        Index("ix_app_authorizations_person_id", "person_id", text("agreed_at DESC")),
        Index("ix_app_authorizations_login_id", "login_id", postgresql_where=text("ended_at IS NULL")),
    )

    app_id: Mapped[UUID] = mapped_column(ForeignKey("apps.id"))
    login_id: Mapped[UUID] = mapped_column(ForeignKey("logins.id"))
    person_id: Mapped[UUID]
    user_id: Mapped[UUID | None]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    shows_sensitive: Mapped[bool]
    notice_hash: Mapped[bytes]
    agreed_at: Mapped[datetime]
    began_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]


class AppRequest(WithId, Base):
    """An app asks to be let in: from the browser that brought it there, over the phone that answers, to the code.

    ``browser_hash``: of the secret in the browser's cookie. ``number_index``: blind index of the number that the phone
    is told. ``confirmation_index``: of the digits that the phone shows, to be typed in the browser. ``code_hash``: of
    the authorization code. Rows are deleted a day after they ended.
    """

    __tablename__ = "app_requests"
    __table_args__ = (
        CheckConstraint("(confirmation_index IS NULL) = (authorization_id IS NULL)", name="agreed"),
        CheckConstraint("authorization_id IS NULL OR login_id IS NOT NULL", name="answered_by"),
        CheckConstraint("(code_hash IS NULL) = (code_expires_at IS NULL)", name="code"),
        CheckConstraint("code_hash IS NULL OR authorization_id IS NOT NULL", name="code_agreed"),
        CheckConstraint("code_used_at IS NULL OR code_hash IS NOT NULL", name="code_used"),
        CheckConstraint("tries BETWEEN 0 AND 5", name="tries"),
    )

    app_id: Mapped[UUID] = mapped_column(ForeignKey("apps.id"))
    redirect_uri: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    state: Mapped[str]
    nonce: Mapped[str | None]
    code_challenge: Mapped[str]
    browser_hash: Mapped[bytes]
    number_index: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    login_id: Mapped[UUID | None] = mapped_column(ForeignKey("logins.id"))
    authorization_id: Mapped[UUID | None] = mapped_column(ForeignKey("app_authorizations.id"), unique=True)
    confirmation_index: Mapped[bytes | None]
    tries: Mapped[int] = mapped_column(default=0)
    declined_at: Mapped[datetime | None]
    code_hash: Mapped[bytes | None] = mapped_column(unique=True)
    code_expires_at: Mapped[datetime | None]
    code_used_at: Mapped[datetime | None]


class AppRefreshToken(WithId, Base):
    """One refresh token of an authorization: good for one use. Using it again ends the authorization."""

    __tablename__ = "app_refresh_tokens"
    __table_args__ = (Index("ix_app_refresh_tokens_authorization_id", "authorization_id"),)

    authorization_id: Mapped[UUID] = mapped_column(ForeignKey("app_authorizations.id"))
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    issued_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SpentAppAssertion(Base):
    """A client assertion of an app that was accepted, as ``SpentAssertion`` is for hospital systems."""

    __tablename__ = "spent_app_assertions"

    app_id: Mapped[UUID] = mapped_column(ForeignKey("apps.id"), primary_key=True)
    jti: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
