"""The doctor's view of one patient."""

import json
import re

import pytest

from accounts.models import Role
from core.ids import new_id
from tests.support.browsing import Browser
from tests.support.charts import Case, open_case, send_report
from tests.support.city import City, bearer
from tests.support.documents import DOCUMENT, post, send_document
from tests.support.entries import call, condition, every_kind, file, immunization, named
from tests.support.hl7v2 import orm

PICTURE = r'<img src="(/dicomweb/[^"]+)"'


@pytest.fixture(scope="module")
def case_of_module(module_city: City) -> Case:
    return open_case(module_city)


@pytest.fixture
def case(case_of_module: Case, city: City) -> Case:
    return case_of_module


@pytest.fixture
def doctor(city: City, case: Case) -> Browser:
    browser = Browser(city.app)
    browser.sign_in(case.doctor)
    return browser


def words_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def revoke(city: City, case: Case) -> None:
    grants = city.client.get("/api/v1/grants", headers=bearer(case.patient.token)).json["grants"]
    for grant in grants:
        city.client.post(f"/api/v1/grants/{grant['id']}/revoke", headers=bearer(case.patient.token))


def test_the_chart_shows_who_it_is_and_what_other_hospitals_sent(case: Case, doctor: Browser) -> None:
    reply = doctor.get(case.chart)
    assert reply.status_code == 200
    for shown in (case.patient.name, "41 岁", "本人填写", "生化全套", "胸部CT平扫", "市第一测试医院", "请从左侧选择"):
        assert shown in reply.text
    assert case.patient.certificate_number not in reply.text
    assert case.patient.phone not in reply.text
    assert reply.headers["Cache-Control"] == "no-store"


def test_a_report_shows_values_ranges_and_flags(case: Case, doctor: Browser) -> None:
    page = doctor.get(f"{case.chart}?open={case.report_id}").text
    text = words_of(page)
    assert "葡萄糖 7.2 ↑ 偏高 mmol/L 3.9 – 6.1" in text
    assert "钾 3.1 ↓ 偏低 mmol/L 3.5 – 5.3" in text
    assert "钠 140 mmol/L 137 – 147" in text
    assert "正式报告" in text
    assert "第 1 版" in text


def test_an_entry_shows_what_it_is_and_how_it_stands(city: City, case: Case, doctor: Browser) -> None:
    machine = city.machine(city.hospital("市妇幼测试医院"))
    sent = condition(named(case.patient.card_number), note=[{"text": "每三个月<b>随访</b>"}])
    filed = json.loads(call(city, machine.token, "POST", "Condition", sent).text)
    assert "诊断" in doctor.get(case.chart).text
    page = doctor.get(f"{case.chart}?open={filed['id']}").text
    for shown in ("2型糖尿病", "进行中", "E11.9", "市妇幼测试医院", "每三个月&lt;b&gt;随访"):
        assert shown in page
    withdrawn = {"coding": [{"code": "entered-in-error"}]}
    changed = sent | {"verificationStatus": withdrawn, "clinicalStatus": None}
    call(city, machine.token, "POST", "Condition", {name: one for name, one in changed.items() if one is not None})
    assert "声明为录入有误" in doctor.get(f"{case.chart}?open={filed['id']}").text


def test_what_an_entry_says_stands_line_by_line(city: City, case: Case, doctor: Browser) -> None:
    machine = city.machine(city.hospital("市疾控测试中心"))
    sent = immunization(
        named(case.patient.card_number),
        lotNumber="A2026-7",
        protocolApplied=[{"doseNumberPositiveInt": 2}, {"doseNumberPositiveInt": 2}],
        site={"coding": [{"code": "LA"}], "text": "左上臂"},
        statusReason={"coding": [{"code": "X", "display": "发热"}]},
        manufacturer={"display": "示例生物"},
    )
    text = words_of(doctor.get(f"{case.chart}?open={file(city, machine.token, sent)}").text)
    for line in ("剂次 2 剂量 0.50 mL", "批号 A2026-7", "接种部位 左上臂", "未接种原因 发热", "生产企业 示例生物"):
        assert line in text


NARROWED = [
    ("kind=report:laboratory", ("生化全套",), ("胸部CT平扫", "青霉素")),
    ("kind=study:imaging", ("胸部CT平扫",), ("生化全套", "青霉素")),
    ("kind=entry:allergy", ("青霉素",), ("生化全套", "胸部CT平扫")),
    ("since=2026-03-20&until=2026-03-20", ("生化全套",), ("青霉素",)),
    ("until=2001-01-01", ("没有符合条件的记录", "显示全部"), ("生化全套", "青霉素")),
    ("stage=youth", ("生化全套", "青霉素"), ()),
    ("stage=newborn", ("没有符合条件的记录",), ("生化全套", "青霉素")),
]


def test_the_timeline_is_narrowed(city: City, case: Case, doctor: Browser) -> None:
    file(city, city.machine(case.home).token, every_kind(named(case.patient.card_number))[2])
    for asked, shown, left_out in NARROWED:
        page = doctor.get(f"{case.chart}?{asked}").text
        listed = page[page.index("</details>") : page.index('<section class="card opened"')]
        assert [word for word in shown if word not in listed] == [], asked
        assert [word for word in left_out if word in listed] == [], asked
        links = re.findall(r'href="([^"]+)#opened"', listed)
        assert all(asked.replace("&", "&amp;") in link for link in links)


def test_only_a_hospital_of_the_patient_can_be_chosen(city: City, case: Case, doctor: Browser) -> None:
    other = city.hospital("市第三测试医院")
    report_id = send_report(city, other, case.patient)
    page = doctor.get(f"{case.chart}?hospital_id={other.id}").text
    offered = re.findall(r'<option value="[0-9a-f-]{36}"( selected)?>([^<]+)</option>', page)
    assert offered == [("", "市第一测试医院"), (" selected", "市第三测试医院")]
    assert [str(id_) in page for id_ in (report_id, case.report_id)] == [True, False]
    assert doctor.get(f"{case.chart}?since=tomorrow").status_code == 422


def test_what_came_inside_a_report_is_downloaded_and_runs_nowhere(city: City, case: Case, doctor: Browser) -> None:
    report_id = send_document(city, case.home, case.patient, order="D1")
    page = doctor.get(f"{case.chart}?open={report_id}").text
    (address,) = re.findall(r'href="(/api/v1/reports/[^"]+/attachments/1\?version=1)">心电图报告', page)
    reply = doctor.client.get(address)
    assert (reply.data, reply.mimetype) == (DOCUMENT, "application/pdf")
    assert reply.headers["Content-Disposition"] == "attachment; filename=report-1.pdf"
    assert reply.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert send_document(city, case.home, case.patient, DOCUMENT + b"%2", order="D1") == report_id
    token = bearer(case.patient.token)
    read = [city.client.get(f"{address[:-1]}{version}", headers=token).data for version in (1, 2)]
    assert read == [DOCUMENT, DOCUMENT + b"%2"]
    missing = city.client.get(f"{address[:-1]}3", headers=token)
    assert (missing.status_code, missing.json["code"]) == (404, "records.report_not_found")
    revoke(city, case)
    assert doctor.client.get(address).status_code == 404


def test_a_document_inside_an_entry_is_downloaded_and_runs_nowhere(city: City, case: Case, doctor: Browser) -> None:
    letter = every_kind(named(case.patient.card_number))[3]
    page = {"attachment": {"contentType": "text/html", "data": "PHNjcmlwdD4=", "title": "附页"}}
    address = {"attachment": {"contentType": "application/pdf", "url": "https://example.org/letter.pdf"}}
    entry_id = file(city, city.machine(case.home).token, letter | {"content": [address, *letter["content"], page]})
    shown = doctor.get(f"{case.chart}?open={entry_id}").text
    assert re.findall(rf'href="/api/v1/entries/{entry_id}/documents/(\d)">([^<]+)', shown) == [
        ("1", "文件"),
        ("2", "附页"),
    ]
    replies = [doctor.client.get(f"/api/v1/entries/{entry_id}/documents/{number}") for number in (1, 2, 3)]
    assert [reply.status_code for reply in replies] == [200, 200, 404]
    assert [(reply.data, reply.mimetype) for reply in replies[:2]] == [
        ("出院".encode(), "text/plain"),
        (b"<script>", "application/octet-stream"),
    ]
    assert replies[2].json["code"] == "records.attachment_not_found"
    for reply in replies[:2]:
        assert reply.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert reply.headers["Content-Disposition"].startswith("attachment; ")
    stranger = bearer(city.patient("李测试").token)
    refused = city.client.get(f"/api/v1/entries/{entry_id}/documents/1", headers=stranger)
    assert (refused.status_code, refused.json["code"]) == (404, "records.entry_not_found")


def test_opening_what_came_inside_is_reading(city: City, case: Case) -> None:
    report_id, headers = send_document(city, case.home, case.patient), bearer(case.patient.token)

    def unread() -> set[str]:
        page = city.client.get("/api/v1/timeline?is_unread=true", headers=headers).json["items"]
        return {line["object_id"] for line in page}

    entry_id = file(city, city.machine(case.home).token, immunization(named(case.patient.card_number)))
    assert {str(report_id), entry_id} <= unread()
    assert city.client.get(f"/api/v1/entries/{entry_id}", headers=headers).status_code == 200
    assert entry_id not in unread()
    assert city.client.get(f"/api/v1/reports/{report_id}/attachments/1", headers=headers).status_code == 200
    assert str(report_id) not in unread()


def test_the_orders_of_this_visit_stand_with_their_state(city: City, case: Case, doctor: Browser) -> None:
    subject = f"{case.patient.card_number}^^^^HC"
    post(city, case.treating, orm(case.treating.code, subject))
    assert "全血细胞计数 已申请 P1" in words_of(doctor.get(case.chart).text)
    revoked = ("ORC|CA|P1|F1||||||20260305083000", "OBR|1|P1|F1|58410-2^全血细胞计数^LN")
    post(city, case.treating, orm(case.treating.code, subject, *revoked))
    assert "全血细胞计数 已撤销 P1" in words_of(doctor.get(case.chart).text)


def test_a_study_shows_its_pictures_to_the_signed_in_browser(case: Case, doctor: Browser) -> None:
    page = doctor.get(f"{case.chart}?open={case.study_id}").text
    assert "不用于诊断" in page
    (picture,) = re.findall(PICTURE, page)
    reply = doctor.client.get(picture)
    assert (reply.status_code, reply.mimetype) == (200, "image/jpeg")


def test_after_a_revoke_the_next_look_shows_nothing(city: City, case: Case, doctor: Browser) -> None:
    picture = re.findall(PICTURE, doctor.get(f"{case.chart}?open={case.study_id}").text)[0]
    revoke(city, case)
    for path in (case.chart, f"{case.chart}?open={case.report_id}", f"{case.chart}?open={case.study_id}"):
        reply = doctor.get(path)
        assert reply.status_code == 403
        assert "consent.nothing_shared" in reply.text
        assert "没有向本院共享" in reply.text
        for hidden in (case.patient.name, "生化全套", "胸部CT平扫"):
            assert hidden not in reply.text
    assert doctor.client.get(picture).status_code == 404


def test_what_is_not_there_is_said_beside_the_timeline(case: Case, doctor: Browser) -> None:
    reply = doctor.get(f"{case.chart}?open={new_id()}")
    assert reply.status_code == 404
    assert "没有找到这份报告或影像" in reply.text
    assert "生化全套" in reply.text


def test_another_patients_report_never_stands_under_this_ones_name(city: City, case: Case, doctor: Browser) -> None:
    other = city.patient("李测试")
    other_report = send_report(city, case.home, other)
    other_visit = city.visit(case.doctor, other, case.treating)
    assert "葡萄糖" in doctor.get(f"/visits/{other_visit}?open={other_report}").text
    reply = doctor.get(f"{case.chart}?open={other_report}")
    assert reply.status_code == 404
    assert "葡萄糖" not in reply.text


def test_a_patient_without_records_has_an_empty_timeline(city: City, case: Case, doctor: Browser) -> None:
    visit_id = city.visit(case.doctor, city.patient("赵测试"), case.treating)
    assert "还没有任何报告或影像" in doctor.get(f"/visits/{visit_id}").text


def test_an_own_result_can_be_paged_back_to_nothing(case: Case, doctor: Browser, city: City) -> None:
    items = city.client.get("/api/v1/timeline", headers=bearer(case.patient.token)).json["items"]
    page = doctor.get(f"{case.chart}?before={items[-1]['id']}").text
    assert "没有更早的记录了" in page
    assert "← 最新" in page


def test_a_visit_of_another_hospital_is_not_found(city: City, case: Case) -> None:
    stranger = Browser(city.app)
    stranger.sign_in(city.staff(case.home))
    reply = stranger.get(case.chart)
    assert (reply.status_code, "records.visit_not_found" in reply.text) == (404, True)
    assert case.patient.name not in reply.text


def test_a_registrar_may_not_open_a_chart(city: City, case: Case) -> None:
    registrar = Browser(city.app)
    registrar.sign_in(city.staff(case.treating, Role.REGISTRAR))
    reply = registrar.get(case.chart)
    assert (reply.status_code, "core.permission_missing" in reply.text) == (403, True)


def test_each_look_leaves_its_trace_for_the_patient(city: City, case: Case, doctor: Browser) -> None:
    doctor.get(f"{case.chart}?open={case.report_id}")
    rows = city.client.get("/api/v1/access-log", headers=bearer(case.patient.token)).json["rows"]
    looks = {(row["action"], row["who"], row.get("purpose")) for row in rows}
    assert ("records.timeline.read", "王测试", "treatment") in looks
    assert ("records.report.read", "王测试", "treatment") in looks
