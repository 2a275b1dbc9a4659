"""Telling a person, through every login that may act for him, that something was done."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from core import outbox


def tell(
    session: Session,
    *,
    person_id: UUID,
    kind: str,
    facts: Mapping[str, Any] | None = None,
    hospital_id: UUID | None = None,
    of: tuple[str, UUID] | None = None,
) -> None:
    """Tell a person what was done; it leaves when the caller's transaction commits.

    :param kind: for example ``card_lost``.
    :param facts: codes, numbers and dates only.
    :param of: kind and id of the thing.
    """
    payload = {
        "person_id": str(person_id),
        "kind": kind,
        "facts": dict(facts or {}),
        "hospital_id": str(hospital_id) if hospital_id else None,
        "object": [of[0], str(of[1])] if of else None,
    }
    outbox.announce(session, "health_card.person_told", payload)
