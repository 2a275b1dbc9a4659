"""Certificates: types of WS 364.3 CV02.01.101, and the resident ID number of GB 11643-1999."""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from core import clock
from health_card.refusals import CertificateInvalid

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_CHARACTERS = "10X98765432"
_HOME = "CHN"


class CertificateType(StrEnum):
    """WS 364.3 CV02.01.101, and 111, the birth certificate, which regions add."""

    RESIDENT_ID = "01"
    HOUSEHOLD_BOOK = "02"
    PASSPORT = "03"
    OFFICER = "04"
    DRIVER = "05"
    HONG_KONG_MACAU_PERMIT = "06"
    TAIWAN_PERMIT = "07"
    OTHER = "99"
    BIRTH_CERTIFICATE = "111"


# What is known for certain of the shapes; other types vary from authority to authority.
_ANY_SHAPE = r"[0-9A-Z()/\u4e00-\u9fff]{4,32}"
_SHAPES = {
    CertificateType.PASSPORT: r"[0-9A-Z]{5,20}",
    CertificateType.HONG_KONG_MACAU_PERMIT: r"[HM]?[0-9A-Z]{8,12}(\([0-9]{1,2}\))?",
    CertificateType.BIRTH_CERTIFICATE: r"[A-Z][0-9]{9}",
}


@dataclass(frozen=True)
class Certificate:
    """A certificate whose number was checked. Birth date and sex are known when the number tells them.

    :ivar country: who issued it, ISO 3166-1 alpha-3; empty for the country's own authorities.
    """

    type: CertificateType
    number: str
    birth_date: date | None = None
    sex: str = "unknown"
    country: str = ""

    @property
    def identity(self) -> str:
        """The text that is the same for the same certificate, however it was typed."""
        return f"{self.type.value}:{self.number}"


def check_certificate(kind: CertificateType, number: str, country: str = "") -> Certificate:
    """Normalise and check a certificate number.

    :param country: of a foreign passport, ISO 3166-1 alpha-3: two countries may give out one number.
    :raises CertificateInvalid: it cannot be one of its type.
    """
    typed = re.sub(r"[\s-]", "", number).upper()
    issuer = "" if country == _HOME else country
    if kind is CertificateType.RESIDENT_ID:
        return _check_resident_id(typed)
    if not re.fullmatch(_SHAPES.get(kind, _ANY_SHAPE), typed) or not re.fullmatch(r"([A-Z]{3})?", issuer):
        raise CertificateInvalid
    return Certificate(kind, typed, country=issuer)


def check_character(first_17: str) -> str:
    """The last character of a resident ID number (ISO 7064 MOD 11-2)."""
    return _CHECK_CHARACTERS[sum(int(digit) * weight for digit, weight in zip(first_17, _WEIGHTS, strict=True)) % 11]


def _check_resident_id(number: str) -> Certificate:
    if not re.fullmatch(r"[1-9][0-9]{16}[0-9X]", number) or check_character(number[:17]) != number[17]:
        raise CertificateInvalid
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError as error:
        raise CertificateInvalid from error
    if not date(1850, 1, 1) <= born <= clock.in_city(clock.now()).date():
        raise CertificateInvalid
    sex = "male" if int(number[16]) % 2 else "female"
    return Certificate(CertificateType.RESIDENT_ID, number, born, sex)
