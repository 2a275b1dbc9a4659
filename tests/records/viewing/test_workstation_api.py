"""OHIF for doctors: opened for studies that they may see, and only for one person at a time."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.config import Config
from tests.support.charts import Case, open_case, send_image
from tests.support.city import City, bearer


@pytest.fixture(scope="module")
def case(module_city: City) -> Case:
    return open_case(module_city)


@pytest.fixture
def installed(city: City, config: Config, tmp_path: Path) -> Iterator[None]:
    """A folder as `make ohif` leaves it, with next to nothing in it."""
    (tmp_path / "index.html").write_text("<!doctype html><title>OHIF</title>")
    (tmp_path / "app.js").write_text("1")
    city.app.extensions["yimatong.config"] = replace(config, ohif_dir=tmp_path)
    yield
    city.app.extensions["yimatong.config"] = config


def test_it_opens_two_studies_of_one_person(city: City, case: Case, installed: None) -> None:
    second, doctor = send_image(city, case.home, case.patient), bearer(case.doctor.token)
    reply = city.client.get(f"/ohif/studies/{case.study_id}?beside={second}", headers=doctor)
    assert reply.status_code == 303
    assert reply.location.startswith("/ohif/viewer?StudyInstanceUIDs=")
    assert reply.location.count(",") == 1
    page = city.client.get(reply.location, headers=doctor)
    assert (page.status_code, page.text) == (200, "<!doctype html><title>OHIF</title>")
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    page.close()
    settings = city.client.get("/ohif/app-config.js")
    assert (settings.status_code, settings.mimetype) == (200, "text/javascript")
    assert "/dicomweb" in settings.text
    chart = city.client.get(f"{case.chart}?open={case.study_id}", headers=doctor).text
    assert "并排打开" in chart
    assert f'<option value="{second}">' in chart


def test_never_two_persons_beside_each_other(city: City, case: Case, installed: None) -> None:
    other = city.patient("李测试")
    theirs = send_image(city, case.home, other)
    city.visit(case.doctor, other, case.treating)
    doctor = bearer(case.doctor.token)
    assert city.client.get(f"/ohif/studies/{theirs}", headers=doctor).status_code == 303, "each alone may be seen"
    assert city.client.get(f"/ohif/studies/{case.study_id}?beside={theirs}", headers=doctor).status_code == 404


def test_where_it_is_missing_our_own_page_does(city: City, case: Case) -> None:
    doctor = bearer(case.doctor.token)
    reply = city.client.get(f"/ohif/studies/{case.study_id}", headers=doctor)
    assert (reply.status_code, reply.location) == (303, f"/view/{case.study_id}")
    missing = city.client.get("/ohif/app.js")
    assert missing.status_code == 404
    assert "records.workstation_missing" in missing.text
    assert "专业阅片" not in city.client.get(f"{case.chart}?open={case.study_id}", headers=doctor).text


@pytest.mark.parametrize("name", ["../app.py", "%2e%2e/%2e%2e/etc/passwd", "nothing.js"])
def test_nothing_outside_its_folder_is_served(city: City, installed: None, name: str) -> None:
    assert city.client.get(f"/ohif/{name}").status_code in {404, 400}
