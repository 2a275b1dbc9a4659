"""The operator's pages of the master index."""

import re

import pytest

from accounts.models import Role
from core.ids import new_id
from tests.health_card.matching.registry import Pair, register
from tests.health_card.matching.test_finding import under_a_passport
from tests.support.browsing import Browser
from tests.support.city import City, resident_id

WHY = {"reason": "核对过证件"}


@pytest.fixture
def browser(city: City) -> Browser:
    browser = Browser(city.app)
    browser.sign_in(city.staff(None, Role.OPERATOR, "测试运营"))
    return browser


@pytest.fixture
def pair(city: City) -> Pair:
    found = under_a_passport(city)
    found.look()
    return found


def page_of(pair: Pair) -> str:
    found = pair.found()
    assert found is not None
    return f"/operator/matches/{found.id}"


def test_the_queue_leads_to_the_pair_side_by_side(browser: Browser, pair: Pair) -> None:
    queue = browser.get("/operator/matches")
    assert page_of(pair) in queue.text
    assert "出生日期相同" in queue.text
    page = browser.get(page_of(pair))
    for shown in ("钱*乙", "护照", "居民身份证", "建议保留", "是同一人，合并", "不是同一人"):
        assert shown in page.text
    for hidden in (pair.one.name, pair.one.phone, pair.one.certificate_number, pair.other.certificate_number):
        assert hidden not in page.text
    assert page.headers["Cache-Control"] == "no-store"


def test_merged_and_undone_from_the_page(browser: Browser, pair: Pair) -> None:
    browser.get(page_of(pair))
    assert browser.post(f"{page_of(pair)}/merge", WHY).status_code == 303
    assert pair.is_one_person()
    page = browser.get(page_of(pair)).text
    assert "两份记录目前属于同一个人" in page
    undo = re.search(r'action="(/operator/merges/[0-9a-f-]+/undo)"', page)
    assert undo is not None
    assert browser.post(undo.group(1), WHY).status_code == 303
    assert not pair.is_one_person()
    assert "已撤销：核对过证件" in browser.get("/operator/merges").text
    again = browser.post(undo.group(1), WHY)
    assert (again.status_code, "这次合并已经撤销" in again.text) == (409, True)


def test_refused_put_off_and_compared_again_from_the_page(browser: Browser, pair: Pair) -> None:
    browser.get(page_of(pair))
    assert browser.post(f"{page_of(pair)}/postpone", WHY).status_code == 303
    assert browser.post(f"{page_of(pair)}/refuse", WHY).status_code == 303
    assert page_of(pair) in browser.get("/operator/matches?state=refused").text
    late = browser.post(f"{page_of(pair)}/merge", WHY)
    assert (late.status_code, "这一对记录已经处理过" in late.text) == (409, True)
    assert browser.post(f"{page_of(pair)}/reopen", {}).status_code == 303
    assert page_of(pair) in browser.get("/operator/matches").text
    assert browser.post(f"{page_of(pair)}/reopen", {}).status_code == 409


def test_contradicting_facts_are_said_and_need_a_choice(browser: Browser, city: City) -> None:
    phone = "19912345678"
    one, other = (register(city, name="钱重名", phone=phone, number=resident_id(sex="male")) for _ in range(2))
    pair = Pair(city, one, other)
    pair.look()
    assert "两人持有不同的有效居民身份证号码" in browser.get(page_of(pair)).text
    refused = browser.post(f"{page_of(pair)}/merge", WHY | {"override": "false"})
    assert (refused.status_code, 'id="refusal"' in refused.text) == (409, True)
    assert WHY["reason"] in refused.text
    assert browser.post(f"{page_of(pair)}/merge", WHY | {"override": "true"}).status_code == 303
    assert pair.is_one_person()


def test_without_a_reason_nothing_is_decided(browser: Browser, pair: Pair) -> None:
    browser.get(page_of(pair))
    for decision in ("merge", "refuse", "postpone"):
        assert browser.post(f"{page_of(pair)}/{decision}", {"reason": " "}).status_code == 422
    found = pair.found()
    assert found is not None
    assert (found.state, found.decided_at) == ("open", None)


def test_what_is_not_there_is_said_so(browser: Browser) -> None:
    assert browser.get(f"/operator/matches/{new_id()}").status_code == 404
    assert "还没有" in browser.get("/operator/matches?state=merged&before=" + str(new_id())).text


def test_the_pages_are_the_operators(city: City, pair: Pair) -> None:
    browser = Browser(city.app)
    assert browser.get("/operator/matches").status_code == 303
    browser.sign_in(city.staff(city.hospital(), Role.DOCTOR))
    for path in ("/operator/matches", page_of(pair), "/operator/merges"):
        assert browser.get(path).status_code == 403
