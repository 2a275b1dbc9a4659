"""Registration at a window or a kiosk, from the document itself."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from core.actor import Actor
from core.vault import vault
from health_card.desk.models import Way
from health_card.desk.refusals import RecordedDetailsDiffer
from health_card.desk.service.assurance import Document, check_not_expired, raise_assurance
from health_card.desk.service.look_ups import open_look_up
from health_card.models import ApplyChannel, Assurance, Card, Person
from health_card.service.identities import (
    ADDRESS,
    NAME,
    PHONE,
    Details,
    check_details,
    find_or_create_person,
    get_root,
)
from health_card.service.persons import find_or_issue_card, record_registered, revive_cancelled_card


@dataclass(frozen=True)
class DeskRegistration:
    """The outcome: the one card, and the look-up under which the desk goes on."""

    person_id: UUID
    card: Card
    is_new: bool
    look_up_id: UUID


def register_at_desk(
    session: Session, actor: Actor, *, document: Document, details: Details, channel: ApplyChannel
) -> DeskRegistration:
    """Register the person whose document the desk has in hand, and give out the card; again: the same card.

    A cancelled card comes back into force. No login may act for the person through this.

    :param details: their certificate is the document's.
    :raises DocumentExpired: the document is no longer good.
    :raises DetailsContradictCertificate: the certificate's number tells another sex or birth date.
    :raises RecordedDetailsDiffer: the certificate is registered with other details; a correction is the way.
    """
    check_not_expired(document)
    details = check_details(details)
    person, is_new = find_or_create_person(session, details)
    look_up = open_look_up(session, actor, person_id=person.id, way=Way.REGISTRATION)
    differing = [] if is_new else _differing_fields(get_root(session, person.id), details)
    if differing:
        raise RecordedDetailsDiffer(fields=differing, look_up_id=str(look_up.id))
    raise_assurance(
        session,
        actor,
        person_id=person.id,
        level=Assurance.DOCUMENT,
        evidence=document.certificate.type.value,
        look_up_id=look_up.id,
    )
    card = find_or_issue_card(session, person, channel)
    revive_cancelled_card(session, actor, card)
    record_registered(session, actor, card, is_new=is_new, facts={"channel": int(channel)})
    return DeskRegistration(person.id, card, is_new, look_up.id)


def _differing_fields(person: Person, details: Details) -> list[str]:
    """Which of the details that both know are not the same. What only one knows contradicts nothing."""
    key = vault().unwrap(person.data_key)
    known = {
        "name": key.unseal(person.name_sealed, context=NAME),
        "phone": key.unseal(person.phone_sealed, context=PHONE),
        "sex": person.sex if person.sex != "unknown" else None,
        "birth_date": person.birth_date,
        "nation": person.nation,
        "address": key.unseal(person.address_sealed, context=ADDRESS) if person.address_sealed else None,
    }
    said = {name: getattr(details, name) for name in known}
    said["sex"] = details.sex if details.sex != "unknown" else None
    return [name for name in known if None not in (known[name], said[name]) and known[name] != said[name]]
