"""Whom a grant gives to and what it covers, as parts of statements and as expressions: each rule twice, side by side.

In the texts ``{grant}`` stands for a row of ``grants`` and ``{thing}`` for one of ``shareable_items``.
"""

from typing import Any

from sqlalchemy import ColumnElement, Date, FromClause, Text, Uuid, and_, any_, column, false, literal, or_, table

from consent.models import Grant
from core import clock
from core.actor import Actor, ActorKind

# What a scope is asked of: one row each report, study, entry and visit. A view: whoever files knows nothing of it.
ITEMS = table(
    "shareable_items",
    *(column(name, Uuid) for name in ("object_id", "person_id", "visit_id")),
    column("kind", Text),
    column("occurred_on", Date),
)
# Which records are one person's: of health_card, here only to be joined with each other.
PERSONS = table("persons", column("id", Uuid), column("root_id", Uuid))

# A machine keeps what it reads: only what may be downloaded is for it.
TO_HOUSE = """
{grant}.hospital_id = %(hospital_id)s
    AND ({grant}.department IS NULL OR {grant}.department = %(department)s)
    AND ({grant}.staff_id IS NULL OR {grant}.staff_id = %(staff_id)s)
    AND ({grant}.may_download OR NOT %(is_machine)s)
"""
TO_LINK = "{grant}.link_id = %(link_id)s"
IN_FORCE = """
{grant}.revoked_at IS NULL AND {grant}.starts_at <= %(now)s AND {grant}.expires_at > %(now)s
    AND {grant}.uses_left IS DISTINCT FROM 0
"""
IS_WHOLE = """
({grant}.kinds IS NULL AND {grant}.visit_ids IS NULL AND {grant}.item_ids IS NULL
    AND {grant}.since_on IS NULL AND {grant}.until_on IS NULL)
"""
COVERS = """
({grant}.kinds IS NULL OR {thing}.kind = ANY({grant}.kinds))
    AND ({grant}.visit_ids IS NULL OR {thing}.visit_id = ANY({grant}.visit_ids))
    AND ({grant}.item_ids IS NULL OR {thing}.object_id = ANY({grant}.item_ids))
    AND ({grant}.since_on IS NULL OR {thing}.occurred_on >= {grant}.since_on)
    AND ({grant}.until_on IS NULL OR {thing}.occurred_on <= {grant}.until_on)
"""


def recipient_values(actor: Actor) -> dict[str, Any]:
    """What ``TO_HOUSE``, ``TO_LINK`` and ``IN_FORCE`` ask for."""
    return {
        "hospital_id": actor.hospital_id,
        "department": actor.department if actor.kind is ActorKind.STAFF else None,
        "staff_id": actor.id if actor.kind is ActorKind.STAFF else None,
        "is_machine": actor.kind is ActorKind.MACHINE,
        "link_id": actor.id if actor.kind is ActorKind.LINK else None,
        "now": clock.now(),
    }


def is_for(actor: Actor, grant: type[Grant] = Grant) -> ColumnElement[bool]:
    """As ``TO_HOUSE`` or ``TO_LINK`` and ``IN_FORCE``: whether the grant lets the actor see something now."""
    now = clock.now()
    in_force = and_(
        grant.revoked_at.is_(None),
        grant.starts_at <= now,
        grant.expires_at > now,
        grant.uses_left.is_distinct_from(0),
    )
    return and_(is_to(actor, grant), in_force)


def is_to(actor: Actor, grant: type[Grant] = Grant) -> ColumnElement[bool]:
    """Whether the actor is the recipient, or among those who are."""
    if actor.kind is ActorKind.LINK:
        return grant.link_id == actor.id
    if actor.hospital_id is None:
        return false()
    values = recipient_values(actor)
    return and_(
        grant.hospital_id == actor.hospital_id,
        or_(grant.department.is_(None), grant.department == values["department"]),
        or_(grant.staff_id.is_(None), grant.staff_id == values["staff_id"]),
        or_(grant.may_download, ~literal(values["is_machine"])),
    )


def is_whole(grant: type[Grant] = Grant) -> ColumnElement[bool]:
    """As ``IS_WHOLE``."""
    narrowing = (grant.kinds, grant.visit_ids, grant.item_ids, grant.since_on, grant.until_on)
    return and_(*(limit.is_(None) for limit in narrowing))


def covers(grant: type[Grant], thing: FromClause) -> ColumnElement[bool]:
    """As ``COVERS``."""
    return and_(
        or_(grant.kinds.is_(None), thing.c.kind == any_(grant.kinds)),
        or_(grant.visit_ids.is_(None), thing.c.visit_id == any_(grant.visit_ids)),
        or_(grant.item_ids.is_(None), thing.c.object_id == any_(grant.item_ids)),
        or_(grant.since_on.is_(None), thing.c.occurred_on >= grant.since_on),
        or_(grant.until_on.is_(None), thing.c.occurred_on <= grant.until_on),
    )
