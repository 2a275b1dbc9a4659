"""What a hospital's own staff look after: reports that changed, orders, codes without a meaning."""

import re
from datetime import timedelta
from uuid import UUID

import pytest

from accounts.models import Role
from core import clock, db
from records.items import service as items
from records.news import service as news
from tests.support.browsing import Browser
from tests.support.charts import Case, open_case
from tests.support.city import City, Staff, bearer
from tests.support.documents import DOCUMENT, post, send_document
from tests.support.hl7v2 import orm, oru


@pytest.fixture(scope="module")
def case_of_module(module_city: City) -> Case:
    return open_case(module_city)


@pytest.fixture
def case(case_of_module: Case, city: City) -> Case:
    return case_of_module


def at_desk(city: City, staff: Staff) -> Browser:
    browser = Browser(city.app)
    browser.sign_in(staff)
    return browser


def words_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page[page.index("<main") :]))


def change(city: City, case: Case, reader: Staff) -> UUID:
    """A report that the reader had opened, and that its hospital changed then."""
    report_id = send_document(city, case.home, case.patient, order="D1")
    assert city.client.get(f"/api/v1/reports/{report_id}", headers=bearer(reader.token)).status_code == 200
    send_document(city, case.home, case.patient, DOCUMENT + b"%2", order="D1")
    with db.transaction() as session:
        news.tell_of_version(session, report_id=report_id, version=2)
    return report_id


def test_a_change_is_shown_with_who_had_read_and_who_took_note(city: City, case: Case) -> None:
    reader, colleague = city.staff(case.treating, name="周测试"), city.staff(case.treating, name="吴测试")
    report_id = change(city, case, reader)
    desk = at_desk(city, colleague)
    page = desk.get("/corrections").text
    assert "市第一测试医院 · 检验报告 2026-03-05 08:30" in words_of(page)
    assert "第 1 版 · 周测试" in words_of(page)
    assert f"/visits/{case.visit_id}?open={report_id}#opened" in page
    assert [word for word in ("生化", "葡萄糖", "7.20", case.patient.name) if word in page] == []
    (address,) = re.findall(r'action="(/corrections/[0-9a-f-]+/seen)"', page)
    assert desk.post(address, {}).location == "/corrections?is_seen=false"
    assert "没有待确认的更改" in desk.get("/corrections?is_seen=false").text
    assert "第 1 版 · 周测试" in (seen := words_of(desk.get("/corrections?is_seen=true").text))
    assert "吴测试" in seen.split("周测试")[1]
    today = clock.in_city(clock.now()).date()
    asked = {
        f"since={today}&until={today}": True,
        f"since={today + timedelta(days=1)}": False,
        f"until={today - timedelta(days=1)}": False,
    }
    for days, found in asked.items():
        page = desk.get(f"/corrections?{days}").text
        assert ("周测试" in page, "这段时间没有报告更改" in page) == (found, not found), days
    (line,) = city.client.get("/api/v1/corrections", headers=bearer(reader.token)).json["corrections"]
    assert (line["read_by"], line["seen_by"]) == (["周测试"], "吴测试")


def test_another_hospital_has_no_part_in_it(city: City, case: Case) -> None:
    change(city, case, case.doctor)
    stranger = at_desk(city, city.staff(city.hospital()))
    page = stranger.get("/corrections").text
    assert "没有报告更改" in page
    mine = at_desk(city, case.doctor).get("/corrections").text
    (address,) = re.findall(r'action="(/corrections/[0-9a-f-]+/seen)"', mine)
    reply = stranger.post(address, {})
    assert (reply.status_code, "records.correction_not_found" in reply.text) == (404, True)
    registrar = at_desk(city, city.staff(case.treating, Role.REGISTRAR))
    assert [registrar.get(path).status_code for path in ("/corrections", "/orders")] == [403, 403]


def test_a_hospital_reads_its_orders_and_nobody_else_does(city: City, case: Case) -> None:
    subject = f"{case.patient.card_number}^^^^HC"
    other = ("ORC|NW|P2|F2||||||20260306083000", "OBR|1|P2|F2|24323-8^生化全套^LN")
    post(city, case.treating, orm(case.treating.code, subject))
    post(city, case.treating, orm(case.treating.code, subject, *other))
    revoked = ("ORC|CA|P1|F1||||||20260305083000", "OBR|1|P1|F1|58410-2^全血细胞计数^LN")
    post(city, case.treating, orm(case.treating.code, subject, *revoked))
    desk = at_desk(city, case.doctor)
    text = words_of(desk.get("/orders").text)
    assert text.index("生化全套 24323-8 P2 检验科 F2 已申请") < text.index("全血细胞计数 58410-2 P1 检验科 F1 已撤销")
    assert "张*试" in text
    assert case.patient.name not in text
    assert f"/visits/{case.visit_id}" in desk.get("/orders?status=revoked").text
    assert "没有这种状态的申请" in desk.get("/orders?status=completed").text
    assert "还没有申请" in at_desk(city, city.staff(case.home)).get("/orders").text

    def numbers(query: str) -> list[str]:
        reply = city.client.get(f"/api/v1/orders{query}", headers=bearer(case.doctor.token))
        return [order["placer_number"] for order in reply.json["orders"]]

    newest = city.client.get("/api/v1/orders?limit=1", headers=bearer(case.doctor.token)).json["orders"]
    assert (newest[0]["placer_number"], newest[0]["person_name"]) == ("P2", "张*试")
    assert (numbers(f"?before={newest[0]['id']}"), numbers("?status=active")) == (["P1"], ["P2"])
    # Of days: both are meant, and a state is kept beside them.
    assert numbers("?since=2026-03-06&until=2026-03-06") == ["P2"]
    assert (numbers("?until=2026-03-05"), numbers("?since=2026-03-07")) == (["P1"], [])
    page = desk.get("/orders?since=2026-03-06&status=revoked").text
    assert "这段时间没有这种状态的申请" in page
    assert 'href="?status=active&amp;since=2026-03-06"' in page


def test_a_hospital_says_what_its_own_codes_mean(city: City, case: Case) -> None:
    home = case.home
    result = "OBX|1|NM|XT^血糖^L||7.2|mmol/L|3.9-6.1|H|||F"
    for hospital in (home, case.treating):
        post(city, hospital, oru(hospital.code, f"{case.patient.card_number}^^^^HC", result))
    with db.transaction() as session:
        while items.fold_sightings(session):
            pass
    desk = at_desk(city, city.staff(home, Role.REGISTRAR))
    page = desk.get("/codes").text
    waiting = page[: page.index("本院已对照")]
    assert waiting.count(">XT<") == 1
    assert "血糖" in waiting
    item = re.findall(r'name="item" value="([^"]+)"', waiting)[0]
    form = {"code_system": "urn:yimatong:code:local", "code": "XT", "item": item}
    assert desk.post("/codes/mappings", form).status_code == 303
    page = desk.get("/codes").text
    assert "没有待对照的项目" in page
    assert item in page[page.index("本院已对照") :]
    (end,) = re.findall(r'action="(/codes/mappings/[0-9a-f-]+/end)"', page)
    stranger = at_desk(city, city.staff(case.treating, Role.REGISTRAR))
    assert ">XT<" in stranger.get("/codes").text.split("本院已对照")[0]
    theirs = stranger.post("/codes/mappings", form | {"hospital_id": str(home.id)})
    assert (theirs.status_code, "records.code_hospital_not_found" in theirs.text) == (404, True)
    assert stranger.post(end, {}).status_code == 404
    unsaid = desk.post("/codes/mappings", {name: text for name, text in form.items() if name != "item"})
    assert unsaid.status_code == 422
    assert desk.post(end, {}).status_code == 303
    assert at_desk(city, case.doctor).get("/codes").status_code == 403
