"""What codes mean: a hospital's own, or one that all use."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, or_, select, tuple_
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import SQLCoreOperations

from accounts import service as accounts
from core import audit, clock, statements
from core.actor import Actor
from core.ids import new_id
from records.items.models import CodeMapping, Item, ItemVersion
from records.items.refusals import CodeHospitalNotFound, CodeMappingNotFound, DictionaryItemNotFound

PAGE = 100


@dataclass(frozen=True)
class MappingWanted:
    """``hospital_id`` None: for all hospitals. ``unit`` None: in any unit. ``item`` None: nothing of the dictionary."""

    code_system: str
    code: str
    hospital_id: UUID | None = None
    unit: str | None = None
    item: str | None = None


@dataclass(frozen=True)
class MappingView:
    """A mapping in force; see ``models.CodeMapping``."""

    id: UUID
    hospital_id: UUID | None
    hospital_name: str | None
    code_system: str
    code: str
    unit: str | None
    item: str | None
    item_name: str | None
    mapped_at: datetime


@dataclass(frozen=True)
class Meaning:
    """The item that a code means, as far as a result is judged and converted by it."""

    item_id: UUID
    version: int
    code: str
    name: str
    unit: str | None
    decimals: int | None
    molar_mass: Decimal | None


# Code system, code, and the unit as written.
SentCode = tuple[str, str, str | None]

# At every report that is read, hence by hand: what is said of these codes now, with the fields of ``Meaning``.
_MEANINGS = """
SELECT said.hospital_id, said.code_system, said.code, said.unit, version.item_id, version.version, item.code,
    version.name, version.unit, version.decimals, version.molar_mass
FROM code_mappings said
    JOIN unnest(%(systems)s::text[], %(codes)s::text[]) AS sent (code_system, code) USING (code_system, code)
    LEFT JOIN items item ON item.id = said.item_id
    LEFT JOIN item_versions version ON version.item_id = item.id AND version.is_current
WHERE said.ended_at IS NULL AND (said.hospital_id IS NULL OR said.hospital_id = ANY(%(hospitals)s))
"""


def map_code(session: Session, actor: Actor, *, wanted: MappingWanted) -> MappingView:
    """Say what a code means, from now on and for everything that is filed already. It replaces what was said before.

    :param wanted: whoever acts for a hospital says it for that hospital only.
    :raises DictionaryItemNotFound: no such item.
    :raises CodeHospitalNotFound: no such hospital, or not the actor's.
    """
    hospital_id = _decide_hospital(session, actor, wanted.hospital_id)
    item_id = find_item_id(session, wanted.item) if wanted.item is not None else None
    mapping_id = put_mapping(session, hospital_id, (wanted.code_system, wanted.code, wanted.unit), item_id)
    _record(session, actor, "records.code.mapped", mapping_id, wanted.item)
    return _list(session, CodeMapping.id == mapping_id)[0]


def end_mapping(session: Session, actor: Actor, *, mapping_id: UUID) -> None:
    """The code means what it meant without this mapping; the work list names it again when it is next seen.

    :raises CodeMappingNotFound: none in force, or not the actor's to end.
    """
    mapping = session.scalars(
        select(CodeMapping).where(CodeMapping.id == mapping_id, _is_own(actor), _in_force()).with_for_update()
    ).one_or_none()
    if mapping is None:
        raise CodeMappingNotFound
    mapping.ended_at = clock.now()
    _record(session, actor, "records.code.unmapped", mapping_id, None)


def list_mappings(
    session: Session,
    actor: Actor,
    *,
    item: str | None = None,
    hospital_id: UUID | None = None,
    before: UUID | None = None,
    limit: int = PAGE,
) -> list[MappingView]:
    """Mappings in force, newest first: of the actor's own hospital and of all, or every one's for the operator.

    :param item: the code of one item.
    :param before: the id of the last line of the page before.
    :raises DictionaryItemNotFound: no such item.
    """
    wanted = [_in_force()]
    if actor.hospital_id is not None:
        wanted.append(or_(CodeMapping.hospital_id.is_(None), CodeMapping.hospital_id == actor.hospital_id))
    if item is not None:
        wanted.append(CodeMapping.item_id == find_item_id(session, item))
    if hospital_id is not None:
        wanted.append(CodeMapping.hospital_id == hospital_id)
    if before is not None:
        wanted.append(CodeMapping.id < before)
    return _list(session, *wanted, limit=limit)


def find_item_id(session: Session, code: str) -> UUID:
    """The id of the item with this code of the city.

    :raises DictionaryItemNotFound: no such item.
    """
    item_id = session.scalar(select(Item.id).where(Item.code == code))
    if item_id is None:
        raise DictionaryItemNotFound
    return item_id


def put_mapping(session: Session, hospital_id: UUID | None, sent: SentCode, item_id: UUID | None) -> UUID:
    """Replace what this code meant there in this unit. Two who say it at the same moment come one after the other."""
    system, code, unit = sent
    lock = func.hashtextextended(f"code/{hospital_id}/{system}/{code}/{unit}", 0)
    session.execute(select(func.pg_advisory_xact_lock(lock)))
    earlier = session.scalars(
        select(CodeMapping).where(
            CodeMapping.code_system == system,
            CodeMapping.code == code,
            CodeMapping.unit.is_not_distinct_from(unit),
            CodeMapping.hospital_id.is_not_distinct_from(hospital_id),
            _in_force(),
        )
    ).one_or_none()
    if earlier is not None:
        if earlier.item_id == item_id:
            return earlier.id
        earlier.ended_at = clock.now()
        session.flush()
    mapping = CodeMapping(
        id=new_id(),
        hospital_id=hospital_id,
        code_system=system,
        code=code,
        unit=unit,
        item_id=item_id,
        mapped_at=clock.now(),
    )
    session.add(mapping)
    session.flush()
    return mapping.id


def find_meanings(
    session: Session, asked: Iterable[tuple[UUID, SentCode]]
) -> dict[tuple[UUID, SentCode], Meaning | None]:
    """What codes of hospitals mean; those not in the answer mean nothing yet, those with None nothing of ours."""
    wanted = set(asked)
    if not wanted:
        return {}
    sent = {sent[:2] for _, sent in wanted}
    asked_now = {
        "systems": [system for system, _ in sent],
        "codes": [code for _, code in sent],
        "hospitals": list({hospital_id for hospital_id, _ in wanted}),
    }
    # The key of models.CodeMapping: which hospital's, system, code, unit.
    said = {
        (row[0], row[1], row[2], row[3]): Meaning(*row[4:]) if row[4] else None
        for row in statements.list_rows(session, _MEANINGS, asked_now)
    }
    found: dict[tuple[UUID, SentCode], Meaning | None] = {}
    for hospital_id, (system, code, unit) in wanted:
        for key in _keys_by_precedence(hospital_id, system, code, unit):
            if key in said:
                found[hospital_id, (system, code, unit)] = said[key]
                break
    return found


def means_item(
    item_id: UUID,
    *,
    hospital_id: SQLCoreOperations[UUID],
    code_system: SQLCoreOperations[str],
    code: SQLCoreOperations[str],
    unit: SQLCoreOperations[str | None],
) -> ColumnElement[bool]:
    """Whether a result with these columns is of this item, to be used inside the ``where`` of a query."""
    # Of the bare table: an alias of the mapped class costs milliseconds at each reading.
    named, said = CodeMapping.__table__.alias().c, CodeMapping.__table__.alias().c
    candidates = select(named.code_system, named.code).where(named.item_id == item_id, named.ended_at.is_(None))
    meant = (
        select(said.item_id)
        .where(said.code_system == code_system, said.code == code, said.ended_at.is_(None))
        .where(or_(said.hospital_id.is_(None), said.hospital_id == hospital_id))
        .where(or_(said.unit.is_(None), said.unit == unit))
        .order_by(said.hospital_id.is_(None), said.unit.is_(None))
        .limit(1)
    )
    # In this order: the first is looked up in memory and lets little through, the second asks of several mappings.
    is_candidate = tuple_(code_system, code).in_(candidates)
    return case((is_candidate, meant.scalar_subquery() == item_id), else_=False)


def _keys_by_precedence(
    hospital_id: UUID, system: str, code: str, unit: str | None
) -> list[tuple[UUID | None, str, str, str | None]]:
    units = (unit, None) if unit is not None else (None,)
    return [(whose, system, code, each) for whose in (hospital_id, None) for each in units]


def _in_force() -> ColumnElement[bool]:
    return CodeMapping.ended_at.is_(None)


def _is_own(actor: Actor) -> ColumnElement[bool]:
    """Whoever acts for no hospital runs the platform."""
    return CodeMapping.hospital_id == actor.hospital_id if actor.hospital_id else CodeMapping.id.is_not(None)


def _decide_hospital(session: Session, actor: Actor, wanted: UUID | None) -> UUID | None:
    is_elsewhere = actor.hospital_id is not None and wanted not in {None, actor.hospital_id}
    if is_elsewhere or (wanted is not None and not accounts.list_hospitals(session, {wanted})):
        raise CodeHospitalNotFound
    return actor.hospital_id or wanted


def _list(session: Session, *wanted: ColumnElement[bool], limit: int = 1) -> list[MappingView]:
    rows = session.execute(
        select(CodeMapping, Item.code, ItemVersion.name)
        .outerjoin(Item, Item.id == CodeMapping.item_id)
        .outerjoin(ItemVersion, and_(ItemVersion.item_id == Item.id, ItemVersion.is_current))
        .where(*wanted)
        .order_by(CodeMapping.id.desc())
        .limit(limit)
    ).all()
    hospitals = accounts.list_hospitals(session, {row[0].hospital_id for row in rows if row[0].hospital_id})
    return [
        MappingView(
            id=mapping.id,
            hospital_id=mapping.hospital_id,
            hospital_name=hospitals[mapping.hospital_id].name if mapping.hospital_id else None,
            code_system=mapping.code_system,
            code=mapping.code,
            unit=mapping.unit,
            item=item,
            item_name=name,
            mapped_at=mapping.mapped_at,
        )
        for mapping, item, name in rows
    ]


def _record(session: Session, actor: Actor, action: str, mapping_id: UUID, item: str | None) -> None:
    audit.record_act(session, actor, action, of=("code_mapping", mapping_id), facts={"item": item} if item else None)
