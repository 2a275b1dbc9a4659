"""What a code opens is the patient's standing choice, from the next request on."""

from copy import copy
from hashlib import sha256

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core import db
from core.ids import new_id
from health_card.models import Relation
from tests.conftest import SteppingClock
from tests.health_card.family.household import Household, born_years_ago
from tests.support.asking import TITLE, Asking, let_act, refused, sign_in_again
from tests.support.city import City, bearer


@pytest.fixture(scope="module")
def asking_of_module(module_city: City) -> Asking:
    return Asking(module_city)


@pytest.fixture
def asking(asking_of_module: Asking, city: City) -> Asking:
    return copy(asking_of_module)


def test_who_has_said_nothing_shares_all_with_who_treats_him_and_the_grant_names_what_he_was_shown(
    asking: Asking,
) -> None:
    policy = asking.policy()
    assert (policy["version"], policy["treating"], policy["hospitals"], policy["excluded_kinds"]) == (0, "yes", [], [])
    assert sha256(policy["notice"]["text"].encode()).hexdigest() == policy["notice"]["hash"] == policy["agreed_hash"]
    scanned = asking.scan()
    assert (scanned["shares_records"], "asked_id" in scanned) == (True, False)
    assert asking.sees(scanned["visit_id"]) == [TITLE]
    (grant,) = asking.grants()
    with db.transaction() as session:
        said = session.execute(text("SELECT notice_hash, kinds FROM grants WHERE id = :id"), {"id": grant["id"]}).one()
    assert tuple(said) == (policy["notice"]["hash"], None)
    shown = asking.phone("GET", f"/notice-texts/{said[0]}").json
    assert shown == policy["notice"]
    refused(asking.phone("GET", f"/notice-texts/{'0' * 64}"), 404, "consent.notice_text_not_found")


def test_never_opens_nothing_and_the_desk_is_told_so(asking: Asking) -> None:
    assert asking.choose("never").status_code == 200
    scanned = asking.scan()
    assert (scanned["shares_records"], "access_until" in scanned, "asked_id" in scanned) == (False, False, False)
    assert scanned["person"]["name"] == "张*试"
    assert asking.sees(scanned["visit_id"]) is None
    assert asking.grants() == []
    assert asking.waiting() == []


def test_never_for_one_hospital_ends_what_its_codes_opened_and_no_other(asking: Asking) -> None:
    other = asking.city.hospital("市第三测试医院")
    colleague = asking.city.staff(other)
    here = asking.scan()["visit_id"]
    there = asking.city.visit(colleague, asking.patient, other)
    changed = asking.choose(hospitals=[{"hospital_id": str(asking.hospital.id), "treating": "never"}])
    assert [each["hospital_name"] for each in changed.json["policy"]["hospitals"]] == ["市第二测试医院"]
    assert len(changed.json["ended_grant_ids"]) == 1
    assert asking.sees(here) is None
    assert asking.sees(there, by=colleague) == [TITLE]
    assert asking.scan()["shares_records"] is False, "not even the code's own visit"


def test_excluded_kinds_are_in_no_grant_of_a_code_old_or_new(asking: Asking) -> None:
    asking.scan()
    changed = asking.choose(excluded_kinds=["laboratory", "condition"]).json
    assert (len(changed["narrowed_grant_ids"]), changed["ended_grant_ids"]) == (1, [])
    asking.scan(new_visit=True)
    with db.transaction() as session:
        kinds = session.scalars(
            text("SELECT kinds FROM grants WHERE person_id = :id"), {"id": asking.patient.person_id}
        )
        for each in kinds.all():
            assert len(each) == 10
            assert not {"laboratory", "condition"} & set(each)
        versions = session.scalars(
            text("SELECT v.said -> 'kinds' FROM grant_versions v WHERE v.grant_id = :id ORDER BY v.version"),
            {"id": changed["narrowed_grant_ids"][0]},
        ).all()
    assert (versions[0], len(versions[1])) == (None, 10)
    asking.choose(excluded_kinds=["laboratory"])
    asking.choose("ask", excluded_kinds=["laboratory"])
    assert {grant["status"] for grant in asking.grants()} == {"revoked"}


def test_an_expired_grant_is_not_revived_wider_than_the_policy(asking: Asking, stepping_clock: SteppingClock) -> None:
    visit_id = asking.scan(visit_kind="I")["visit_id"]
    asking.later(stepping_clock, hours=25)
    assert asking.choose(excluded_kinds=["laboratory"]).json["policy"]["version"] == 1
    again = asking.scan(visit_kind="I")
    assert (again["visit_id"], again["is_new"]) == (visit_id, False)
    with db.transaction() as session:
        kinds = session.scalars(text("SELECT kinds FROM grants WHERE visit_id = :id"), {"id": visit_id}).one()
    assert "laboratory" not in kinds


def test_a_code_shown_again_gives_what_the_policy_says_by_now(asking: Asking) -> None:
    visit_id = asking.scan()["visit_id"]
    asking.choose(excluded_kinds=["laboratory"])
    assert asking.sees(visit_id) == []
    assert asking.scan()["visit_id"] == visit_id
    assert asking.sees(visit_id) == [], "extended as narrow as it has become"
    assert asking.choose().json["narrowed_grant_ids"] == []
    assert asking.sees(visit_id) == [], "a grant never becomes wider"
    again = asking.scan()
    assert (again["visit_id"], again["shares_records"]) == (visit_id, True)
    assert asking.sees(visit_id) == [TITLE]
    assert sorted(grant["status"] for grant in asking.grants()) == ["in_force", "revoked"]


def test_what_was_copied_is_asked_back_however_a_choice_ends_the_grant(asking: Asking) -> None:
    machine = asking.city.machine(asking.hospital, ["system/*.read", "erasure.write"])

    def copy_records() -> None:
        asked = f"/fhir/Condition?patient={asking.patient.person_id}"
        assert asking.city.client.get(asked, headers=bearer(machine.token)).status_code == 200

    def asked_back() -> set[str]:
        reply = asking.city.client.get("/api/v1/erasure-requests", headers=bearer(machine.token))
        return {request["grant_id"] for request in reply.json["erasures"]}

    asking.scan()
    (first,) = asking.grants()
    copy_records()
    asking.choose(excluded_kinds=["laboratory"])
    asking.choose()
    assert asked_back() == set()
    asking.scan()
    assert asked_back() == {first["id"]}, "the code shown again has ended it, and opened another"
    (second,) = (grant for grant in asking.grants() if grant["status"] == "in_force")
    copy_records()
    asking.choose("never")
    assert asked_back() == {first["id"], second["id"]}


def test_ask_asks_the_phone_and_one_tap_opens_the_visit(asking: Asking) -> None:
    asking.choose("ask", excluded_kinds=["imaging"])
    scanned = asking.scan()
    assert scanned["shares_records"] is False
    assert asking.sees(scanned["visit_id"]) is None
    (waiting,) = asking.waiting()
    assert (waiting["id"], waiting["reason"], "asker_name" in waiting) == (scanned["asked_id"], "code", False)
    assert asking.scan()["asked_id"] == waiting["id"], "asked once for a visit"
    told = asking.phone("GET", "/notices").json["notices"]
    assert [notice["kind"] for notice in told].count("access_requested") == 1
    granted = asking.grant(waiting["id"])
    assert (granted.status_code, granted.json["state"]) == (200, "granted")
    assert asking.sees(scanned["visit_id"]) == [TITLE]
    seen = asking.call(asking.doctor, "GET", f"/visits/{scanned['visit_id']}/timeline")
    assert seen.status_code == 200
    (grant,) = asking.grants()
    assert grant["id"] == granted.json["grant_id"]
    asking.call(asking.doctor, "POST", f"/visits/{scanned['visit_id']}/close")
    assert asking.grants()[0]["status"] == "expired", "it ends with the visit, as if the code had opened it"


def test_what_a_code_asked_is_not_asked_any_more_when_its_visit_is_over(asking: Asking) -> None:
    asking.choose("ask")
    first = asking.scan()
    asking.call(asking.doctor, "POST", f"/visits/{first['visit_id']}/close")
    assert asking.waiting() == []
    refused(asking.grant(first["asked_id"]), 409, "consent.request_over")
    second = asking.scan()
    third = asking.scan(new_visit=True)
    assert [each["id"] for each in asking.waiting()] == [third["asked_id"]]
    refused(asking.grant(second["asked_id"]), 409, "consent.request_over")
    asking.phone("POST", f"/visits/{third['visit_id']}/not-me")
    assert asking.waiting() == []


def test_a_change_is_made_under_the_version_and_notice_that_were_read(asking: Asking) -> None:
    asking.choose("ask")
    refused(asking.choose("never", version=0), 409, "consent.policy_changed")
    refused(asking.choose("never", notice_hash="0" * 64), 409, "consent.notice_outdated")
    unknown = [{"hospital_id": str(new_id()), "treating": "yes"}]
    refused(asking.choose(hospitals=unknown), 422, "consent.hospital_unknown")
    twice = [{"hospital_id": str(asking.hospital.id), "treating": "yes"}] * 2
    refused(asking.choose(hospitals=twice), 422, "core.malformed_request")
    assert (asking.policy()["version"], asking.policy()["treating"]) == (1, "ask")


def test_every_version_is_kept_and_nobody_rewrites_it(asking: Asking) -> None:
    asking.choose("ask")
    asking.choose("never")
    asked = {"id": asking.patient.person_id}
    with db.transaction() as session:
        kept = session.execute(
            text("SELECT version, said ->> 'treating' FROM sharing_policy_versions WHERE person_id = :id ORDER BY 1"),
            asked,
        )
        assert [tuple(row) for row in kept] == [(1, "ask"), (2, "never")]
        acts = session.scalars(
            text("SELECT facts ->> 'treating' FROM audit_entries WHERE subject_id = :id "
                 "AND action = 'consent.policy.changed' ORDER BY at, id"), asked)  # fmt: skip
        assert acts.all() == ["ask", "never"]
    for statement in (
        "UPDATE sharing_policy_versions SET said = '{}'",
        "DELETE FROM sharing_policy_versions",
        "UPDATE notice_texts SET kind = kind",
        "INSERT INTO notice_texts VALUES (repeat('0', 64), 'standing_policy', 'x', now())",
    ):
        with pytest.raises(DBAPIError), db.transaction() as session:
            session.execute(text(statement))


def test_a_guardian_decides_until_the_child_is_fourteen(city: City, stepping_clock: SteppingClock) -> None:
    home = Household.open(city)
    child = home.add(home.mother, born_years_ago(14, days=1)).json["person_id"]
    path = f"/api/v1/sharing-policy?person_id={child}"
    assert city.client.get(path, headers=bearer(home.mother.token)).json["treating"] == "yes"
    refused(city.client.get(path, headers=bearer(home.father.token)), 404, "consent.policy_person_not_found")
    stepping_clock.forward(days=1)
    mother = sign_in_again(city, home.mother)
    refused(city.client.get(path, headers=bearer(mother.token)), 404, "consent.policy_person_not_found")
    nobody, _ = city.login()
    refused(city.client.get("/api/v1/sharing-policy", headers=bearer(nobody)), 404, "consent.policy_person_not_found")


def test_who_acts_for_an_adult_does_not_decide_for_him(asking: Asking) -> None:
    spouse = asking.city.patient("李测试")
    let_act(spouse, asking.patient, Relation.SPOUSE)
    path = f"/sharing-policy?person_id={asking.patient.person_id}"
    refused(asking.phone("GET", path, who=spouse), 404, "consent.policy_person_not_found")
    read = asking.policy()
    body = {"treating": "never", "version": 0, "notice_hash": read["notice"]["hash"], "person_id": read["person_id"]}
    refused(asking.phone("PUT", "/sharing-policy", body, who=spouse), 404, "consent.policy_person_not_found")
    blocks = f"/blocked-hospitals/{asking.hospital.id}?person_id={asking.patient.person_id}"
    for method in ("PUT", "DELETE"):
        refused(asking.phone(method, blocks, who=spouse), 404, "consent.policy_person_not_found")
    assert asking.policy() == read
