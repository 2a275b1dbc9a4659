"""Quality control of imaging: findings, marks, samples by lot, scores, and whether a house passed."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid
from sqlalchemy import select

from accounts.models import Role
from core import clock, db
from core.outbox import OutboxMessage
from records.images.models import Study
from records.quality import jobs, service
from tests.conftest import SteppingClock
from tests.support import dicom
from tests.support.browsing import Browser
from tests.support.city import City, Machine, Staff, bearer

WHOLE: dict[str, Any] = {
    "PatientID": "P1",
    "PatientName": "ZHANG^CESHI",
    "Modality": "DX",
    "StudyDate": "20260301",
    "InstanceNumber": 1,
    "BodyPartExamined": "CHEST",
    "StationName": "DR-01",
    "InstitutionalDepartmentName": "放射科",
    "Manufacturer": "TEST",
    "SpecificCharacterSet": "ISO_IR 192",
}


class Scene:
    """A hospital that sends images, an operator and an expert."""

    def __init__(self, city: City) -> None:
        self.city, self.hospital = city, city.hospital("市第一测试医院")
        self.pacs: Machine = city.machine(self.hospital, scopes=["dicomweb.write"])
        city.bind_number(self.hospital, city.patient("张测试"), "P1")
        self.operator: Staff = city.staff(None, Role.OPERATOR)
        self.officer: Staff = city.staff(None, Role.QUALITY_OFFICER, "测试专家")

    def send(self, *images: Dataset) -> None:
        """File them and do what the worker does then."""
        assert self.city.store(self.pacs, *images).status_code == 200
        with db.transaction() as session:
            uids = {str(image.StudyInstanceUID) for image in images}
            studies = session.scalars(select(Study.id).where(Study.study_instance_uid.in_(uids))).all()
            topic = select(OutboxMessage.payload).where(OutboxMessage.topic == "records.study_grown")
            announced = {payload["study_id"] for payload in session.scalars(topic)}
        assert {str(study) for study in studies} <= announced
        for study in studies:
            jobs.check_study({"study_id": str(study)})

    def look(self, path: str, **query: str) -> Any:
        headers, address = bearer(self.operator.token), f"/api/v1/imaging-quality{path}"
        return self.city.client.get(address, headers=headers, query_string=query).json

    def order(self, path: str, by: Staff, **body: Any) -> Any:
        return self.city.client.post(f"/api/v1/imaging-quality{path}", headers=bearer(by.token), json=body)

    def found(self, image: Dataset) -> list[tuple[str, str, dict[str, Any]]]:
        found = self.look("/findings", study_instance_uid=str(image.StudyInstanceUID))["findings"]
        return [(each["level"], each["code"], each["facts"]) for each in found]

    def passed(self, day: str = "2026-03-30") -> dict[str, Any]:
        return dict(self.look("/passed", hospital_id=str(self.hospital.id), modality="DX", day=day))

    def draw(self, **changes: Any) -> Any:
        order = {"hospital_id": str(self.hospital.id), "modality": "DX", "month": "2026-03-01", "size": 2}
        return self.order("/samples", self.operator, **order | changes)


@pytest.fixture
def scene(city: City) -> Scene:
    return Scene(city)


def image(**changes: Any) -> Dataset:
    return dicom.make_image(**(WHOLE | changes))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"InstanceNumber": None}, [("instance", "attribute_missing", {"missing": ["InstanceNumber"]})]),
        ({"PixelSpacing": None}, [("instance", "spacing_missing", {})]),
        ({"PixelSpacing": None, "Modality": "US"}, []),
        ({"BodyPartExamined": "KNEE"}, [("series", "laterality_missing", {})]),
        ({"BodyPartExamined": "KNEE", "ImageLaterality": "L"}, []),
        ({"PatientName": None}, [("study", "patient_unverified", {})]),
        ({"NumberOfStudyRelatedInstances": 3}, [("study", "study_cut", {"told": 3})]),
        ({"NumberOfSeriesRelatedInstances": 2}, [("series", "series_cut", {"told": 2, "have": 1})]),
    ],
)
def test_what_a_header_shows_is_found(
    scene: Scene, changes: dict[str, Any], expected: list[tuple[str, str, dict[str, Any]]]
) -> None:
    sent = image(**changes)
    scene.send(sent)
    assert scene.found(sent) == expected


def test_a_gap_and_a_cut_close_when_the_rest_arrives(scene: Scene) -> None:
    same = {
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "NumberOfSeriesRelatedInstances": 4,
    }
    first, third, fourth, second = (image(**same, InstanceNumber=number) for number in (1, 3, 4, 2))
    scene.send(first, third, fourth)
    cut = ("series", "series_cut", {"told": 4, "have": 3})
    assert sorted(scene.found(first)) == [cut, ("series", "series_gap", {"missing": 1})]
    scene.send(second)
    assert scene.found(first) == []


def test_what_came_before_is_not_forgotten_when_more_arrives(scene: Scene) -> None:
    same = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid(), "BodyPartExamined": "KNEE"}
    scene.send(image(**same))
    scene.send(image(**same, InstanceNumber=2, ImageLaterality="L", PatientName=None))
    assert scene.found(image(**same)) == [("series", "laterality_missing", {})]
    scene.send(image(**same, InstanceNumber=3, ImageLaterality="L", Rows=None))
    assert ("series", "no_picture", {}) not in scene.found(image(**same))


def test_a_name_that_comes_later_verifies_the_study(scene: Scene) -> None:
    uid = generate_uid()
    scene.send(image(StudyInstanceUID=uid, PatientName=None))
    nameless, named = (image(StudyInstanceUID=uid, PatientName=name) for name in (None, "ZHANG^CESHI"))
    scene.send(nameless)
    assert scene.found(nameless) == [("study", "patient_unverified", {})]
    scene.send(named)
    assert scene.found(nameless) == []


def test_marks_count_the_series_of_each_device_and_day(scene: Scene) -> None:
    scene.send(image(), image(PixelSpacing=None), image(StationName="DR-02", StudyDate="20260302"))
    asked = {"since": "2026-03-01", "until": "2026-03-31", "hospital_id": str(scene.hospital.id)}
    marks = scene.look("/marks", **asked)["marks"]
    assert [(each["studied_on"], each["station"], each["series"], each["flagged"]) for each in marks] == [
        ("2026-03-02", "DR-02", 1, 0),
        ("2026-03-01", "DR-01", 2, 1),
    ]
    assert (marks[0]["department"], marks[0]["hospital_name"]) == ("放射科", "市第一测试医院")


def test_a_department_passes_by_clean_series_and_a_good_sample(stepping_clock: SteppingClock, scene: Scene) -> None:
    # A sample counts for a year: it is drawn of this month.
    today = clock.in_city(clock.now()).date()
    month = today.replace(day=1).isoformat()
    scene.send(*(image(StudyDate=f"{today:%Y%m%d}") for _ in range(3)))
    figures = {"has_passed": False, "series": 3, "flagged": 0, "sampled": 0, "good": 0}
    assert scene.passed(today.isoformat()) == figures
    drawn = [scene.draw(month=month) for _ in range(2)]
    assert (drawn[0].status_code, drawn[1].json["code"]) == (201, "records.sample_drawn")
    samples = scene.look("/samples", month=month)["samples"]
    assert len(samples) == 2
    assert not {"ZHANG^CESHI", "P1"} & {str(value) for each in samples for value in each.values()}
    for place, sample in enumerate(samples):
        # Not before all of it is scored.
        assert scene.passed(today.isoformat())["sampled"] == 0
        score = {"grade": "AB"[place], "fault": None if place == 0 else "position"}
        assert scene.order(f"/samples/{sample['id']}/score", scene.officer, **score).status_code == 204
    again = scene.order(f"/samples/{samples[0]['id']}/score", scene.officer, grade="D")
    assert (again.status_code, again.json["code"]) == (409, "records.sample_scored")
    with db.transaction() as session:
        on = partial(service.passed_on, session, hospital_id=scene.hospital.id, modality="DX")
        day, before = on(day=today), on(day=today - timedelta(days=1))
    # Scored today: until yesterday nobody had scored it.
    assert (day.sampled, day.good, before.sampled) == (2, 2, 0)


@pytest.mark.parametrize(
    ("figures", "has_passed"),
    [
        ((20, 1, 10, 9), True),
        ((20, 2, 10, 9), False),
        ((20, 1, 10, 8), False),
        ((20, 0, 0, 0), False),
        ((0, 0, 10, 10), False),
    ],
)
def test_the_shares_that_count_as_passed(figures: tuple[int, int, int, int], has_passed: bool) -> None:
    assert service.Passed(*figures).has_passed is has_passed


def test_what_cannot_be_drawn_or_scored_is_refused(scene: Scene) -> None:
    empty = scene.draw()
    assert (empty.status_code, empty.json["code"]) == (409, "records.sample_empty")
    assert scene.draw(month="2026-03-02").json["code"] == "core.malformed_request"
    nobody = scene.order(f"/samples/{scene.hospital.id}/score", scene.officer, grade="A")
    assert (nobody.status_code, nobody.json["code"]) == (404, "records.sample_not_found")
    # Who draws does not score, and the other way round.
    mine = scene.order(f"/samples/{scene.hospital.id}/score", scene.operator, grade="A")
    theirs = scene.order("/samples", scene.officer)
    assert [reply.json["code"] for reply in (mine, theirs)] == ["core.permission_missing"] * 2


def test_the_page_shows_marks_draws_and_scores(scene: Scene) -> None:
    today = clock.now().astimezone(clock.CITY_ZONE).date()
    scene.send(image(StudyDate=today.strftime("%Y%m%d"), PixelSpacing=None, AccessionNumber="ACC1"))
    operator, officer = Browser(scene.city.app), Browser(scene.city.app)
    operator.sign_in(scene.operator)
    officer.sign_in(scene.officer)
    page = operator.get("/operator/imaging-quality").text
    for word in ("放射科", "DR-01", "市第一测试医院", "本月还没有抽样"):
        assert word in page
    form = {"hospital_code": scene.hospital.code, "modality": "DX", "month": today.strftime("%Y-%m"), "size": "5"}
    assert operator.post("/operator/imaging-quality/samples", form).status_code == 303
    refused = operator.post("/operator/imaging-quality/samples", form)
    assert (refused.status_code, "已抽样" in refused.text) == (409, True)
    page = officer.get("/operator/imaging-quality").text
    for word in ("检查号 ACC1", "缺少像素间距", "评分</button>"):
        assert word in page
    sample = page.split("/operator/imaging-quality/samples/")[1].split("/")[0]
    scored = officer.post(f"/operator/imaging-quality/samples/{sample}/score", {"grade": "B", "fault": "position"})
    assert scored.status_code == 303
    assert "乙级（体位）" in officer.get("/operator/imaging-quality").text
