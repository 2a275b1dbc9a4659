"""Who scrolls is decided about with every image; what he looks at is one line of the log each quarter of an hour."""

from dataclasses import dataclass
from typing import Any

import pydicom
import pytest
from sqlalchemy import func, select

from consent import service as consent
from core import db
from core.audit import AuditEntry
from tests.support import dicom
from tests.support.city import City, Patient, bearer

SEARCHES = ["/dicomweb/studies", "/dicomweb/series?Modality=CT", "/dicomweb/instances"]


@dataclass
class Scene:
    """A patient with one image, and what was asked of the ordinary way to decide and record (``consent.release``)."""

    city: City
    patient: Patient
    image: pydicom.Dataset
    asked: list[str]

    def get(self, path: str, token: str | None = None) -> Any:
        return self.city.client.get(path, headers=bearer(token or self.patient.token))

    def rows(self, action: str) -> int:
        """In the log about the patient."""
        asked = select(func.count(AuditEntry.id)).filter_by(subject_id=self.patient.person_id, action=action)
        with db.transaction() as session:
            return session.scalar(asked) or 0


@pytest.fixture
def scene(city: City, monkeypatch: pytest.MonkeyPatch) -> Scene:
    hospital, patient = city.hospital(), city.patient()
    city.bind_number(hospital, patient, "P0001")
    image = dicom.make_image(PatientID="P0001")
    assert city.store(city.machine(hospital), image).status_code == 200
    asked: list[str] = []
    really = consent.release

    def counting(*arguments: Any, action: str, **named: Any) -> consent.Release:
        asked.append(action)
        return really(*arguments, action=action, **named)

    monkeypatch.setattr(consent, "release", counting)
    return Scene(city, patient, image, asked)


def test_a_look_at_a_picture_is_recorded_once(scene: Scene) -> None:
    path = f"{dicom.path_of(scene.image)}/rendered"
    for _ in range(3):
        assert scene.get(path).status_code == 200
    assert scene.asked == ["records.image.read"]
    assert scene.rows("records.image.read") == 1


@pytest.mark.parametrize("path", SEARCHES)
def test_a_list_is_recorded_once(scene: Scene, path: str) -> None:
    first, again = scene.get(path), scene.get(path)
    assert first.json == again.json
    assert len(first.json) == 1
    assert scene.asked == ["records.study_list.read"]
    assert scene.rows("records.study_list.read") == 1


def test_a_study_is_recorded_once_whatever_of_it_is_asked_for(scene: Scene) -> None:
    study = f"/dicomweb/studies/{scene.image.StudyInstanceUID}"
    paths = [f"{study}/metadata", f"{study}/series", f"{study}/instances?InstanceNumber=4711", f"{study}/instances"]
    assert [scene.get(path).status_code for path in paths] == [200] * 4
    assert scene.rows("records.study.read") == 1
    assert [len(scene.get(path).json) for path in paths] == [1, 1, 0, 1]
    assert scene.rows("records.study.read") == 1


def test_another_grant_is_another_look_and_without_one_there_is_none(scene: Scene) -> None:
    elsewhere = scene.city.hospital("市第二测试医院")
    doctor, path = scene.city.staff(elsewhere), f"{dicom.path_of(scene.image)}/frames/1"
    for _ in range(2):
        scene.city.visit(doctor, scene.patient, elsewhere)
        assert [scene.get(path, doctor.token).status_code for _ in range(2)] == [200, 200]
        for grant in scene.get("/api/v1/grants").json["grants"]:
            scene.city.client.post(f"/api/v1/grants/{grant['id']}/revoke", headers=bearer(scene.patient.token))
        assert scene.get(path, doctor.token).status_code == 404
        assert scene.get("/dicomweb/studies", doctor.token).json == []
    assert scene.rows("records.image.read") == 2
    assert scene.asked.count("records.image.read") == 2
