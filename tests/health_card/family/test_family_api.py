"""Adding relatives, seeing who acts for whom, and leaving."""

from typing import Any

import pytest
from sqlalchemy import func, select

from core import db
from health_card.models import Holder, Person
from tests.health_card.family.household import Household, born_years_ago, number_of, refused
from tests.support.city import bearer


def count_rows() -> tuple[int, int]:
    with db.transaction() as session:
        return session.scalar(select(func.count(Person.id))) or 0, session.scalar(select(func.count(Holder.id))) or 0


def test_a_child_that_nobody_registered_can_be_used_at_once_until_it_is_14(household: Household) -> None:
    born = born_years_ago(6)
    added = household.add(household.mother, born)
    assert (added.status_code, added.json["holder"], added.json["is_proven"]) == (201, "confirmed", False)
    card = household.card_of(household.mother, "王*测")
    assert card is not None
    assert (card["relation"], card["is_self"]) == ("child", False)
    assert card["valid_until"].startswith(f"{born_years_ago(-8, days=-1)}T16:00:00")
    own = household.card_of(household.mother, "李*试")
    assert own is not None
    assert (own["relation"], own["is_self"], "valid_until" in own) == ("self", True, False)
    path = f"/api/v1/cards/{card['card_id']}/codes"
    code = household.city.client.post(path, json={}, headers=bearer(household.mother.token)).json["text"]
    assert household.city.scan(household.registrar, code, household.hospital).status_code == 201


def test_adding_again_changes_nothing(household: Household) -> None:
    number = number_of(born_years_ago(6))
    first = household.add(household.mother, certificate_number=number)
    before = count_rows()
    again = household.add(household.mother, certificate_number=number)
    assert (again.status_code, again.json) == (200, first.json)
    assert count_rows() == before


def test_a_child_of_another_login_waits(household: Household) -> None:
    number = number_of(born_years_ago(6))
    household.add(household.mother, certificate_number=number)
    claimed = household.add(household.father, certificate_number=number)
    assert (claimed.status_code, claimed.json["holder"]) == (201, "awaiting_desk")
    assert household.card_of(household.father, "王*测") is None
    assert len(household.family(household.father)["members"]) == 2


def test_a_child_of_another_name_is_not_given_away(household: Household) -> None:
    number = number_of(born_years_ago(6))
    household.add(household.mother, certificate_number=number)
    before = count_rows()
    other = household.add(household.father, certificate_number=number, name="王大测")
    assert refused(other) == (409, "health_card.person_details_differ")
    assert count_rows() == before


@pytest.mark.parametrize(("years", "relation"), [(15, "child"), (33, "spouse"), (70, "parent"), (40, "ward")])
def test_whoever_is_14_or_older_is_not_taken_without_being_asked(
    household: Household, years: int, relation: str
) -> None:
    added = household.add(household.mother, born_years_ago(years), relation=relation)
    assert (added.status_code, added.json["holder"]) == (201, "awaiting_desk")
    assert len(household.cards(household.mother)) == 1


def test_an_adult_who_is_known_is_added_by_all_his_details_only(household: Household) -> None:
    father = household.father
    known: dict[str, Any] = {"certificate_number": father.certificate_number, "name": father.name, "relation": "spouse"}
    assert refused(household.add(household.mother, **known)) == (409, "health_card.person_details_differ")
    added = household.add(household.mother, **known, phone=father.phone)
    assert (added.status_code, added.json["holder"]) == (201, "awaiting_desk")
    (waiting,) = household.family(father)["acting_for_me"]
    assert (waiting["holder"], waiting["relation"], waiting["name"]) == ("awaiting_desk", "spouse", "李*试")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"certificate_number": "110105194912310021"}, 422, "health_card.certificate_invalid"),
        ({"certificate_type": "03", "certificate_number": "E12345678"}, 422, "health_card.birth_date_missing"),
        ({"relation": "self"}, 422, "core.malformed_request"),
        ({"relation": "other"}, 422, "health_card.relation_does_not_fit"),
        ({"relation": "spouse"}, 422, "health_card.relation_does_not_fit"),
        ({"birth_date": "2001-01-01"}, 422, "health_card.details_contradict_certificate"),
    ],
)
def test_what_cannot_be_right_is_refused(household: Household, changes: dict[str, Any], status: int, code: str) -> None:
    before = count_rows()
    assert refused(household.add(household.mother, **changes)) == (status, code)
    assert count_rows() == before


def test_nobody_is_his_own_relative(household: Household) -> None:
    mother = household.mother
    own: dict[str, Any] = {"certificate_number": mother.certificate_number, "name": mother.name, "relation": "parent"}
    assert refused(household.add(mother, **own)) == (422, "health_card.relation_does_not_fit")


def test_who_acts_for_others_must_be_known(household: Household) -> None:
    token, _ = household.city.login()
    for path, body in (
        ("/family", {"certificate_type": "01", "certificate_number": number_of(born_years_ago(6)), "name": "王小测"}),
        ("/family/invitations", {"kind": "consent"}),
    ):
        reply = household.city.client.post(f"/api/v1{path}", json=body | {"relation": "child"}, headers=bearer(token))
        assert refused(reply) == (409, "health_card.register_yourself_first")
    waiting = household.register_again(household.mother)
    assert refused(household.add_newborn(waiting)) == (409, "health_card.register_yourself_first")


def test_a_login_holds_five_at_most_itself_included(household: Household) -> None:
    for _ in range(4):
        assert household.add(household.mother).status_code == 201
    before = count_rows()
    sixth = household.add(household.mother)
    assert refused(sixth) == (409, "health_card.family_full")
    assert sixth.json["limit"] == household.family(household.mother)["limit"] == 5
    assert count_rows() == before


def test_a_child_has_two_guardians_at_most(household: Household) -> None:
    number = number_of(born_years_ago(6))
    child = household.add(household.mother, certificate_number=number).json
    accepted = household.second_guardian(child["holder_id"])
    assert (accepted.status_code, accepted.json["holder"]) == (200, "confirmed")
    assert accepted.json["valid_until"] == child["valid_until"]
    third = household.city.patient("赵测试")
    assert refused(household.add(third, certificate_number=number)) == (409, "health_card.guardians_complete")
    invited = household.invite(household.mother, kind="guardian", relation="ward", holder_id=child["holder_id"])
    assert refused(household.accept(third, invited.json["code"])) == (409, "health_card.guardians_complete")


def test_the_last_guardian_of_a_child_stays_and_one_of_two_may_leave(household: Household) -> None:
    child = household.add(household.mother).json
    assert refused(household.leave(household.mother, child["holder_id"])) == (409, "health_card.last_guardian")
    household.second_guardian(child["holder_id"])
    assert household.leave(household.mother, child["holder_id"]).status_code == 204
    assert household.card_of(household.mother, "王*测") is None
    (held,) = [each for each in household.family(household.father)["members"] if not each["is_self"]]
    assert refused(household.leave(household.father, held["holder_id"])) == (409, "health_card.last_guardian")
    assert refused(household.leave(household.mother, child["holder_id"])) == (404, "health_card.holder_not_found")


def test_a_code_of_one_who_left_opens_nothing(household: Household) -> None:
    child = household.add(household.mother).json
    household.second_guardian(child["holder_id"])
    card = household.card_of(household.mother, "王*测")
    assert card is not None
    path = f"/api/v1/cards/{card['card_id']}/codes"
    code = household.city.client.post(path, json={}, headers=bearer(household.mother.token)).json["text"]
    household.leave(household.mother, child["holder_id"])
    assert refused(household.city.scan(household.registrar, code, household.hospital)) == (
        410,
        "health_card.code_revoked",
    )


def test_who_only_waits_may_always_withdraw(household: Household) -> None:
    number = number_of(born_years_ago(6))
    household.add(household.mother, certificate_number=number)
    waiting = household.add(household.father, certificate_number=number).json
    assert household.leave(household.father, waiting["holder_id"]).status_code == 204
    assert len(household.family(household.father)["members"]) == 1


def test_nobody_leaves_himself_or_ends_others(household: Household) -> None:
    (own,) = household.family(household.mother)["members"]
    assert (own["relation"], own["is_self"], own["holder"]) == ("self", True, "confirmed")
    assert refused(household.leave(household.mother, own["holder_id"])) == (409, "health_card.self_cannot_leave")
    assert refused(household.leave(household.father, own["holder_id"])) == (404, "health_card.holder_not_found")


def test_a_child_is_not_registered_as_a_login_of_its_own(household: Household) -> None:
    token, _ = household.city.login()
    body = {
        "certificate_type": "01",
        "certificate_number": number_of(born_years_ago(14, days=1)),
        "name": "王小测",
        "phone": "13800000013",
    }
    before = count_rows()
    reply = household.city.client.post("/api/v1/registrations", json=body, headers=bearer(token))
    assert refused(reply) == (409, "health_card.under_fourteen")
    assert count_rows() == before
    body["certificate_number"] = number_of(born_years_ago(14))
    assert household.city.client.post("/api/v1/registrations", json=body, headers=bearer(token)).status_code == 201


def test_what_was_once_held_is_not_given_to_the_first_who_registers(household: Household) -> None:
    born = born_years_ago(16)
    number = number_of(born)
    child = household.add(household.mother, certificate_number=number).json
    confirmed = household.confirm(household.mother, child["holder_id"], person_was_present=True)
    assert confirmed.status_code == 200, confirmed.text
    assert household.leave(household.mother, child["holder_id"]).status_code == 204
    token, _ = household.city.login()
    body = {
        "certificate_type": "01",
        "certificate_number": number,
        "name": "王小测",
        "phone": household.mother.phone,
    }
    reply = household.city.client.post("/api/v1/registrations", json=body, headers=bearer(token))
    assert reply.json["holder"] == "awaiting_desk"


def test_a_login_does_not_become_the_one_whom_it_holds(household: Household) -> None:
    """A desk has ended what this login was; the relative whom it holds is not its way back."""
    second = household.register_again(household.mother)
    number = number_of(born_years_ago(30))
    adult = household.add(household.mother, relation="spouse", certificate_number=number, phone="13800000014").json
    assert adult["holder"] == "awaiting_desk"
    (own,) = [each for each in household.family(household.mother)["members"] if each["is_self"]]
    assert household.refuse(household.mother, own["holder_id"]).status_code == 204
    body = {"certificate_type": "01", "certificate_number": number, "name": "王小测", "phone": "13800000014"}
    reply = household.city.client.post("/api/v1/registrations", json=body, headers=bearer(household.mother.token))
    assert refused(reply) == (409, "health_card.login_holds_another")
    assert household.cards(second) == []
