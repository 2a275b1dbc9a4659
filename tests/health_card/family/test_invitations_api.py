"""Invitations from phone to phone: asked, shown, accepted once, or too late."""

from typing import Any

import pytest
from sqlalchemy import select

from core import db
from core.audit import AuditEntry
from health_card.family.models import Invitation
from tests.conftest import SteppingClock
from tests.health_card.family.household import Household, born_years_ago, refused
from tests.support.city import Patient, bearer


def test_an_adult_agrees_on_his_own_phone_and_may_end_it_there(household: Household) -> None:
    mother, father = household.mother, household.father
    invited = household.invite(mother, kind="consent", relation="spouse")
    assert invited.status_code == 201
    code = invited.json["code"]
    preview: Any = household.post(father, "/family/invitations/preview", {"code": code}).json
    assert set(preview) == {"kind", "relation", "inviter_name", "expires_at"}
    assert (preview["relation"], preview["inviter_name"]) == ("spouse", "李*试")
    assert household.card_of(mother, "王*试") is None
    accepted = household.accept(father, code)
    done: Any = accepted.json
    assert (accepted.status_code, done["holder"], "valid_until" in done) == (200, "confirmed", False)
    assert household.card_of(mother, "王*试") is not None
    assert household.card_of(father, "李*试") is None
    (acting,) = household.family(father)["acting_for_me"]
    assert (acting["name"], acting["relation"], acting["holder"]) == ("李*试", "spouse", "confirmed")
    assert household.leave(father, acting["holder_id"]).status_code == 204
    assert household.card_of(mother, "王*试") is None


def test_it_is_accepted_once_and_kept_as_a_hash(household: Household) -> None:
    code = household.invite(household.mother, kind="consent", relation="other").json["code"]
    with db.transaction() as session:
        (kept,) = session.scalars(select(Invitation))
    assert code.encode() not in kept.code_hash
    assert household.accept(household.father, code).status_code == 200
    third = household.city.patient("赵测试")
    for who in (household.father, third):
        assert refused(household.accept(who, code)) == (404, "health_card.invitation_not_in_force")
        preview = household.post(who, "/family/invitations/preview", {"code": code})
        assert refused(preview) == (404, "health_card.invitation_not_in_force")


def test_it_lives_a_day(household: Household, stepping_clock: SteppingClock) -> None:
    code = household.invite(household.mother, kind="consent", relation="spouse").json["code"]
    stepping_clock.forward(hours=24)
    late = household.city.patient("赵测试")
    assert refused(household.accept(late, code)) == (404, "health_card.invitation_not_in_force")
    assert refused(household.accept(late, "x" * 43)) == (404, "health_card.invitation_not_in_force")


def test_an_open_one_is_listed_and_can_be_withdrawn(household: Household, stepping_clock: SteppingClock) -> None:
    mother, child = household.mother, household.add(household.mother).json
    to_spouse = household.invite(mother, kind="consent", relation="spouse").json
    stepping_clock.forward(seconds=1)
    beside = household.invite(mother, kind="guardian", relation="child", holder_id=child["holder_id"]).json
    listed = open_ones(household, mother)
    assert [each["invitation_id"] for each in listed] == [beside["invitation_id"], to_spouse["invitation_id"]]
    assert [each.get("person_name") for each in listed] == ["王*测", None]
    assert beside["code"] not in str(listed)
    assert open_ones(household, household.father) == []
    foreign = withdraw(household, household.father, to_spouse)
    assert refused(foreign) == (404, "health_card.invitation_not_in_force")
    assert withdraw(household, mother, to_spouse).status_code == 204
    for reply in (withdraw(household, mother, to_spouse), household.accept(household.father, to_spouse["code"])):
        assert refused(reply) == (404, "health_card.invitation_not_in_force")
    assert household.accept(household.father, beside["code"]).status_code == 200
    assert refused(withdraw(household, mother, beside)) == (404, "health_card.invitation_not_in_force")
    assert open_ones(household, mother) == []
    with db.transaction() as session:
        acts = select(AuditEntry).where(AuditEntry.action == "health_card.invitation.withdrawn")
        (entry,) = session.scalars(acts)
    assert (entry.subject_id, entry.facts) == (mother.person_id, {"kind": "consent", "for": "spouse"})


def open_ones(household: Household, who: Patient) -> Any:
    reply = household.city.client.get("/api/v1/family/invitations", headers=bearer(who.token))
    return reply.json["invitations"]


def withdraw(household: Household, who: Patient, invitation: Any) -> Any:
    path = f"/api/v1/family/invitations/{invitation['invitation_id']}"
    return household.city.client.delete(path, headers=bearer(who.token))


def test_nobody_accepts_his_own(household: Household) -> None:
    code = household.invite(household.mother, kind="consent", relation="spouse").json["code"]
    assert refused(household.accept(household.mother, code)) == (422, "health_card.relation_does_not_fit")
    assert household.accept(household.father, code).status_code == 200


def test_an_adult_ward_cannot_agree_to_a_guardian(household: Household) -> None:
    code = household.invite(household.mother, kind="consent", relation="ward").json["code"]
    assert refused(household.accept(household.father, code)) == (422, "health_card.relation_does_not_fit")


def test_who_accepts_must_be_known(household: Household) -> None:
    code = household.invite(household.mother, kind="consent", relation="spouse").json["code"]
    waiting = household.register_again(household.father)
    assert refused(household.accept(waiting, code)) == (409, "health_card.register_yourself_first")


def test_a_second_guardian_sees_who_the_child_is_and_acts_at_once(household: Household) -> None:
    child = household.add(household.mother).json
    code = household.invite(household.mother, kind="guardian", relation="child", holder_id=child["holder_id"]).json[
        "code"
    ]
    preview = household.post(household.father, "/family/invitations/preview", {"code": code}).json
    assert (preview["inviter_name"], preview["person_name"]) == ("李*试", "王*测")
    assert household.accept(household.father, code).json["valid_until"] == child["valid_until"]
    assert household.card_of(household.father, "王*测") is not None


def test_an_approval_also_ends_the_waiting(household: Household) -> None:
    child = household.add_newborn(household.mother).json
    waiting = household.add_newborn(household.father).json
    accepted = household.second_guardian(child["holder_id"])
    assert (accepted.json["holder_id"], accepted.json["holder"]) == (waiting["holder_id"], "confirmed")


def test_an_invitation_ends_with_the_right_of_the_one_who_made_it(household: Household) -> None:
    child = household.add(household.mother).json
    household.second_guardian(child["holder_id"])
    code = household.invite(household.mother, kind="guardian", relation="ward", holder_id=child["holder_id"]).json[
        "code"
    ]
    household.leave(household.mother, child["holder_id"])
    third = household.city.patient("赵测试")
    assert refused(household.accept(third, code)) == (404, "health_card.invitation_not_in_force")


def test_a_consent_asked_by_one_who_is_nobody_any_more_is_worth_nothing(household: Household) -> None:
    code = household.invite(household.mother, kind="consent", relation="spouse").json["code"]
    (own,) = household.family(household.mother)["members"]
    assert household.refuse(household.mother, own["holder_id"]).status_code == 204
    assert refused(household.accept(household.father, code)) == (404, "health_card.invitation_not_in_force")


def hand_over(household: Household, child: Any, to: Patient) -> Any:
    invited = household.hand_over(household.mother, child["holder_id"])
    assert invited.status_code == 201, invited.text
    accepted = household.accept(to, invited.json["code"])
    assert (accepted.status_code, accepted.json["holder"]) == (200, "awaiting_desk")
    return accepted.json


def test_a_child_is_handed_over_when_a_desk_has_seen_the_proof(household: Household) -> None:
    child = household.add(household.mother).json
    taken = hand_over(household, child, household.father)
    assert household.card_of(household.mother, "王*测") is not None
    assert household.card_of(household.father, "王*测") is None
    assert household.confirm(household.father, taken["holder_id"], "court_paper").status_code == 200
    assert household.card_of(household.mother, "王*测") is None
    assert household.card_of(household.father, "王*测") is not None


def test_one_of_two_guardians_hands_over_to_a_third(household: Household) -> None:
    child = household.add(household.mother).json
    household.second_guardian(child["holder_id"])
    third = household.city.patient("赵测试")
    taken = hand_over(household, child, third)
    assert household.confirm(third, taken["holder_id"]).status_code == 200
    assert [bool(household.card_of(who, "王*测")) for who in (household.mother, household.father, third)] == [
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(("years", "relation"), [(15, "child"), (33, "spouse")])
def test_who_is_14_or_older_is_not_handed_over(household: Household, years: int, relation: str) -> None:
    added = household.add(household.mother, born_years_ago(years), relation=relation).json
    assert refused(household.hand_over(household.mother, added["holder_id"])) == (404, "health_card.holder_not_found")
    proof = "birth_certificate" if relation == "child" else "identity_document"
    confirmed = household.confirm(household.mother, added["holder_id"], proof, person_was_present=True)
    assert confirmed.status_code == 200
    reply = household.hand_over(household.mother, added["holder_id"])
    assert refused(reply) == (422, "health_card.relation_does_not_fit")


def test_nobody_hands_over_what_is_not_his(household: Household) -> None:
    child = household.add(household.mother).json
    assert refused(household.hand_over(household.father, child["holder_id"])) == (404, "health_card.holder_not_found")


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "consent", "relation": "spouse", "holder_id": "0199b6a0-0000-7000-8000-000000000000"},
        {"kind": "guardian", "relation": "child"},
        {"kind": "hand_over", "relation": "child"},
        {"kind": "consent", "relation": "self"},
    ],
)
def test_what_cannot_be_right_is_refused(household: Household, body: dict[str, str]) -> None:
    assert refused(household.invite(household.mother, **body)) == (422, "core.malformed_request")
