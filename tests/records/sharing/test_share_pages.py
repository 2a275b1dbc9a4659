"""What the holder of a share link sees, and what he does not."""

import re

import pytest
from flask.testing import FlaskClient

from consent import service as consent
from core import db
from tests.conftest import SteppingClock
from tests.support.charts import send_image, send_report
from tests.support.city import City, Hospital, Patient, bearer
from tests.support.links import PASSCODE, Link, call, make


@pytest.fixture(scope="module")
def hospital(module_city: City) -> Hospital:
    return module_city.hospital("市第一测试医院")


@pytest.fixture(scope="module")
def owner(module_city: City) -> Patient:
    return module_city.patient("张分享")


@pytest.fixture(scope="module")
def report_id(module_city: City, owner: Patient, hospital: Hospital) -> str:
    return str(send_report(module_city, hospital, owner))


@pytest.fixture(scope="module")
def study_id(module_city: City, owner: Patient, hospital: Hospital) -> str:
    return str(send_image(module_city, hospital, owner))


def enter(city: City, link: Link) -> FlaskClient:
    """A browser in which the link was opened."""
    browser = city.app.test_client()
    sent = {"secret": link.secret, "passcode": PASSCODE, "viewer": "李医生"}
    opened = browser.post("/share/openings", json=sent)
    assert (opened.status_code, opened.json["address"]) == (201, "/share/records"), opened.text
    cookie = opened.headers["Set-Cookie"]
    assert re.search(r"HttpOnly.*Path=/share/.*SameSite=Strict", cookie), cookie
    assert browser.get("/share/records").status_code == 200
    return browser


def test_the_door_says_nothing_and_needs_its_script(city: City) -> None:
    door = city.client.get("/share")
    assert door.status_code == 200
    assert "<noscript>" in door.text
    assert "share.js" in door.text
    assert "unsafe" not in door.headers["Content-Security-Policy"]
    # Without the cookie of an opening nobody is led to where staff sign in.
    turned_away = city.client.get("/share/records")
    assert turned_away.status_code == 401
    assert "consent.share_opening_ended" in turned_away.text
    assert "工作人员登录" not in turned_away.text


def test_a_link_shows_what_its_scope_names_and_nothing_else(
    city: City, owner: Patient, report_id: str, study_id: str
) -> None:
    whole = enter(city, make(city, owner)).get("/share/records").text
    assert ("张分享" in whole, report_id in whole, study_id in whole) == (True, True, True)
    assert owner.certificate_number not in whole
    assert owner.phone not in whole
    browser = enter(city, make(city, owner, scope={"kinds": ["laboratory"]}))
    listed = browser.get("/share/records").text
    assert (report_id in listed, study_id in listed) == (True, False)
    assert "偏低" in browser.get(f"/share/records?open={report_id}").text
    assert browser.get(f"/share/records?open={study_id}").status_code == 404
    assert browser.get(f"/share/studies/{study_id}").status_code == 404
    nothing = enter(city, make(city, owner, scope={"until_on": "1990-01-01"})).get("/share/records").text
    assert "分享的范围内目前没有记录" in nothing


def test_sensitive_items_are_shown_only_when_their_kind_was_ticked_and_held_ones_never(
    city: City, owner: Patient, hospital: Hospital
) -> None:
    secret_id, held_id = (send_report(city, hospital, owner) for _ in range(2))
    for report_id, sensitivity in ((secret_id, consent.Sensitivity.GENETIC), (held_id, None)):
        with db.transaction() as session:
            consent.restrict_item(
                session,
                person_id=owner.person_id,
                hospital_id=hospital.id,
                of=("report", report_id),
                sensitivity=sensitivity,
                is_held=sensitivity is None,
            )
    scopes: dict[str, dict[str, list[str]]] = {
        "nothing": {},
        "another": {"sensitivities": ["hiv"]},
        "named": {"item_ids": [str(secret_id)]},
        "it": {"sensitivities": ["genetic"]},
    }
    shown = {
        ticked: enter(city, make(city, owner, scope=scope)).get("/share/records").text
        for ticked, scope in scopes.items()
    }
    assert {ticked: str(secret_id) in text for ticked, text in shown.items()} == {
        "nothing": False,
        "another": False,
        "named": False,
        "it": True,
    }
    assert [ticked for ticked, text in shown.items() if str(held_id) in text] == []


def test_a_trend_and_images_are_shown_under_the_recipients_name(
    city: City, owner: Patient, report_id: str, study_id: str
) -> None:
    browser = enter(city, make(city, owner))
    report = browser.get(f"/share/records?open={report_id}").text
    items = {name: item for item, name in re.findall(r"trend=([^\"#]+)#opened\"[^>]*>([^<]+)<", report)}
    trend = browser.get(f"/share/records?trend={items['钾']}")
    assert trend.status_code == 200
    assert "3.1" in trend.text
    assert browser.get(f"/share/records?trend={items['钾']}&trend_before=nonsense").status_code == 422
    card = browser.get(f"/share/records?open={study_id}").text
    assert "打开影像" in card
    viewer = browser.get(f"/share/studies/{study_id}")
    assert viewer.status_code == 200
    assert "仅供 省立医院 李医生 查看" in viewer.text
    (address,) = set(re.findall(r'src="(/share/studies/[^"]+/rendered[^"]*)"', viewer.text))
    picture = browser.get(address)
    assert (picture.status_code, picture.mimetype) == (200, "image/jpeg")
    assert browser.get(f"/share/studies/{study_id}/standing").status_code == 204


def test_view_only_gives_nothing_to_take_away(city: City, owner: Patient, report_id: str, study_id: str) -> None:
    link = make(city, owner)
    assert link.health_link is None
    browser = enter(city, link)
    shown = browser.get(f"/share/records?open={report_id}").text
    assert "report.pdf" not in shown
    assert ".zip" not in browser.get(f"/share/records?open={study_id}").text
    for path in copies_of(report_id, study_id):
        refused = browser.get(path)
        assert (refused.status_code, refused.json["code"]) == (403, "core.permission_missing"), path
    manifest = city.client.post(f"/shl/{link.secret}", json={"recipient": "李医生", "passcode": PASSCODE})
    assert (manifest.status_code, manifest.json["code"]) == (404, "consent.share_link_closed")


def test_with_download_copies_are_marked_and_recorded(
    city: City, owner: Patient, report_id: str, study_id: str
) -> None:
    link = make(city, owner, may_download=True)
    browser = enter(city, link)
    assert f"/share/reports/{report_id}/report.pdf" in browser.get(f"/share/records?open={report_id}").text
    kinds = []
    for path in copies_of(report_id, study_id):
        copy = browser.get(path)
        assert copy.status_code == 200, path
        kinds.append(copy.data[:2])
    assert kinds == [b"%P", b"PK", b"PK"]
    looks = call(city, owner.token, "GET", f"/{link.id}/viewers").json["looks"]
    done = [look["action"] for look in looks]
    assert (done.count("records.study.copied"), done.count("records.report.printed")) == (2, 1)


def copies_of(report_id: str, study_id: str) -> list[str]:
    return [
        f"/share/reports/{report_id}/report.pdf",
        f"/share/studies/{study_id}/jpeg.zip",
        f"/share/studies/{study_id}/dicom.zip",
    ]


def test_an_opened_link_opens_nothing_else(city: City, owner: Patient, report_id: str, study_id: str) -> None:
    browser = enter(city, make(city, owner, may_download=True))
    cookie = browser.get_cookie("yimatong_share", path="/share/")
    assert cookie is not None
    elsewhere = [
        f"/api/v1/reports/{report_id}",
        "/api/v1/timeline",
        "/api/v1/access-log",
        "/fhir/Patient",
        "/dicomweb/studies",
        f"/view/{study_id}/standing",
        "/api/v1/exports",
    ]
    # A client that sends the cookie wherever it is told to, as no browser does.
    careless = city.app.test_client(use_cookies=False)
    sent = {"Cookie": f"yimatong_share={cookie.value}"}
    assert careless.get("/share/records", headers=sent).status_code == 200
    for path in elsewhere:
        reply = careless.get(path, headers=sent)
        assert reply.status_code in {401, 404, 405}, path
        with_token = careless.get(path, headers=bearer(cookie.value))
        assert with_token.status_code in {401, 404, 405}, path


def test_a_revoke_holds_at_the_next_request(city: City, owner: Patient, report_id: str) -> None:
    link = make(city, owner)
    browser = enter(city, link)
    assert browser.get(f"/share/records?open={report_id}").status_code == 200
    assert call(city, owner.token, "POST", f"/{link.id}/revoke").status_code == 200
    ended = browser.get(f"/share/records?open={report_id}")
    assert (ended.status_code, "consent.share_opening_ended" in ended.text) == (401, True)


def test_an_opening_ends_after_a_quarter_of_an_hour(city: City, owner: Patient, stepping_clock: SteppingClock) -> None:
    browser = enter(city, make(city, owner))
    stepping_clock.forward(minutes=14)
    assert browser.get("/share/records").status_code == 200
    stepping_clock.forward(minutes=1)
    assert browser.get("/share/records").status_code == 401
