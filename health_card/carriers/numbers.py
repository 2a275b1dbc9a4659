"""The numbers on carriers: what shape each kind has."""

import re

from core.vault import vault
from health_card.carriers.models import Kind
from health_card.carriers.refusals import CarrierNumberInvalid
from health_card.certificates import CertificateType, check_certificate
from health_card.refusals import CertificateInvalid

CONTEXT = "carriers.number"

# Lengths as printed on the cards; regions number their own visit cards as they like.
_SHAPES = {
    Kind.SOCIAL_SECURITY_CARD: r"[0-9A-Z]{9}",
    Kind.RESIDENT_HEALTH_CARD: r"[0-9A-Z]{16,20}",
    Kind.REGIONAL_VISIT_CARD: r"[0-9A-Z]{4,32}",
}


def check_number(kind: Kind, number: str) -> str:
    """One spelling of the number: capital letters, no spaces or hyphens.

    :raises CarrierNumberInvalid: it cannot be one of its kind.
    """
    typed = re.sub(r"[\s-]", "", number).upper()
    if kind is Kind.ID_CARD:
        try:
            return check_certificate(CertificateType.RESIDENT_ID, typed).number
        except CertificateInvalid as error:
            raise CarrierNumberInvalid from error
    if not re.fullmatch(_SHAPES[kind], typed):
        raise CarrierNumberInvalid
    return typed


def number_index(kind: Kind, number: str) -> bytes:
    """The blind index by which a carrier is found. ``number``: checked."""
    return vault().blind_index(f"{kind.value}:{number}", context=CONTEXT)
