"""The operator's interface of the master index."""

import pytest
from sqlalchemy import select

from accounts.models import Role
from core import db
from core.actor import SYSTEM
from core.audit import AuditEntry
from core.ids import new_id
from health_card import service as health_card
from health_card.certificates import CertificateType
from health_card.desk.service.assurance import raise_assurance
from health_card.models import Assurance
from health_card.notices.models import Notice
from tests.health_card.matching.registry import Office, Pair, register, see_documents
from tests.health_card.matching.test_finding import under_a_passport
from tests.support.city import City, bearer

WHY = "核对过证件"


@pytest.fixture
def office(city: City) -> Office:
    return Office.open(city)


@pytest.fixture
def pair(city: City) -> Pair:
    found = under_a_passport(city)
    found.look()
    return found


def match_of(pair: Pair) -> str:
    found = pair.found()
    assert found is not None
    return str(found.id)


def test_the_queue_shows_scores_and_names_nobody(office: Office, pair: Pair) -> None:
    reply = office.get("/matches")
    (line,) = [line for line in reply.json["matches"] if line["id"] == match_of(pair)]
    assert (line["score"], line["state"]) == (18, "open")
    assert set(line) == {"id", "score", "evidence", "state", "found_at"}
    assert pair.one.name not in reply.text


def test_side_by_side_is_masked_and_both_can_read_that_it_was_looked_at(office: Office, pair: Pair) -> None:
    reply = office.get(f"/matches/{match_of(pair)}")
    assert reply.status_code == 200
    one, other = reply.json["sides"]
    assert {one["person_id"], other["person_id"]} == {str(pair.one.person_id), str(pair.other.person_id)}
    assert one["person"]["name"] == "钱*乙"
    assert [card["state"] for card in one["cards"]] == [1]
    assert (one["logins"], one["waiting_logins"], one["records"]) == (1, 0, 1)
    assert reply.json["contradictions"] == []
    assert reply.json["suggested_id"] == str(pair.one.person_id)
    for secret in (pair.one.name, pair.one.phone, pair.one.certificate_number, pair.other.certificate_number):
        assert secret not in reply.text
    for patient in (pair.one, pair.other):
        rows = office.city.client.get("/api/v1/access-log", headers=bearer(patient.token)).json["rows"]
        assert "health_card.match.read" in [row["action"] for row in rows]


def test_a_merge_makes_one_person_who_is_told_once(office: Office, pair: Pair) -> None:
    reply = office.post(f"/matches/{match_of(pair)}/merge", reason=WHY)
    assert reply.status_code == 201
    link = reply.json
    assert (link["from_id"], link["into_id"]) == (str(pair.other.person_id), str(pair.one.person_id))
    assert set(link["evidence"]) == {"name_same", "birth_same", "sex_same"}
    assert link["linked_by"] == str(office.actor.id)
    assert pair.roots() == (pair.one.person_id, pair.one.person_id)
    assert told(pair) == {("merged", pair.one.person_id)}
    for patient in (pair.one, pair.other):
        notices = office.city.client.get("/api/v1/notices", headers=bearer(patient.token)).json["notices"]
        assert [notice["kind"] for notice in notices].count("merged") == 1
    shown = office.get(f"/matches/{match_of(pair)}").json
    assert (shown["state"], shown["link_id"], len(shown["sides"])) == ("merged", link["id"], 1)
    assert office.get("/merges").json["merges"][0]["id"] == link["id"]


def test_every_record_of_a_merged_person_shows_the_one_that_stands_and_the_checks_of_all(
    city: City, office: Office
) -> None:
    absorbed, standing = register(city, name="孙甲丙"), register(city, name="李乙丁")
    with db.transaction() as session:
        raise_assurance(
            session, SYSTEM, person_id=absorbed.person_id, level=Assurance.DOCUMENT, evidence=CertificateType.PASSPORT
        )
    see_documents(standing)
    office.merge(absorbed, standing)
    with db.snapshot() as session:
        shown = [health_card.get_demographics(session, one.person_id, masked=False) for one in (absorbed, standing)]
    assert shown[0] == shown[1]
    assert (shown[0].name, shown[0].assurance) == ("李乙丁", "document")
    assert shown[0].assured_at is not None


def test_the_operator_may_choose_who_stands(office: Office, pair: Pair) -> None:
    reply = office.post(f"/matches/{match_of(pair)}/merge", reason=WHY, standing_id=str(pair.other.person_id))
    assert reply.json["into_id"] == str(pair.other.person_id)
    assert pair.roots() == (pair.other.person_id, pair.other.person_id)


def test_undone_each_stands_alone_and_the_pair_is_refused(office: Office, pair: Pair) -> None:
    link = office.post(f"/matches/{match_of(pair)}/merge", reason=WHY).json
    undone = office.post(f"/merges/{link['id']}/undo", reason="认错了人")
    assert (undone.status_code, undone.json["undo_reason"]) == (200, "认错了人")
    assert pair.roots() == (pair.one.person_id, pair.other.person_id)
    assert ("unmerged", pair.one.person_id) in told(pair)
    refused(office.post(f"/merges/{link['id']}/undo", reason=WHY), 409, "health_card.link_undone")
    again = {"from_id": link["from_id"], "into_id": link["into_id"], "reason": WHY}
    refused(office.post("/merges", **again), 409, "health_card.pair_refused")
    assert office.delete(f"/matches/{match_of(pair)}/refusal").status_code == 204
    assert office.post("/merges", **again).status_code == 201
    assert pair.is_one_person()


def test_not_the_same_is_for_good_until_an_operator_takes_it_back(office: Office, pair: Pair) -> None:
    match_id = match_of(pair)
    assert office.post(f"/matches/{match_id}/refusal", reason=WHY).status_code == 204
    pair.look()
    assert match_id not in office.get("/matches").text
    assert match_id in office.get("/matches?state=refused").text
    refused(office.post(f"/matches/{match_id}/merge", reason=WHY), 409, "health_card.match_decided")
    merge = {"from_id": str(pair.one.person_id), "into_id": str(pair.other.person_id), "reason": WHY}
    refused(office.post("/merges", **merge), 409, "health_card.pair_refused")
    refused(office.post("/merges", **merge, override=True), 409, "health_card.pair_refused")
    assert not pair.is_one_person()
    assert office.delete(f"/matches/{match_id}/refusal").status_code == 204
    refused(office.delete(f"/matches/{match_id}/refusal"), 409, "health_card.match_decided")
    assert match_id in office.get("/matches").text


def test_a_refused_pair_holds_for_all_records_of_both_persons(office: Office, pair: Pair) -> None:
    office.post(f"/matches/{match_of(pair)}/refusal", reason=WHY)
    third = under_a_passport(office.city).other
    office.merge(pair.other, third)
    merge = {"from_id": str(third.person_id), "into_id": str(pair.one.person_id), "reason": WHY}
    refused(office.post("/merges", **merge), 409, "health_card.pair_refused")


def test_put_off_it_stays_behind_the_others(office: Office, pair: Pair) -> None:
    other = under_a_passport(office.city)
    other.look()
    ids = [match_of(pair), match_of(other)]
    assert office.post(f"/matches/{match_of(other)}/postponement", reason=WHY).status_code == 204
    listed = [line["id"] for line in office.get("/matches").json["matches"]]
    assert [match_id for match_id in listed if match_id in ids] == ids
    rest = office.get(f"/matches?before={match_of(pair)}").json["matches"]
    assert match_of(other) in [line["id"] for line in rest]


def test_certain_facts_that_contradict_need_an_override(office: Office, pair: Pair) -> None:
    other = office.city.patient("钱甲乙")
    merge = {"from_id": str(pair.one.person_id), "into_id": str(other.person_id), "reason": WHY}
    reply = office.post("/merges", **merge)
    refused(reply, 409, "health_card.facts_contradict")
    assert "resident_ids_differ" in reply.json["contradictions"]
    assert office.post("/merges", **merge, override=True).status_code == 201


def test_what_is_not_there_is_not_found(office: Office, pair: Pair) -> None:
    nowhere, reason = new_id(), {"reason": WHY}
    refused(office.get(f"/matches/{nowhere}"), 404, "health_card.match_not_found")
    refused(office.post(f"/matches/{nowhere}/merge", **reason), 404, "health_card.match_not_found")
    refused(office.post(f"/matches/{nowhere}/refusal", **reason), 404, "health_card.match_not_found")
    refused(office.post(f"/merges/{nowhere}/undo", **reason), 404, "health_card.link_not_found")
    here = str(pair.one.person_id)
    unknown = office.post("/merges", from_id=str(nowhere), into_id=here, **reason)
    refused(unknown, 404, "health_card.record_not_found")
    refused(office.post("/merges", from_id=here, into_id=here, **reason), 409, "health_card.already_one_person")
    neither = office.post(f"/matches/{match_of(pair)}/merge", standing_id=str(nowhere), **reason)
    refused(neither, 404, "health_card.match_not_found")
    assert not pair.is_one_person()


def test_a_decision_says_why(office: Office, pair: Pair) -> None:
    for path in ("merge", "refusal", "postponement"):
        refused(office.post(f"/matches/{match_of(pair)}/{path}"), 422, "core.malformed_request")


@pytest.mark.parametrize("role", [Role.REGISTRAR, Role.DOCTOR])
def test_only_the_operator_decides(city: City, pair: Pair, role: Role) -> None:
    token = city.staff(city.hospital(), role).token
    match_id = match_of(pair)
    for method, path in (
        ("get", "/matches"),
        ("get", f"/matches/{match_id}"),
        ("post", f"/matches/{match_id}/merge"),
        ("post", f"/matches/{match_id}/refusal"),
        ("delete", f"/matches/{match_id}/refusal"),
        ("get", "/merges"),
        ("post", "/merges"),
        ("post", f"/merges/{match_id}/undo"),
    ):
        body = {} if method == "get" else {"json": {"reason": WHY}}
        reply = getattr(city.client, method)(f"/api/v1/operator{path}", headers=bearer(token), **body)
        assert reply.status_code == 403, path
    assert not pair.is_one_person()


def test_every_decision_is_in_the_trail_of_both(office: Office, pair: Pair) -> None:
    office.post(f"/matches/{match_of(pair)}/refusal", reason=WHY)
    with db.snapshot() as session:
        acts = session.scalars(select(AuditEntry).filter_by(action="health_card.match.decided")).all()
    assert {act.subject_id for act in acts} == {pair.one.person_id, pair.other.person_id}
    assert all(WHY not in str(act.facts) for act in acts)


def told(pair: Pair) -> set[tuple[str, object]]:
    """What both were told of."""
    ids = [pair.one.person_id, pair.other.person_id]
    with db.snapshot() as session:
        notices = session.execute(select(Notice.kind, Notice.person_id).where(Notice.person_id.in_(ids)))
        return {(kind, person_id) for kind, person_id in notices}


def refused(reply: object, status: int, code: str) -> None:
    assert (reply.status_code, reply.json["code"]) == (status, code)  # type: ignore[attr-defined]
