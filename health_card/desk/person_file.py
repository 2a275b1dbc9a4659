"""All that a desk sees of the person in front of it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from core import audit
from core.actor import Actor
from health_card.card_life.service import list_cards_of
from health_card.carriers.service.binding import CarrierView, list_carriers
from health_card.corrections.service.certificates import CertificateView, list_certificates
from health_card.desk.service.look_ups import LOOK_UP_LIFE, find_seen_document, get_look_up
from health_card.service.cards import CardView
from health_card.service.demographics import Demographics, get_demographics


@dataclass(frozen=True)
class PersonFile:
    """A person as a desk sees him: masked. ``is_document_seen``: within this look-up, so that things may be changed."""

    look_up_id: UUID
    expires_at: datetime
    is_document_seen: bool
    person: Demographics
    certificates: list[CertificateView]
    cards: list[CardView]
    carriers: list[CarrierView]


def read_person_file(session: Session, actor: Actor, look_up_id: UUID) -> PersonFile:
    """The person of a look-up. Reading on within the same look-up is one act.

    :raises LookUpNotFound: no such look-up of this hospital, or it has run out.
    """
    look_up = get_look_up(session, actor, look_up_id)
    audit.record_act_once(
        session,
        actor,
        "health_card.person.read",
        within=LOOK_UP_LIFE,
        subject_id=look_up.person_id,
        of=("look_up", look_up.id),
    )
    return PersonFile(
        look_up_id=look_up.id,
        expires_at=look_up.expires_at,
        is_document_seen=find_seen_document(session, actor, look_up.id) is not None,
        person=get_demographics(session, look_up.person_id),
        certificates=list_certificates(session, look_up.person_id),
        cards=list_cards_of(session, look_up.person_id),
        carriers=list_carriers(session, look_up.person_id),
    )
