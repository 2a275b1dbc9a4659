"""Whether a link may be used at this moment, and what stands behind it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from core import statements
from core.actor import Actor, ActorKind
from health_card import service as health_card

# The grant of a link, while it is in force, while whoever made the link still decides for the person, and while no
# card of the person is reported lost.
_USABLE = statements.compose(
    """
SELECT granted.id, granted.version, granted.purpose, granted.expires_at, granted.may_download
FROM grants granted
WHERE granted.link_id = %(link_id)s AND granted.revoked_at IS NULL
    AND granted.starts_at <= %(now)s AND granted.expires_at > %(now)s
    AND granted.person_id IN (SELECT id FROM ({held}) AS held WHERE is_confided)
    AND NOT {is_card_lost}
""",
    held=health_card.HELD_RECORDS,
    is_card_lost=health_card.IS_CARD_LOST.format("granted.person_id"),
)


@dataclass(frozen=True)
class LinkGrant:
    """By which right a link shows anything now."""

    id: UUID
    version: int
    purpose: str
    expires_at: datetime
    may_download: bool


def find_usable_grant(session: Session, *, link_id: UUID, made_by: UUID) -> LinkGrant | None:
    """The grant by which this link shows something at this moment; None: it shows nothing.

    Its row is share-locked: who revokes waits for whatever this transaction reads.
    """
    row = statements.run(session, _USABLE + "FOR SHARE OF granted", _values(link_id, made_by))
    return LinkGrant(*row) if row else None


def is_usable(session: Session, *, link_id: UUID, made_by: UUID) -> bool:
    """As ``find_usable_grant``, for who only tells how things stand."""
    return statements.run(session, _USABLE, _values(link_id, made_by)) is not None


def _values(link_id: UUID, made_by: UUID) -> dict[str, Any]:
    maker = Actor(ActorKind.PATIENT, made_by, frozenset())
    return health_card.holder_values(maker) | {"link_id": link_id}
