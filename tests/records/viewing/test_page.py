"""The page of images: what it costs until the first picture stands there, and what stands over pictures of others."""

import re
from uuid import UUID

import pytest

from core import db
from records.news import service as news
from tests.support import studies
from tests.support.browsing import Browser
from tests.support.city import City, bearer
from tests.support.studies import Seen

# 4G as it often is: 4 Mbit/s and 80 ms there and back. In a second there is time for four round trips one after the
# other (the ticket, the page, what it needs, one to spare) and for 340 KB.
MOST_REQUESTS, MOST_BYTES = 4, 96 * 1024
OF_SCRIPTS = re.compile(r'<script type="module" src="([^"]+)"')
OF_STYLES = re.compile(r'<link rel="stylesheet" href="([^"]+)"')
OF_FIRST = re.compile(r'<link rel="preload" as="image" href="([^"]+)" fetchpriority="high"')


@pytest.fixture(scope="module")
def scene(module_city: City) -> Seen:
    return studies.open_scene(module_city)


@pytest.fixture(scope="module")
def study_id(scene: Seen) -> UUID:
    return scene.send("头部CT平扫", *studies.stack("693_UNCR.dcm", 9, SeriesDescription="轴位"))


def test_the_first_image_takes_four_requests_and_less_than_100_kilobytes(
    city: City, scene: Seen, study_id: UUID
) -> None:
    phone = city.app.test_client()
    entered = phone.get(scene.address(study_id))
    page = phone.get(entered.location)
    (first,), (style,) = OF_FIRST.findall(page.text), OF_STYLES.findall(page.text)
    assert page.text.index(first) < page.text.index(style), "asked for before all else that the page needs"
    needed = [entered, page, phone.get(style), phone.get(first)]
    assert [reply.status_code for reply in needed] == [303, 200, 200, 200]
    assert needed[-1].mimetype == "image/jpeg"
    assert len(needed) == MOST_REQUESTS
    assert sum(len(reply.data) for reply in needed) <= MOST_BYTES
    assert 'id="picture" src="' + first in page.text, "no script is needed for it"
    assert page.text.count("<script") == 2, "the page's own, which waits, and what it shows"
    assert len(OF_SCRIPTS.findall(page.text)) == 1
    for reply in needed:
        reply.close()


def test_who_looks_stands_over_pictures_that_are_not_his_own(city: City, scene: Seen, study_id: UUID) -> None:
    desk = Browser(city.app)
    desk.sign_in(scene.doctor)
    page = desk.get(f"/view/{study_id}").text
    (name,) = re.findall(r'<p class="reader">(.+)</p>', page)
    assert re.fullmatch(r"王测试 市第二测试医院 \d{4}-\d\d-\d\d \d\d:\d\d", name)
    assert page.count(f"<span>{name}</span>") > 10
    said = desk.get("/ohif/reader")
    assert (said.status_code, said.mimetype) == (200, "text/plain")
    assert said.text.startswith("王测试 市第二测试医院 ")
    assert "/ohif/reader" in city.client.get("/ohif/app-config.js").text
    assert city.client.get("/ohif/reader").status_code == 303, "to the sign-in"
    own = city.client.get(f"/view/{study_id}", headers=bearer(scene.patient.token)).text
    assert 'class="reader"' not in own


def test_who_reads_a_corrected_report_beside_its_images_has_seen_the_correction(
    city: City, scene: Seen, study_id: UUID
) -> None:
    said = {"identifier": [{"system": "urn:example:ris", "value": "R1"}]}
    report_id = scene.report("未见明显异常", **said)
    desk = Browser(city.app)
    desk.sign_in(scene.doctor)
    assert "未见明显异常" in desk.get(f"/view/{study_id}").text
    assert scene.report("左侧额叶低密度灶", status="corrected", **said) == report_id
    with db.transaction() as session:
        news.tell_of_version(session, report_id=report_id, version=2)
    unseen = "/api/v1/corrections?is_seen=false"
    told = city.client.get(unseen, headers=bearer(scene.doctor.token)).json["corrections"]
    assert [one["report_id"] for one in told] == [str(report_id)]
    own = city.client.get(f"/view/{study_id}", headers=bearer(scene.patient.token))
    assert "左侧额叶低密度灶" in own.text
    assert len(city.client.get(unseen, headers=bearer(scene.doctor.token)).json["corrections"]) == 1
    assert "左侧额叶低密度灶" in desk.get(f"/view/{study_id}").text
    assert city.client.get(unseen, headers=bearer(scene.doctor.token)).json["corrections"] == []
