"""Orthanc, written by others, as a hospital's archive: found here while the pixels stay there, and sending to us."""

import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pydicom
import pytest
from flask import Flask
from PIL import Image
from werkzeug.serving import make_server

from accounts.models import Role
from core import clock, storage
from core.config import Config
from core.dispatch import Dispatcher
from records.pacs import archive, jobs
from tests.support import dicom
from tests.support.city import City, Hospital, Patient, bearer
from tests.support.damage import spoil
from tests.support.orthanc import PASSWORD, USER, Orthanc, running_orthanc

pytestmark = pytest.mark.system("orthanc")


@pytest.fixture(scope="module")
def orthanc_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


@pytest.fixture
def orthanc(orthanc_of_module: Orthanc) -> Iterator[Orthanc]:
    """Empty at the beginning of every test."""
    yield orthanc_of_module
    for study in orthanc_of_module.ask("GET", "/studies"):
        orthanc_of_module.ask("DELETE", f"/studies/{study}")


@pytest.fixture
def own(config: Config, tmp_path: Path) -> Iterator[Config]:
    own = replace(config, storage_dir=tmp_path)
    storage.configure(own)
    archive._CIRCUITS.clear()
    yield own
    archive._CIRCUITS.clear()
    storage.configure(config)


@dataclass(frozen=True)
class House:
    """A hospital whose archive is registered, with one patient whom it knows."""

    city: City
    hospital: Hospital
    patient: Patient

    def get(self, path: str, patient: Patient | None = None, **headers: str) -> Any:
        return self.city.client.get(path, headers=bearer((patient or self.patient).token) | headers)

    def register(self, base_url: str, secret: str = PASSWORD) -> None:
        administrator = self.city.staff(None, Role.SECURITY_ADMINISTRATOR)
        sent = {"base_url": base_url, "username": USER, "secret": secret, "first_day": str(today())}
        path = f"/api/v1/operator/image-archives/{self.hospital.code}"
        reply = self.city.client.put(path, json=sent, headers=bearer(administrator.token))
        assert reply.status_code == 204, reply.text


def today() -> date:
    return clock.in_city(clock.now()).date()


def of_today(name: str = "CT_small.dcm", **attributes: Any) -> pydicom.Dataset:
    """Nothing else is in the archive's day, and the number is this test's own."""
    return dicom.make_image(name, StudyDate=f"{today():%Y%m%d}", PatientName="ZHANG^CESHI", **attributes)


@pytest.fixture
def house(app: Flask, city: City, own: Config) -> House:
    hospital, patient = city.hospital(), city.patient()
    city.bind_number(hospital, patient, "P0001")
    return House(city, hospital, patient)


def work(app: Flask) -> None:
    Dispatcher(app, jobs.HANDLERS).run_due()


def fetched(config: Config) -> list[Path]:
    return [path for path in (config.storage_dir / "fetched").rglob("*") if path.is_file()]


def test_the_index_is_here_and_the_pixels_stay_there_until_somebody_who_may_asks(
    app: Flask, house: House, own: Config, orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch
) -> None:
    ct = of_today(PatientID="P0001", StudyDescription="胸部CT", SpecificCharacterSet="GB18030")
    cine = of_today("examples_ybr_color.dcm", PatientID="P0001")
    for image in (ct, cine):
        orthanc.add(dicom.to_bytes(image))
    house.register(orthanc.base_url)
    work(app)

    titles = {item["title"] for item in house.get("/api/v1/timeline").json["items"]}
    assert "胸部CT" in titles
    studies = house.get("/dicomweb/studies").json
    assert {one["0020000D"]["Value"][0] for one in studies} == {ct.StudyInstanceUID, cine.StudyInstanceUID}
    metadata = house.get(f"{dicom.path_of(ct)}/metadata").json[0]
    assert metadata["00280010"]["Value"] == [ct.Rows]
    assert fetched(own) == [], "metadata is here: nothing was fetched"

    whole = house.get(dicom.path_of(ct), Accept="application/dicom")
    assert whole.status_code == 200
    assert len(whole.data) == int(whole.headers["Content-Length"])
    assert pydicom.dcmread(io.BytesIO(whole.data)).PixelData == ct.PixelData
    as_stored = house.get(dicom.path_of(cine), Accept="application/dicom").headers["Content-Type"]
    assert as_stored.endswith(f"transfer-syntax={cine.file_meta.TransferSyntaxUID}")
    pictures = {house.get(f"{dicom.path_of(cine)}/frames/{frame}/rendered").data for frame in (1, 2)}
    assert {Image.open(io.BytesIO(picture)).size for picture in pictures} == {(320, 240)}
    assert len(pictures) == 2
    assert len(fetched(own)) == 2, "an instance is fetched once, whatever is asked of it"
    assert not any(ct.PixelData[:200] in path.read_bytes() for path in fetched(own)), "kept sealed"

    # Kept copies and pictures are no way around the decision, and none goes to a stranger.
    stranger = house.city.patient("李测试")
    for path in (dicom.path_of(ct), f"{dicom.path_of(cine)}/frames/1/rendered"):
        assert house.get(path, stranger).json["code"] == "records.image_not_found"
    work(app)
    assert len(house.get("/dicomweb/studies").json) == 2
    # A damaged copy is fetched again.
    for copy in fetched(own):
        spoil(copy)
    assert house.get(dicom.path_of(ct), Accept="application/dicom").data == whole.data


def test_who_is_meant_is_checked_as_for_every_file_and_a_notice_is_followed(
    app: Flask, house: House, orthanc: Orthanc
) -> None:
    house.register(orthanc.base_url)
    work(app)
    wrong = of_today(PatientID="P0001", PatientBirthDate="19010101")
    nobody = of_today(PatientID="NOBODY")
    machine = house.city.machine(house.hospital)
    for image in (wrong, nobody):
        orthanc.add(dicom.to_bytes(image))
        noted = house.city.client.post(
            "/api/v1/image-archive/studies",
            json={"study_instance_uid": image.StudyInstanceUID},
            headers=bearer(machine.token),
        )
        assert noted.status_code == 202
    work(app)
    assert house.get("/dicomweb/studies").json == []
    waiting = house.city.client.get("/api/v1/quarantine", headers=bearer(machine.token)).json["messages"]
    assert {one["reason"] for one in waiting} == {"records.person_contradicts", "records.person_not_matched"}
    # What was missing is put right: the same rules file it from quarantine, and its pixels are fetched.
    late = house.city.patient()
    house.city.bind_number(house.hospital, late, "NOBODY")
    (missing,) = (one for one in waiting if one["reason"] == "records.person_not_matched")
    replayed = house.city.client.post(f"/api/v1/quarantine/{missing['id']}/replay", headers=bearer(machine.token))
    assert replayed.json["state"] == "accepted"
    whole = house.get(dicom.path_of(nobody), late, Accept="application/dicom")
    assert pydicom.dcmread(io.BytesIO(whole.data)).PixelData == nobody.PixelData


def test_an_image_that_the_archive_does_not_have_any_more_is_told(app: Flask, house: House, orthanc: Orthanc) -> None:
    image = of_today(PatientID="P0001")
    added = orthanc.add(dicom.to_bytes(image))
    house.register(orthanc.base_url)
    work(app)
    orthanc.ask("DELETE", f"/instances/{added}")
    gone = house.get(f"{dicom.path_of(image)}/rendered")
    assert (gone.status_code, gone.json["code"]) == (503, "records.archive_answer_unfit")


def test_orthanc_sends_to_us_with_the_token_of_its_hospital(
    committing_app: Flask, committing_city: City, orthanc: Orthanc
) -> None:
    """Forwarding: its DICOMweb client with our address and a bearer token as a header."""
    city = committing_city
    hospital, patient = city.hospital(), city.patient()
    city.bind_number(hospital, patient, "P0001")
    image = of_today(PatientID="P0001")
    added = orthanc.add(dicom.to_bytes(image))
    server = make_server("127.0.0.1", 0, committing_app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        peer = {
            "Url": f"http://127.0.0.1:{server.server_port}/dicomweb/",
            "HttpHeaders": bearer(city.machine(hospital).token),
        }
        orthanc.ask("PUT", "/dicom-web/servers/platform", json=peer)
        sent = orthanc.ask("POST", "/dicom-web/servers/platform/stow", json={"Resources": [added], "Synchronous": True})
        again = orthanc.ask(
            "POST", "/dicom-web/servers/platform/stow", json={"Resources": [added], "Synchronous": True}
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert sent is not None
    assert again is not None
    whole = city.client.get(dicom.path_of(image), headers=bearer(patient.token) | {"Accept": "application/dicom"})
    assert pydicom.dcmread(io.BytesIO(whole.data)).PixelData == image.PixelData
