"""The page of hospitals' image archives."""

from accounts.models import Role
from tests.support.browsing import Browser
from tests.support.city import City


def test_the_page_registers_shows_and_closes(city: City) -> None:
    hospital, browser = city.hospital("市第三测试医院"), Browser(city.app)
    browser.sign_in(city.staff(None, Role.SECURITY_ADMINISTRATOR))
    assert "还没有登记医院影像系统" in browser.get("/operator/image-archives").text
    form = {
        "hospital_code": hospital.code,
        "base_url": "https://pacs.hospital.test/dicomweb",
        "username": "",
        "secret": "a-secret-of-tests",
        "first_day": "2026-01-01",
    }
    wrong = browser.post("/operator/image-archives", form | {"base_url": "http://pacs.hospital.test"})
    assert wrong.status_code == 422
    assert "影像系统地址不可用" in wrong.text
    assert 'value="http://pacs.hospital.test"' in wrong.text, "what was typed stands there still"
    assert "a-secret-of-tests" not in wrong.text
    assert browser.post("/operator/image-archives", form).status_code == 303
    page = browser.get("/operator/image-archives").text
    assert "市第三测试医院" in page
    assert "尚未连通" in page
    assert "a-secret-of-tests" not in page
    watcher = Browser(city.app)
    watcher.sign_in(city.staff(None, Role.OPERATOR))
    watched = watcher.get("/operator/image-archives").text
    assert "https://pacs.hospital.test/dicomweb" in watched
    assert 'name="secret"' not in watched
    assert watcher.post("/operator/image-archives", form).status_code == 403
    assert browser.post(f"/operator/image-archives/{hospital.code}/close", {}).status_code == 303
    assert "已停用" in browser.get("/operator/image-archives").text
    again = browser.post(f"/operator/image-archives/{hospital.code}/close", {})
    assert (again.status_code, "该机构未登记影像系统" in again.text) == (404, True)
