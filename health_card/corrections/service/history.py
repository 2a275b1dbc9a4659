"""What was corrected, as the person himself and a desk read it: shortened, newest first."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit
from core.actor import Actor
from core.vault import DataKey, vault
from health_card.corrections.models import Field, PersonChange
from health_card.corrections.service.ledger import CHANGE
from health_card.desk.service.look_ups import get_look_up
from health_card.masks import mask_address, mask_name, mask_number, mask_phone
from health_card.models import Person
from health_card.service.identities import same_person_ids
from health_card.service.persons import find_own_person_id

PAGE = 50


@dataclass(frozen=True)
class ChangeView:
    """One correction. ``old`` and ``new`` are masked; None: not known then, or no longer there."""

    id: UUID
    field: str
    certificate_type: str | None
    old: str | None
    new: str | None
    reason: str
    evidence: str
    hospital_name: str
    changed_at: datetime


def list_own_changes(session: Session, actor: Actor, *, before: UUID | None = None) -> list[ChangeView]:
    """The corrections of the person whom the login is himself, newest first.

    :param before: the id of the last row of the page before.
    """
    person_id = find_own_person_id(session, actor)
    if person_id is None:
        return []
    audit.record_act(session, actor, "health_card.changes.read", subject_id=person_id, purpose="own")
    return list_changes_of(session, person_id, before=before)


def list_changes_at_desk(
    session: Session, actor: Actor, *, look_up_id: UUID, before: UUID | None = None
) -> list[ChangeView]:
    """The corrections of the person in front of the desk, newest first.

    :raises LookUpNotFound: no such look-up, or it has run out.
    """
    look_up = get_look_up(session, actor, look_up_id)
    audit.record_act(
        session, actor, "health_card.changes.read", subject_id=look_up.person_id, of=("look_up", look_up.id)
    )
    return list_changes_of(session, look_up.person_id, before=before)


def list_changes_of(session: Session, person_id: UUID, *, before: UUID | None = None) -> list[ChangeView]:
    """The corrections of a person, with all records; the caller has decided that they may be seen."""
    theirs = (
        select(PersonChange, Person.data_key)
        .join(Person, Person.id == PersonChange.person_id)
        .where(PersonChange.person_id.in_(same_person_ids(person_id)), Person.erased_at.is_(None))
    )
    if before is not None:
        last = select(PersonChange.changed_at, PersonChange.id).where(PersonChange.id == before)
        theirs = theirs.where(tuple_(PersonChange.changed_at, PersonChange.id) < last.scalar_subquery())
    page = theirs.order_by(PersonChange.changed_at.desc(), PersonChange.id.desc()).limit(PAGE)
    rows = [(change, vault().unwrap(data_key)) for change, data_key in session.execute(page)]
    hospitals = accounts.list_hospitals(session, {change.hospital_id for change, _ in rows})
    return [_view(change, key, hospitals[change.hospital_id].name) for change, key in rows]


def _view(change: PersonChange, key: DataKey, hospital_name: str) -> ChangeView:
    field = Field(change.field)
    old, new = (
        key.unseal(sealed, context=CHANGE) if sealed else None for sealed in (change.old_sealed, change.new_sealed)
    )
    identity = new or old or ""
    return ChangeView(
        id=change.id,
        field=field.value,
        certificate_type=identity.partition(":")[0] if field is Field.CERTIFICATE else None,
        old=_mask(field, old),
        new=_mask(field, new),
        reason=change.reason,
        evidence=change.evidence,
        hospital_name=hospital_name,
        changed_at=change.changed_at,
    )


def _mask(field: Field, value: str | None) -> str | None:
    if value is None:
        return None
    if field is Field.CERTIFICATE:
        return mask_number(value.partition(":")[2])
    masks = {Field.NAME: mask_name, Field.PHONE: mask_phone, Field.ADDRESS: mask_address}
    return masks[field](value) if field in masks else value
