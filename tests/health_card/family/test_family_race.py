"""However concurrently a family is made, its rules hold."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from werkzeug.test import TestResponse

from tests.health_card.family.household import Household, born_years_ago, number_of
from tests.support.city import City


@pytest.fixture
def household(committing_city: City) -> Household:
    return Household.open(committing_city)


def all_at_once(*acts: Callable[[], TestResponse]) -> Counter[tuple[int, str]]:
    """Status and refusal code of each, counted."""
    with ThreadPoolExecutor(len(acts)) as pool:
        replies = list(pool.map(lambda act: act(), acts))
    return Counter((reply.status_code, (reply.json or {}).get("code", "")) for reply in replies)


def test_of_20_relatives_added_at_once_four_find_a_place(household: Household) -> None:
    outcomes = all_at_once(*[lambda: household.add(household.mother)] * 20)
    assert outcomes == {(201, ""): 4, (409, "health_card.family_full"): 16}
    assert len(household.family(household.mother)["members"]) == 5


def test_two_parents_who_register_one_newborn_make_one_child(household: Household) -> None:
    acts = [lambda: household.add_newborn(household.mother), lambda: household.add_newborn(household.father)]
    assert all_at_once(*acts * 6) == {(201, ""): 2, (200, ""): 10}
    mothers, fathers = (household.family(who)["members"][1] for who in (household.mother, household.father))
    assert mothers["person_id"] == fathers["person_id"]
    assert {mothers["holder"], fathers["holder"]} == {"confirmed", "awaiting_desk"}


def test_two_guardians_who_leave_at_once_leave_one(household: Household) -> None:
    child = household.add(household.mother).json
    fathers = household.second_guardian(child["holder_id"]).json
    outcomes = all_at_once(
        lambda: household.leave(household.mother, child["holder_id"]),
        lambda: household.leave(household.father, fathers["holder_id"]),
    )
    assert outcomes == {(204, ""): 1, (409, "health_card.last_guardian"): 1}


def test_an_invitation_accepted_by_many_at_once_is_accepted_once(household: Household) -> None:
    code = household.invite(household.mother, kind="consent", relation="other").json["code"]
    others = [household.city.patient() for _ in range(8)]
    outcomes = all_at_once(*[lambda who=who: household.accept(who, code) for who in others])
    assert outcomes == {(200, ""): 1, (404, "health_card.invitation_not_in_force"): 7}


def test_of_many_guardians_confirmed_at_once_two_are(household: Household) -> None:
    number = number_of(born_years_ago(6))
    household.add(household.mother, certificate_number=number)
    claims = []
    for _ in range(4):
        who = household.city.patient()
        claims.append((who, household.add(who, certificate_number=number).json["holder_id"]))
    outcomes = all_at_once(*[lambda claim=claim: household.confirm(*claim) for claim in claims])
    assert outcomes == {(200, ""): 1, (409, "health_card.guardians_complete"): 3}
