"""Whom a batch gave a card is asked about as one who registered alone: same answers, same consequences."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from accounts.models import Role
from core import db
from core.dispatch import Dispatcher, TryLater
from health_card.batches import issuing, jobs, service
from health_card.models import Card, CardState
from health_card.notices.models import Notice
from health_card.realname.models import RealNameCheck
from tests.health_card.conftest import Town
from tests.support.browsing import Browser
from tests.support.city import resident_id
from tests.support.lists import open_batch, person, work

CHECKS = "/realname/v1/checks"


def issue(town: Town, rows: list[list[str]]) -> UUID:
    batch_id = open_batch(town.city, town.city.staff(None, Role.OPERATOR), rows)
    work(batch_id)
    return batch_id


def payloads(town: Town) -> list[dict[str, Any]]:
    return [message.payload for message in town.messages(issuing.NAMES_DUE_TOPIC)]


def run_worker(town: Town) -> int:
    return Dispatcher(town.app, {issuing.NAMES_DUE_TOPIC: jobs.check_names}).run_due()


def names(batch_id: UUID) -> dict[str, int]:
    with db.transaction() as session:
        return service.count_names(session, batch_id=batch_id)


def cards(batch_id: UUID) -> list[tuple[int, int, list[str]]]:
    """Line by line: state and epoch of the card, and what its person was told."""
    with db.transaction() as session:
        made = issuing.list_made_cards(session, batch_id=batch_id, first_line=1, last_line=99)
        found = [session.get_one(Card, each.card_id) for each in made]
        told = [session.scalars(select(Notice.kind).filter_by(person_id=card.person_id)).all() for card in found]
    return [(card.state, card.epoch, list(kinds)) for card, kinds in zip(found, told, strict=True)]


def test_the_source_decides_about_the_cards_of_a_batch(town: Town) -> None:
    patient, denied = town.city.patient(), resident_id()
    known = person(patient.certificate_number, patient.name, patient.phone)
    town.control.disagree(denied)
    batch_id = issue(town, [person(), known, person(denied), ["03", "K12345678", "KIM TEST", "13900000001"]])
    assert names(batch_id) == {"unchecked": 3}
    assert run_worker(town) == 1
    assert names(batch_id) == {"agreed": 1, "disagreed": 1, "not_covered": 1}
    assert cards(batch_id) == [
        (CardState.NORMAL, 0, []),
        (CardState.NOT_ISSUED, 1, ["real_name_disagreed"]),
        (CardState.NORMAL, 0, []),
    ]
    with db.transaction() as session:
        assert not session.scalars(select(RealNameCheck).filter_by(person_id=patient.person_id)).all()


def test_a_source_that_goes_down_is_asked_about_the_rest_later(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuing, "CHUNK_ROWS", 2)
    batch_id = issue(town, [person() for _ in range(3)])
    first, second = payloads(town)
    jobs.check_names(second)
    town.control.order_fault(CHECKS, "500")
    for payload in (first, first):
        with pytest.raises(TryLater):
            jobs.check_names(payload)
    assert names(batch_id) == {"agreed": 1, "unchecked": 2}
    town.make_due(issuing.NAMES_DUE_TOPIC)
    town.control.clear_faults()
    run_worker(town)
    assert names(batch_id) == {"agreed": 3}
    with db.transaction() as session:
        made = issuing.list_made_cards(session, batch_id=batch_id, first_line=1, last_line=99)
        asked = session.scalars(select(RealNameCheck.asking_id).order_by(RealNameCheck.id)).all()
    assert sorted(asked) == sorted(each.card_id for each in made), "each was asked about once"


def test_a_long_list_goes_slowly_and_in_slices(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    batch_id = issue(town, [person() for _ in range(3)])
    (payload,) = payloads(town)
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "NAMES_SLICE", jobs.NAMES_SLICE * 0)
        with pytest.raises(TryLater):
            jobs.check_names(payload)
    assert names(batch_id) == {"unchecked": 3}
    monkeypatch.setattr(jobs, "NAMES_PER_MINUTE", 2)
    for _ in range(2):
        with pytest.raises(TryLater):
            jobs.check_names(payload)
        assert names(batch_id) == {"agreed": 2, "unchecked": 1}
    town.check_names()
    alone = town.city.patient()
    assert town.check_names() == 1
    with db.transaction() as session:
        assert session.scalars(select(RealNameCheck.outcome).filter_by(person_id=alone.person_id)).one() == "agreed"


def test_the_operator_sees_how_far_the_names_are(town: Town) -> None:
    browser = Browser(town.app)
    browser.sign_in(town.city.staff(None, Role.OPERATOR))
    batch_id = issue(town, [person(), person()])
    page = browser.get(f"/operator/batches/{batch_id}").text
    assert "实名核验" in page
    assert "0 / 2 人" in page
    run_worker(town)
    assert "2 / 2 人" in browser.get(f"/operator/batches/{batch_id}").text
    town.configure(realname=None)
    assert "实名核验" not in browser.get(f"/operator/batches/{batch_id}").text


def test_without_a_source_nobody_of_a_batch_is_asked_about(town: Town) -> None:
    town.configure(realname=None)
    batch_id = issue(town, [person()])
    assert run_worker(town) == 1
    assert names(batch_id) == {"unchecked": 1}
    assert run_worker(town) == 0
