"""Registration that a hospital system asks for: the person stands at a window, without a phone."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from core.actor import Actor
from health_card.certificates import CertificateType, check_certificate
from health_card.models import ApplyChannel
from health_card.refusals import CertificateInvalid
from health_card.service.identities import Details, certificate_index, check_details, find_or_create_person
from health_card.service.numbers import bind_patient_number
from health_card.service.persons import Registration, check_same_details, find_or_issue_card, record_registered


@dataclass(frozen=True)
class Registrant:
    """A person as a hospital's system says him.

    :ivar certificate: type (WS 364.3 CV02.01.101) and number.
    :ivar phone: as ``PHONE_SHAPE``; ``name`` and ``address`` as ``PLAIN_TEXT``, of at most 50 and 200 characters.
    :ivar patient_number: the hospital's own.
    """

    certificate: tuple[str, str]
    name: str
    phone: str
    sex: str = "unknown"
    birth_date: date | None = None
    address: str | None = None
    patient_number: str | None = None

    def read_details(self) -> Details:
        """:raises CertificateInvalid: the number cannot be one of its type, or there is no such type."""
        try:
            certificate = check_certificate(CertificateType(self.certificate[0]), self.certificate[1])
        except ValueError:
            raise CertificateInvalid from None
        return Details(self.name, self.phone, certificate, self.sex, self.birth_date, address=self.address)

    def trace(self) -> str:
        """By which tries at one certificate are counted: its blind index; raises as ``read_details`` does."""
        certificate = self.read_details().certificate
        assert certificate is not None
        return certificate_index(certificate).hex()


def register_patient(session: Session, actor: Actor, *, registrant: Registrant) -> Registration:
    """As ``register_at_window``, and the hospital's number of the person is bound.

    :raises CertificateInvalid: the number cannot be one of its type.
    :raises PatientNumberTaken: the number is somebody else's, or the person has another number here.
    """
    done = register_at_window(session, actor, details=registrant.read_details())
    if registrant.patient_number:
        bind_patient_number(session, actor, person_id=done.person_id, number=registrant.patient_number)
    return done


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
    record_registered(session, actor, card, is_new=is_new, facts={"channel": int(ApplyChannel.WINDOW)})
    return Registration(person.id, card, is_new, is_confirmed=False)
