"""Every file that pydicom and pydicom-data ship, sound or broken, is filed or refused with a reason. Nothing breaks."""

import io
import warnings
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid
from werkzeug.test import TestResponse

from tests.support import dicom, studies
from tests.support.city import City, Machine, Patient, bearer

FILES = dicom.shipped_files()
COLLECTED = sorted(path for path in studies.COLLECTED.iterdir() if path.is_file())
# What is known to have no picture that can be shown, and must say so.
NOT_PICTURES = ("reportsi", "test-SR", "rtplan", "waveform", "TINY_ALPHA", "MR_truncated", "badVR", "embedded-sequence")
# Without identifiers, or without the beginning that makes a DICOM file.
INCOMPLETE = {"OT-PAL-8-face.dcm", "bad_sequence.dcm", "emri_small_jpeg_2k_lossless_too_short.dcm"}
# What is larger is drawn in tests/browser.
MOST_DRAWN_BYTES = 1_500_000
AS_STORED = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
PLAIN = "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"


def test_there_are_files() -> None:
    assert len(FILES) > 130
    assert len(COLLECTED) > 60


@pytest.fixture(scope="module")
def sender(module_city: City) -> tuple[Patient, Machine]:
    """A patient whom a hospital knows by number, and its PACS."""
    hospital, patient = module_city.hospital(), module_city.patient()
    module_city.bind_number(hospital, patient, "P0001")
    return patient, module_city.machine(hospital)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(dicom.SHIPPED)))
def test_it_is_filed_or_refused_with_a_reason(sender: tuple[Patient, Machine], city: City, path: Path) -> None:
    patient, pacs = sender
    as_it_is = path.read_bytes()
    for content in (as_it_is, given_to_patient(as_it_is)):
        reply = store(city, pacs, content)
    if reply.status_code == 200:
        look_at(city, patient.token, address_of(city, reply), path)


@pytest.mark.parametrize("path", COLLECTED, ids=lambda path: path.name)
def test_what_was_collected_beside_it_too(sender: tuple[Patient, Machine], city: City, path: Path) -> None:
    patient, pacs = sender
    reply = store(city, pacs, given_to_patient(path.read_bytes()))
    if reply.status_code == 200:
        address = address_of(city, reply)
        assert city.client.get(f"{address}/metadata", headers=bearer(patient.token)).status_code == 200
        if path.stat().st_size > MOST_DRAWN_BYTES:
            return
        picture = city.client.get(f"{address}/rendered?viewport=256,256", headers=bearer(patient.token))
        assert (picture.status_code, picture.mimetype) == (200, "image/jpeg"), picture.text
    else:
        assert path.name in INCOMPLETE, reply.text


def store(city: City, pacs: Machine, content: bytes) -> TestResponse:
    """Send it; a refusal has a reason."""
    reply = city.client.post(
        "/dicomweb/studies",
        data=dicom.multipart([content]),
        content_type=dicom.CONTENT_TYPE,
        headers=bearer(pacs.token),
    )
    assert reply.status_code in {200, 409}, reply.text
    if reply.status_code == 409:
        sequence = reply.json["00081198" if "00081198" in (reply.json or {}) else "0008119A"]
        assert sequence["Value"][0]["00081197"]["Value"][0] in {0x0122, 0xA900, 0xC000, 0xC001, 0xC122}
    return reply


def address_of(city: City, reply: TestResponse) -> str:
    return str(reply.json["00081199"]["Value"][0]["00081190"]["Value"][0].removeprefix(city.config.base_url))


def look_at(city: City, token: str, address: str, path: Path) -> None:
    metadata = city.client.get(f"{address}/metadata", headers=bearer(token))
    assert metadata.status_code == 200, metadata.text
    assert city.client.get(address, headers=bearer(token)).status_code == 200
    # The folders hold one kind of file each, many times over.
    for suffix, accept in (("/frames/1", AS_STORED), ("", PLAIN)) if path.parent == dicom.SHIPPED else ():
        reply = city.client.get(f"{address}{suffix}", headers=bearer(token) | {"Accept": accept})
        assert (reply.status_code, bool(reply.data)) == (200, True) or (
            reply.status_code == 422 and reply.json["code"] == "records.image_not_decodable"
        ), (suffix, reply.text[:300])
    picture = city.client.get(f"{address}/rendered", headers=bearer(token))
    if any(name in str(path) for name in NOT_PICTURES):
        assert (picture.status_code, picture.json["code"]) == (422, "records.image_not_decodable")
        assert picture.json["reason"]
    else:
        assert (picture.status_code, picture.mimetype) == (200, "image/jpeg"), picture.text


def given_to_patient(content: bytes) -> bytes:
    """The same file of a registered patient, where it can be read and written at all."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = dicom.anonymous(pydicom.dcmread(io.BytesIO(content)))
            if "StudyInstanceUID" in image:
                image.PatientID, image.SOPInstanceUID = "P0001", generate_uid()
            return dicom.to_bytes(image)
    except Exception:
        return content
