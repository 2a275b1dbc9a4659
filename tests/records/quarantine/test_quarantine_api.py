"""Who sees what waits in quarantine: the hospital that sent it, and the operator, who says why he reads it."""

import io
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from accounts.models import Role
from core import clock, db
from core.audit import AuditEntry
from records.quarantine.reading import read_text
from tests.support import dicom
from tests.support.browsing import Browser
from tests.support.city import City, Machine, bearer
from tests.support.fhir import bundle, card, observation, report, send


def listed(city: City, token: str, query: str = "") -> list[dict[str, Any]]:
    reply = city.client.get(f"/api/v1/quarantine{query}", headers=bearer(token))
    assert reply.status_code == 200, reply.text
    messages: list[dict[str, Any]] = reply.json["messages"]
    return messages


def put_aside(city: City, machine: Machine) -> dict[str, Any]:
    body = bundle(report(card("F" * 64)), observation())
    assert send(city, machine, body).status_code == 422
    return body


def test_a_hospital_sees_its_own_and_the_operator_everybodys(city: City) -> None:
    one, other = city.machine(city.hospital("市第一测试医院")), city.machine(city.hospital("市第二测试医院"))
    body = put_aside(city, one)
    put_aside(city, other)
    (line,) = listed(city, one.token)
    assert line.keys() == {"id", "hospital_name", "channel", "state", "reason", "message_key", "received_at"}
    assert (line["hospital_name"], line["channel"], line["reason"]) == (
        "市第一测试医院",
        "fhir",
        "records.person_not_matched",
    )
    assert line["message_key"] == f"urn:example:messages|{body['identifier']['value']}"
    operator = city.staff(None, Role.OPERATOR)
    assert [line["hospital_name"] for line in listed(city, operator.token)][:2] == ["市第二测试医院", "市第一测试医院"]


def test_the_list_is_read_in_pages(city: City) -> None:
    machine = city.machine(city.hospital())
    for _ in range(3):
        put_aside(city, machine)
    newest, middle = listed(city, machine.token, "?limit=2")
    (oldest,) = listed(city, machine.token, f"?limit=2&before={middle['id']}")
    assert len({newest["id"], middle["id"], oldest["id"]}) == 3


def test_nobody_else_sees_it(city: City) -> None:
    hospital = city.hospital()
    unscoped = city.machine(hospital, scopes=["system/*.write"])
    for token in (unscoped.token, city.staff(hospital).token, city.patient().token):
        reply = city.client.get("/api/v1/quarantine", headers=bearer(token))
        assert (reply.status_code, reply.json["code"]) == (403, "core.permission_missing")


def test_it_is_filtered_and_counted_by_reason(city: City) -> None:
    machine = city.machine(city.hospital())
    put_aside(city, machine)
    today = clock.in_city(clock.now()).date()
    for query, found in (
        ("?reason=records.person_not_matched&channel=fhir", 1),
        ("?reason=records.visit_not_matched", 0),
        ("?channel=hl7v2", 0),
        (f"?since={today}&until={today}", 1),
        (f"?until={today - timedelta(days=1)}", 0),
        ("?state=dismissed", 0),
    ):
        assert len(listed(city, machine.token, query)) == found, query
    counted = city.client.get("/api/v1/quarantine/reasons", headers=bearer(machine.token))
    assert counted.json == {"reasons": [{"reason": "records.person_not_matched", "messages": 1}]}


def test_what_it_says_is_read_by_the_sender_and_by_the_operator_who_says_why(city: City) -> None:
    hospital = city.hospital()
    machine, operator = city.machine(hospital), city.staff(None, Role.OPERATOR)
    body = put_aside(city, machine)
    (line,) = listed(city, machine.token)
    address = f"/api/v1/quarantine/{line['id']}"
    assert city.client.get(address, headers=bearer(operator.token)).json["reason"] == "records.person_not_matched"
    registrar = city.staff(hospital, Role.REGISTRAR)
    read = city.client.get(f"{address}/content", headers=bearer(registrar.token))
    assert json.loads(read.json["text"]) == body
    refused = city.client.get(f"{address}/content", headers=bearer(operator.token))
    assert (refused.status_code, refused.json["code"]) == (422, "records.purpose_missing")
    told = city.client.get(f"{address}/content?purpose=support", headers=bearer(operator.token))
    assert "葡萄糖" in told.json["text"]
    other = city.staff(city.hospital(), Role.REGISTRAR)
    for hidden in (address, f"{address}/content"):
        assert city.client.get(hidden, headers=bearer(other.token)).json["code"] == "records.message_not_found"
    with db.transaction() as session:
        acts = select(AuditEntry).filter_by(action="records.message.read", object_id=UUID(line["id"]))
        found = [(act.actor_id, act.purpose) for act in session.scalars(acts.order_by(AuditEntry.id))]
    assert found == [(registrar.id, None), (operator.id, "support")]


@pytest.mark.parametrize(
    ("channel", "body", "shown"),
    [
        (
            "hl7v2",
            "MSH|^~\\&|LIS|H1|||20260305||ORU^R01|K1|P|2.5.1||||||GB18030\rPID|1||P1||张^三".encode("gb18030"),
            "张",
        ),
        ("hl7v2", b"no message \xff", "no message"),
        ("fhir", b"{broken", "{broken"),
        ("dicomweb", dicom.to_bytes(dicom.make_image(PatientName="ZHANG^SAN")), "PatientName: ZHANG^SAN"),
    ],
)
def test_a_message_is_decoded_for_reading(channel: str, body: bytes, shown: str) -> None:
    text, is_cut = read_text(channel, io.BytesIO(body))
    assert shown in text
    assert not is_cut


def test_the_pages_of_hospital_and_operator(city: City) -> None:
    hospital = city.hospital()
    machine = city.machine(hospital)
    registrar, operator = city.staff(hospital, Role.REGISTRAR), city.staff(None, Role.OPERATOR)
    put_aside(city, machine)
    (line,) = listed(city, machine.token)
    browser = Browser(city.app)
    browser.sign_in(registrar)
    assert "无法确认报告属于哪位患者" in browser.get("/quarantine").text
    assert "葡萄糖" in browser.get(f"/quarantine/{line['id']}").text
    refused = browser.post(f"/quarantine/{line['id']}/assign", {"patient_number": "P1", "why": "number_wrong"})
    assert (refused.status_code, "records.assignee_not_found" in refused.text) == (422, True)
    assert browser.post(f"/quarantine/{line['id']}/dismiss", {"why": "duplicate"}).status_code == 303
    assert "撤销作废" in browser.get(f"/quarantine/{line['id']}").text
    assert browser.post(f"/quarantine/{line['id']}/reopen", {}).status_code == 303
    browser = Browser(city.app)
    browser.sign_in(operator)
    shown = browser.get(f"/operator/quarantine/{line['id']}").text
    assert ("葡萄糖" in shown, "作废</h2>" in shown) == (False, False)
    assert "葡萄糖" in browser.get(f"/operator/quarantine/{line['id']}?purpose=audit").text
    assert browser.post(f"/quarantine/{line['id']}/replay", {}).status_code == 303
    started = browser.post("/quarantine/replays", {"reason": "records.person_not_matched"})
    assert started.headers["Location"] == "/operator/quarantine"
