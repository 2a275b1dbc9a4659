"""Who opened a link, and what was looked at: for its owner."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Uuid, cast, select
from sqlalchemy.orm import Session

from consent.links.models import ShareLink, ShareOpening
from consent.links.service.making import get_link, key_of
from consent.links.service.opening import VIEWER
from consent.service.release import is_known_to
from core.actor import Actor, ActorKind
from core.audit import AuditEntry
from health_card import service as health_card

MOST = 200


@dataclass(frozen=True)
class OpeningView:
    """``way``: page, or health_link (another program). ``viewer``: the name that was typed. ``device``: in a word."""

    id: UUID
    opened_at: datetime
    way: str
    viewer: str
    device: str


@dataclass(frozen=True)
class LookView:
    """One row of the access log. ``object_kind`` and ``object_id``: what was looked at, where it was one thing."""

    id: UUID
    at: datetime
    action: str
    object_kind: str | None
    object_id: UUID | None


@dataclass(frozen=True)
class Viewers:
    """Both newest first, at most 200 each."""

    openings: list[OpeningView]
    looks: list[LookView]


def list_viewers(session: Session, actor: Actor, link_id: UUID) -> Viewers:
    """:raises ShareLinkNotFound: not a link of a person for whom the login decides."""
    shown = get_link(session, actor, link_id)
    key = key_of(session.get_one(ShareLink, link_id))
    openings = select(ShareOpening).where(ShareOpening.link_id == link_id)
    looks = select(AuditEntry).where(
        # Whose rows they are is asked for the sake of the index.
        AuditEntry.subject_id.in_(health_card.same_person_ids(shown.person_id)),
        AuditEntry.actor_kind == ActorKind.LINK,
        AuditEntry.actor_id == link_id,
        AuditEntry.action != "consent.share_link.opened",
        is_known_to(actor, cast(AuditEntry.object_id, Uuid)),
    )
    return Viewers(
        openings=[
            OpeningView(one.id, one.opened_at, one.way, key.unseal(one.viewer_sealed, context=VIEWER), one.device)
            for one in session.scalars(openings.order_by(ShareOpening.opened_at.desc(), ShareOpening.id).limit(MOST))
        ],
        looks=[
            LookView(one.id, one.at, one.action, one.object_kind, one.object_id)
            for one in session.scalars(looks.order_by(AuditEntry.at.desc(), AuditEntry.id.desc()).limit(MOST))
        ],
    )
