"""A desk checks who may act for whom."""

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from accounts.models import Role
from core import db
from core.audit import AuditEntry
from core.ids import new_id
from health_card.family.models import HolderCheck, Proof
from health_card.family.routes import LOOK_UPS_PER_MINUTE
from health_card.family.service.desk import list_proofs
from health_card.models import Person, Relation
from health_card.notices.models import Notice
from tests.health_card.family.household import Household, born_years_ago, number_of, refused
from tests.support.city import bearer, resident_id


def test_a_second_phone_is_confirmed_by_the_persons_own_document(household: Household) -> None:
    second = household.register_again(household.mother)
    found = household.look_up(household.mother).json["holders"]
    (waiting,) = [each for each in found if each["holder"] == "awaiting_desk"]
    assert (waiting["relation"], waiting["person"]["name"]) == ("self", "李*试")
    assert household.mother.certificate_number not in str(found)
    without_person = household.confirm(household.mother, waiting["holder_id"], "identity_document")
    assert refused(without_person) == (422, "health_card.proof_does_not_fit")
    done = household.confirm(household.mother, waiting["holder_id"], "identity_document", person_was_present=True)
    assert (done.status_code, done.json["is_proven"]) == (200, True)
    assert household.card_of(second, "李*试") is not None
    seen = household.city.scan(household.registrar, household.city.code(household.mother), household.hospital)
    assert seen.json["person"]["assurance"] == "document"


def test_each_person_who_is_shown_finds_it_in_his_log(household: Household) -> None:
    household.add(household.mother)
    household.look_up(household.mother)
    log = household.city.client.get("/api/v1/access-log", headers=bearer(household.mother.token)).json["rows"]
    listed = [(row["person_name"], row["who"]) for row in log if row["action"] == "health_card.holders.listed"]
    assert sorted(listed) == [("李*试", "测试登记员"), ("王*测", "测试登记员")]


def test_an_unknown_document_finds_nothing(household: Household) -> None:
    reply = household.look_up(resident_id())
    assert (reply.status_code, reply.json["holders"]) == (200, [])
    assert refused(household.look_up("110105194912310021")) == (422, "health_card.certificate_invalid")


def test_documents_cannot_be_tried_in_rows(household: Household) -> None:
    for _ in range(LOOK_UPS_PER_MINUTE):
        household.look_up("110105194912310021")
    assert refused(household.look_up(household.mother)) == (429, "core.rate_exceeded")


# What is enough for which relation at which age, with the person present or not.
ENOUGH = {
    (6, "child", "birth_certificate", False),
    (6, "child", "household_book", False),
    (6, "ward", "court_paper", False),
    (15, "child", "birth_certificate", True),
    (15, "child", "household_book", True),
    (15, "ward", "court_paper", True),
    (33, "ward", "court_paper", False),
    (33, "spouse", "identity_document", True),
    (33, "parent", "identity_document", True),
    (33, "child", "identity_document", True),
    (33, "self", "identity_document", True),
}
NOT_ENOUGH = {
    (6, "child", "birth_record", False),
    (6, "child", "identity_document", True),
    (15, "child", "birth_certificate", False),
    (15, "child", "birth_record", True),
    (15, "child", "identity_document", True),
    (33, "ward", "identity_document", True),
    (33, "spouse", "identity_document", False),
    (33, "spouse", "household_book", True),
    (33, "child", "birth_certificate", True),
    (33, "self", "identity_document", False),
    (33, "self", "household_book", True),
}


def test_what_is_enough_depends_on_relation_and_age(app: Flask) -> None:
    def is_enough(years: int, relation: str, proof: str, is_present: bool) -> bool:
        person = Person(id=new_id(), birth_date=born_years_ago(years))
        with db.transaction() as session:
            enough, needs_person = list_proofs(session, person, Relation(relation))
        return Proof(proof) in enough and (is_present or not needs_person)

    assert {case for case in ENOUGH | NOT_ENOUGH if is_enough(*case)} == ENOUGH


def test_too_little_proof_confirms_nothing(household: Household) -> None:
    waiting = household.add(household.mother, born_years_ago(15)).json
    reply = household.confirm(household.mother, waiting["holder_id"])
    assert refused(reply) == (422, "health_card.proof_does_not_fit")
    assert household.card_of(household.mother, "王*测") is None
    with db.transaction() as session:
        assert session.scalars(select(HolderCheck)).all() == []


def test_confirming_again_changes_nothing(household: Household) -> None:
    child = household.add(household.mother).json
    first = household.confirm(household.mother, child["holder_id"])
    again = household.confirm(household.mother, child["holder_id"])
    assert (again.status_code, again.json) == (200, first.json)
    with db.transaction() as session:
        assert len(session.scalars(select(HolderCheck)).all()) == 1


def test_only_those_whom_it_concerns_are_confirmed(household: Household) -> None:
    number = number_of(born_years_ago(6))
    household.add(household.mother, certificate_number=number)
    waiting = household.add(household.father, certificate_number=number).json
    stranger = household.city.patient("赵测试")
    shown = {each["holder_id"]: each for each in household.look_up(household.mother).json["holders"]}
    assert shown[waiting["holder_id"]]["proofs"] == []
    for visitor in (stranger, household.mother):
        reply = household.confirm(visitor, waiting["holder_id"])
        assert refused(reply) == (404, "health_card.holder_not_found")
    assert household.confirm(number, waiting["holder_id"]).status_code == 200


def test_a_third_guardian_is_not_confirmed(household: Household) -> None:
    number = number_of(born_years_ago(6))
    child = household.add(household.mother, certificate_number=number).json
    third = household.city.patient("赵测试")
    waiting = household.add(third, certificate_number=number).json
    household.second_guardian(child["holder_id"])
    reply = household.confirm(third, waiting["holder_id"])
    assert refused(reply) == (409, "health_card.guardians_complete")


def test_who_cannot_prove_it_is_refused_and_told(household: Household) -> None:
    number = number_of(born_years_ago(6))
    household.add(household.mother, certificate_number=number)
    waiting = household.add(household.father, certificate_number=number).json
    assert household.refuse(household.father, waiting["holder_id"]).status_code == 204
    assert len(household.family(household.father)["members"]) == 1
    again = household.refuse(household.father, waiting["holder_id"])
    assert refused(again) == (404, "health_card.holder_not_found")
    assert told("acting_ended") == [str(household.father.person_id)]


def test_a_proven_guardian_sees_an_unproven_one_ended(household: Household) -> None:
    """Somebody else was first; the real parent comes with the birth certificate."""
    number = number_of(born_years_ago(6))
    stranger = household.city.patient("赵测试")
    first = household.add(stranger, certificate_number=number).json
    waiting = household.add(household.mother, certificate_number=number).json
    too_early = household.refuse(household.mother, first["holder_id"])
    assert refused(too_early) == (422, "health_card.proof_does_not_fit")
    household.confirm(household.mother, waiting["holder_id"])
    assert household.refuse(household.mother, first["holder_id"]).status_code == 204
    assert household.card_of(stranger, "王*测") is None
    assert household.card_of(household.mother, "王*测") is not None
    proven = household.refuse(household.mother, waiting["holder_id"])
    assert refused(proven) == (409, "health_card.holder_proven")


def test_a_child_that_claims_to_be_a_login_is_not_confirmed(household: Household) -> None:
    """As it stood before the rule, or when the birth date was corrected since."""
    second = household.register_again(household.mother)
    with db.transaction() as session:
        session.execute(
            text("UPDATE persons SET birth_date = :born WHERE id = :id"),
            {"born": born_years_ago(6), "id": household.mother.person_id},
        )
    (waiting,) = household.family(second)["members"]
    reply = household.confirm(household.mother, waiting["holder_id"], "identity_document", person_was_present=True)
    assert refused(reply) == (409, "health_card.under_fourteen")


def test_what_a_desk_found_stays_and_names_no_document(household: Household) -> None:
    child = household.add(household.mother).json
    household.confirm(household.mother, child["holder_id"], "household_book")
    with db.transaction() as session:
        facts = session.scalars(
            select(AuditEntry.facts).where(AuditEntry.action == "health_card.holder.confirmed")
        ).all()
        check = session.scalars(select(HolderCheck)).one()
    assert facts == [{"for": "child", "grounds": "household_book"}]
    assert (check.hospital_id, check.staff_id) == (household.hospital.id, household.registrar.id)
    with pytest.raises(DBAPIError, match="append-only"):
        with db.transaction() as session:
            session.execute(text("UPDATE holder_checks SET person_was_present = true"))


@pytest.mark.parametrize("role", [Role.DOCTOR, None])
def test_only_a_registrar_checks(household: Household, role: Role | None) -> None:
    who = household.city.staff(household.hospital, role) if role else household.mother
    reply = household.post(who, "/desk/holders/look-up", {"certificate_type": "01", "certificate_number": "x" * 18})
    assert refused(reply) == (403, "core.permission_missing")


def told(kind: str) -> list[str]:
    """Whom notices of this kind were written to."""
    with db.transaction() as session:
        people = session.scalars(select(Notice.person_id).filter_by(kind=kind)).all()
        return [str(person_id) for person_id in people]
