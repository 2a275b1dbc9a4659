"""Key object selections: what they point out in their own study comes first, whichever came before the other."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pydicom
import pytest
from pydicom.uid import generate_uid
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError

from core import db
from core.dispatch import Dispatcher
from records.dicomsr import jobs
from records.images.models import KeyImage, KeySelection
from tests.support import sr, studies
from tests.support.city import City, bearer
from tests.support.studies import Seen

FOR_REFERRER: sr.Codes = ("113004", "DCM", "供临床医生参阅")
REJECTED: sr.Codes = ("113001", "DCM", "质量不合格")


@dataclass(frozen=True)
class Scene:
    """Three slices of one study, of which nothing has been pointed out."""

    seen: Seen
    slices: list[pydicom.Dataset]
    study_id: UUID

    @property
    def study_uid(self) -> str:
        return str(self.slices[0].StudyInstanceUID)

    def select(self, title: sr.Codes, *uids: str, elsewhere: str | None = None, **attributes: Any) -> pydicom.Dataset:
        """A selection among the instances of the study; ``elsewhere``: an instance of another study."""
        evidence = {self.study_uid: list(uids)} | ({generate_uid(): [elsewhere]} if elsewhere else {})
        images = [sr.image(uid) for uid in (*uids, *([elsewhere] if elsewhere else []))]
        described = sr.text(("113012", "DCM", "说明"), "右肺上叶结节")
        number = f"MZ{self.seen.patient.card_number[:8]}"
        said = {"StudyInstanceUID": self.study_uid, "PatientID": number, **attributes}
        return sr.make_selection(title, described, *images, evidence=evidence, **said)

    def send(self, *objects: pydicom.Dataset) -> None:
        city = self.seen.city
        reply = city.store(city.machine(self.seen.home, name="影像系统"), *objects)
        assert reply.status_code == 200, reply.text
        Dispatcher(city.app, jobs.HANDLERS).run_due()

    def study(self, study_id: UUID | None = None) -> dict[str, Any]:
        address = f"/api/v1/studies/{study_id or self.study_id}"
        shown = self.seen.city.client.get(address, headers=bearer(self.seen.patient.token)).json
        assert shown is not None
        return dict(shown)


@pytest.fixture(scope="module")
def module_scene(module_city: City) -> Scene:
    seen = studies.open_scene(module_city)
    slices = studies.stack("CT_small.dcm", 3, SeriesDescription="肺窗", SeriesNumber=2)
    return Scene(seen, slices, seen.send("胸部CT平扫", *slices))


@pytest.fixture
def scene(module_scene: Scene, city: City) -> Scene:
    return module_scene


def test_what_is_pointed_out_comes_first(scene: Scene) -> None:
    third, first = scene.slices[2].SOPInstanceUID, scene.slices[0].SOPInstanceUID
    before = scene.study()
    assert (before["key_images"], before["key_selections"]) == ([], [])
    scene.send(scene.select(FOR_REFERRER, third, first))
    shown = scene.study()
    assert [one["sop_instance_uid"] for one in shown["key_images"]] == [third, first]
    assert shown["key_images"][0]["reasons"] == ["供临床医生参阅"]
    assert shown["key_images"][0]["frame_paths"][0].endswith(f"/instances/{third}/frames/1/rendered")
    (selection,) = shown["key_selections"]
    assert (selection["title"], selection["description"]) == ("供临床医生参阅", "右肺上叶结节")
    assert (selection["images"], selection["missing"], selection["elsewhere"]) == (2, 0, 0)
    marks = {one["sop_instance_uid"]: one["is_key"] for each in shown["series"] for one in each["instances"]}
    assert [uid for uid, is_key in marks.items() if is_key] == [first, third]
    # The series itself stays as it was scanned: who scrolls through it sees no image twice or in another place.
    ct = next(one for one in shown["series"] if one["modality"] == "CT")
    assert [one["number"] for one in ct["instances"]] == [1, 2, 3]
    page = scene.seen.city.client.get(f"/view/{scene.study_id}", headers=bearer(scene.seen.patient.token)).text
    strip = page[page.index('class="strip"') : page.index("</nav>")]
    assert [strip.count(said) for said in ("<b>关键图像</b>", "肺窗 · 2 幅", "<b>肺窗</b>")] == [1, 1, 1]
    assert "供临床医生参阅" in page


def test_the_selection_may_come_before_its_images(scene: Scene) -> None:
    late = studies.stack("CT_small.dcm", 2)
    number = f"MZ{scene.seen.patient.card_number[:8]}"
    for one in late:
        one.StudyInstanceUID, one.PatientID = generate_uid() if one is late[0] else late[0].StudyInstanceUID, number
    early = scene.select(FOR_REFERRER, StudyInstanceUID=late[0].StudyInstanceUID, StudyDescription="先到的说明")
    early.ContentSequence.append(sr.image(late[1].SOPInstanceUID))
    scene.send(early)
    found = scene.seen.city.client.get("/api/v1/timeline", headers=bearer(scene.seen.patient.token)).json["items"]
    study_id = next(UUID(one["object_id"]) for one in found if one["title"] == "先到的说明")
    assert scene.study(study_id)["key_selections"][0]["missing"] == 1
    scene.send(*late)
    shown = scene.study(study_id)
    assert [one["sop_instance_uid"] for one in shown["key_images"]] == [late[1].SOPInstanceUID]
    assert shown["key_selections"][0]["missing"] == 0


def test_a_selection_moves_nothing_in_another_study_or_of_another_person(scene: Scene) -> None:
    stranger = scene.seen.city.patient("李测试")
    scene.seen.city.bind_number(scene.seen.home, stranger, "P9")
    aimed = scene.slices[1].SOPInstanceUID
    own_study = generate_uid()
    foreign = scene.select(FOR_REFERRER, aimed, PatientID="P9", StudyInstanceUID=own_study, StudyDescription="他人")
    scene.send(foreign)
    assert scene.study()["key_images"] == []
    found = scene.seen.city.client.get("/api/v1/timeline", headers=bearer(stranger.token)).json["items"]
    address = f"/api/v1/studies/{found[0]['object_id']}"
    told = scene.seen.city.client.get(address, headers=bearer(stranger.token)).json
    assert told["key_images"] == []
    assert (told["key_selections"][0]["images"], told["key_selections"][0]["elsewhere"]) == (0, 1)
    scene.send(scene.select(FOR_REFERRER, aimed, elsewhere=generate_uid()))
    shown = scene.study()
    assert [one["sop_instance_uid"] for one in shown["key_images"]] == [aimed]
    assert shown["key_selections"][0]["elsewhere"] == 1
    page = scene.seen.city.client.get(f"/view/{scene.study_id}", headers=bearer(scene.seen.patient.token)).text
    assert "另指出其他检查的 1 幅" in page


def test_images_that_were_rejected_are_no_key_images(scene: Scene) -> None:
    scene.send(scene.select(REJECTED, scene.slices[0].SOPInstanceUID))
    shown = scene.study()
    assert shown["key_images"] == []
    assert (shown["key_selections"][0]["is_rejection"], shown["key_selections"][0]["images"]) == (True, 1)
    page = scene.seen.city.client.get(f"/view/{scene.study_id}", headers=bearer(scene.seen.patient.token)).text
    assert "医院已标记 1 幅不再使用：质量不合格" in page


def test_one_image_pointed_out_twice_stands_once_with_both_reasons(scene: Scene) -> None:
    uid = scene.slices[0].SOPInstanceUID
    framed = scene.select(("113000", "DCM", "感兴趣"))
    framed.ContentSequence.append(sr.image(uid, 1))
    scene.send(scene.select(FOR_REFERRER, uid), framed)
    (key,) = scene.study()["key_images"]
    assert sorted(key["reasons"]) == ["供临床医生参阅", "感兴趣"]
    assert key["frames"] == []


def test_what_was_pointed_out_is_never_changed(scene: Scene) -> None:
    scene.send(scene.select(FOR_REFERRER, scene.slices[0].SOPInstanceUID))
    for act in (update(KeyImage).values(position=9), delete(KeyImage), update(KeySelection).values(title="")):
        with pytest.raises(IntegrityError, match="append-only"), db.transaction() as session:
            session.execute(act)
