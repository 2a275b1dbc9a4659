"""What somebody has written about a person, sealed with that person's own key: it ends with the key."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.vault import vault
from health_card.models import Person


def seal_text(session: Session, *, person_id: UUID, text: str, context: str) -> bytes:
    """Seal a text with the key of this record.

    :param context: table and column, so that a sealed text cannot be moved elsewhere.
    """
    return vault().unwrap(_data_key(session, person_id)).seal(text, context=context)


def unseal_text(session: Session, *, person_id: UUID, sealed: bytes, context: str) -> str | None:
    """Undo ``seal_text``. The caller has decided that the asker may read it.

    :returns: None: the record was deleted, and the text with its key.
    """
    is_erased = session.scalar(select(Person.erased_at.is_not(None)).where(Person.id == person_id))
    return None if is_erased else vault().unwrap(_data_key(session, person_id)).unseal(sealed, context=context)


def _data_key(session: Session, person_id: UUID) -> bytes:
    return session.scalars(select(Person.data_key).where(Person.id == person_id)).one()
