"""The doctor's view of one patient."""

import json
import re

import pytest

from accounts.models import Role
from core.ids import new_id
from tests.support.browsing import Browser
from tests.support.charts import Case, open_case, send_report
from tests.support.city import City, bearer
from tests.support.entries import call, condition, named

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
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
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
