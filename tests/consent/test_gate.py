"""The gate in statements written by hand is the gate in expressions: for whom, for what, at whatever boundary."""

import os
import random
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from consent import service as consent
from consent.models import Grant, HiddenItem, RestrictedItem, Sensitivity
from core import clock, db, statements
from core.actor import Actor, ActorKind
from core.ids import new_id
from health_card import service as health_card
from health_card.models import Holder, Relation
from records.timeline.models import TimelineEntry
from records.visits.models import Visit
from tests.conftest import SteppingClock
from tests.health_card.family.household import born_years_ago
from tests.support.city import City

PERSONS, ITEMS, GRANTS = 40, 3, 8
DEPARTMENTS = ["0300", "0400"]
SEED = 20261122
# What an adult may be to several at once: of one's own person there is one.
_LIVING = [Relation.CHILD, Relation.CHILD, Relation.WARD, Relation.WARD, Relation.SPOUSE, Relation.OTHER]
BY_HAND = """
WITH readable AS ({readable}) SELECT item.object_id FROM readable
    JOIN timeline_entries item ON item.person_id = readable.id
WHERE {is_known}
"""
TOLD = "SELECT one.object_id, told.* FROM restricted_items one CROSS JOIN LATERAL ({restriction}) told"
LIKE = """
INSERT INTO persons (id, root_id, data_key, name_sealed, phone_sealed, sex, birth_date, assurance, created_at)
SELECT :id, :root_id, data_key, name_sealed, phone_sealed, sex, :born, assurance, created_at
FROM persons WHERE id = :like
"""


class Town:
    """Everybody acts for everybody by chance, and everything about an item is decided by chance."""

    def __init__(self, city: City, now: datetime, seed: int) -> None:
        self.chance, self.now = random.Random(seed), now
        patients = [city.patient(name) for name in ("王测试", "李测试", "张测试")]
        self.hospitals = [city.hospital(f"第{number}测试医院") for number in range(2)]
        self.logins = [patient.actor for patient in patients]
        nobody = frozenset[str]()
        self.doctors = [city.staff(hospital).id for hospital in self.hospitals for _ in range(2)]
        self.links = [new_id(), new_id()]
        self.strangers = [
            Actor(ActorKind.STAFF, doctor, nobody, self.hospitals[at // 2].id, department=department)
            for at, doctor in enumerate(self.doctors)
            for department in (None, *DEPARTMENTS)
        ]
        self.strangers += [Actor(ActorKind.MACHINE, new_id(), nobody, hospital.id) for hospital in self.hospitals]
        self.strangers += [Actor(ActorKind.LINK, link, nobody) for link in self.links]
        self.strangers.append(Actor(ActorKind.STAFF, new_id(), nobody))
        self.visits = [new_id() for _ in range(3)]
        self.items = [new_id() for _ in range((PERSONS + 3) * ITEMS)]
        self.unused = list(self.items)
        with db.transaction() as session:
            self.persons = [patient.person_id for patient in patients]
            for _ in range(PERSONS):
                self.persons.append(self._add_person(session))
            for visit_id in self.visits:
                row = {"id": visit_id, "person_id": self.persons[0], "hospital_id": self.hospitals[0].id}
                codes = {"kind": "O", "department": "0300", "medical_step": "010101"}
                session.execute(insert(Visit).values(**row, **codes, opened_at=now))
            for person_id in self.persons:
                self._add_holders(session, person_id)
                mine = self.unused[:ITEMS]
                for _ in range(self.chance.randrange(GRANTS)):
                    self._add_grant(session, person_id, mine)
                for _ in mine:
                    self._add_item(session, person_id)

    def at(self, *minutes: int | None) -> datetime | None:
        """One of these moments, counted from now; None where None is among them and drawn."""
        drawn = self.chance.choice(minutes)
        return None if drawn is None else self.now + timedelta(minutes=drawn)

    def _add_person(self, session: Session) -> UUID:
        person_id = new_id()
        born = [born_years_ago(age, days=day) for age in (14, 18) for day in (-1, 0, 1)]
        asked = {"id": person_id, "like": self.persons[0], "born": self.chance.choice([None, None, *born])}
        # Some are a second record of somebody.
        root_id = self.chance.choice([person_id, person_id, self.chance.choice(self.persons)])
        session.execute(text(LIKE), {**asked, "root_id": root_id})
        session.execute(text("UPDATE persons SET root_id = (SELECT root_id FROM persons p WHERE p.id = :r) "
                             "WHERE id = :id AND root_id <> id"), {"id": person_id, "r": root_id})  # fmt: skip
        return person_id

    def _add_holders(self, session: Session, person_id: UUID) -> None:
        for login in self.chance.sample(self.logins, self.chance.randrange(1, 4)):
            ended_at = self.at(*[None] * 7, -5)
            row = {
                "id": new_id(), "login_id": login.id, "person_id": person_id,
                "created_at": self.at(-self.chance.randrange(10**6)),
                "relation": self.chance.choice(_LIVING if ended_at is None else [*Relation]),
                "confirmed_at": self.at(None, *[-5] * 7), "valid_until": self.at(*[None] * 5, 0, 5, -5),
                "ended_at": ended_at, "end_reason": None if ended_at is None else "left",
            }  # fmt: skip
            known = select(Holder.id).where(Holder.login_id == login.id, Holder.person_id == person_id)
            if session.scalar(known) is None:
                session.execute(insert(Holder).values(row))

    def some(self, chosen: list[Any]) -> list[Any] | None:
        """A few of these; None as often."""
        return self.chance.choice([None, None, self.chance.sample(chosen, self.chance.randrange(1, 3))])

    def _add_grant(self, session: Session, person_id: UUID, items: list[UUID]) -> None:
        at = self.chance.randrange(2)
        row = {
            "id": new_id(), "person_id": person_id, "version": 1, "starts_at": self.at(-10, -10, 0, 1),
            "expires_at": self.at(2), "revoked_at": self.at(None, None, None, -1), **self._recipient(at),
            "kinds": self.some(["laboratory", "imaging", "encounter"]), "visit_ids": self.some(self.visits),
            "item_ids": self.some(items), "uses_left": self.chance.choice([None, None, 0, 1]),
            "sensitivities": self.some([*Sensitivity]) or [], "may_download": self.chance.random() < 0.5,
            "since_on": self.chance.choice([None, None, date(2026, 3, 1)]),
            "until_on": self.chance.choice([None, None, date(2026, 3, 1), date(2026, 3, 2)]),
        }  # fmt: skip
        if self.chance.random() < 0.3:  # Many grants leave the whole record open.
            row |= dict.fromkeys(("kinds", "visit_ids", "item_ids", "since_on", "until_on"))
        if self.chance.random() < 0.2:
            row |= {"starts_at": self.at(-10), "expires_at": self.at(0, -1)}
        session.execute(insert(Grant).values(row))

    def _recipient(self, at: int) -> dict[str, Any]:
        if self.chance.random() < 0.2:
            link = {"link_id": self.chance.choice(self.links), "hospital_id": None, "purpose": "sharing"}
            return link | {"opened_by": "link", "department": None, "staff_id": None}
        return {
            "hospital_id": self.hospitals[at].id, "purpose": "treatment", "opened_by": "patient", "link_id": None,
            "department": self.chance.choice([None, None, *DEPARTMENTS]),
            "staff_id": self.chance.choice([None, None, None, *self.doctors[2 * at : 2 * at + 2]]),
        }  # fmt: skip

    def _add_item(self, session: Session, person_id: UUID) -> None:
        object_id, hospital_id = self.unused.pop(0), self.chance.choice(self.hospitals).id
        item = {"person_id": person_id, "hospital_id": hospital_id, "object_kind": "report", "object_id": object_id}
        line: dict[str, Any] = {
            "id": new_id(),
            "visit_id": self.chance.choice([None, *self.visits]),
            "version": 1,
            "title": "检查",
            "status": "final",
        }
        line["category"] = self.chance.choice(["laboratory", "imaging", "encounter"])
        # The last moment of a day in Asia/Shanghai, the first and the last of the next, the first of the one after it.
        moments = ["02-28T15:59:59.999999Z", "02-28T16:00:00Z", "03-01T15:59:59.999999Z", "03-01T16:00:00Z"]
        line["occurred_at"] = datetime.fromisoformat(f"2026-{self.chance.choice(moments)}")
        session.execute(insert(TimelineEntry).values(**item, **line, filed_at=self.now))
        if self.chance.random() < 0.4:
            hidden = {name: item[name] for name in ("person_id", "object_kind", "object_id")}
            hidden |= {"id": new_id(), "hidden_by": self.logins[0].id, "hidden_at": self.at(-5)}
            session.execute(insert(HiddenItem).values(**hidden, shown_at=self.at(None, None, -1)))
        if self.chance.random() < 0.7:
            self._restrict(session, item)

    def _restrict(self, session: Session, item: dict[str, Any]) -> None:
        sensitivity = self.chance.choice([None, *Sensitivity, *Sensitivity])
        is_held = sensitivity is None or self.chance.random() < 0.3
        released_at = self.at(None, None, -1) if is_held else None
        row = {
            "sensitivity": sensitivity, "is_held": is_held, "opens_at": self.at(None, 0, 1, -1) if is_held else None,
            "restricted_at": self.at(-5), "released_at": released_at,
            "released_by": self.doctors[0] if released_at else None,
            "disclosed_at": self.at(None, -1) if sensitivity else None,
        }  # fmt: skip
        session.execute(insert(RestrictedItem).values(**item, **row))


@pytest.fixture
def town(city: City, stepping_clock: SteppingClock) -> Town:
    seed = random.randrange(10**6) if "FUZZ_EXAMPLES" in os.environ else SEED
    print("seed", seed)
    return Town(city, stepping_clock(), seed)


def test_by_hand_is_seen_what_the_rules_let_be_seen(town: Town) -> None:
    seen = 0
    with db.transaction() as session:
        for actor in (*town.logins, *town.strangers):
            gate = consent.gate_of(actor)
            by_hand = BY_HAND.format(readable=gate.readable, is_known=gate.is_known.format("item.object_id"))
            found = {row[0] for row in statements.list_rows(session, by_hand, consent.gate_values(actor))}
            of_item = consent.is_readable(actor, person_id=TimelineEntry.person_id, object_id=TimelineEntry.object_id)
            assert found == set(session.scalars(select(TimelineEntry.object_id).where(of_item)))
            seen += len(found)
    assert seen > PERSONS


def test_a_grant_shows_what_it_says_and_nothing_else(town: Town) -> None:
    """Against the rules told once more, in the plainest words."""
    shown = 0
    with db.transaction() as session:
        roots = health_card.list_roots(session, set(town.persons))
        grants = session.scalars(select(Grant)).all()
        items = session.scalars(select(TimelineEntry)).all()
        special = {one.object_id: one for one in session.scalars(select(RestrictedItem))}
        hidden = set(session.scalars(select(HiddenItem.object_id).where(HiddenItem.shown_at.is_(None))))
        for actor in town.strangers:
            of_item = consent.is_readable(actor, person_id=TimelineEntry.person_id, object_id=TimelineEntry.object_id)
            expected = {
                item.object_id
                for item in items
                if any(
                    roots[grant.person_id] == roots[item.person_id]
                    and is_for(actor, grant, town.now)
                    and is_shown_by(grant, item, actor, special.get(item.object_id))
                    for grant in grants
                )
                and not (actor.kind is ActorKind.LINK and item.object_id in hidden)
                and not (actor.kind is ActorKind.LINK and is_held(special.get(item.object_id), town.now))
            }
            assert set(session.scalars(select(TimelineEntry.object_id).where(of_item))) == expected
            shown += len(expected)
    assert shown > PERSONS


def is_for(actor: Actor, grant: Grant, now: datetime) -> bool:
    if grant.revoked_at or not grant.starts_at <= now < grant.expires_at or grant.uses_left == 0:
        return False
    if actor.kind is ActorKind.LINK or grant.link_id:
        return actor.kind is ActorKind.LINK and grant.link_id == actor.id
    if grant.hospital_id != actor.hospital_id:
        return False
    if actor.kind is ActorKind.MACHINE:
        return grant.department is None and grant.staff_id is None and grant.may_download
    return grant.department in (None, actor.department) and grant.staff_id in (None, actor.id)


def is_shown_by(grant: Grant, item: TimelineEntry, actor: Actor, special: RestrictedItem | None) -> bool:
    day = item.occurred_at.astimezone(ZoneInfo("Asia/Shanghai")).date()
    is_meant = (
        (not grant.kinds or item.category in grant.kinds)
        and (not grant.visit_ids or item.visit_id in grant.visit_ids)
        and (not grant.item_ids or item.object_id in grant.item_ids)
        and (not grant.since_on or day >= grant.since_on)
        and (not grant.until_on or day <= grant.until_on)
    )
    if special is None or special.sensitivity is None or special.sensitivity in grant.sensitivities:
        return is_meant
    is_open = special.disclosed_at is not None or special.hospital_id == actor.hospital_id
    return is_meant and is_open and actor.kind is not ActorKind.LINK


def is_held(special: RestrictedItem | None, now: datetime) -> bool:
    if special is None or not special.is_held or special.released_at:
        return False
    return special.opens_at is None or special.opens_at > now


def test_by_hand_a_person_is_to_a_login_what_the_access_row_says(town: Town) -> None:
    with db.transaction() as session:
        for actor in town.logins:
            rows = statements.list_rows(session, health_card.HELD_RECORDS, health_card.holder_values(actor))
            relations = {person_id: relation for person_id, _, relation, *_ in rows}
            held = {person_id: health_card.find_holding(session, actor, person_id) for person_id in town.persons}
            assert relations == {person_id: one.relation for person_id, one in held.items() if one}


def test_by_hand_a_restriction_is_told_as_it_is(town: Town) -> None:
    with db.transaction() as session:
        ids = set(session.scalars(select(RestrictedItem.object_id)))
        asked = TOLD.format(restriction=consent.RESTRICTION.format("one.object_id"))
        rows = statements.list_rows(session, asked, {"now": clock.now()})
        told = consent.list_restrictions(session, object_ids=ids)
    assert {row[0]: row[1:] for row in rows} == {
        object_id: (one.sensitivity, one.is_held, one.is_disclosed) for object_id, one in told.items()
    }
