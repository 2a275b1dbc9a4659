"""What hospitals sent, kept whole."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class InboundMessage(WithId, Base):
    """One message as it arrived. ``channel``: fhir, hl7v2, dicomweb, dicom (a report among the images) or upload.

    ``state``: accepted, quarantined, or dismissed by the hospital. Nothing is ever deleted. ``reason``: the code of the
    refusal that put it aside. ``resolution`` and what follows: how it left quarantine, why, by whom and when; None
    when it was filed at once or because the sender sent it again.

    ``message_key`` is the sender's own id of the message (MSH-10, Bundle.identifier, SOP instance UID): the same key
    is filed once. ``reply`` is what was answered and is answered again to a repeat. The body names people: it
    is sealed, in the row or, when it is big, in a file of its own (``core.storage``).
    """

    __tablename__ = "inbound_messages"
    __table_args__ = (
        CheckConstraint("channel IN ('fhir', 'hl7v2', 'dicomweb', 'dicom', 'upload')", name="channel"),
        CheckConstraint("state IN ('accepted', 'quarantined', 'dismissed')", name="state"),
        CheckConstraint("(state <> 'accepted') = (reason IS NOT NULL)", name="quarantine_has_reason"),
        CheckConstraint("resolution IN ('replayed', 'assigned', 'dismissed')", name="resolution"),
        CheckConstraint("(resolution IS NULL) = (resolved_at IS NULL)", name="resolved_at"),
        CheckConstraint("(state = 'dismissed') = (resolution IS NOT DISTINCT FROM 'dismissed')", name="dismissed"),
        CheckConstraint("(body_sealed IS NULL) <> (storage_key IS NULL)", name="one_body"),
        Index(
            "uq_inbound_messages_key",
            "hospital_id",
            "channel",
            "message_key",
            unique=True,
            postgresql_where=text("state = 'accepted' AND message_key IS NOT NULL"),
        ),
        Index(
            "ix_inbound_messages_not_filed",
            "hospital_id",
            "channel",
            "message_key",
            postgresql_where=text("state <> 'accepted'"),
        ),
        Index("ix_inbound_messages_quarantine", "hospital_id", "id", postgresql_where=text("state = 'quarantined'")),
        Index("ix_inbound_messages_dismissed", "hospital_id", "digest", postgresql_where=text("state = 'dismissed'")),
    )

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    channel: Mapped[str]
    message_key: Mapped[str | None]
    digest: Mapped[bytes]
    content_type: Mapped[str]
    data_key: Mapped[bytes]
    body_sealed: Mapped[bytes | None]
    storage_key: Mapped[str | None]
    state: Mapped[str]
    reason: Mapped[str | None]
    reply: Mapped[str | None]
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id"))
    received_at: Mapped[datetime]
    resolution: Mapped[str | None]
    resolution_reason: Mapped[str | None]
    resolved_by: Mapped[UUID | None]
    resolved_at: Mapped[datetime | None]
