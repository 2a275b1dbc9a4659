"""Using up what somebody has signed, so that nobody who has overheard it can show it again."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Table, delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, Session

from core import clock


def is_first_use(
    session: Session, owner: InstrumentedAttribute[UUID], owner_id: UUID, *, jti: str, expires_at: datetime
) -> bool:
    """Use up a ``jti`` of a signer. The primary key decides, so of two at the same moment one is refused.

    What the signer's earlier ones have left is forgotten as soon as they would not be accepted anyway.

    :param owner: the column that names the signer, in the table of those that are used up.
    """
    spent: Table = owner.class_.__table__
    used = (
        insert(spent)
        .values({owner.key: owner_id, "jti": jti, "expires_at": expires_at})
        .on_conflict_do_nothing()
        .returning(spent.c.jti)
    )
    if session.scalar(used) is None:
        return False
    session.execute(delete(spent).where(spent.c[owner.key] == owner_id, spent.c.expires_at < clock.now()))
    return True
