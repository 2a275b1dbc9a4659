"""The pages of emergencies: from the refusal to the records, the queue of the house, the alarms of the city."""

import re

import pytest

from accounts.models import Role
from consent.emergencies.jobs import HANDLERS
from consent.emergencies.service.opening import OPENED_TOPIC
from tests.consent.emergencies.bedside import EVERYTHING, STORY, Bedside
from tests.support.browsing import Browser
from tests.support.city import Staff

PAGE = "/desk/emergency"


def signed_in(bedside: Bedside, who: Staff) -> Browser:
    browser = Browser(bedside.city.app)
    browser.sign_in(who)
    return browser


@pytest.fixture
def doctor(bedside: Bedside) -> Browser:
    return signed_in(bedside, bedside.doctor)


def test_from_the_refusal_to_the_records_with_the_banner_and_back(bedside: Bedside, doctor: Browser) -> None:
    visit_id = bedside.city.visit(bedside.doctor, bedside.patient, bedside.hospital)
    (grant,) = bedside.get(bedside.patient, "/grants").json["grants"]
    bedside.post(bedside.patient, f"/grants/{grant['id']}/revoke")
    refused = doctor.get(f"/visits/{visit_id}")
    assert refused.status_code == 403
    assert f'href="{PAGE}?visit={visit_id}"' in refused.text
    assert "张*试" in doctor.get(f"{PAGE}?visit={visit_id}").text
    form = bedside.body(certificate_type=None, certificate_number=None, visit_id=str(visit_id))
    sent = doctor.post(PAGE, form)
    assert (sent.status_code, sent.location) == (303, f"/visits/{visit_id}")
    chart = doctor.get(sent.location).text
    assert EVERYTHING in chart
    assert re.search(r"紧急访问，<span class=\"figure\">\d\d(-\d\d )?:?[\d:]+</span> 结束", chart)
    assert STORY not in chart
    end = re.search(r'action="(/desk/emergency/[0-9a-f-]+/end)"', chart)
    assert end is not None
    assert doctor.post(end.group(1), {}).status_code == 303
    assert doctor.get(f"/visits/{visit_id}").status_code == 403
    own = doctor.get(PAGE).text
    assert "已结束" in own
    assert "待复核" in own


def test_what_is_refused_is_said_on_the_form_which_keeps_what_was_typed(bedside: Bedside, doctor: Browser) -> None:
    for changes, status, words in (
        ({"password": "not this one"}, 401, "请重新输入您本人的登录密码"),
        ({"sensitivities": "hiv"}, 422, "生命垂危"),
        ({"text": "太短"}, 422, "不少于 10 个字"),
        ({"terminal": "W99"}, 422, "已登记的终端"),
    ):
        reply = doctor.post(PAGE, bedside.body() | changes)
        assert reply.status_code == status
        assert words in reply.text
        assert bedside.patient.certificate_number in reply.text
        assert "not this one" not in reply.text


def test_the_queue_and_the_review_of_the_house(bedside: Bedside) -> None:
    office = signed_in(bedside, bedside.office)
    assert "没有待复核的紧急访问" in office.get("/emergency-reviews").text
    opened = bedside.opened(reason="life_at_risk", sensitivities=["hiv"])
    bedside.read(opened["visit_id"])
    path = f"/emergency-reviews/{opened['id']}"
    assert path in office.get("/emergency-reviews").text
    case = office.get(path).text
    assert STORY in case
    assert "艾滋病相关" in case
    assert "records.timeline.read" in case
    assert EVERYTHING not in case
    short = office.post(path, {"finding": "beyond_need", "text": "太短"})
    assert (short.status_code, "太短" in short.text) == (422, True)
    done = office.post(path, {"finding": "beyond_need", "text": "查看范围超出抢救所需。"})
    assert (done.status_code, done.location) == (303, path)
    assert "查看范围超出抢救所需" in office.get(path).text
    again = office.post(path, {"finding": "no_emergency", "text": "查看范围超出抢救所需。"})
    assert (again.status_code, "consent.emergency_reviewed" in again.text) == (409, True)
    assert path in office.get("/emergency-reviews?queue=not_justified").text
    assert office.get("/emergency-statistics").status_code == 200
    assert office.get(PAGE).status_code == 403


def test_the_alarms_of_the_city(bedside: Bedside) -> None:
    opened = bedside.opened()
    bedside.post(bedside.patient, f"/grants/{opened['grant_id']}/revoke")
    again = bedside.opened()
    HANDLERS[OPENED_TOPIC]({"access_id": again["id"]})
    auditor = signed_in(bedside, bedside.city.staff(None, Role.AUDIT_ADMINISTRATOR))
    page = auditor.get("/operator/emergencies").text
    assert again["id"] in page
    assert "患者终止后 24 小时内又被同一医院紧急访问" in page
    assert "张" not in page
    for seen in re.findall(r'action="(/operator/emergencies/[0-9a-f-]+/seen)"', page):
        assert auditor.post(seen, {}).status_code == 303
    assert again["id"] not in auditor.get("/operator/emergencies").text
    assert again["id"] in auditor.get("/operator/emergencies?is_seen=true").text
    counted = auditor.get("/emergency-statistics").text
    assert "&lt;5" in counted
