"""Two records side by side: what speaks for one person, what against, and when it is certain."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from itertools import product
from uuid import UUID

from health_card.certificates import CertificateType, check_certificate
from health_card.matching.models import TraitKind
from health_card.matching.names import is_near, read_name, read_surname, simplify
from health_card.models import Assurance, CertificateState
from health_card.refusals import CertificateInvalid

_NAME_AGREES = frozenset({"name_same", "name_variant", "name_pinyin"})


@dataclass(frozen=True)
class KnownCertificate:
    """A certificate of a record, opened."""

    type: str
    number: str
    state: str


@dataclass(frozen=True)
class Known:
    """What a record says of its person, opened.

    :ivar holders: the logins that act for the person now.
    :ivar guardians: those of them that do so for a child or ward.
    """

    person_id: UUID
    root_id: UUID
    name: str
    phone: str
    sex: str
    birth_date: date | None
    assurance: str
    certificates: tuple[KnownCertificate, ...]
    holders: frozenset[UUID]
    guardians: frozenset[UUID]


def list_traits(known: Known) -> set[tuple[TraitKind, str]]:
    """What another record of the same person may share; see ``TraitKind``."""
    traits = {(TraitKind.CERTIFICATE_NUMBER, certificate.number) for certificate in _standing(known)}
    traits.add((TraitKind.PHONE, known.phone))
    born = known.birth_date
    if born is None:
        return traits
    month, day = sorted((born.month, born.day))
    for reading in read_name(known.name):
        traits.add((TraitKind.NAME_YEAR, f"{reading}/{born.year}"))
        traits.add((TraitKind.NAME_DAY, f"{reading}/{month}/{day}"))
    return traits | {(TraitKind.SURNAME_BIRTH, f"{surname}/{born}") for surname in read_surname(known.name)}


def compare(one: Known, other: Known, shared: Collection[str]) -> list[str]:
    """The evidence, as codes of ``weights.WEIGHTS``.

    :param shared: the kinds of traits that both records have or had in common.
    """
    name = _compare_names(one.name, other.name, shared)
    found = [
        name,
        _compare_births(one.birth_date, other.birth_date),
        _compare_sexes(one.sex, other.sex),
        _compare_phones(one.phone, other.phone, shared),
        *_compare_certificates(one, other, name_agrees=name in _NAME_AGREES),
        "same_guardian" if _has_same_guardian(one, other) else None,
    ]
    return [code for code in found if code is not None]


def is_certain(one: Known, other: Known, evidence: Collection[str]) -> bool:
    """Whether two records may be put together without anybody looking. Never on name and birth date alone.

    Either one resident ID number stands in both, under two types (a household book, a driver's licence carry it),
    with the same name and birth date; or a newborn's record without certificate and a record with one are the same
    guardian's, with the same name and birth date. And putting them together lets no login see more than before,
    unless a desk has seen the documents of both: nobody gets at another's records by registering with his number.
    """
    if not {"name_same", "birth_same"} <= set(evidence) or {"sex_differs", "resident_ids_differ"} & set(evidence):
        return False
    if one.holders != other.holders and Assurance.ASSERTED in (one.assurance, other.assurance):
        return False
    return "same_guardian" in evidence or any(_is_resident_id(number) for number in _shared_numbers(one, other))


def _compare_names(one: str, other: str, shared: Collection[str]) -> str:
    if one == other:
        return "name_same"
    plain_one, plain_other = simplify(one), simplify(other)
    if plain_one == plain_other:
        return "name_variant"
    if read_name(one) & read_name(other):
        return "name_pinyin"
    if {TraitKind.NAME_YEAR, TraitKind.NAME_DAY} & set(shared):
        return "former_name"
    if min(len(plain_one), len(plain_other)) >= 3 and is_near(plain_one, plain_other):
        return "name_near"
    return "name_differs"


def _compare_births(one: date | None, other: date | None) -> str | None:
    if one is None or other is None:
        return None
    if one == other:
        return "birth_same"
    if (one.year, one.month, one.day) == (other.year, other.day, other.month):
        return "birth_swapped"
    digits = zip(f"{one:%Y%m%d}", f"{other:%Y%m%d}", strict=True)
    return "birth_near" if sum(a != b for a, b in digits) == 1 else "birth_differs"


def _compare_sexes(one: str, other: str) -> str | None:
    if "unknown" in (one, other):
        return None
    return "sex_same" if one == other else "sex_differs"


def _compare_phones(one: str, other: str, shared: Collection[str]) -> str | None:
    if one == other:
        return "phone_same"
    return "former_phone" if TraitKind.PHONE in shared else None


def _compare_certificates(one: Known, other: Known, *, name_agrees: bool) -> list[str]:
    if _shared_numbers(one, other):
        return ["certificate_same_number"]
    # Neighbours in a register have neighbouring numbers: without the name it means nothing.
    if name_agrees and any(_is_near_number(a, b) for a, b in product(_standing(one), _standing(other))):
        return ["certificate_near"]
    mine, theirs = _resident_ids(one), _resident_ids(other)
    return ["resident_ids_differ"] if mine and theirs and not mine & theirs else []


def _shared_numbers(one: Known, other: Known) -> set[str]:
    return {certificate.number for certificate in _standing(one)} & {
        certificate.number for certificate in _standing(other)
    }


def _is_near_number(one: KnownCertificate, other: KnownCertificate) -> bool:
    if one.type != other.type or len(one.number) != len(other.number):
        return False
    # A resident ID's last character follows from the others: a slip changes it too.
    ends = -1 if one.type == CertificateType.RESIDENT_ID else None
    return is_near(one.number[:ends], other.number[:ends])


def _resident_ids(known: Known) -> set[str]:
    wanted = (CertificateType.RESIDENT_ID, CertificateState.CURRENT)
    return {certificate.number for certificate in known.certificates if (certificate.type, certificate.state) == wanted}


def _is_resident_id(number: str) -> bool:
    try:
        check_certificate(CertificateType.RESIDENT_ID, number)
    except CertificateInvalid:
        return False
    return True


def _standing(known: Known) -> list[KnownCertificate]:
    return [certificate for certificate in known.certificates if certificate.state != CertificateState.WITHDRAWN]


def _has_same_guardian(one: Known, other: Known) -> bool:
    return bool(one.guardians & other.guardians) and bool(_standing(one)) != bool(_standing(other))
