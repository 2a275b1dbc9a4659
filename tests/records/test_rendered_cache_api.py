"""Pictures are made once; who may see them is decided every time."""

import io
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from PIL import Image

from core import storage
from core.config import Config, ConfigurationError
from records.images import render
from records.images.render import Look
from records.images.service import InstanceFile
from tests.support import dicom
from tests.support.city import City, Machine, Patient, bearer


@pytest.fixture
def own(config: Config, tmp_path: Path) -> Iterator[Config]:
    own = replace(config, storage_dir=tmp_path)
    storage.configure(own)
    yield own
    storage.configure(config)


@pytest.fixture
def memory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)


@pytest.fixture
def patient(city: City) -> Patient:
    return city.patient()


@pytest.fixture
def pacs(city: City, patient: Patient) -> Machine:
    hospital = city.hospital()
    city.bind_number(hospital, patient, "P0001")
    return city.machine(hospital)


def store_cine(city: City, pacs: Machine) -> pydicom.Dataset:
    cine = dicom.make_image("examples_ybr_color.dcm", PatientID="P0001")
    assert city.store(pacs, cine).status_code == 200
    return cine


def kept_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def count_renderings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    made: list[int] = []
    really = render.render_instance

    def counting(file: InstanceFile, *, frame: int, look: Look) -> bytes:
        made.append(frame)
        return really(file, frame=frame, look=look)

    monkeypatch.setattr(render, "render_instance", counting)
    return made


def test_a_picture_is_made_once_and_kept_sealed(
    city: City, own: Config, patient: Patient, pacs: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = dicom.path_of(store_cine(city, pacs))
    made = count_renderings(monkeypatch)
    first, again = (city.client.get(f"{path}/frames/2/rendered", headers=bearer(patient.token)) for _ in range(2))
    other = city.client.get(f"{path}/frames/3/rendered", headers=bearer(patient.token))
    assert first.data == again.data != other.data
    assert made == [2, 3]
    assert "X-Accel-Redirect" not in first.headers, "only where the operator has set it up"
    kept = kept_in(own.storage_dir / "rendered")
    assert len(kept) == 2
    assert not any(b"JFIF\0\1" in one.read_bytes() for one in kept)
    # A picture that somebody has changed, or put in another's place, is made again.
    one, two = (path.read_bytes() for path in kept)
    kept[0].write_bytes(two)
    kept[1].write_bytes(one[:-1])
    assert city.client.get(f"{path}/frames/2/rendered", headers=bearer(patient.token)).data == first.data
    assert city.client.get(f"{path}/frames/3/rendered", headers=bearer(patient.token)).data == other.data
    assert made == [2, 3, 2, 3]


def test_a_revoke_between_two_frames_stops_the_second_though_it_is_kept(
    city: City, own: Config, patient: Patient, pacs: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = dicom.path_of(store_cine(city, pacs))
    elsewhere = city.hospital("市第二测试医院")
    doctor = city.staff(elsewhere)
    city.visit(doctor, patient, elsewhere)
    for frame in (1, 2):
        assert city.client.get(f"{path}/frames/{frame}/rendered", headers=bearer(patient.token)).status_code == 200
    made = count_renderings(monkeypatch)
    seen = city.client.get(f"{path}/frames/1/rendered", headers=bearer(doctor.token))
    assert seen.status_code == 200
    for grant in city.client.get("/api/v1/grants", headers=bearer(patient.token)).json["grants"]:
        city.client.post(f"/api/v1/grants/{grant['id']}/revoke", headers=bearer(patient.token))
    for frame in (1, 2):
        known = bearer(doctor.token) | {"If-None-Match": seen.headers["ETag"]}
        refused = city.client.get(f"{path}/frames/{frame}/rendered", headers=known)
        assert (refused.status_code, refused.json["code"]) == (404, "records.image_not_found")
    assert made == []


def test_the_web_server_sends_pictures_from_memory_where_it_is_set_up(
    city: City, own: Config, memory: Path, patient: Patient, pacs: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{dicom.path_of(store_cine(city, pacs))}/frames/1/rendered"
    plain = city.client.get(path, headers=bearer(patient.token))
    storage.configure(replace(own, accel_dir=memory))
    made = count_renderings(monkeypatch)
    for _ in range(2):
        reply = city.client.get(path, headers=bearer(patient.token))
        assert (reply.status_code, reply.data, reply.mimetype) == (200, b"", "image/jpeg")
        assert reply.headers["Cache-Control"] == "private, no-cache"
        place = memory / reply.headers["X-Accel-Redirect"].removeprefix("/_rendered/")
        assert place.read_bytes() == plain.data
        assert place.stat().st_mode & 0o777 == 0o640
    assert made == [1]
    assert Image.open(io.BytesIO(place.read_bytes())).size == (320, 240)
    stranger = city.client.get(path, headers=bearer(city.patient("李测试").token))
    assert stranger.status_code == 404
    assert "X-Accel-Redirect" not in stranger.headers


def test_pictures_in_clear_are_never_put_onto_a_disk(own: Config, memory: Path) -> None:
    with pytest.raises(ConfigurationError, match="ACCEL_DIR"):
        storage.configure(replace(own, accel_dir=Path("/proc")))
    link = own.storage_dir / "looks-like-memory"
    os.symlink("/proc", link)
    with pytest.raises(ConfigurationError):
        storage.configure(replace(own, accel_dir=link))
    storage.configure(replace(own, accel_dir=memory))
