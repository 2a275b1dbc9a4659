"""Share links, and who opened them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId

# Wrong passcodes in the life of one passcode. Of a million that are possible, whoever guesses has these.
MOST_TRIES = 10


class ShareLink(WithId, Base):
    """A link to a part of one person's records. What is shared, with download or without, until when and whether it
    was revoked, is said by the grant whose ``link_id`` it is.

    The secret of the address and the passcode are kept as hashes only. ``recipient_sealed``: for whom it was made.
    ``file_key_sealed``: what files for other programs are encrypted with (SMART Health Links). ``tries``: passcodes
    that were tried and were wrong, and those being compared at this moment; a new passcode begins at none.
    """

    __tablename__ = "share_links"
    __table_args__ = (
        CheckConstraint(f"tries BETWEEN 0 AND {MOST_TRIES}", name="tries"),
        CheckConstraint("openings_left >= 0", name="openings_left"),
        Index("ix_share_links_person_id", "person_id", text("created_at DESC")),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    made_by: Mapped[UUID] = mapped_column(ForeignKey("logins.id"))
    secret_hash: Mapped[bytes] = mapped_column(unique=True)
    data_key: Mapped[bytes]
    recipient_sealed: Mapped[bytes]
    file_key_sealed: Mapped[bytes]
    passcode_hash: Mapped[str]
    tries: Mapped[int] = mapped_column(server_default="0")
    openings_left: Mapped[int]
    created_at: Mapped[datetime]


class ShareOpening(WithId, Base):
    """A link was opened with its passcode: what the owner reads of it, and for some minutes a proof of who looks.

    Never changed: whether it may still show anything is asked of the grant. ``way``: page, or health_link (another
    program has asked). ``viewer_sealed``: the name that was typed, sealed with the link's key. ``device``: what kind
    of device it was, in a word. ``token_hash``: of the cookie of a page.
    """

    __tablename__ = "share_openings"
    __table_args__ = (
        CheckConstraint("way IN ('page', 'health_link')", name="way"),
        CheckConstraint("(way = 'page') = (token_hash IS NOT NULL)", name="token"),
        CheckConstraint("expires_at > opened_at", name="period"),
        Index("ix_share_openings_link_id", "link_id", text("opened_at DESC")),
    )

    link_id: Mapped[UUID] = mapped_column(ForeignKey("share_links.id"))
    way: Mapped[str]
    viewer_sealed: Mapped[bytes]
    device: Mapped[str]
    token_hash: Mapped[bytes | None] = mapped_column(unique=True)
    opened_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class ShareFile(WithId, Base):
    """Where a program that opened a link fetches a file, once. The file itself is made when it is fetched."""

    __tablename__ = "share_files"

    opening_id: Mapped[UUID] = mapped_column(ForeignKey("share_openings.id"))
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
