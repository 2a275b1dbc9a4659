"""Looks that a patient is told of at once, decided from the row of the audit trail after its commit."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from consent.models import Grant, OpenedBy, Purpose
from consent.watching.models import KnownHouse
from core import statements
from core.audit import AuditEntry
from health_card import service as health_card
from health_card.service import NoticeKind

# Announced by a trigger of the audit trail, see ``KnownHouse``.
LOOKED_TOPIC = "consent.look_to_be_told"

# The first look of a hospital at a record, by the same condition as the trigger's.
_FIRST_LOOK = """
SELECT id, at FROM audit_entries
WHERE subject_id = %(person_id)s AND hospital_id = %(hospital_id)s AND basis_id IS NOT NULL
    AND actor_kind IN ('staff', 'machine') AND action NOT LIKE 'consent.%%'
ORDER BY at, id LIMIT 1
"""


def tell_of_look(session: Session, *, entry_id: UUID) -> None:
    """Tell the patient of a hospital's first look, and of a look in an emergency, once for each of its grants.

    Of the first look after a code that he showed there he is not told again: the scan has told him. Done again, it
    changes nothing.
    """
    entry = session.get_one(AuditEntry, entry_id)
    if entry.subject_id is None or entry.hospital_id is None or entry.basis_id is None:
        return
    is_new = _note_house(session, entry.subject_id, entry.hospital_id)
    if entry.purpose == Purpose.EMERGENCY:
        _tell(session, entry, NoticeKind.BREAK_GLASS, f"break_glass:{entry.basis_id}")
    elif is_new and not _is_opened_by_code(session, entry.basis_id):
        _tell(session, entry, NoticeKind.HOUSE_FIRST_LOOKED, f"first_look:{entry.subject_id}:{entry.hospital_id}")


def _note_house(session: Session, person_id: UUID, hospital_id: UUID) -> bool:
    """Whether the hospital looks at this person for the first time, under whichever of his records."""
    same = health_card.same_person_ids(person_id)
    known = select(KnownHouse.person_id).where(KnownHouse.hospital_id == hospital_id, KnownHouse.person_id.in_(same))
    was_known = session.scalars(known.limit(1)).first() is not None
    first = statements.run(session, _FIRST_LOOK, {"person_id": person_id, "hospital_id": hospital_id})
    assert first is not None
    noted = (
        insert(KnownHouse)
        .values(person_id=person_id, hospital_id=hospital_id, entry_id=first[0], first_at=first[1])
        .on_conflict_do_nothing()
        .returning(KnownHouse.entry_id)
    )
    return session.scalar(noted) is not None and not was_known


def _is_opened_by_code(session: Session, grant_id: UUID) -> bool:
    return session.scalar(select(Grant.opened_by).where(Grant.id == grant_id)) == OpenedBy.CODE


def _tell(session: Session, entry: AuditEntry, kind: NoticeKind, key: str) -> None:
    assert entry.subject_id is not None
    assert entry.basis_id is not None
    of = ("grant", entry.basis_id)
    health_card.tell_person(
        session, person_id=entry.subject_id, kind=kind, hospital_id=entry.hospital_id, of=of, key=key
    )
