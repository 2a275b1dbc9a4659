"""Whether what came with a number is said of its owner. The answer tells like from unlike, never the details."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from importlib import import_module
from itertools import product
from types import ModuleType
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from core.vault import vault
from health_card.matching.models import PersonTrait, TraitKind
from health_card.matching.traits import index_trait
from health_card.models import Person
from health_card.service.identities import NAME, normalise_name, same_person_ids

# A sender that hides part of a name compares nothing with it.
_MASK = re.compile(r"[*＊×○●？?#]")
_SOUND = re.compile(r"[^\W\d_]")


class Described(Protocol):
    """What was said of a patient beside his numbers, as in ``compare_with_person``."""

    @property
    def names(self) -> Collection[str]: ...
    @property
    def sex(self) -> str: ...
    @property
    def birth_date(self) -> date | None: ...


class Likeness(StrEnum):
    AGREES = "agrees"
    DIFFERS = "differs"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Comparison:
    """How what was sent compares with the record of a person that is most like it."""

    name: Likeness
    sex: Likeness
    birth_date: Likeness

    @property
    def differing(self) -> list[str]:
        """The names of what differs."""
        return [name for name, likeness in vars(self).items() if likeness is Likeness.DIFFERS]


def compare_with_person(
    session: Session, person_id: UUID, *, names: Collection[str], sex: str, birth_date: date | None
) -> Comparison:
    """Compare what a hospital's system says of a patient with the records of a person.

    A hospital goes on writing what the record that it knew said, also when another one stands for the person now, and
    the name from before a correction: the record that differs least counts, and former names are as good.

    :param names: ways in which one name is written, of which one must agree; none compares nothing.
    :param sex: male, female or unknown; unknown compares nothing, as does no birth date.
    """
    records = session.scalars(select(Person).where(Person.id.in_(same_person_ids(person_id)))).all()
    compared = [_compare_record(record, names, sex, birth_date) for record in records]
    best = min(compared, key=lambda comparison: len(comparison.differing))
    if best.name is Likeness.DIFFERS and _had_name(session, records, names):
        return Comparison(Likeness.AGREES, best.sex, best.birth_date)
    return best


def find_agreeing(session: Session, asked: Mapping[int, tuple[UUID, Described]]) -> set[int]:
    """As ``compare_with_person``, for many at once: those of whom the record named says nothing else.

    Who is not among them may still be the person: by another record, or a former name.
    """
    described = {place for place, (_, told) in asked.items() if told.names or told.birth_date or told.sex != "unknown"}
    ids = {asked[place][0] for place in described}
    compared = select(Person.id, Person.sex, Person.birth_date, Person.data_key, Person.name_sealed)
    found = session.execute(compared.where(Person.id.in_(ids))) if ids else ()
    records = {record.id: record for record in found}
    return {
        place
        for place, (person_id, told) in asked.items()
        if place not in described
        or not _compare_record(records[person_id], told.names, told.sex, told.birth_date).differing
    }


def _compare_record(record: Person | Row[Any], names: Collection[str], sex: str, birth_date: date | None) -> Comparison:
    name = vault().unwrap(record.data_key).unseal(record.name_sealed, context=NAME) if names else ""
    return Comparison(
        _compare_names(name, names),
        _compare_values(*(None if each == "unknown" else each for each in (record.sex, sex))),
        _compare_values(record.birth_date, birth_date),
    )


def _spelling() -> ModuleType:
    # The tables of readings fill 50 MB: a web process loads them when two names are first written differently.
    return import_module("health_card.matching.spelling")


def _compare_names(known: str, names: Collection[str]) -> Likeness:
    told = [normalise_name(name) for name in names if _SOUND.search(name) and not _MASK.search(name)]
    if not told:
        return Likeness.UNKNOWN
    is_same = known in told or any(_spelling().is_same_name(known, name) for name in told)
    return Likeness.AGREES if is_same else Likeness.DIFFERS


def _compare_values(known: object, sent: object) -> Likeness:
    if known is None or sent is None:
        return Likeness.UNKNOWN
    return Likeness.AGREES if known == sent else Likeness.DIFFERS


def _had_name(session: Session, records: Collection[Person], names: Collection[str]) -> bool:
    years = {record.birth_date.year for record in records if record.birth_date}
    readings = {reading for name in names for reading in _spelling().read_name(name)}
    indexes = [index_trait(TraitKind.NAME_YEAR, f"{reading}/{year}") for reading, year in product(readings, years)]
    had = select(PersonTrait.person_id).where(
        PersonTrait.person_id.in_([record.id for record in records]),
        PersonTrait.kind == TraitKind.NAME_YEAR.value,
        PersonTrait.value_index.in_(indexes),
    )
    return session.scalar(had.limit(1)) is not None
