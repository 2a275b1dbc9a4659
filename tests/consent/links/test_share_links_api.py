"""Share links as their owner makes them, watches them and ends them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from consent.links import passcodes
from consent.links import service as links
from consent.links.models import ShareLink
from core import db
from health_card.models import Card, CardState, Person, Relation
from health_card.service.ages import last_birth_date
from tests.conftest import SteppingClock
from tests.support.apps import hold
from tests.support.city import City, Hospital, Patient, bearer
from tests.support.links import PASSCODE, Link, ask, call, knock, make


@pytest.fixture(scope="module")
def owner(module_city: City) -> Patient:
    return module_city.patient("张分享")


@pytest.fixture(scope="module")
def hospital(module_city: City) -> Hospital:
    return module_city.hospital()


def shown(city: City, owner: Patient, link: Link) -> Any:
    return call(city, owner.token, "GET", f"/{link.id}").json


def refusal(reply: Any) -> tuple[int, str]:
    return reply.status_code, reply.json["code"]


def test_a_link_says_what_it_shares_and_keeps_no_secret(
    city: City, module_city: City, owner: Patient, hospital: Hospital
) -> None:
    report_id = city.place_report(owner, hospital)
    scope = {"kinds": ["laboratory"], "item_ids": [str(report_id)], "sensitivities": ["genetic"]}
    reply = ask(city, owner, scope=scope, may_download=True, days=3, openings=5)
    assert reply.status_code == 201, reply.text
    made = reply.json
    link, secret = made["link"], made["address"].partition("#")[2]
    assert made["address"] == f"{city.config.base_url}/share#{secret}"
    assert made["health_link"].startswith(f"{city.config.base_url}/share#shlink:/")
    assert (len(secret), made["passcode"], link["status"], link["version"]) == (43, PASSCODE, "in_force", 1)
    assert link["scope"] == scope
    assert link["scope_text"] == "检验报告,限指定的 1 项,含敏感内容(遗传与基因),可下载"
    listed = call(city, owner.token, "GET", "")
    assert link in listed.json["links"]
    assert secret not in listed.text
    assert "口令" in listed.json["notice"]
    with db.transaction() as session:
        kept = " ".join(str(value) for value in vars(session.get_one(ShareLink, UUID(link["id"]))).values())
    assert [text for text in (secret, PASSCODE, "李医生") if text in kept] == []


def test_a_passcode_is_made_and_a_simple_one_refused(city: City, owner: Patient) -> None:
    made = ask(city, owner, passcode=None).json
    assert (len(made["passcode"]), made["passcode"].isdigit()) == (8, True)
    for simple in ("111111", "345678", "987654", "789012"):
        assert refusal(ask(city, owner, passcode=simple)) == (422, "consent.passcode_too_simple"), simple
    assert refusal(ask(city, owner, passcode="12345")) == (422, "core.malformed_request")


def test_only_who_decides_for_a_person_shares_his_records(city: City, owner: Patient) -> None:
    child, teen, stranger = (city.patient(f"{name}测试") for name in "一二三")
    hold(owner, child, Relation.CHILD, years=10)
    hold(owner, teen, Relation.CHILD, years=16)
    link = make(city, owner, person_id=str(child.person_id))
    for one in (teen, stranger):
        reply = ask(city, owner, person_id=str(one.person_id))
        assert refusal(reply) == (404, "consent.grant_person_not_found")
    assert refusal(call(city, stranger.token, "GET", f"/{link.id}")) == (404, "consent.share_link_not_found")
    for path in ("revoke", "extension"):
        reply = call(city, stranger.token, "POST", f"/{link.id}/{path}")
        assert refusal(reply) == (404, "consent.share_link_not_found"), path
    # From the fourteenth birthday on the child decides, and what its guardian shared is shown to nobody.
    with db.transaction() as session:
        session.get_one(Person, child.person_id).birth_date = last_birth_date(14)
    assert refusal(knock(city, link.secret)) == (404, "consent.share_link_closed")
    assert call(city, owner.token, "GET", f"/{link.id}").status_code == 404
    assert call(city, child.token, "GET", f"/{link.id}").json["status"] == "suspended"


def test_only_what_stands_on_the_persons_timeline_can_be_chosen(city: City, owner: Patient, hospital: Hospital) -> None:
    others = city.place_report(city.patient("李测试"), hospital)
    for scope in ({"item_ids": [str(others)]}, {"item_ids": [str(uuid4())]}, {"visit_ids": [str(uuid4())]}):
        assert refusal(ask(city, owner, scope=scope)) == (404, "consent.item_not_shareable"), scope
    reply = ask(city, owner, scope={"since_on": "2026-02-01", "until_on": "2026-01-01"})
    assert refusal(reply) == (422, "consent.nothing_to_share")


def test_wrong_passcodes_are_counted_for_the_life_of_the_passcode(city: City, owner: Patient) -> None:
    link = make(city, owner)
    for left in range(9, 4, -1):
        wrong = knock(city, link.secret, "000001")
        assert (*refusal(wrong), wrong.json["remainingAttempts"]) == (401, "consent.share_passcode_wrong", left)
    # A right one between them gives nothing back but itself.
    assert knock(city, link.secret).status_code == 201
    for left in range(4, -1, -1):
        assert knock(city, link.secret, "000001").json["remainingAttempts"] == left
    assert refusal(knock(city, link.secret)) == (404, "consent.share_link_closed")
    assert (shown(city, owner, link)["status"], shown(city, owner, link)["tries_left"]) == ("locked", 0)
    notices = city.client.get("/api/v1/notices", headers=bearer(owner.token)).json["notices"]
    assert {"share_opened", "share_locked"} <= {one["kind"] for one in notices}
    changed = call(city, owner.token, "PUT", f"/{link.id}/passcode", passcode="739164")
    assert (changed.json["passcode"], changed.json["link"]["status"]) == ("739164", "in_force")
    assert knock(city, link.secret).status_code == 401
    assert knock(city, link.secret, "739164").status_code == 201


def test_closed_links_answer_alike(city: City, owner: Patient, stepping_clock: SteppingClock) -> None:
    used_up, revoked, expired = make(city, owner, openings=1), make(city, owner), make(city, owner, days=1)
    assert knock(city, used_up.secret).status_code == 201
    assert call(city, owner.token, "POST", f"/{revoked.id}/revoke").json["status"] == "revoked"
    stepping_clock.forward(days=1)
    answers = [knock(city, secret) for secret in (used_up.secret, revoked.secret, expired.secret, "A" * 43)]
    assert {refusal(reply) for reply in answers} == {(404, "consent.share_link_closed")}
    assert len({reply.json["detail"] + reply.json["title"] for reply in answers}) == 1
    with db.transaction() as session:
        stated = [links.get_link(session, owner.actor, UUID(link.id)).status for link in (used_up, revoked, expired)]
    assert stated == ["used_up", "revoked", "expired"]


def test_whatever_is_answered_one_hash_is_computed(city: City, owner: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    living, revoked, used_up, locked = (
        make(city, owner),
        make(city, owner),
        make(city, owner, openings=1),
        make(city, owner),
    )
    call(city, owner.token, "POST", f"/{revoked.id}/revoke")
    knock(city, used_up.secret)
    for _ in range(10):
        knock(city, locked.secret, "000001")
    computed: list[str] = []

    def counting(name: str) -> Callable[..., Any]:
        compute = getattr(passcodes, name)

        def count(*given: str) -> Any:
            computed.append(name)
            return compute(*given)

        return count

    for name in ("generate_password_hash", "check_password_hash"):
        monkeypatch.setattr(passcodes, name, counting(name))
    for secret in (living.secret, revoked.secret, used_up.secret, locked.secret, "A" * 43):
        before = len(computed)
        assert knock(city, secret, "000002").status_code == (401 if secret == living.secret else 404)
        assert len(computed) == before + 1, secret


def test_a_link_is_extended_as_a_new_version_and_not_for_ever(city: City, owner: Patient) -> None:
    link = make(city, owner, days=80)
    first = shown(city, owner, link)["expires_at"]
    extended = call(city, owner.token, "POST", f"/{link.id}/extension").json
    assert (extended["version"], extended["expires_at"] > first) == (2, True)
    assert call(city, owner.token, "POST", f"/{link.id}/extension").json["version"] == 3
    reply = call(city, owner.token, "POST", f"/{link.id}/extension")
    assert refusal(reply) == (409, "consent.share_link_at_its_end")
    assert call(city, owner.token, "POST", f"/{link.id}/revoke").json["status"] == "revoked"
    assert call(city, owner.token, "POST", f"/{link.id}/revoke").json["version"] == 4
    for method, path in (("POST", "extension"), ("PUT", "passcode")):
        assert refusal(call(city, owner.token, method, f"/{link.id}/{path}")) == (409, "consent.share_link_ended")


def test_a_link_shows_nothing_while_a_card_is_reported_lost(city: City, owner: Patient) -> None:
    link = make(city, owner)
    browser = city.app.test_client()
    sent = {"secret": link.secret, "passcode": PASSCODE, "viewer": "李医生"}
    assert browser.post("/share/openings", json=sent).status_code == 201
    set_card(owner, CardState.LOST)
    assert refusal(knock(city, link.secret)) == (404, "consent.share_link_closed")
    assert browser.get("/share/records").status_code == 401
    assert shown(city, owner, link)["status"] == "suspended"
    set_card(owner, CardState.NORMAL)
    assert browser.get("/share/records").status_code == 200
    assert knock(city, link.secret).status_code == 201


def set_card(owner: Patient, state: CardState) -> None:
    with db.transaction() as session:
        session.get_one(Card, owner.card_id).state = state


def test_the_owner_reads_who_opened_a_link_and_what_was_looked_at(
    city: City, owner: Patient, hospital: Hospital
) -> None:
    link = make(city, owner)
    browser = city.app.test_client()
    phone = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) MicroMessenger/8.0.60"}
    sent = {"secret": link.secret, "passcode": PASSCODE, "viewer": "省立医院 王医生"}
    assert browser.post("/share/openings", json=sent, headers=phone).status_code == 201
    assert browser.get("/share/records").status_code == 200
    seen = call(city, owner.token, "GET", f"/{link.id}/viewers").json
    (opening,) = seen["openings"]
    assert (opening["viewer"], opening["device"], opening["way"]) == ("省立医院 王医生", "iPhone 微信", "page")
    assert [look["action"] for look in seen["looks"]] == ["records.timeline.read"]
    logged = city.client.get("/api/v1/access-log", headers=bearer(owner.token)).json["rows"]
    under = [row for row in logged if row.get("grant_id") == link.grant_id and row["who_kind"] == "link"]
    assert [row["action"] for row in under] == ["records.timeline.read", "consent.share_link.opened"]
    assert {row["purpose"] for row in under} == {"sharing"}
    told = city.client.get("/api/v1/notices", headers=bearer(owner.token)).json["notices"]
    assert knock(city, link.secret).status_code == 201
    again = city.client.get("/api/v1/notices", headers=bearer(owner.token)).json["notices"]
    assert len([one for one in told if one["kind"] == "share_opened"]) == 1
    assert [one["id"] for one in again] == [one["id"] for one in told]
