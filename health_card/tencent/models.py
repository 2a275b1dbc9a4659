"""Hospital systems of the older interface, and the requests that they sent."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from core.db import Base


class TencentApp(Base):
    """One hospital's access: its shared secret, sealed, and its one token, hashed.

    ``client_id`` is the machine client under whose name it acts.
    """

    __tablename__ = "tencent_apps"

    client_id: Mapped[UUID] = mapped_column(ForeignKey("machine_clients.id"), primary_key=True)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"), unique=True)
    app_id: Mapped[str] = mapped_column(unique=True)
    data_key: Mapped[bytes]
    secret_sealed: Mapped[bytes]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    is_enabled: Mapped[bool] = mapped_column(default=True)
    token_hash: Mapped[bytes | None]
    token_expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class TencentRequest(Base):
    """A requestId that was accepted: it is never accepted again while its timestamp could still hold."""

    __tablename__ = "tencent_requests"
    __table_args__ = (Index("ix_tencent_requests_received_at", "client_id", "received_at"),)

    client_id: Mapped[UUID] = mapped_column(ForeignKey("tencent_apps.client_id"), primary_key=True)
    request_id: Mapped[str] = mapped_column(primary_key=True)
    received_at: Mapped[datetime]
