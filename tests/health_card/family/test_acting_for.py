"""Who acts for somebody is seen as such wherever it shows, and may do no more than that."""

from dataclasses import replace
from typing import Any

import pytest

from core import db
from health_card.models import Holder
from tests.health_card.family.household import Household, born_years_ago, number_of, refused
from tests.payments.till import Till, make_product, sign_up
from tests.support.city import Patient, bearer


def read_log(household: Household, who: Patient) -> list[dict[str, Any]]:
    reply = household.city.client.get("/api/v1/access-log", headers=bearer(who.token))
    rows: list[dict[str, Any]] = reply.json["rows"]
    return rows


def spouse_of(household: Household) -> None:
    """The father lets the mother act for him."""
    code = household.invite(household.mother, kind="consent", relation="spouse").json["code"]
    assert household.accept(household.father, code).status_code == 200


def child_as_patient(household: Household, name: str = "王*测") -> Patient:
    """The child's card, in the hand of the mother."""
    child = household.add(household.mother).json
    card = household.card_of(household.mother, name)
    assert card is not None
    mother = household.mother
    return Patient(
        mother.token,
        mother.refresh_token,
        mother.actor,
        child["person_id"],
        card["card_id"],
        card["number"],
        "",
        name,
        mother.phone,
    )


def test_the_log_says_whose_data_and_that_a_guardian_acted(household: Household) -> None:
    child = child_as_patient(household)
    household.city.place_report(child, household.hospital)
    (held,) = [each for each in household.family(household.mother)["members"] if not each["is_self"]]
    household.second_guardian(held["holder_id"])
    reply = household.city.client.get("/api/v1/timeline", headers=bearer(household.father.token))
    assert len(reply.json["items"]) == 1
    newest = read_log(household, household.mother)[0]
    assert (newest["action"], newest["purpose"]) == ("records.timeline.read", "guardian")
    assert (newest["person_name"], newest["person_id"]) == ("王*测", str(child.person_id))
    assert (newest["who"], newest["is_me"]) == ("监护人", False)
    assert read_log(household, household.father)[0]["is_me"] is True


def test_a_relative_is_family_and_another_phone_is_another_login(household: Household) -> None:
    spouse_of(household)
    household.city.place_report(household.father, household.hospital)
    household.city.client.get("/api/v1/timeline", headers=bearer(household.mother.token))
    household.register_again(household.father)
    again, read = read_log(household, household.father)[:2]
    assert (again["who"], again["is_me"]) == ("另一个微信登录", False)
    assert (read["who"], read["purpose"], read["person_name"]) == ("家人", "family", "王*试")


def test_who_has_left_is_still_named_as_what_he_was(household: Household) -> None:
    spouse_of(household)
    (acting,) = household.family(household.father)["acting_for_me"]
    household.leave(household.father, acting["holder_id"])
    log = read_log(household, household.father)
    assert (log[0]["action"], log[0]["who"]) == ("health_card.holder.ended", "本人")
    with db.transaction() as session:
        assert session.get_one(Holder, acting["holder_id"]).end_reason == "ended_by_person"


def test_a_waiting_claim_is_not_named_as_a_guardian(household: Household) -> None:
    number = number_of(born_years_ago(6))
    child = household.add(household.mother, certificate_number=number)
    assert child.status_code == 201, child.text
    household.add(household.father, certificate_number=number)
    newest = read_log(household, household.mother)[0]
    assert (newest["action"], newest["who"]) == ("health_card.holder.added", "另一个微信登录")


def test_grants_say_whose_they_are(household: Household) -> None:
    child = child_as_patient(household)
    household.city.visit(household.registrar, child, household.hospital)
    household.city.visit(household.registrar, household.mother, household.hospital)
    grants = household.city.client.get("/api/v1/grants", headers=bearer(household.mother.token)).json["grants"]
    assert sorted(grant["person_name"] for grant in grants) == ["李*试", "王*测"]
    of_child = next(grant for grant in grants if grant["person_name"] == "王*测")
    path = f"/api/v1/grants/{of_child['id']}/revoke"
    assert household.city.client.post(path, headers=bearer(household.mother.token)).json["status"] == "revoked"


def test_credit_is_signed_up_for_by_oneself_and_seen_by_relatives(household: Household) -> None:
    spouse_of(household)
    product = make_product(household.city)
    opened = sign_up(household.city, household.father, product)
    assert (opened.status_code, opened.json["person_name"]) == (201, "王*试")
    lines = "/api/v1/credit/lines"
    seen = household.city.client.get(lines, headers=bearer(household.mother.token)).json["lines"]
    assert [line["person_name"] for line in seen] == ["王*试"]
    child_as_patient(household)
    own = sign_up(household.city, household.mother, product)
    assert (own.status_code, own.json["person_name"]) == (201, "李*试")


def test_a_relative_repays(household: Household) -> None:
    till = Till.open(household.city)
    assert till.capture(1000).status_code == 201
    relative = replace(till, patient=household.mother)
    assert refused(relative.repay(300)) == (404, "payments.line_not_found")
    code = household.invite(household.mother, kind="consent", relation="parent").json["code"]
    assert household.accept(till.patient, code).status_code == 200
    assert relative.repay(300).status_code == 201
    assert till.line()["payable_fen"] == 700


@pytest.mark.parametrize("path", ["cards", "timeline", "grants", "access-log", "credit-lines"])
def test_who_waits_sees_nothing(household: Household, path: str) -> None:
    father = household.father
    body: dict[str, Any] = {"certificate_number": father.certificate_number, "name": father.name, "phone": father.phone}
    assert household.add(household.mother, **body, relation="spouse").json["holder"] == "awaiting_desk"
    reply = household.city.client.get(f"/api/v1/{path}", headers=bearer(household.mother.token))
    assert str(father.person_id) not in reply.text
    assert "王*试" not in reply.text
