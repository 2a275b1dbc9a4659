"""Newborns: one child however often it is registered, the same child when it gets its number."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from core import clock, db
from core.outbox import OutboxMessage
from health_card.family.models import Newborn
from health_card.models import Person
from tests.health_card.family.household import Household, born_years_ago, number_of, refused, today
from tests.support.city import bearer


def boys_number() -> str:
    """A number of a boy who was born today."""
    return number_of(today(), "male")


def test_the_first_who_registers_it_may_use_its_card_at_once(household: Household) -> None:
    added = household.add_newborn(household.mother)
    assert (added.status_code, added.json["holder"], added.json["is_proven"]) == (201, "confirmed", False)
    card = household.card_of(household.mother, "李***子")
    assert card is not None
    path = f"/api/v1/cards/{card['card_id']}/codes"
    code = household.city.client.post(path, json={}, headers=bearer(household.mother.token)).json["text"]
    seen = household.city.scan(household.registrar, code, household.hospital)
    assert seen.status_code == 201
    assert (seen.json["person"]["age"], seen.json["person"]["assurance"]) == (0, "asserted")
    assert "certificate_number" not in seen.json["person"]


def test_both_parents_register_one_child_and_the_second_waits(household: Household) -> None:
    first = household.add_newborn(household.mother).json
    second = household.add_newborn(household.father, name="王测试之子")
    assert (second.status_code, second.json["holder"]) == (201, "awaiting_desk")
    assert second.json["person_id"] == first["person_id"]
    assert household.card_of(household.father, "李***子") is None
    again = household.add_newborn(household.mother)
    assert (again.status_code, again.json) == (200, first)


def test_a_newborns_printed_code_comes_with_the_number_of_who_brings_it(household: Household) -> None:
    """Until it has its own: then that."""
    holder = household.add_newborn(household.mother).json
    household.add_newborn(household.father)
    card = household.card_of(household.mother, "李***子")
    assert card is not None
    path = f"/api/v1/cards/{card['card_id']}/codes"
    code = household.city.client.post(path, json={"kind": "static"}, headers=bearer(household.mother.token)).json

    def scan(number: str) -> TestResponse:
        return household.city.scan(household.registrar, code["text"], household.hospital, certificate_number=number)

    assert refused(scan(household.father.certificate_number)) == (422, "health_card.second_factor_wrong")
    assert scan(household.mother.certificate_number).status_code == 201
    own = boys_number()
    assert household.give_number(household.mother, holder["holder_id"], own).status_code == 204
    assert refused(scan(household.mother.certificate_number)) == (422, "health_card.second_factor_wrong")
    assert scan(own).status_code in {200, 201}


def test_a_guardian_who_is_not_the_mother_brings_it_too(household: Household) -> None:
    household.add_newborn(household.mother)
    household.add_newborn(household.father)
    (waiting,) = [
        each for each in household.look_up(household.father).json["holders"] if each["holder"] == "awaiting_desk"
    ]
    household.confirm(household.father, waiting["holder_id"], "birth_record")
    card = household.card_of(household.father, "李***子")
    assert card is not None
    path = f"/api/v1/cards/{card['card_id']}/codes"
    code = household.city.client.post(path, json={"kind": "static"}, headers=bearer(household.father.token)).json
    number = household.father.certificate_number
    seen = household.city.scan(household.registrar, code["text"], household.hospital, certificate_number=number)
    assert seen.status_code == 201


def test_twins_are_two(household: Household) -> None:
    first = household.add_newborn(household.mother).json
    second = household.add_newborn(household.mother, birth_order=2, sex="female", name="李测试之女").json
    assert first["person_id"] != second["person_id"]
    other = household.add_newborn(household.father, birth_order=2, sex="male")
    assert refused(other) == (409, "health_card.person_details_differ")


def test_only_newborns_go_without_a_certificate(household: Household) -> None:
    before = count_newborns()
    for changes in (
        {"birth_date": born_years_ago(1).isoformat()},
        {"birth_date": (today() + timedelta(days=1)).isoformat()},
        {"born_at": "2020-01-01T00:00:00+08:00"},
    ):
        reply = household.add_newborn(household.mother, **changes)
        assert refused(reply) == (422, "health_card.not_a_newborn"), changes
    assert count_newborns() == before


def test_a_moment_of_birth_needs_its_zone(household: Household) -> None:
    without_zone = household.add_newborn(household.mother, born_at=f"{today()}T01:00:00")
    assert refused(without_zone) == (422, "core.malformed_request")
    at_one = clock.in_city(clock.now()).replace(hour=0, minute=0)
    assert household.add_newborn(household.mother, born_at=at_one.isoformat()).status_code == 201


def test_the_mothers_number_is_kept_sealed(household: Household) -> None:
    child = household.add_newborn(household.mother).json
    with db.transaction() as session:
        row = session.get_one(Newborn, UUID(child["person_id"]))
    assert household.mother.certificate_number.encode() not in row.mother_sealed + row.identity_index


def test_a_desk_confirms_the_second_parent_by_the_hospitals_own_birth_record(household: Household) -> None:
    household.add_newborn(household.mother)
    waiting = household.add_newborn(household.father).json
    (found,) = [
        each for each in household.look_up(household.father).json["holders"] if each["holder"] == "awaiting_desk"
    ]
    assert (found["holder_id"], found["awaits_certificate"], found["stage"]) == (waiting["holder_id"], True, "child")
    confirmed = household.confirm(household.father, found["holder_id"], "birth_record")
    assert (confirmed.status_code, confirmed.json["holder"], confirmed.json["is_proven"]) == (200, "confirmed", True)
    assert household.card_of(household.father, "李***子") is not None


def test_its_own_number_comes_to_the_same_person_and_card(household: Household) -> None:
    child = household.add_newborn(household.mother).json
    before = household.card_of(household.mother, "李***子")
    number = boys_number()
    given = household.give_number(household.mother, child["holder_id"], number, child_name="王小测")
    assert given.status_code == 204, given.text
    after = household.card_of(household.mother, "王*测")
    assert before is not None
    assert after is not None
    assert (after["card_id"], after["number"]) == (before["card_id"], before["number"])
    again = household.give_number(household.mother, child["holder_id"], number)
    assert again.status_code == 204
    (held,) = [each for each in household.family(household.mother)["members"] if not each["is_self"]]
    assert held["person_id"] == child["person_id"]
    claimed = household.add(household.father, certificate_number=number)
    assert (claimed.json["person_id"], claimed.json["holder"]) == (child["person_id"], "awaiting_desk")


def test_a_resident_number_is_shown_before_the_birth_certificate(household: Household) -> None:
    child = household.add_newborn(household.mother).json
    birth = {"child_certificate_type": "111"}
    assert household.give_number(household.mother, child["holder_id"], "A123456789", **birth).status_code == 204
    (seen,) = holders_of_child(household)
    assert (seen["person"]["certificate_type"], seen["awaits_certificate"]) == ("111", True)
    assert household.give_number(household.mother, child["holder_id"], boys_number()).status_code == 204
    (seen,) = holders_of_child(household)
    assert (seen["person"]["certificate_type"], seen["awaits_certificate"]) == ("01", False)
    other = household.give_number(household.mother, child["holder_id"], boys_number())
    assert refused(other) == (409, "health_card.certificate_given_already")


def test_a_number_of_another_record_goes_to_review(household: Household) -> None:
    number = boys_number()
    known = household.add(household.father, certificate_number=number).json
    child = household.add_newborn(household.mother).json
    reply = household.give_number(household.mother, child["holder_id"], number)
    assert refused(reply) == (409, "health_card.certificate_of_another")
    with db.transaction() as session:
        topic = "health_card.same_certificate_claimed"
        (payload,) = session.scalars(select(OutboxMessage.payload).filter_by(topic=topic))
    assert payload == {"person_ids": [child["person_id"], known["person_id"]]}
    assert household.card_of(household.mother, "李***子") is not None


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [
        ("11010519491231002X", 422, "health_card.details_contradict_certificate"),
        ("110105194912310021", 422, "health_card.certificate_invalid"),
    ],
)
def test_a_number_that_is_not_this_childs_is_refused(household: Household, number: str, status: int, code: str) -> None:
    child = household.add_newborn(household.mother).json
    assert refused(household.give_number(household.mother, child["holder_id"], number)) == (status, code)


def test_a_number_of_the_other_sex_is_refused(household: Household) -> None:
    child = household.add_newborn(household.mother, sex="female").json
    reply = household.give_number(household.mother, child["holder_id"], boys_number())
    assert refused(reply) == (422, "health_card.details_contradict_certificate")


def test_only_a_confirmed_guardian_brings_the_number_and_only_of_a_newborn(household: Household) -> None:
    child = household.add_newborn(household.mother).json
    waiting = household.add_newborn(household.father).json
    older = household.add(household.mother).json
    for visitor, holder_id in (
        (household.father, waiting["holder_id"]),
        (household.father, child["holder_id"]),
        (household.mother, older["holder_id"]),
    ):
        reply = household.give_number(visitor, holder_id, boys_number())
        assert refused(reply) == (404, "health_card.holder_not_found")


def holders_of_child(household: Household) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = household.look_up(household.mother).json["holders"]
    return [each for each in found if each["relation"] == "child"]


def count_newborns() -> tuple[int, int]:
    with db.transaction() as session:
        return session.scalar(select(func.count(Newborn.person_id))) or 0, session.scalar(
            select(func.count(Person.id))
        ) or 0
