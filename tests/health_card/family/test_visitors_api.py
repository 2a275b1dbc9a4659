"""The desk knows the visitor by what he confirmed on his own phone, instead of by the number of his document."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from accounts.models import Role
from core import db
from core.audit import AuditEntry
from tests.conftest import SteppingClock
from tests.health_card.family.household import Household, refused
from tests.support.city import Patient, Staff, bearer

PIN = "483920"


def confirmed_code(household: Household, patient: Patient, card_id: Any = None) -> str:
    household.city.client.put("/api/v1/code-pin", json={"pin": PIN, "old_pin": PIN}, headers=bearer(patient.token))
    made = household.post(patient, f"/cards/{card_id or patient.card_id}/codes", {"kind": "confirmed", "pin": PIN})
    return str(made.json["text"])


def scan(household: Household, code: str) -> str:
    seen = household.city.scan(household.registrar, code, household.hospital, medical_step="010105")
    assert seen.status_code == 201, seen.text
    return str(seen.json["visit_id"])


def tap(household: Household, patient: Patient, visit_id: str, purpose: str = "account") -> None:
    asked = household.post(household.registrar, f"/visits/{visit_id}/confirmations", {"purpose": purpose}).json
    answered = household.post(patient, f"/confirmations/{asked['confirmation_id']}/answer", {"answer": "confirmed"})
    assert answered.status_code == 204


def look_up(household: Household, visit_id: str, staff: Staff | None = None) -> TestResponse:
    return household.post(staff or household.registrar, f"/desk/visits/{visit_id}/confirmed-look-ups", {})


def by_pin(household: Household, patient: Patient) -> dict[str, str]:
    reply = look_up(household, scan(household, confirmed_code(household, patient)))
    assert reply.status_code == 201, reply.text
    return {"look_up_id": reply.json["look_up_id"]}


def confirm(household: Household, visitor: dict[str, str], holder_id: str, **body: Any) -> TestResponse:
    return household.post(household.registrar, f"/desk/holders/{holder_id}/confirm", visitor | body)


def prove(household: Household, patient: Patient) -> None:
    """A desk has confirmed this login on the person's document before."""
    own = next(member for member in household.family(patient)["members"] if member["is_self"])
    done = household.confirm(patient, own["holder_id"], "identity_document", person_was_present=True)
    assert done.status_code == 200, done.text


AS_SELF = {"proof": "phone", "person_was_present": True}


def test_a_second_phone_is_confirmed_by_the_first_one_without_typing_a_number(household: Household) -> None:
    second = household.register_again(household.mother)
    (waiting,) = household.family(second)["members"]
    prove(household, household.mother)
    visitor = by_pin(household, household.mother)
    holders = household.post(household.registrar, "/desk/holders/look-up", visitor).json["holders"]
    assert {each["holder_id"]: each["proofs"] for each in holders}[waiting["holder_id"]] == ["phone"]
    unseen = confirm(household, visitor, waiting["holder_id"], proof="identity_document", person_was_present=True)
    assert refused(unseen) == (409, "health_card.document_not_seen")
    done = confirm(household, visitor, waiting["holder_id"], **AS_SELF)
    assert (done.status_code, done.json["is_proven"]) == (200, True)
    assert household.card_of(second, "李*试") is not None
    with db.transaction() as session:
        acts = select(AuditEntry.action).where(AuditEntry.action == "health_card.person.verified")
        assert len(session.scalars(acts).all()) == 1, "nobody has seen a document this time"


def test_a_login_that_no_desk_has_confirmed_shows_the_document_first(household: Household) -> None:
    """Whoever registers a person first is not asked for proof; that the record was checked since helps him nothing."""
    second = household.register_again(household.mother)
    (waiting,) = household.family(second)["members"]
    document = {"certificate_type": "01", "certificate_number": household.mother.certificate_number}
    seen = household.post(household.registrar, "/desk/look-ups", document | {"is_document_seen": True})
    assert seen.json["person"]["assurance"] == "document"
    visitor = by_pin(household, household.mother)
    holders = household.post(household.registrar, "/desk/holders/look-up", visitor).json["holders"]
    assert [each["proofs"] for each in holders] == [[], []]
    for path in (f"/desk/holders/{waiting['holder_id']}/confirm", f"/desk/holders/{waiting['holder_id']}/refuse"):
        body = visitor | (AS_SELF if path.endswith("confirm") else {"reason": "documents_missing"})
        assert refused(household.post(household.registrar, path, body)) == (409, "health_card.document_not_seen")
    verify = f"/desk/persons/{visitor['look_up_id']}/verify-document"
    assert household.post(household.registrar, verify, document).status_code == 200
    done = confirm(household, visitor, waiting["holder_id"], proof="identity_document", person_was_present=True)
    assert (done.status_code, done.json["is_proven"]) == (200, True)


def test_a_tap_by_a_guardian_identifies_the_guardian(household: Household) -> None:
    """The mother shows the child's card; it is she who stands there, and the paper is still needed."""
    child = household.add(household.mother).json
    card = next(card for card in household.cards(household.mother) if not card["is_self"])
    prove(household, household.mother)
    code = household.post(household.mother, f"/cards/{card['card_id']}/codes", {"kind": "dynamic"}).json["text"]
    visit_id = scan(household, code)
    assert refused(look_up(household, visit_id)) == (409, "health_card.not_confirmed")
    tap(household, household.mother, visit_id, "records")
    assert refused(look_up(household, visit_id)) == (409, "health_card.not_confirmed")
    tap(household, household.mother, visit_id)
    visitor = {"look_up_id": look_up(household, visit_id).json["look_up_id"]}
    no_paper = confirm(household, visitor, child["holder_id"], **AS_SELF)
    assert refused(no_paper) == (422, "health_card.proof_does_not_fit")
    done = confirm(household, visitor, child["holder_id"], proof="birth_certificate")
    assert (done.status_code, done.json["is_proven"]) == (200, True)


def test_another_ones_phone_does_not_agree_for_him(household: Household) -> None:
    """Who wants to act for an adult has confirmed on his own phone: that is not the other one's consent."""
    wanting = household.post(
        household.father,
        "/family",
        {
            "certificate_type": "01",
            "certificate_number": household.mother.certificate_number,
            "name": household.mother.name,
            "phone": household.mother.phone,
            "relation": "spouse",
        },
    ).json
    prove(household, household.father)
    visitor = by_pin(household, household.father)
    reply = confirm(household, visitor, wanting["holder_id"], **AS_SELF)
    assert refused(reply) == (422, "health_card.proof_does_not_fit")
    prove(household, household.mother)
    agreed = confirm(household, by_pin(household, household.mother), wanting["holder_id"], **AS_SELF)
    assert agreed.status_code == 200, agreed.text


def test_it_is_good_once_at_this_desk_and_for_five_minutes(household: Household, stepping_clock: SteppingClock) -> None:
    city, mother = household.city, household.mother
    visit_id = scan(household, confirmed_code(household, mother))
    colleague = city.staff(household.hospital, Role.REGISTRAR, "测试登记员乙")
    assert refused(look_up(household, visit_id, colleague)) == (409, "health_card.not_confirmed")
    assert look_up(household, visit_id).status_code == 201
    assert refused(look_up(household, visit_id)) == (409, "health_card.not_confirmed")
    tap(household, mother, visit_id)
    stepping_clock.forward(minutes=5)
    assert refused(look_up(household, visit_id)) == (409, "health_card.not_confirmed")


@pytest.mark.parametrize("ended", ["codes", "login"])
def test_what_ended_since_has_confirmed_nothing(household: Household, ended: str) -> None:
    mother = household.mother
    visit_id = scan(household, confirmed_code(household, mother))
    if ended == "codes":
        assert household.post(mother, f"/cards/{mother.card_id}/codes/revoke", {}).status_code == 204
    else:
        (own,) = household.family(mother)["members"]
        assert household.refuse(mother, own["holder_id"]).status_code == 204
    assert refused(look_up(household, visit_id)) == (409, "health_card.not_confirmed")


def test_other_look_ups_do_not_stand_for_a_document(household: Household) -> None:
    city = household.city
    visit_id = city.visit(household.registrar, household.mother, household.hospital)
    opened = household.post(household.registrar, f"/desk/visits/{visit_id}/look-ups", {}).json
    for look_up_id in (opened["look_up_id"], str(UUID(int=0))):
        reply = household.post(household.registrar, "/desk/holders/look-up", {"look_up_id": look_up_id})
        assert refused(reply) == (404, "health_card.look_up_not_found")
    both = {"look_up_id": opened["look_up_id"], "certificate_type": "01", "certificate_number": "1" * 18}
    for body in (both, {}, {"certificate_type": "01"}):
        reply = household.post(household.registrar, "/desk/holders/look-up", body)
        assert refused(reply) == (422, "core.malformed_request")
