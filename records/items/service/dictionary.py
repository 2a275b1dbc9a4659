"""The items themselves: read, changed as a new version, and the list that a city starts with."""

import csv
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from sqlalchemy import ColumnElement, insert, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import SYSTEM, Actor
from core.ids import new_id
from records.items import ucum
from records.items.models import CodeMapping, Item, ItemRange, ItemVersion
from records.items.refusals import (
    CodeMeansAnotherItem,
    DictionaryItemChanged,
    DictionaryItemNotFound,
    UnitUnknown,
)
from records.items.service.mappings import put_mapping
from records.reports.incoming import LOINC

# The code system of the items themselves.
CITY_CODES = "urn:yimatong:code:item"
PAGE = 100
_STARTING_LIST = Path(__file__).parent.parent / "starting_list.csv"
_STARTING_RANGES = Path(__file__).parent.parent / "starting_ranges.csv"
_SAID = ("name", "name_en", "short_name", "category", "value_kind", "unit", "decimals", "molar_mass")
_BOUNDS = ("low", "high", "critical_low", "critical_high")


@dataclass(frozen=True)
class RangeContent:
    """What is usual for one sex and age; see ``models.ItemRange``."""

    sex: str | None = None
    age_from_days: int = 0
    age_until_days: int | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    critical_low: Decimal | None = None
    critical_high: Decimal | None = None


@dataclass(frozen=True)
class ItemContent:
    """What a version says; see ``models.ItemVersion``. ``loinc``: the LOINC codes that mean this item everywhere."""

    name: str
    name_en: str
    short_name: str
    category: str
    value_kind: str
    unit: str | None
    decimals: int | None
    molar_mass: Decimal | None
    loinc: tuple[str, ...]
    ranges: tuple[RangeContent, ...]


@dataclass(frozen=True)
class ItemView:
    """An item as it is now. ``ranges``: left out in lists."""

    id: UUID
    code: str
    version: int
    name: str
    name_en: str
    short_name: str
    category: str
    value_kind: str
    unit: str | None
    decimals: int | None
    molar_mass: Decimal | None
    changed_at: datetime
    loinc: list[str]
    ranges: list[RangeContent]


def list_items(
    session: Session, *, text: str | None = None, after: str | None = None, limit: int = PAGE
) -> list[ItemView]:
    """The dictionary in the order of its codes.

    :param text: part of a code, a name or a LOINC code.
    :param after: the code of the last line of the page before.
    """
    wanted: list[ColumnElement[bool]] = []
    if text:
        coded = select(CodeMapping.item_id).where(
            CodeMapping.hospital_id.is_(None), CodeMapping.code == text, CodeMapping.ended_at.is_(None)
        )
        columns = (Item.code, ItemVersion.name, ItemVersion.name_en, ItemVersion.short_name)
        wanted.append(or_(*(column.icontains(text, autoescape=True) for column in columns), Item.id.in_(coded)))
    if after is not None:
        wanted.append(Item.code > after)
    return _read(session, *wanted, limit=limit)


def get_item(session: Session, code: str) -> ItemView:
    """One item with its reference ranges.

    :raises DictionaryItemNotFound: no such item.
    """
    found = _read(session, Item.code == code, limit=1)
    if not found:
        raise DictionaryItemNotFound
    return found[0]


def list_ranges(session: Session, versions: set[tuple[UUID, int]]) -> dict[UUID, list[RangeContent]]:
    """The reference ranges of versions of items, in their order."""
    rows = session.scalars(
        select(ItemRange)
        .where(tuple_(ItemRange.item_id, ItemRange.version).in_(versions))
        .order_by(ItemRange.item_id, ItemRange.position)
    )
    found: dict[UUID, list[RangeContent]] = {}
    for row in rows:
        fields = {name: getattr(row, name) for name in RangeContent.__dataclass_fields__}
        found.setdefault(row.item_id, []).append(RangeContent(**fields))
    return found


def save_item(session: Session, actor: Actor, *, code: str, content: ItemContent, after_version: int) -> ItemView:
    """Make an item, or its next version. What it said before is kept.

    :param after_version: the version that this one follows; 0 makes the item.
    :raises DictionaryItemChanged: another version is the current one.
    :raises UnitUnknown: the unit is none of UCUM that is known here.
    :raises CodeMeansAnotherItem: one of the LOINC codes means another item already.
    """
    _check_unit(content.unit)
    item = session.scalars(select(Item).where(Item.code == code).with_for_update()).one_or_none()
    current = _current_version(session, item.id) if item else 0
    if current != after_version:
        raise DictionaryItemChanged
    if item is None:
        # Two who make the same item at the same moment: the second meets the unique constraint, and has no item yet.
        made = _make_items(session, [code])
        if code not in made:
            raise DictionaryItemChanged
        item_id = made[code]
        put_mapping(session, None, (CITY_CODES, code, None), item_id)
    else:
        item_id = item.id
        session.execute(
            update(ItemVersion).where(ItemVersion.item_id == item_id, ItemVersion.is_current).values(is_current=False)
        )
    _write_versions(session, [(item_id, current + 1, content)])
    _put_loinc(session, item_id, content.loinc)
    facts = {"item": code, "version": current + 1}
    audit.record_act(session, actor, "records.item.changed", of=("item", item_id), facts=facts)
    session.flush()
    return get_item(session, code)


def load_starting_list(session: Session) -> int:
    """Put what the shipped list has and the dictionary lacks into it; what is there stays as it is.

    The list holds common laboratory items in national use with their LOINC codes, and adult ranges after WS/T 404 and
    WS/T 405. It is where a city starts, to be compared with its official list before results are judged by it.

    :returns: how many items were new.
    """
    ranges: dict[str, list[RangeContent]] = {}
    for line in _read_file(_STARTING_RANGES):
        ranges.setdefault(line["code"], []).append(_starting_range(line))
    listed = {
        line["code"]: _starting_content(line, ranges.get(line["code"], [])) for line in _read_file(_STARTING_LIST)
    }
    made = _make_items(session, list(listed))
    if not made:
        return 0
    _write_versions(session, [(item_id, 1, listed[code]) for code, item_id in made.items()])
    now = clock.now()
    meant = [(CITY_CODES, code, item_id) for code, item_id in made.items()]
    meant += [(LOINC, code, item_id) for item, item_id in made.items() for code in listed[item].loinc]
    taken = set(session.scalars(select(CodeMapping.code).where(CodeMapping.hospital_id.is_(None), _is_loinc())))
    rows = [
        {"id": new_id(), "code_system": system, "code": code, "item_id": item_id, "mapped_at": now}
        for system, code, item_id in meant
        if system != LOINC or code not in taken
    ]
    session.execute(insert(CodeMapping), rows)
    audit.record_act(session, SYSTEM, "records.items.loaded", facts={"items": len(made)})
    return len(made)


def _read(session: Session, *wanted: ColumnElement[bool], limit: int) -> list[ItemView]:
    rows = session.execute(
        select(Item, ItemVersion)
        .join(ItemVersion, ItemVersion.item_id == Item.id)
        .where(ItemVersion.is_current, *wanted)
        .order_by(Item.code)
        .limit(limit)
    ).all()
    versions = {(version.item_id, version.version) for _, version in rows}
    ranges = list_ranges(session, versions) if limit == 1 else {}
    loinc: dict[UUID | None, list[str]] = {}
    codes = select(CodeMapping.item_id, CodeMapping.code).where(
        CodeMapping.item_id.in_({item.id for item, _ in rows}), CodeMapping.hospital_id.is_(None), _is_loinc()
    )
    for item_id, code in session.execute(codes.order_by(CodeMapping.id)):
        loinc.setdefault(item_id, []).append(code)
    return [
        ItemView(
            id=item.id,
            code=item.code,
            version=version.version,
            changed_at=version.changed_at,
            loinc=loinc.get(item.id, []),
            ranges=ranges.get(item.id, []),
            **{name: getattr(version, name) for name in _SAID},
        )
        for item, version in rows
    ]


def _is_loinc() -> ColumnElement[bool]:
    return (CodeMapping.code_system == LOINC) & CodeMapping.unit.is_(None) & CodeMapping.ended_at.is_(None)


def _check_unit(unit: str | None) -> None:
    if unit is None:
        return
    try:
        ucum.read_unit(unit)
    except ValueError:
        raise UnitUnknown from None


def _current_version(session: Session, item_id: UUID) -> int:
    return session.scalars(select(ItemVersion.version).filter_by(item_id=item_id, is_current=True)).one()


def _make_items(session: Session, codes: list[str]) -> dict[str, UUID]:
    """The items that were not there before, by code."""
    rows = [{"id": new_id(), "code": code, "created_at": clock.now()} for code in codes]
    statement = postgresql_insert(Item).on_conflict_do_nothing().returning(Item.code, Item.id)
    return {row.code: row.id for row in session.execute(statement, rows)}


def _write_versions(session: Session, versions: list[tuple[UUID, int, ItemContent]]) -> None:
    now = clock.now()
    session.execute(
        insert(ItemVersion),
        [
            {"item_id": item_id, "version": version, "is_current": True, "changed_at": now}
            | {name: getattr(content, name) for name in _SAID}
            for item_id, version, content in versions
        ],
    )
    ranges = [
        {"item_id": item_id, "version": version, "position": position} | vars(one)
        for item_id, version, content in versions
        for position, one in enumerate(content.ranges, start=1)
    ]
    if ranges:
        session.execute(insert(ItemRange), ranges)


def _put_loinc(session: Session, item_id: UUID, codes: tuple[str, ...]) -> None:
    mapped = session.scalars(select(CodeMapping).where(CodeMapping.hospital_id.is_(None), _is_loinc()))
    said = {mapping.code: mapping for mapping in mapped}
    for code in codes:
        if code in said and said[code].item_id not in {item_id, None}:
            raise CodeMeansAnotherItem(item=session.scalar(select(Item.code).where(Item.id == said[code].item_id)))
        put_mapping(session, None, (LOINC, code, None), item_id)
    for code, mapping in said.items():
        if mapping.item_id == item_id and code not in codes:
            mapping.ended_at = clock.now()


def _read_file(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _starting_content(line: dict[str, str], ranges: list[RangeContent]) -> ItemContent:
    return ItemContent(
        name=line["name"],
        name_en=line["name_en"],
        short_name=line["short_name"],
        category=line["category"],
        value_kind=line["value_kind"],
        unit=line["unit"] or None,
        decimals=int(line["decimals"]) if line["decimals"] else None,
        molar_mass=Decimal(line["molar_mass"]) if line["molar_mass"] else None,
        loinc=tuple(line["loinc"].split()),
        ranges=tuple(ranges),
    )


def _starting_range(line: dict[str, str]) -> RangeContent:
    return RangeContent(
        sex=line["sex"] or None,
        age_from_days=days_of_years(int(line["age_from_years"])) if line["age_from_years"] else 0,
        age_until_days=days_of_years(int(line["age_until_years"])) if line["age_until_years"] else None,
        **{name: Decimal(line[name]) if line[name] else None for name in _BOUNDS},
    )


def days_of_years(years: int) -> int:
    """The age in days at which so many years are certainly over; a year is 365.25 days."""
    return -(-years * 1461 // 4)
