"""Which items a hospital's own code may mean, by its name: a help for the person who decides, never a decision."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from sqlalchemy import select
from sqlalchemy.orm import Session

from records.items import ucum
from records.items.models import Item, ItemVersion, ValueKind

MOST = 3
_LEAST_LIKENESS = 0.4
# Words that many items' names carry and that tell none from another.
_FILLING = re.compile(r"测定|检测|定量|定性|血清|血浆|全血|浓度|计数|试验|项目|[\s()（）\[\]【】*#·、,，-]")
_LATIN = re.compile(r"[a-z][a-z0-9%#]*(?:-[a-z0-9]+)*")


@dataclass(frozen=True)
class Suggestion:
    """``likeness``: 0 to 1, 1 for the same short name."""

    item: str
    name: str
    likeness: float


def suggest_items(session: Session, asked: Sequence[tuple[str, list[str], str | None]]) -> list[list[Suggestion]]:
    """At most three items for each code, likeliest first; none whose unit measures something else.

    :param asked: code, names as they were sent, and unit as it was written, of each.
    """
    if not asked:
        return []
    current = select(Item.code, ItemVersion).join(ItemVersion, ItemVersion.item_id == Item.id)
    items = [tuple(row) for row in session.execute(current.where(ItemVersion.is_current))]
    return [_suggest(items, code, names, unit) for code, names, unit in asked]


def _suggest(items: list[tuple[str, ItemVersion]], code: str, names: list[str], unit: str | None) -> list[Suggestion]:
    found = []
    for item_code, item in items:
        likeness = max(_compare(name, code, item) for name in names)
        if likeness >= _LEAST_LIKENESS and _can_be_in(item, unit):
            found.append(Suggestion(item_code, item.name, round(likeness, 2)))
    return sorted(found, key=lambda each: (-each.likeness, each.item))[:MOST]


def _compare(name: str, code: str, item: ItemVersion) -> float:
    short = item.short_name.lower()
    if short in {code.lower(), *_LATIN.findall(name.lower())}:
        return 1.0
    sent = _pairs(name)
    return max(_overlap(sent, _pairs(known)) for known in (item.name, item.name_en))


def _pairs(name: str) -> frozenset[str]:
    bare = _FILLING.sub("", name.lower())
    return frozenset(bare[at : at + 2] for at in range(len(bare) - 1)) or frozenset({bare})


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Dice's coefficient."""
    return 2 * len(one & other) / (len(one) + len(other))


def _can_be_in(item: ItemVersion, unit: str | None) -> bool:
    if unit is None or item.unit is None or item.value_kind != ValueKind.QUANTITY:
        return True
    molar_mass = Fraction(item.molar_mass) if item.molar_mass else None
    readings = ucum.list_readings(unit)
    return not readings or any(ucum.find_factor(each, item.unit, molar_mass=molar_mass) for each in readings)
