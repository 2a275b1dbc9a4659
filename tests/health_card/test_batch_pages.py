"""The operator's pages of batches, as a browser without scripts sees them."""

import re
from typing import Any
from uuid import UUID

import pytest
from urllib3 import encode_multipart_formdata
from werkzeug import formparser
from werkzeug.test import TestResponse

from accounts.models import Role
from health_card.batches import service
from health_card.printing import jobs as printing_jobs
from tests.support.browsing import Browser
from tests.support.city import City
from tests.support.lists import open_batch, person, work, write_list


@pytest.fixture
def operator_browser(city: City) -> Browser:
    browser = Browser(city.app)
    browser.sign_in(city.staff(None, Role.OPERATOR))
    browser.get("/operator/batches")
    return browser


def send(browser: Browser, document: bytes | None, name: str = "测试名单", key: str | None = None) -> TestResponse:
    """The form, in one piece: the test client would put a long one into a file of its own."""
    found = re.search(r'name="key" value="([^"]+)"', browser.get("/operator/batches").text)
    assert found is not None
    fields: dict[str, Any] = {"csrf_token": browser.csrf_token, "name": name, "key": key or found.group(1)}
    if document is not None:
        fields["list"] = ("list.csv", document, "text/csv")
    body, content_type = encode_multipart_formdata(fields)
    return browser.client.post("/operator/batches", data=body, content_type=content_type)


def test_an_operator_sends_a_list_and_sees_what_became_of_it(operator_browser: Browser) -> None:
    browser = operator_browser
    reply = send(browser, write_list([person(), person("123456")]) + (b" " * 999 + b"\n") * (5 * 1024))
    assert reply.status_code == 303
    running = browser.get(reply.location).text
    assert "正在发卡" in running
    assert 'http-equiv="refresh"' in running
    work(UUID(reply.location.rsplit("/", 1)[1]))
    done = browser.get(reply.location).text
    assert "已完成" in done
    assert "证件号码不正确" in done
    assert 'http-equiv="refresh"' not in done
    assert "测试名单" in browser.get("/operator/batches").text
    link = re.search(r'href="([^"]+result\.csv)"', done)
    assert link is not None
    assert browser.get(link.group(1)).status_code == 200


def test_what_is_sent_never_lies_on_a_disk_in_clear(operator_browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Werkzeug would put a long file of a form into the folder for temporary files."""
    monkeypatch.setattr(formparser, "SpooledTemporaryFile", None)
    monkeypatch.setattr(formparser, "TemporaryFile", None, raising=False)
    document = write_list([person()]) + (b" " * 999 + b"\n") * 1024
    assert send(operator_browser, document).status_code == 303


def test_a_form_sent_twice_is_one_batch(operator_browser: Browser) -> None:
    document = write_list([person()])
    places = {send(operator_browser, document, key="the-key-of-this-form").location for _ in range(2)}
    assert len(places) == 1


def test_a_refused_list_says_what_is_wrong_with_it(operator_browser: Browser) -> None:
    reply = send(operator_browser, write_list([person()], header=["证件类型", "证件号码", "姓名", "电话号"]))
    assert reply.status_code == 422
    assert "缺少的列：手机号" in reply.text
    assert "第 4 列" in reply.text
    assert send(operator_browser, None).status_code == 422
    assert "请填写批次名称" in send(operator_browser, write_list([person()]), name=" ").text


def test_the_buttons_pause_resume_cancel_and_print(city: City, operator_browser: Browser) -> None:
    operator = city.staff(None, Role.OPERATOR)
    batch_id = open_batch(city, operator, [person()])
    path = f"/operator/batches/{batch_id}"
    for act, word in (("pause", "已暂停"), ("resume", "正在发卡")):
        assert operator_browser.post(f"{path}/{act}", {}).status_code == 303
        assert word in operator_browser.get(path).text
    work(batch_id)
    assert operator_browser.post(f"{path}/sheets", {}).status_code == 303
    waiting = operator_browser.get(path).text
    assert "正在生成" in waiting
    assert operator_browser.post(f"{path}/cancel", {}).status_code == 409
    assert operator_browser.post(f"{path}/surprise", {}).status_code == 404
    assert operator_browser.post(f"{path}/pause", {"csrf_token": "0" * 64}).status_code == 403
    headers = {"Authorization": f"Bearer {operator.token}"}
    (sheet,) = city.client.get(f"/api/v1{path}/sheets", headers=headers).json["sheets"]
    printing_jobs.make_sheet({"sheet_id": sheet["sheet_id"]})
    assert "第 1 份 PDF" in operator_browser.get(path).text


def test_refused_lines_can_be_paged_through(
    city: City, operator_browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE", 2)
    batch_id = open_batch(city, city.staff(None, Role.OPERATOR), [person("123456") for _ in range(3)])
    work(batch_id)
    first = operator_browser.get(f"/operator/batches/{batch_id}").text
    following = re.search(r'href="([^"]+\?after=\d+)"', first)
    assert following is not None
    assert '<td class="figure">4</td>' in operator_browser.get(following.group(1)).text
    assert operator_browser.get(f"/operator/batches/{batch_id}?after={10**20}").status_code == 200
