"""What the patient is told of an emergency access to his records."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent.emergencies.models import EmergencyAccess
from consent.emergencies.refusals import EmergencyNotFound
from consent.emergencies.service.views import EmergencyView, show
from core.actor import Actor
from health_card import service as health_card


def find_of_patient(session: Session, actor: Actor, *, grant_id: UUID) -> EmergencyView:
    """Why a grant was opened without consent, and what the review has found: to the patient and who acts for him.

    :raises EmergencyNotFound: not an emergency access to a person whom the actor may act for.
    """
    held = EmergencyAccess.person_id.in_(health_card.held_person_ids(actor))
    found = session.scalars(select(EmergencyAccess).where(EmergencyAccess.grant_id == grant_id, held)).one_or_none()
    if found is None:
        raise EmergencyNotFound
    return show(session, [found])[0]
