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
from consent.requests.models import AccessRequest, RequestState
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

    def write_request(self, session: Session, state: RequestState = RequestState.GRANTED, **changes: Any) -> UUID:
        asked = AccessRequest(
            id=new_id(), asked_by=self.asking.doctor.id, reason="history", notice_hash=self._notice(session),
            asked_at=self.now, lapses_at=self.now + timedelta(hours=1), access_until=self.now + timedelta(days=1),
            state=RequestState.REQUESTED, version=1, **self.scope | {"uses": 3} | changes,
        )  # fmt: skip
        session.add(asked)
        session.flush()
        if state is not RequestState.REQUESTED:
            answered_by = self.asking.patient.actor.id if state is RequestState.GRANTED else None
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


def wider_ones(asked: Asked) -> dict[str, dict[str, Any]]:
    """In every dimension of a grant, what is more than was asked."""
    return {
        "another person": {"person_id": asked.other_person},
        "another hospital": {"hospital_id": asked.other_house},
        "the whole hospital": {"department": None},
        "another department": {"department": "0400"},
        "all of the department": {"staff_id": None},
        "another doctor": {"staff_id": asked.other_staff},
        "who holds a link": dict.fromkeys(("hospital_id", "department", "staff_id")) | {"link_id": new_id()},
        "another purpose": {"purpose": "consultation"},
        "all kinds": {"kinds": None},
        "one kind more": {"kinds": ["laboratory", "imaging", "allergy"]},
        "another sensitive kind": {"sensitivities": ["hiv", "genetic"]},
        "all visits": {"visit_ids": None},
        "one visit more": {"visit_ids": [VISIT, new_id()]},
        "all items": {"item_ids": None},
        "another item": {"item_ids": [new_id()]},
        "any day before": {"since_on": None},
        "the day before": {"since_on": date(2023, 12, 31)},
        "any day after": {"until_on": None},
        "the day after": {"until_on": date(2025, 1, 2)},
        "copies": {"may_download": True},
        "any number of looks": {"uses_left": None},
        "one look more": {"uses_left": 4},
        "longer": {"expires_at": asked.now + timedelta(days=1, microseconds=1)},
        "from before": {"starts_at": asked.now - timedelta(microseconds=1)},
    }


def refuses(asked: Asked, act: Callable[[Session], object], match: str | None = None) -> bool:
    """Whether the database takes none of it."""
    try:
        with db.transaction() as session:
            act(session)
            session.flush()
    except DBAPIError as refused:
        return match is None or match in str(refused)
    return False


def test_what_fits_its_request_is_written(asked: Asked) -> None:
    with db.transaction() as session:
        asked.write_grant(session, asked.write_request(session))
        narrower = {"kinds": ["imaging"], "sensitivities": [], "uses_left": 1, "since_on": date(2024, 6, 1)}
        asked.write_grant(session, asked.write_request(session), **narrower)
        anything: dict[str, Any] = dict.fromkeys(("kinds", "visit_ids", "item_ids", "since_on", "until_on", "uses"))
        wide = asked.write_request(session, **anything | {"department": None, "staff_id": None})
        asked.write_grant(session, wide)


def test_a_grant_wider_than_its_request_is_not_written(asked: Asked) -> None:
    for name, wider in wider_ones(asked).items():

        def write(session: Session, wider: dict[str, Any] = wider) -> None:
            asked.write_grant(session, asked.write_request(session), **wider)

        assert refuses(asked, write, "wider than its request"), name


def test_a_grant_does_not_become_wider_than_its_request(asked: Asked) -> None:
    for name, wider in wider_ones(asked).items():

        def widen(session: Session, wider: dict[str, Any] = wider) -> None:
            grant = session.get_one(Grant, asked.write_grant(session, asked.write_request(session)))
            for column, value in wider.items():
                setattr(grant, column, value)

        assert refuses(asked, widen), name


@pytest.mark.parametrize("state", [RequestState.REQUESTED, RequestState.LAPSED, RequestState.WITHDRAWN])
def test_no_grant_names_a_request_that_was_not_granted(asked: Asked, state: RequestState) -> None:
    assert refuses(
        asked,
        lambda session: asked.write_grant(session, asked.write_request(session, state)),
        "wider than its request",
    )


def test_a_request_has_one_grant_which_keeps_it(asked: Asked) -> None:
    def grant_twice(session: Session) -> None:
        request_id = asked.write_request(session)
        asked.write_grant(session, request_id)
        asked.write_grant(session, request_id)

    def forget_the_request(session: Session) -> None:
        grant_id = asked.write_grant(session, asked.write_request(session))
        session.execute(text("UPDATE grants SET request_id = NULL WHERE id = :id"), {"id": grant_id})

    def call_it_his_own(session: Session) -> None:
        asked.write_grant(session, asked.write_request(session), opened_by="patient")

    assert refuses(asked, grant_twice, "uq_grants_request_id")
    assert refuses(asked, forget_the_request)
    assert refuses(asked, call_it_his_own, "ck_grants_request")


CHANGES = (
    "UPDATE access_requests SET kinds = NULL WHERE id = :id",
    "UPDATE access_requests SET uses = NULL WHERE id = :id",
    "UPDATE access_requests SET purpose = 'insurance' WHERE id = :id",
    "UPDATE access_requests SET access_until = access_until + interval '1 day' WHERE id = :id",
    "UPDATE access_requests SET lapses_at = lapses_at + interval '1 day' WHERE id = :id",
)
REWRITINGS = (
    "UPDATE access_requests SET state = 'lapsed', answered_by = NULL WHERE id = :id",
    "UPDATE access_requests SET state = 'denied' WHERE id = :id",
    "UPDATE access_request_versions SET said = '{}' WHERE request_id = :id",
    "DELETE FROM access_request_versions WHERE request_id = :id",
    "DELETE FROM access_requests WHERE id = :id",
)


def test_what_was_asked_does_not_change_and_an_answer_stays(asked: Asked) -> None:
    for state, statements in ((RequestState.REQUESTED, CHANGES), (RequestState.GRANTED, REWRITINGS)):
        for statement in statements:

            def change(session: Session, state: RequestState = state, statement: str = statement) -> None:
                session.execute(text(statement), {"id": asked.write_request(session, state)})

            assert refuses(asked, change), statement


def test_every_version_is_kept(asked: Asked) -> None:
    kept = text("SELECT version, said ->> 'state' FROM access_request_versions WHERE request_id = :id ORDER BY 1")
    with db.transaction() as session:
        said = session.execute(kept, {"id": asked.write_request(session)})
        assert [tuple(row) for row in said] == [(1, "requested"), (2, "granted")]
