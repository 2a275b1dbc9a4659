"""The database itself writes no grant that is wider than its request, and keeps what was asked."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from consent.models import Grant
from consent.requests.models import AccessRequest, State
from core import clock, db
from core.ids import new_id
from tests.support.asking import Asking
from tests.support.city import City

VISIT, ITEM = new_id(), new_id()


class Asked:
    """A request that names something in every dimension, and the grant that fits it exactly."""

    def __init__(self, asking: Asking) -> None:
        city, now = asking.city, clock.now()
        self.asking, self.now = asking, now
        self.other_staff, self.other_house = city.staff(asking.hospital).id, city.hospital().id
        self.other_person = city.patient().person_id
        self.scope: dict[str, Any] = {
            "person_id": asking.patient.person_id, "hospital_id": asking.hospital.id, "department": "0300",
            "staff_id": asking.doctor.id, "purpose": "treatment", "kinds": ["laboratory", "imaging"],
            "sensitivities": ["hiv"], "visit_ids": [VISIT], "item_ids": [ITEM], "since_on": date(2024, 1, 1),
            "until_on": date(2025, 1, 1), "may_download": False,
        }  # fmt: skip

    def write_request(self, session: Session, state: State = State.GRANTED, **changes: Any) -> UUID:
        asked = AccessRequest(
            id=new_id(), asked_by=self.asking.doctor.id, reason="history", notice_hash=self._notice(session),
            asked_at=self.now, lapses_at=self.now + timedelta(hours=1), access_until=self.now + timedelta(days=1),
            state=State.REQUESTED, version=1, **self.scope | {"uses": 3} | changes,
        )  # fmt: skip
        session.add(asked)
        session.flush()
        if state is not State.REQUESTED:
            answered_by = self.asking.patient.actor.id if state is State.GRANTED else None
            asked.state, asked.version, asked.answered_by, asked.ended_at = state, 2, answered_by, self.now
            session.flush()
        return asked.id

    def write_grant(self, session: Session, request_id: UUID, **changes: Any) -> UUID:
        said: dict[str, Any] = {
            "opened_by": "request", "uses_left": 3, "starts_at": self.now, "expires_at": self.now + timedelta(days=1)
        }  # fmt: skip
        grant = Grant(id=new_id(), request_id=request_id, version=1, **self.scope | said | changes)
        session.add(grant)
        session.flush()
        return grant.id

    def _notice(self, session: Session) -> str:
        newest = text("SELECT hash FROM notice_texts WHERE kind = 'access_request' ORDER BY published_at DESC LIMIT 1")
        return str(session.scalar(newest))


@pytest.fixture(scope="module")
def asked_of_module(module_city: City) -> Asked:
    return Asked(Asking(module_city))


@pytest.fixture
def asked(asked_of_module: Asked, city: City) -> Asked:
    return asked_of_module


WIDER: dict[str, Callable[[Asked], dict[str, Any]]] = {
    "another person": lambda asked: {"person_id": asked.other_person},
    "another hospital": lambda asked: {"hospital_id": asked.other_house},
    "the whole hospital": lambda asked: {"department": None},
    "another department": lambda asked: {"department": "0400"},
    "all of the department": lambda asked: {"staff_id": None},
    "another doctor": lambda asked: {"staff_id": asked.other_staff},
    "who holds a link": lambda asked: {
        "hospital_id": None,
        "department": None,
        "staff_id": None,
        "link_id": new_id(),
    },  # fmt: skip
    "another purpose": lambda asked: {"purpose": "consultation"},
    "all kinds": lambda asked: {"kinds": None},
    "one kind more": lambda asked: {"kinds": ["laboratory", "imaging", "allergy"]},
    "another sensitive kind": lambda asked: {"sensitivities": ["hiv", "genetic"]},
    "all visits": lambda asked: {"visit_ids": None},
    "one visit more": lambda asked: {"visit_ids": [VISIT, new_id()]},
    "all items": lambda asked: {"item_ids": None},
    "another item": lambda asked: {"item_ids": [new_id()]},
    "any day before": lambda asked: {"since_on": None},
    "the day before": lambda asked: {"since_on": date(2023, 12, 31)},
    "any day after": lambda asked: {"until_on": None},
    "the day after": lambda asked: {"until_on": date(2025, 1, 2)},
    "copies": lambda asked: {"may_download": True},
    "any number of looks": lambda asked: {"uses_left": None},
    "one look more": lambda asked: {"uses_left": 4},
    "longer": lambda asked: {"expires_at": asked.now + timedelta(days=1, microseconds=1)},
    "from before": lambda asked: {"starts_at": asked.now - timedelta(microseconds=1)},
}


def test_what_fits_its_request_is_written(asked: Asked) -> None:
    with db.transaction() as session:
        asked.write_grant(session, asked.write_request(session))
        narrower = {"kinds": ["imaging"], "sensitivities": [], "uses_left": 1, "since_on": date(2024, 6, 1)}
        asked.write_grant(session, asked.write_request(session), **narrower)
        anything = dict.fromkeys(("kinds", "visit_ids", "item_ids", "since_on", "until_on", "uses"))
        wide = asked.write_request(session, **anything | {"department": None, "staff_id": None})
        asked.write_grant(session, wide)


@pytest.mark.parametrize("wider", WIDER)
def test_a_grant_wider_than_its_request_is_not_written(asked: Asked, wider: str) -> None:
    changes = WIDER[wider](asked)
    with pytest.raises(DBAPIError, match="wider than its request"), db.transaction() as session:
        asked.write_grant(session, asked.write_request(session), **changes)


@pytest.mark.parametrize("wider", [name for name in WIDER if name not in {"another person", "who holds a link"}])
def test_a_grant_does_not_become_wider_than_its_request(asked: Asked, wider: str) -> None:
    changes = WIDER[wider](asked)
    with pytest.raises(DBAPIError), db.transaction() as session:
        grant_id = asked.write_grant(session, asked.write_request(session))
        for name, value in changes.items():
            setattr(session.get_one(Grant, grant_id), name, value)
        session.flush()


@pytest.mark.parametrize("state", [State.REQUESTED, State.LAPSED, State.WITHDRAWN])
def test_no_grant_names_a_request_that_was_not_granted(asked: Asked, state: State) -> None:
    with pytest.raises(DBAPIError, match="wider than its request"), db.transaction() as session:
        asked.write_grant(session, asked.write_request(session, state))


def test_a_request_has_one_grant_which_keeps_it(asked: Asked) -> None:
    with pytest.raises(DBAPIError, match="uq_grants_request_id"), db.transaction() as session:
        request_id = asked.write_request(session)
        asked.write_grant(session, request_id)
        asked.write_grant(session, request_id)
    for escape in ("request_id = NULL", "request_id = NULL, opened_by = 'patient'"):
        with pytest.raises(DBAPIError), db.transaction() as session:
            grant_id = asked.write_grant(session, asked.write_request(session))
            session.execute(text(f"UPDATE grants SET {escape} WHERE id = :id"), {"id": grant_id})
    with pytest.raises(DBAPIError, match="ck_grants_request"), db.transaction() as session:
        asked.write_grant(session, asked.write_request(session), opened_by="patient")


@pytest.mark.parametrize(
    "change",
    [
        "kinds = NULL", "access_until = access_until + interval '1 day'", "person_id = person_id, uses = NULL",
        "purpose = 'insurance'", "lapses_at = lapses_at + interval '1 day'", "notice_hash = 'x'",
    ],
)  # fmt: skip
def test_what_was_asked_does_not_change(asked: Asked, change: str) -> None:
    with pytest.raises(DBAPIError), db.transaction() as session:
        request_id = asked.write_request(session, State.REQUESTED)
        session.execute(text(f"UPDATE access_requests SET {change} WHERE id = :id"), {"id": request_id})


def test_an_answer_stays_and_every_version_is_kept(asked: Asked) -> None:
    with db.transaction() as session:
        request_id = asked.write_request(session)
        kept = text("SELECT version, said ->> 'state' FROM access_request_versions WHERE request_id = :id ORDER BY 1")
        said = [tuple(row) for row in session.execute(kept, {"id": request_id})]
        assert said == [(1, "requested"), (2, "granted")]
    for statement in (
        "UPDATE access_requests SET state = 'denied' WHERE id = :id",
        "UPDATE access_requests SET state = 'requested', version = 1, ended_at = NULL, answered_by = NULL WHERE id = :id",
        "UPDATE access_request_versions SET said = '{}' WHERE request_id = :id",
        "DELETE FROM access_request_versions WHERE request_id = :id",
        "DELETE FROM access_requests WHERE id = :id",
    ):
        with pytest.raises(DBAPIError), db.transaction() as session:
            session.execute(text(statement), {"id": request_id})
