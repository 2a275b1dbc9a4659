"""The doctor's pages for asking."""

from copy import copy
from uuid import UUID

import pytest

from core.ids import new_id
from tests.support.asking import TITLE, Asking
from tests.support.browsing import Browser
from tests.support.city import City


@pytest.fixture(scope="module")
def asking_of_module(module_city: City) -> Asking:
    asking = Asking(module_city)
    assert asking.choose("never").status_code == 200
    return asking


@pytest.fixture
def asking(asking_of_module: Asking, city: City) -> Asking:
    return copy(asking_of_module)


@pytest.fixture
def doctor(asking: Asking) -> Browser:
    browser = Browser(asking.city.app)
    browser.sign_in(asking.doctor)
    return browser


def test_where_nothing_is_shared_the_doctor_asks_and_reads_after_the_answer(asking: Asking, doctor: Browser) -> None:
    visit_id = asking.scan()["visit_id"]
    assert "患者目前未共享健康档案" in doctor.get(f"/desk?visit={visit_id}").text
    page = doctor.get(f"/visits/{visit_id}")
    assert page.status_code == 403
    assert "请患者在手机上同意" in page.text
    form = {
        "visit_id": visit_id, "purpose": "treatment", "reason": "comparison", "circle": "hospital", "since_days": "365",
        "access_hours": "72", "kinds": ["laboratory", "imaging"], "words": "与<b>去年</b>比较",
    }  # fmt: skip
    sent = doctor.post("/access-requests", form)
    assert sent.status_code == 303, sent.text
    waits = doctor.get(sent.location)
    for shown in (
        "等待答复",
        "张*试",
        "检验报告、影像与影像报告",
        "与&lt;b&gt;去年&lt;/b&gt;比较",
        "/events",
        "撤回申请",
    ):
        assert shown in waits.text
    assert "等待答复" in doctor.get(f"/visits/{visit_id}").text
    request_id = UUID(sent.location.rpartition("/")[2])
    assert asking.grant(request_id, kinds=["laboratory"]).status_code == 200
    answered = doctor.get(sent.location)
    assert "已同意" in answered.text
    assert "/events" not in answered.text
    assert TITLE in doctor.get(f"/visits/{visit_id}").text


def test_a_refused_form_says_why_and_keeps_what_was_chosen(asking: Asking, doctor: Browser) -> None:
    visit_id = asking.scan()["visit_id"]
    page = doctor.get(f"/access-requests/new?visit={visit_id}")
    assert (page.status_code, "请患者在手机上同意" in page.text) == (200, True)
    form = {"visit_id": visit_id, "reason": "surgery", "circle": "department", "kinds": ["allergy"]}
    refused = doctor.post("/access-requests", form)
    assert refused.status_code == 422
    assert "consent.department_not_known" in refused.text
    assert 'name="kinds" value="allergy" checked' in refused.text
    missing = doctor.get(f"/access-requests/new?visit={new_id()}")
    assert (missing.status_code, "consent.cannot_be_asked" in missing.text) == (404, True)


def test_all_that_was_asked_stands_in_one_list(asking: Asking, doctor: Browser) -> None:
    assert "还没有向患者发出过申请" in doctor.get("/access-requests").text
    visit_id = asking.scan()["visit_id"]
    first = asking.ask_at(visit_id)
    doctor.get(f"/access-requests/{first}")
    assert doctor.post(f"/access-requests/{first}/withdraw", {}).status_code == 303
    second = asking.ask_at(visit_id)
    asking.deny(second)
    assert doctor.post(f"/access-requests/{second}/withdraw", {}).status_code == 303
    page = doctor.get("/access-requests").text
    assert (page.count("已撤回</span>"), page.count("已拒绝</span>")) == (1, 1)
    only = doctor.get("/access-requests?state=denied").text
    assert (f"/access-requests/{second}" in only, f"/access-requests/{first}" in only) == (True, False)
    assert "没有这种状态的申请" in doctor.get("/access-requests?state=granted").text
    older = doctor.get("/access-requests?limit=1").text
    assert f"before={second}" in older
    assert "没有更早的申请了" in doctor.get(f"/access-requests?before={first}").text


def test_where_the_policy_is_to_ask_the_desk_leads_to_what_waits(asking: Asking, doctor: Browser) -> None:
    asking.choose("ask")
    scanned = asking.scan()
    page = doctor.get(f"/desk?visit={scanned['visit_id']}").text
    assert f"/access-requests/{scanned['asked_id']}" in page
    waits = doctor.get(f"/access-requests/{scanned['asked_id']}").text
    assert "患者出示健康卡，并设置为每次询问" in waits
    assert "撤回申请" not in waits
