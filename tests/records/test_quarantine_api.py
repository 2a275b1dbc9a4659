"""Who sees what waits in quarantine: the hospital that sent it, and the operator; never what it says."""

from typing import Any

from accounts.models import Role
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
    assert line.keys() == {"id", "hospital_name", "channel", "reason", "message_key", "received_at"}
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
