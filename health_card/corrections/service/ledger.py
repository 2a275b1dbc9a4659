"""Writing down what was corrected, and telling those who must know."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import Actor
from core.vault import vault
from health_card.corrections.models import Field, PersonChange, Reason
from health_card.desk.service.look_ups import SeenDocument
from health_card.family.service.endings import recheck_guardians
from health_card.models import Person
from health_card.notices.service import tell
from health_card.realname.asking import ask_real_name
from health_card.service.identities import announce_change

CHANGE = "person_changes.value"


@dataclass(frozen=True)
class Correction:
    """One value, before and after; None: not known, or no longer there."""

    field: Field
    old: str | None
    new: str | None


def record_corrections(
    session: Session, actor: Actor, *, person: Person, seen: SeenDocument, reason: Reason, made: list[Correction]
) -> None:
    """Write the history and announce that the person has changed: a guardian's end follows the birth date.

    :param person: the record whose key seals it.
    """
    key = vault().unwrap(person.data_key)
    for correction in made:
        session.add(
            PersonChange(
                person_id=person.id,
                field=correction.field.value,
                old_sealed=key.seal(correction.old, context=CHANGE) if correction.old is not None else None,
                new_sealed=key.seal(correction.new, context=CHANGE) if correction.new is not None else None,
                reason=reason.value,
                evidence=seen.evidence,
                look_up_id=seen.look_up_id,
                hospital_id=actor.house_id,
                staff_id=actor.id,
                changed_at=clock.now(),
            )
        )
    session.flush()
    fields = sorted({correction.field.value for correction in made})
    audit.record_act(
        session,
        actor,
        "health_card.person.corrected",
        subject_id=person.id,
        of=("look_up", seen.look_up_id),
        facts={"fields": fields, "reason": reason.value, "evidence": seen.evidence},
    )
    if Field.BIRTH_DATE.value in fields:
        recheck_guardians(session, person_id=person.id)
    announce_change(session, person.id)
    ask_real_name(session, person_id=person.id)
    tell(
        session,
        person_id=person.id,
        kind="details_corrected",
        facts={"fields": fields, "reason": reason.value},
        hospital_id=actor.house_id,
    )
