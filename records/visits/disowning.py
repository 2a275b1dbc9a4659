"""The patient says that it was somebody else who showed the card."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from consent.requests import service as requests
from core import audit, clock
from core.actor import Actor
from health_card import service as health_card
from records.refusals import VisitNotFound
from records.visits import steps
from records.visits.models import Visit


@dataclass(frozen=True)
class DisownedVisit:
    """A visit of which the patient said that it was somebody else."""

    visit_id: UUID
    hospital_name: str
    opened_at: datetime
    disowned_at: datetime


def disown_visit(session: Session, actor: Actor, *, visit_id: UUID) -> DisownedVisit:
    """The patient says: that was not me. The visit is closed, its grants end, and every code shown so far is dead.

    The terminal is flagged and the desk sees it at the visit; whoever acts for the person is told. Saying it again
    changes nothing.

    :raises VisitNotFound: not of a person whom the actor may act for.
    """
    mine = select(Visit).where(Visit.id == visit_id, Visit.person_id.in_(health_card.held_person_ids(actor)))
    visit = session.scalars(mine.with_for_update(key_share=True)).one_or_none()
    if visit is None:
        raise VisitNotFound
    if visit.disowned_at is None:
        visit.disowned_at = clock.now()
        visit.closed_at = visit.closed_at or visit.disowned_at
        audit.record_act(session, actor, "records.visit.disowned", subject_id=visit.person_id, of=("visit", visit.id))
        consent.end_visit_grants(session, actor, visit_id=visit.id)
        requests.withdraw_of_visit(session, actor, visit_id=visit.id)
        health_card.end_codes(session, actor, person_id=visit.person_id)
        health_card.tell_person(
            session,
            person_id=visit.person_id,
            kind=health_card.NoticeKind.VISIT_DISOWNED,
            hospital_id=visit.hospital_id,
            of=("visit", visit.id),
        )
        # He has just been told of the last scan: that is the one he means.
        terminal_id = steps.get_last_step(session, visit.id).terminal_id
        if terminal_id is not None:
            accounts.flag_terminal(session, actor, terminal_id, reason="not_me")
    hospital = accounts.get_hospital(session, visit.hospital_id)
    return DisownedVisit(visit.id, hospital.name, visit.opened_at, visit.disowned_at)
