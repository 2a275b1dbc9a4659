"""Labelling what is filed, deciding when its patient sees it, and the rules for that."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from consent.service import Sensitivity
from core import audit, clock, outbox, statements
from core.actor import Actor
from records.releasing.classification import classify
from records.releasing.models import Mode, ReleaseRule
from records.releasing.refusals import HeldItemNotFound, ReleaseRuleNotFound
from records.visits import service as visits

# What was held back is open to its patient: ``object_id``.
RELEASED_TOPIC = "records.item_released"

# At every filing, hence by hand. The narrowest matter first: a code, a sensitive kind, a category, everything; in each
# the hospital's own rule before the city's.
_RULES = """
SELECT hospital_id, code_system, code, sensitivity, category, mode, review_days FROM release_rules
WHERE ended_at IS NULL AND (hospital_id IS NULL OR hospital_id = ANY(%(hospital_ids)s))
ORDER BY code IS NULL, sensitivity IS NULL, category IS NULL, hospital_id IS NULL
"""


class _Rule(NamedTuple):
    """A rule as it is read at filing."""

    hospital_id: UUID | None
    code_system: str | None
    code: str | None
    sensitivity: str | None
    category: str | None
    mode: str
    review_days: int | None


@dataclass(frozen=True)
class Item:
    """A thing that is being filed.

    :ivar of: kind (report, study, entry) and id.
    :ivar category: laboratory, imaging or other.
    :ivar code: system and code of the thing itself, as far as it has one.
    :ivar codes: system and code of everything in it.
    :ivar names: of the thing and of everything in it.
    """

    of: tuple[str, UUID]
    version: int
    person_id: UUID
    hospital_id: UUID
    visit_id: UUID | None
    category: str
    code: tuple[str, str] | None
    codes: Iterable[tuple[str, str]]
    names: Iterable[str]


@dataclass(frozen=True)
class Matter:
    """What a rule is about: one of the three, or nothing: everything. ``hospital_code``: None for the whole city."""

    hospital_code: str | None = None
    code: tuple[str, str] | None = None
    sensitivity: str | None = None
    category: str | None = None


@dataclass(frozen=True)
class RuleView:
    """A rule in force. ``hospital_name``: None for the whole city."""

    id: UUID
    hospital_id: UUID | None
    hospital_name: str | None
    code_system: str | None
    code: str | None
    sensitivity: str | None
    category: str | None
    mode: str
    review_days: int | None
    set_at: datetime


def label_item(session: Session, item: Item) -> Sensitivity | None:
    """Say of an item that is being filed whether it is sensitive, and hold it back when a rule says so.

    Part of filing it, in the same transaction. What a first version was decided to be stays: a correction neither
    hides what the patient has read nor takes a label away; it can only add one.

    :returns: the sensitive kind of this version.
    """
    return label_items(session, [item])[0]


def label_items(session: Session, items: Sequence[Item]) -> list[Sensitivity | None]:
    """As ``label_item``, for many that are filed together."""
    departments = visits.find_departments(session, {item.visit_id for item in items if item.visit_id})
    kinds = [
        classify(
            codes=[*item.codes, *([item.code] if item.code else [])],
            names=item.names,
            department=departments.get(item.visit_id) if item.visit_id else None,
        )
        for item in items
    ]
    rules = _list_in_force(session, {item.hospital_id for item in items})
    for item, sensitivity in zip(items, kinds, strict=True):
        if item.version == 1 or (sensitivity is not None and not _is_labelled(session, item.of[1])):
            _label(session, item, sensitivity, _find_rule(rules, item, sensitivity))
    return kinds


def _label(session: Session, item: Item, sensitivity: Sensitivity | None, rule: _Rule | None) -> None:
    is_held, opens_at = _decide_release(item, sensitivity, rule)
    if sensitivity or is_held:
        consent.restrict_item(
            session,
            person_id=item.person_id,
            hospital_id=item.hospital_id,
            of=item.of,
            sensitivity=sensitivity,
            is_held=is_held,
            opens_at=opens_at,
        )
    if opens_at is not None:
        outbox.announce(session, RELEASED_TOPIC, {"object_id": str(item.of[1])}, due_at=opens_at, wakes=False)


def release_item(session: Session, actor: Actor, *, object_id: UUID) -> None:
    """A doctor has reviewed what his house made: from the next request on the patient sees it.

    :raises HeldItemNotFound: nothing of the actor's hospital that was ever held.
    """
    if not consent.release_held_item(session, actor, object_id=object_id):
        raise HeldItemNotFound
    outbox.announce(session, RELEASED_TOPIC, {"object_id": str(object_id)})


def set_rule(session: Session, actor: Actor, *, matter: Matter, mode: Mode, review_days: int | None = None) -> RuleView:
    """From now on what is filed of this matter is released so. It replaces the matter's rule; what is filed stays.

    :param review_days: with ``after_review``: opened after so many days without a review; None: never by itself.
    :raises HospitalNotFound: none with this organisation code.
    """
    now = clock.now()
    hospital_id = accounts.find_hospital_id(session, matter.hospital_code) if matter.hospital_code else None
    # No row can be locked that is not there yet: rules are few and change rarely, so one at a time.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("release_rules", 0))))
    system, code = matter.code or (None, None)
    columns = (
        (ReleaseRule.hospital_id, hospital_id),
        (ReleaseRule.code_system, system),
        (ReleaseRule.code, code),
        (ReleaseRule.sensitivity, matter.sensitivity),
        (ReleaseRule.category, matter.category),
    )
    same = [column.is_not_distinct_from(value) for column, value in columns]
    old = session.scalars(select(ReleaseRule).where(ReleaseRule.ended_at.is_(None), *same)).one_or_none()
    if old is not None:
        old.ended_at = now
        session.flush()
    rule = ReleaseRule(
        hospital_id=hospital_id,
        code_system=system,
        code=code,
        sensitivity=matter.sensitivity,
        category=matter.category,
        mode=mode.value,
        review_days=review_days,
        set_by=actor.id,
        set_at=now,
    )
    session.add(rule)
    session.flush()
    facts = {"mode": mode.value, "days": review_days, "replaces": str(old.id) if old else None}
    audit.record_act(session, actor, "records.release_rule.set", of=("release_rule", rule.id), facts=facts)
    return _show(session, [rule])[0]


def end_rule(session: Session, actor: Actor, *, rule_id: UUID) -> None:
    """What is filed from now on is released as if this rule had not been.

    :raises ReleaseRuleNotFound: none in force with this id.
    """
    rule = session.scalars(
        select(ReleaseRule).where(ReleaseRule.id == rule_id, ReleaseRule.ended_at.is_(None)).with_for_update()
    ).one_or_none()
    if rule is None:
        raise ReleaseRuleNotFound
    rule.ended_at = clock.now()
    audit.record_act(session, actor, "records.release_rule.ended", of=("release_rule", rule.id))


def list_rules(session: Session) -> list[RuleView]:
    """The rules in force, the city's first; where none fits, the sensitive wait for a visit, all else is open."""
    in_force = select(ReleaseRule).where(ReleaseRule.ended_at.is_(None))
    in_order = in_force.order_by(ReleaseRule.hospital_id.nulls_first(), ReleaseRule.id)
    return _show(session, list(session.scalars(in_order)))


def _is_labelled(session: Session, object_id: UUID) -> bool:
    known = consent.list_restrictions(session, object_ids={object_id}).get(object_id)
    return known is not None and known.sensitivity is not None


def _decide_release(item: Item, sensitivity: Sensitivity | None, rule: _Rule | None) -> tuple[bool, datetime | None]:
    """Whether it is held back, and when it opens by itself."""
    mode = Mode(rule.mode) if rule else Mode.WITH_VISIT if sensitivity else Mode.AT_ONCE
    if mode is Mode.AT_ONCE or (mode is Mode.WITH_VISIT and item.visit_id is not None):
        return False, None
    days = rule.review_days if rule else None
    return True, clock.now() + timedelta(days=days) if days else None


def _list_in_force(session: Session, hospital_ids: set[UUID]) -> list[_Rule]:
    """The rules of the city and of these hospitals, the narrowest matter first."""
    return [_Rule(*row) for row in statements.list_rows(session, _RULES, {"hospital_ids": list(hospital_ids)})]


def _find_rule(rules: Sequence[_Rule], item: Item, sensitivity: Sensitivity | None) -> _Rule | None:
    return next((rule for rule in rules if _fits(rule, item, sensitivity)), None)


def _fits(rule: _Rule, item: Item, sensitivity: Sensitivity | None) -> bool:
    if rule.hospital_id not in {None, item.hospital_id}:
        return False
    if rule.code is not None:
        return (rule.code_system, rule.code) == item.code
    if rule.sensitivity is not None:
        return rule.sensitivity == sensitivity
    return rule.category in {None, item.category}


def _show(session: Session, rules: list[ReleaseRule]) -> list[RuleView]:
    hospitals = accounts.list_hospitals(session, {rule.hospital_id for rule in rules if rule.hospital_id})
    return [
        RuleView(
            id=rule.id,
            hospital_id=rule.hospital_id,
            hospital_name=hospitals[rule.hospital_id].name if rule.hospital_id else None,
            code_system=rule.code_system,
            code=rule.code,
            sensitivity=rule.sensitivity,
            category=rule.category,
            mode=rule.mode,
            review_days=rule.review_days,
            set_at=rule.set_at,
        )
        for rule in rules
    ]
