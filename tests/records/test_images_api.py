"""Seeing images: one's own, what is shared, and nothing else."""

import io
from dataclasses import dataclass
from typing import Any

import pydicom
import pytest
from PIL import Image
from werkzeug.test import TestResponse

from core.config import Config
from tests.conftest import SteppingClock
from tests.support import dicom
from tests.support.city import City, Hospital, Machine, Patient, Staff, bearer
from tests.support.damage import spoil


@dataclass(frozen=True)
class Scene:
    """A patient with one CT image made at hospital A, and a doctor at hospital B."""

    city: City
    patient: Patient
    hospital_a: Hospital
    hospital_b: Hospital
    pacs: Machine
    doctor: Staff
    image: pydicom.Dataset

    @property
    def path(self) -> str:
        return dicom.path_of(self.image)

    def get(self, path: str, who: Patient | Staff, **headers: str) -> TestResponse:
        return self.city.client.get(path, headers=bearer(who.token) | headers)

    def listed(self, path: str, who: Patient | Staff) -> list[dict[str, Any]]:
        """What a search answers."""
        reply = self.get(path, who)
        assert reply.status_code == 200, reply.text
        return list(reply.json or [])

    def revoke_all(self) -> None:
        for grant in self.get("/api/v1/grants", self.patient).json["grants"]:
            self.city.client.post(f"/api/v1/grants/{grant['id']}/revoke", headers=bearer(self.patient.token))

    def study_id(self) -> str:
        return str(self.get("/api/v1/timeline", self.patient).json["items"][0]["object_id"])

    def accesses(self, action: str) -> list[dict[str, Any]]:
        rows = self.get("/api/v1/access-log", self.patient).json["rows"]
        return [row for row in rows if row["action"] == action]


@pytest.fixture(scope="module")
def scene_of_module(module_city: City) -> Scene:
    city = module_city
    patient, hospital_a, hospital_b = city.patient(), city.hospital(), city.hospital("市第二测试医院")
    city.bind_number(hospital_a, patient, "P0001")
    pacs, doctor = city.machine(hospital_a), city.staff(hospital_b)
    image = dicom.make_image(
        PatientID="P0001", PatientName="ZHANG^CESHI", StudyDescription="CHEST CT", AccessionNumber="A77",
        StudyDate="20260301", StudyTime="235959", TimezoneOffsetFromUTC="+0800",
    )  # fmt: skip
    assert city.store(pacs, image).status_code == 200
    return Scene(city, patient, hospital_a, hospital_b, pacs, doctor, image)


@pytest.fixture
def scene(scene_of_module: Scene, city: City) -> Scene:
    return scene_of_module


def every_path(scene: Scene) -> list[str]:
    study, series = f"/dicomweb/studies/{scene.image.StudyInstanceUID}", scene.path.split("/instances/")[0]
    return [
        f"{study}/series",
        f"{series}/instances",
        scene.path,
        f"{scene.path}/metadata",
        f"{scene.path}/rendered",
        f"{scene.path}/frames/1/rendered",
        f"/api/v1/studies/{scene.study_id()}",
    ]


def test_the_patient_opens_the_study_from_the_timeline(scene: Scene) -> None:
    shown = scene.get(f"/api/v1/studies/{scene.study_id()}", scene.patient)
    assert shown.status_code == 200
    assert shown.headers["Cache-Control"] == "no-store"
    study = shown.json
    assert (study["description"], study["modalities"], study["hospital_name"]) == ("CHEST CT", ["CT"], "市第一测试医院")
    instance = study["series"][0]["instances"][0]
    assert (instance["rows"], instance["columns"], instance["frames"]) == (128, 128, 1)
    picture = scene.get(instance["frame_paths"][0], scene.patient)
    assert (picture.status_code, picture.mimetype) == (200, "image/jpeg")
    assert Image.open(io.BytesIO(picture.data)).size == (128, 128)


def test_nothing_leaks_to_anybody_else(scene: Scene) -> None:
    stranger, doctor_a = scene.city.patient("李测试"), scene.city.staff(scene.hospital_a)
    for path in every_path(scene):
        for who in (stranger, scene.doctor, doctor_a):
            reply = scene.get(path, who)
            assert (reply.status_code, reply.json["code"]) == (404, "records.image_not_found"), path
        assert scene.city.client.get(path).status_code == 401
        assert scene.city.client.get(path, headers=bearer(scene.pacs.token)).status_code == 403
    for who in (stranger, scene.doctor, doctor_a):
        found = scene.get("/dicomweb/studies", who)
        assert (found.status_code, found.json) == (200, [])


def test_a_doctor_sees_it_while_the_visit_s_grant_lasts(scene: Scene) -> None:
    scene.city.visit(scene.doctor, scene.patient, scene.hospital_b)
    for path in every_path(scene):
        assert scene.get(path, scene.doctor).status_code == 200, path
    assert len(scene.listed("/dicomweb/studies", scene.doctor)) == 1
    scene.revoke_all()
    for path in every_path(scene):
        assert scene.get(path, scene.doctor).json["code"] == "records.image_not_found", path
    assert scene.get("/dicomweb/studies", scene.doctor).json == []


def test_a_revoke_between_two_frames_stops_the_second(scene: Scene) -> None:
    cine = dicom.make_image("SC_rgb_rle_2frame.dcm", PatientID="P0001")
    assert scene.city.store(scene.pacs, cine).status_code == 200
    scene.city.visit(scene.doctor, scene.patient, scene.hospital_b)
    first = scene.get(f"{dicom.path_of(cine)}/frames/1/rendered", scene.doctor)
    assert first.status_code == 200
    assert first.headers["Cache-Control"] == "private, no-cache"
    scene.revoke_all()
    second = scene.get(f"{dicom.path_of(cine)}/frames/2/rendered", scene.doctor)
    assert (second.status_code, second.json["code"]) == (404, "records.image_not_found")
    kept = scene.get(
        f"{dicom.path_of(cine)}/frames/1/rendered", scene.doctor, **{"If-None-Match": first.headers["ETag"]}
    )
    assert kept.status_code == 404, "what the browser kept must not be confirmed after a revoke"


def test_a_picture_is_not_sent_twice(scene: Scene) -> None:
    path = f"{scene.path}/rendered"
    tag = scene.get(path, scene.patient).headers["ETag"]
    again = scene.get(path, scene.patient, **{"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")


def test_scrolling_a_series_is_one_line_in_the_access_log(scene: Scene, stepping_clock: SteppingClock) -> None:
    scene.city.visit(scene.doctor, scene.patient, scene.hospital_b)
    for _ in range(3):
        assert scene.get(f"{scene.path}/rendered", scene.doctor).status_code == 200
    assert scene.get(scene.path, scene.doctor).status_code == 200
    looks = scene.accesses("records.image.read")
    assert [(one["who_kind"], one["hospital_name"], one["purpose"]) for one in looks] == [
        ("staff", "市第二测试医院", "treatment")
    ]
    assert looks[0]["grant_version"] == 1
    scene.get(f"{scene.path}/rendered", scene.patient)
    assert len(scene.accesses("records.image.read")) == 2, "another person's look is another line"
    stepping_clock.forward(minutes=9)
    scene.get(f"{scene.path}/rendered", scene.patient)
    assert len(scene.accesses("records.image.read")) == 2


def test_after_a_quarter_of_an_hour_it_is_another_look(scene: Scene, stepping_clock: SteppingClock) -> None:
    scene.city.visit(scene.doctor, scene.patient, scene.hospital_b)
    for minutes in (0, 14, 2):
        stepping_clock.forward(minutes=minutes)
        assert scene.get(f"{scene.path}/rendered", scene.doctor).status_code == 200
    rows = scene.city.client.get("/api/v1/access-log", headers=bearer(renewed(scene))).json["rows"]
    assert len([row for row in rows if row["action"] == "records.image.read"]) == 2


def renewed(scene: Scene) -> str:
    """A token of the patient that is good now: access tokens live ten minutes."""
    body = {"refresh_token": scene.patient.refresh_token}
    return str(scene.city.client.post("/api/v1/sessions/refresh", json=body).json["access_token"])


def test_filing_many_images_is_one_line_in_the_access_log(scene: Scene) -> None:
    study, series = scene.image.StudyInstanceUID, scene.image.SeriesInstanceUID
    more = [dicom.make_image(PatientID="P0001", StudyInstanceUID=study, SeriesInstanceUID=series) for _ in range(3)]
    assert scene.city.store(scene.pacs, *more).status_code == 200
    assert len(scene.accesses("records.study.filed")) == 1


def test_the_original_comes_back_byte_for_byte(scene: Scene) -> None:
    original = dicom.to_bytes(scene.image)
    reply = scene.get(scene.path, scene.patient)
    assert reply.mimetype == "multipart/related"
    assert reply.mimetype_params["type"] == "application/dicom"
    assert reply.content_length == len(reply.data)
    assert original in reply.data
    bare = scene.get(scene.path, scene.patient, Accept="application/dicom")
    assert (bare.mimetype, bare.data) == ("application/dicom", original)


def test_metadata_holds_attributes_and_no_pixels(scene: Scene) -> None:
    metadata = scene.get(f"{scene.path}/metadata", scene.patient)
    assert metadata.mimetype == "application/dicom+json"
    dataset = metadata.json[0]
    assert dataset["0020000D"]["Value"] == [scene.image.StudyInstanceUID]
    assert dataset["00280010"]["Value"] == [128]
    config = scene.city.config
    assert dataset["7FE00010"] == {"vr": "OW", "BulkDataURI": f"{config.base_url}{scene.path}/bulkdata/7FE00010"}


@pytest.mark.parametrize(
    ("suffix", "accept", "status"),
    [
        ("", "*/*", 200),
        ("", 'multipart/related; type="application/dicom"', 200),
        ("", 'multipart/related; type="application/dicom"; transfer-syntax=*', 200),
        ("", 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1', 200),
        ("", 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.90', 406),
        ("", "multipart/related; q=0, */*; q=0", 406),
        ("", "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.90; q=1, application/dicom; q=0.5", 200),
        ("", 'image/png, multipart/related; type="application/dicom"', 200),
        ("", 'multipart/related; type="application/octet-stream"', 406),
        ("/metadata", "application/dicom+json", 200),
        ("/metadata", "application/dicom+xml", 406),
        ("/rendered", "image/*", 200),
        ("/rendered", "image/png", 406),
        ("/frames/1/rendered", "image/jpeg, */*;q=0.1", 200),
    ],
)
def test_what_the_asker_accepts_is_respected(scene: Scene, suffix: str, accept: str, status: int) -> None:
    reply = scene.get(scene.path + suffix, scene.patient, Accept=accept)
    assert reply.status_code == status, reply.data[:300]
    if status == 406:
        assert reply.json["code"] == "records.representation_not_available"
        assert reply.json["available"]


@pytest.mark.parametrize("frame", ["2", "2147483647"])
def test_there_is_no_such_frame(scene: Scene, frame: str) -> None:
    reply = scene.get(f"{scene.path}/frames/{frame}/rendered", scene.patient)
    assert (reply.status_code, reply.json["code"]) == (404, "records.image_not_found")


def test_what_is_no_picture_says_so(scene: Scene) -> None:
    report = dicom.make_image("reportsi.dcm", PatientID="P0001", Modality="SR")
    assert scene.city.store(scene.pacs, report).status_code == 200
    reply = scene.get(f"{dicom.path_of(report)}/rendered", scene.patient)
    assert (reply.status_code, reply.json["code"]) == (422, "records.image_not_decodable")
    assert reply.json["reason"] == "the instance is no picture"


def test_a_damaged_file_is_said_to_be_damaged(scene: Scene, config: Config) -> None:
    objects, image = config.storage_dir / "objects", dicom.make_image(PatientID="P0001")
    before = set(objects.glob("*/*"))
    assert scene.city.store(scene.pacs, image).status_code == 200
    for stored in set(objects.glob("*/*")) - before:
        spoil(stored)
    reply = scene.get(f"{dicom.path_of(image)}/rendered", scene.patient)
    assert (reply.status_code, reply.json["code"]) == (503, "core.file_damaged")


def test_series_and_instances_are_listed(scene: Scene) -> None:
    study = f"/dicomweb/studies/{scene.image.StudyInstanceUID}/series"
    series = scene.listed(study, scene.patient)
    assert [one["0020000E"]["Value"] for one in series] == [[scene.image.SeriesInstanceUID]]
    instances = scene.listed(f"{study}/{scene.image.SeriesInstanceUID}/instances", scene.patient)
    assert [one["00080018"]["Value"] for one in instances] == [[scene.image.SOPInstanceUID]]
    assert instances[0]["00280010"]["Value"] == [128]
    assert scene.get(f"{study}?offset=1", scene.patient).json == []
