"""Registration that a hospital system asks for: the person stands at a window, without a phone."""

from sqlalchemy.orm import Session

from core import audit
from core.actor import Actor
from health_card.models import ApplyChannel
from health_card.service.identities import Details, check_details, find_or_create_person
from health_card.service.persons import Registration, check_same_details, find_or_issue_card


def register_at_window(session: Session, actor: Actor, *, details: Details) -> Registration:
    """Register a person for a hospital and give out the card; again: the same card.

    The details are only asserted, and no login may act for the person through this.

    :param details: with a certificate.
    :raises DetailsContradictCertificate: the certificate's number tells another sex or birth date.
    :raises PersonDetailsDiffer: the certificate is registered with another name or phone.
    """
    details = check_details(details)
    person, is_new = find_or_create_person(session, details)
    if not is_new:
        check_same_details(session, person, details)
    card = find_or_issue_card(session, person, ApplyChannel.WINDOW)
    audit.record_act(
        session,
        actor,
        "health_card.person.registered" if is_new else "health_card.person.registered_again",
        subject_id=person.id,
        of=("card", card.id),
        facts={"channel": int(ApplyChannel.WINDOW)},
    )
    return Registration(person.id, card, is_new, is_confirmed=False)
