"""A study on a phone: a ticket, a cookie for one study, and every picture decided anew."""

import re
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.conftest import SteppingClock
from tests.support.charts import Case, open_case
from tests.support.city import City, bearer


@dataclass(frozen=True)
class Scene:
    city: City
    case: Case

    @property
    def page(self) -> str:
        return f"/view/{self.case.study_id}"

    def ask(self, token: str | None = None) -> Any:
        path = f"/api/v1/studies/{self.case.study_id}/views"
        return self.city.client.post(path, headers=bearer(token or self.case.patient.token))

    def enter(self) -> FlaskClient:
        """A browser that came in with a ticket."""
        browser = self.city.app.test_client()
        reply = browser.get(self.ask().json["address"])
        assert (reply.status_code, reply.location) == (303, self.page), reply.text
        return browser

    def picture(self, browser: FlaskClient) -> str:
        """The address of the first picture, as the page says it."""
        found = re.search(r'id="picture" src="([^"]+)"', browser.get(self.page).text)
        assert found is not None
        return found[1]


@pytest.fixture(scope="module")
def module_case(module_city: City) -> Case:
    return open_case(module_city)


@pytest.fixture
def scene(module_case: Case, city: City) -> Scene:
    return Scene(city, module_case)


def test_a_ticket_opens_one_study_in_a_browser(scene: Scene) -> None:
    asked = scene.ask()
    assert asked.status_code == 201
    assert asked.json["address"].startswith(f"{scene.page}/enter?ticket=")
    browser = scene.city.app.test_client()
    entered = browser.get(asked.json["address"])
    cookie = entered.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", f"Path={scene.page}", "Max-Age=900"} <= set(cookie.split("; "))
    page = browser.get(scene.page)
    assert page.status_code == 200
    for said in ("胸部CT平扫", "市第一测试医院", "张测试", "不能用于诊断", "-600,1500,linear"):
        assert said in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    picture = browser.get(scene.picture(browser))
    assert (picture.status_code, picture.mimetype) == (200, "image/jpeg")
    assert browser.get(f"{scene.page}/standing").status_code == 204


def test_the_cookie_is_worth_nothing_elsewhere(scene: Scene) -> None:
    browser = scene.enter()
    cookie = browser.get_cookie("yimatong_view", path=scene.page)
    assert cookie is not None
    elsewhere = scene.city.app.test_client()
    elsewhere.set_cookie("yimatong_view", cookie.value, path="/")
    for path in ("/api/v1/timeline", f"/api/v1/studies/{scene.case.study_id}", "/dicomweb/studies"):
        assert elsewhere.get(path).status_code == 401, path
    other = elsewhere.get(f"/view/{scene.case.report_id}/standing")
    assert (other.status_code, other.json["code"]) == (401, "records.view_ended")


def test_a_ticket_works_once_and_coming_twice_ends_what_it_opened(scene: Scene) -> None:
    address = scene.ask().json["address"]
    browser = scene.city.app.test_client()
    browser.get(address)
    assert browser.get(f"{scene.page}/standing").status_code == 204
    again = scene.city.client.get(address)
    assert again.status_code == 404
    assert "records.view_ticket_invalid" in again.text
    ended = browser.get(f"{scene.page}/standing")
    assert (ended.status_code, ended.json["code"]) == (401, "records.view_ended")
    assert "回到小程序重新打开" in browser.get(scene.page).text


def test_a_ticket_and_a_view_run_out(scene: Scene, stepping_clock: SteppingClock) -> None:
    late, browser = scene.ask().json["address"], scene.enter()
    stepping_clock.forward(seconds=61)
    assert scene.city.client.get(late).status_code == 404
    assert browser.get(f"{scene.page}/standing").status_code == 204
    stepping_clock.forward(minutes=14)
    assert browser.get(f"{scene.page}/standing").status_code == 401


@pytest.mark.parametrize("ticket", ["", "x", "x" * 200])
def test_no_ticket_no_view(scene: Scene, ticket: str) -> None:
    assert scene.city.client.get(f"{scene.page}/enter", query_string={"ticket": ticket}).status_code in {404, 422}


def test_signing_out_closes_the_page(scene: Scene) -> None:
    browser = scene.enter()
    picture = scene.picture(browser)
    assert (
        scene.city.client.delete("/api/v1/sessions/current", headers=bearer(scene.case.patient.token)).status_code
        == 204
    )
    stopped = browser.get(picture)
    assert (stopped.status_code, stopped.json["code"]) == (401, "records.view_ended")


def test_nobody_gets_a_ticket_for_somebody_else_s_study(scene: Scene) -> None:
    stranger = scene.city.patient("李测试")
    refused = scene.ask(stranger.token)
    assert (refused.status_code, refused.json["code"]) == (404, "records.image_not_found")
    assert scene.ask(scene.case.doctor.token).status_code == 403, "a doctor has a page session already"


def test_a_doctor_looks_under_the_grant_until_it_is_revoked(scene: Scene) -> None:
    doctor = bearer(scene.case.doctor.token)
    assert scene.city.client.get(scene.page, headers=doctor).status_code == 200
    patient = bearer(scene.case.patient.token)
    for grant in scene.city.client.get("/api/v1/grants", headers=patient).json["grants"]:
        scene.city.client.post(f"/api/v1/grants/{grant['id']}/revoke", headers=patient)
    for path in (scene.page, f"{scene.page}/standing"):
        assert scene.city.client.get(path, headers=doctor).status_code == 404, path


def test_asking_for_a_view_is_an_act_that_the_patient_reads(scene: Scene) -> None:
    scene.ask()
    rows = scene.city.client.get("/api/v1/access-log", headers=bearer(scene.case.patient.token)).json["rows"]
    assert "records.study_view.asked" in {row["action"] for row in rows}
