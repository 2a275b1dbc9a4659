"""Letting an app read one person's records, and taking it back."""

from typing import Any

import pytest

from core import clock, db
from health_card.models import Holder, Person, Relation
from health_card.service.ages import last_birth_date
from tests.support.apps import AppSide, accesses, answer, hold, reads, take_up, withdraw
from tests.support.city import City, Patient
from tests.support.entries import get as fhir
from tests.support.entries import matches


@pytest.fixture(scope="module")
def parent(module_city: City) -> Patient:
    return module_city.patient("张家长")


@pytest.fixture(scope="module")
def app_side(module_city: City) -> AppSide:
    return AppSide(module_city)


@pytest.fixture
def here(app: object, app_side: AppSide) -> AppSide:
    """The app of the module, inside the transaction of a test."""
    return app_side


def persons(asked: Any) -> list[str]:
    return [one["person_id"] for one in asked.json["persons"]]


def test_a_login_lets_apps_read_itself_children_and_wards_only(here: AppSide, parent: Patient) -> None:
    city = here.city
    child, teen, ward, spouse, stranger = (city.patient(f"{name}测试") for name in "一二三四五")
    hold(parent, child, Relation.CHILD, years=10)
    hold(parent, teen, Relation.CHILD, years=16)
    hold(parent, ward, Relation.WARD)
    hold(parent, spouse, Relation.SPOUSE)
    page = here.open(city.client)
    asked = take_up(city, parent.token, page.number)
    mine = {str(one.person_id) for one in (parent, child, ward)}
    assert (set(persons(asked)), persons(asked)[0]) == (mine, str(parent.person_id))
    for one in (teen, spouse, stranger):
        reply = answer(city, parent.token, page.id, person_id=str(one.person_id))
        assert (reply.status_code, reply.json["code"]) == (403, "consent.app_person_not_allowed")
    tokens = here.tokens(parent, person_id=str(child.person_id))
    assert tokens["patient"] == str(child.person_id)
    found = matches(fhir(city, tokens["access_token"], "Patient"))
    assert [one["id"] for one in found] == [str(child.person_id)]


def test_what_a_guardian_allowed_ends_on_the_fourteenth_birthday(here: AppSide, parent: Patient) -> None:
    city, child = here.city, here.city.patient("一测试")
    hold(parent, child, Relation.CHILD, years=14)
    tokens = here.tokens(parent, "patient/*.rs", person_id=str(child.person_id))
    path = f"Patient/{child.person_id}"
    assert reads(city, tokens["access_token"], path) == 200
    with db.transaction() as session:
        session.get_one(Person, child.person_id).birth_date = last_birth_date(14)
    assert reads(city, tokens["access_token"], path) == 404
    assert matches(fhir(city, tokens["access_token"], "Patient")) == []
    # From now on it is the child's own to see and to end.
    assert accesses(city, parent.token) == []
    (listed,) = accesses(city, child.token)
    assert withdraw(city, parent.token, listed["id"]).json["code"] == "consent.app_access_not_found"
    assert withdraw(city, child.token, listed["id"]).status_code == 200
    assert reads(city, tokens["access_token"], path) == 401


def test_who_no_longer_acts_for_a_person_has_let_nobody_in(here: AppSide, parent: Patient) -> None:
    city, ward = here.city, here.city.patient("一测试")
    hold(parent, ward, Relation.WARD)
    token = here.tokens(parent, person_id=str(ward.person_id))["access_token"]
    assert reads(city, token, f"Patient/{ward.person_id}") == 200
    with db.transaction() as session:
        (holding,) = session.query(Holder).filter_by(login_id=parent.actor.id, person_id=ward.person_id)
        holding.valid_until = clock.now()
    assert reads(city, token, f"Patient/{ward.person_id}") == 404


def test_taking_it_back_holds_from_the_next_request_on_every_device(here: AppSide, parent: Patient) -> None:
    city, other = here.city, AppSide(here.city)
    phone, tablet, kept = here.tokens(parent), here.tokens(parent), other.tokens(parent)
    listed = accesses(city, parent.token)
    assert [one["status"] for one in listed] == ["in_force"] * 3
    assert (listed[0]["sees"], listed[0]["person_name"], listed[0]["shows_sensitive"]) == (
        ["全部健康记录"],
        "张*长",
        False,
    )
    mine = next(one for one in listed[1:])
    stranger = city.patient("李测试")
    refused = withdraw(city, stranger.token, mine["id"])
    assert (refused.status_code, refused.json["code"]) == (404, "consent.app_access_not_found")
    ended = withdraw(city, parent.token, mine["id"]).json
    assert ended["status"] == "ended"
    assert ended["ended_at"]
    assert withdraw(city, parent.token, mine["id"]).json == ended
    for tokens in (phone, tablet):
        assert reads(city, tokens["access_token"], "Condition") == 401
        assert here.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"
    assert reads(city, kept["access_token"], "Condition") == 200


def test_fewer_things_can_be_agreed_to_but_not_more_or_nothing(here: AppSide, parent: Patient) -> None:
    city = here.city
    page = here.open(city.client, "patient/Condition.rs patient/Patient.r offline_access")
    asked = take_up(city, parent.token, page.number).json
    assert asked["sees"][0] == "健康问题与诊断"
    me = str(parent.person_id)
    for scopes in ([], ["offline_access"], ["patient/*.rs"], ["system/*.read"]):
        reply = answer(city, parent.token, page.id, person_id=me, scopes=scopes)
        assert (reply.status_code, reply.json["code"]) == (404, "accounts.app_request_not_found"), scopes
    tokens = here.tokens(parent, "patient/Condition.rs patient/Patient.r offline_access", scopes=["patient/Patient.r"])
    assert (tokens["scope"], tokens.get("refresh_token")) == ("patient/Patient.r", None)
    assert reads(city, tokens["access_token"], "Condition") == 403
    assert reads(city, tokens["access_token"], f"Patient/{me}") == 200


def test_guessing_numbers_is_slowed_down(here: AppSide) -> None:
    token, _ = here.city.login()
    replies = [take_up(here.city, token, "00000000") for _ in range(11)]
    assert [reply.json["code"] for reply in replies] == ["accounts.app_request_not_found"] * 10 + ["core.rate_exceeded"]


def test_a_login_without_a_person_lets_nobody_in(here: AppSide) -> None:
    token, _ = here.city.login()
    page = here.open(here.city.client)
    asked = take_up(here.city, token, page.number)
    assert persons(asked) == []
