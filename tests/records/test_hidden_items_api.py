"""What a minor hides is to his guardian as if it were not there; to him and to who treats him it is as before."""

import pytest
from sqlalchemy import select, text

from consent.models import HiddenItem
from core import db
from core.ids import new_id
from tests.health_card.family.household import born_years_ago, refused
from tests.records.hidden import Scene, acts, agree, open_scene
from tests.support.city import City, Patient


@pytest.fixture(scope="module")
def scene_of_module(module_city: City) -> Scene:
    return open_scene(module_city)


@pytest.fixture
def scene(scene_of_module: Scene, city: City) -> Scene:
    return scene_of_module


@pytest.mark.parametrize(
    "name", ["report", "study", "series", "instances", "instance", "metadata", "rendered", "frame"]
)
def test_a_guardian_does_not_find_what_is_hidden(scene: Scene, name: str) -> None:
    path = scene.paths()[name]
    item, code = (
        (scene.report_id, "records.report_not_found")
        if name == "report"
        else (scene.study_id, "records.image_not_found")
    )
    assert scene.get(path, scene.mother).status_code == 200
    assert scene.hide(item).status_code == 200
    assert refused(scene.get(path, scene.mother)) == (404, code)
    assert scene.get(path, scene.minor).status_code == 200
    assert scene.show(item).status_code == 200
    assert scene.get(path, scene.mother).status_code == 200


@pytest.mark.parametrize("item", ["report", "study"])
def test_a_guardian_s_timeline_leaves_it_out_and_keeps_the_rest(scene: Scene, item: str) -> None:
    hidden, other = (scene.report_id, scene.study_id) if item == "report" else (scene.study_id, scene.report_id)
    shown = scene.hide(hidden).json
    assert (shown["object_id"], shown["object_kind"], shown["is_hidden"]) == (str(hidden), item, True)
    assert [line["object_id"] for line in scene.listed("/api/v1/timeline", scene.mother)] == [str(other)]
    own = {line["object_id"]: line["is_hidden"] for line in scene.listed("/api/v1/timeline", scene.minor)}
    assert own == {str(hidden): True, str(other): False}
    assert scene.show(hidden).json["is_hidden"] is False
    assert len(scene.listed("/api/v1/timeline", scene.mother)) == 2


def test_a_guardian_s_trend_leaves_it_out(scene: Scene) -> None:
    path = f"/api/v1/persons/{scene.minor.person_id}/trends/LAB-GLU"
    assert len(scene.get(path, scene.mother).json["points"]) == 1
    scene.hide(scene.report_id)
    assert scene.get(path, scene.mother).json["points"] == []
    assert len(scene.get(path, scene.minor).json["points"]) == 1


def test_a_guardian_s_search_for_images_leaves_it_out(scene: Scene) -> None:
    searches = ("/dicomweb/studies", scene.paths()["search"])
    assert [len(scene.listed(path, scene.mother)) for path in searches] == [1, 1]
    scene.hide(scene.study_id)
    assert [len(scene.listed(path, scene.mother)) for path in searches] == [0, 0]
    assert [len(scene.listed(path, scene.minor)) for path in searches] == [1, 1]


def test_a_guardian_s_access_log_says_nothing_of_it(scene: Scene) -> None:
    assert scene.get(scene.paths()["frame"], scene.minor).status_code == 200
    scene.get(f"/api/v1/reports/{scene.report_id}", scene.minor)

    def kinds(who: Patient) -> set[str]:
        rows = scene.get("/api/v1/access-log", who).json["rows"]
        of_minor = [row for row in rows if row["person_id"] == str(scene.minor.person_id)]
        return {row["object_kind"] for row in of_minor if "object_kind" in row}

    assert kinds(scene.mother) >= {"report", "study", "series"}
    scene.hide(scene.study_id)
    assert kinds(scene.mother) & {"report", "study", "series"} == {"report"}
    scene.hide(scene.report_id)
    assert kinds(scene.mother) & {"report", "study", "series"} == set()
    assert "card" in kinds(scene.mother)
    assert kinds(scene.minor) >= {"report", "study", "series"}


def test_who_treats_him_sees_it_and_is_not_told_that_it_is_hidden(scene: Scene) -> None:
    paths = scene.paths()
    for item in (scene.report_id, scene.study_id):
        scene.hide(item)
    treating = scene.city.hospital("市第二测试医院")
    doctor = scene.city.staff(treating)
    visit_id = scene.city.visit(doctor, scene.minor, treating)
    lines = scene.listed(f"/api/v1/visits/{visit_id}/timeline", doctor)
    assert [line["is_hidden"] for line in lines] == [False, False]
    for path in paths.values():
        assert scene.get(path, doctor).status_code == 200, path


def test_it_is_recorded_once_however_often_it_is_asked(scene: Scene) -> None:
    scene.show(scene.report_id)
    assert acts(scene, "consent.item.shown") == 0
    for _ in range(2):
        scene.hide(scene.report_id)
    assert acts(scene, "consent.item.hidden") == 1
    for _ in range(2):
        scene.show(scene.report_id)
    assert acts(scene, "consent.item.shown") == 1
    scene.hide(scene.report_id)
    assert acts(scene, "consent.item.hidden") == 2
    assert scene.get(f"/api/v1/reports/{scene.report_id}", scene.mother).status_code == 404


def test_only_the_person_himself_hides_and_shows(scene: Scene) -> None:
    stranger, doctor = scene.city.patient("陈测试"), scene.city.staff(scene.household.hospital)
    for verb in ("hide", "show"):
        assert refused(scene.hide(scene.report_id, scene.mother, verb)) == (403, "consent.hiding_not_allowed")
        assert refused(scene.hide(scene.report_id, stranger, verb)) == (404, "records.item_not_found")
        assert refused(scene.hide(new_id(), scene.minor, verb)) == (404, "records.item_not_found")
        assert scene.hide(scene.report_id, doctor, verb).status_code == 403
    with db.snapshot() as session:
        assert session.scalars(select(HiddenItem).filter_by(person_id=scene.minor.person_id)).all() == []
    assert acts(scene, "consent.item.hidden") == 0


def test_a_guardian_cannot_bring_back_what_is_hidden(scene: Scene) -> None:
    scene.hide(scene.report_id)
    assert refused(scene.show(scene.report_id, scene.mother)) == (404, "records.item_not_found")
    assert scene.get(f"/api/v1/reports/{scene.report_id}", scene.mother).status_code == 404


def test_a_login_whose_person_turns_out_to_be_under_14_hides_nothing(scene: Scene) -> None:
    with db.transaction() as session:
        young = {"born": born_years_ago(13), "id": scene.minor.person_id}
        session.execute(text("UPDATE persons SET birth_date = :born WHERE id = :id"), young)
    assert refused(scene.hide(scene.report_id)) == (403, "consent.hiding_not_allowed")


def test_an_adult_hides_from_the_family_too(scene: Scene) -> None:
    father = scene.household.father
    agree(scene.household, scene.mother, father, "spouse")
    item = scene.city.place_report(father, scene.household.hospital)
    scene.hide(item, father)
    assert str(item) not in {line["object_id"] for line in scene.listed("/api/v1/timeline", scene.mother)}
    assert [line["is_hidden"] for line in scene.listed("/api/v1/timeline", father)] == [True]


def test_it_stays_hidden_when_the_record_is_merged_into_another(scene: Scene) -> None:
    scene.hide(scene.report_id)
    other = scene.city.patient("陈测试")
    with db.transaction() as session:
        session.execute(
            text("UPDATE persons SET root_id = :root WHERE id = :id"),
            {"root": other.person_id, "id": scene.minor.person_id},
        )
    path = f"/api/v1/reports/{scene.report_id}"
    assert [scene.get(path, who).status_code for who in (scene.minor, other, scene.mother)] == [200, 200, 404]
