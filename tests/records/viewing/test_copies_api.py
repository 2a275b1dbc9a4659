"""Copies to take away: one's own whole, those for others without anybody in them."""

import io
import zipfile

import pydicom
import pytest
from PIL import Image

from tests.support import dicom, studies
from tests.support.city import City, bearer
from tests.support.studies import Seen

PRIVATE = "GEHEIM"


@pytest.fixture(scope="module")
def scene(module_city: City) -> Seen:
    return studies.open_scene(module_city)


@pytest.fixture(scope="module")
def images(scene: Seen) -> list[pydicom.Dataset]:
    named = studies.picture(
        "CT_small.dcm", OperatorsName=f"{PRIVATE}^A", ImageComments=PRIVATE, BodyPartExamined="CHEST", SeriesNumber=1
    )
    named.private_block(0x0011, f"{PRIVATE} 1", create=True).add_new(0x01, "LO", PRIVATE)
    inner = pydicom.Dataset()
    inner.PersonName = PRIVATE
    named.RequestAttributesSequence = [inner]
    return [
        named,
        studies.picture("JPEG2000.dcm", OperatorsName=f"{PRIVATE}^B", SeriesNumber=2),
        studies.picture("examples_palette.dcm"),
        studies.picture("reportsi.dcm", Modality="SR"),
    ]


@pytest.fixture(scope="module")
def page(scene: Seen, images: list[pydicom.Dataset]) -> str:
    return f"/view/{scene.send('胸部CT平扫', *images)}"


def unpack(scene: Seen, city: City, path: str) -> dict[str, bytes]:
    reply = city.client.get(path, headers=bearer(scene.patient.token))
    assert (reply.status_code, reply.mimetype) == (200, "application/zip"), reply.text
    with zipfile.ZipFile(io.BytesIO(reply.data)) as packed:
        assert packed.testzip() is None
        return {name: packed.read(name) for name in packed.namelist()}


def test_one_s_own_copy_is_what_the_hospital_sent(
    scene: Seen, city: City, page: str, images: list[pydicom.Dataset]
) -> None:
    found = unpack(scene, city, f"{page}/dicom.zip")
    sent = {dicom.to_bytes(image) for image in images}
    assert {content for name, content in found.items() if name.endswith(".dcm")} == sent
    rows = city.client.get("/api/v1/access-log", headers=bearer(scene.patient.token)).json["rows"]
    assert "records.study.copied" in {row["action"] for row in rows}


def test_pictures_of_one_s_own_carry_no_exif(scene: Seen, city: City, page: str) -> None:
    found = {name: content for name, content in unpack(scene, city, f"{page}/jpeg.zip").items() if "jpg" in name}
    assert len(found) == 3
    for content in found.values():
        assert dict(Image.open(io.BytesIO(content)).getexif()) == {}


def test_a_copy_for_others_names_nobody(scene: Seen, city: City, page: str, images: list[pydicom.Dataset]) -> None:
    found = unpack(scene, city, f"{page}/dicom.zip?use=shared")
    copied = [pydicom.dcmread(io.BytesIO(content)) for name, content in found.items() if name.endswith(".dcm")]
    assert [image.Modality for image in copied] == ["CT", "NM"], "no ultrasound, no report"
    assert "未包含 1 幅" in found["README.TXT"].decode("utf-8-sig")
    old = {
        str(image[tag].value) for image in images for tag in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
    }
    for image in copied:
        said = image.to_json()
        assert PRIVATE not in said
        assert "A20260712" not in said
        assert "20260712" not in said
        assert (image.PatientIdentityRemoved, str(image.PatientName), image.PatientID) == ("YES", "", "")
        assert not {image.SOPInstanceUID, image.SeriesInstanceUID, image.StudyInstanceUID} & old
        assert image.pixel_array.shape == (image.Rows, image.Columns)
    assert copied[0].StudyInstanceUID == copied[1].StudyInstanceUID
    assert (copied[0].pixel_array == images[0].pixel_array).all()
    again = unpack(scene, city, f"{page}/dicom.zip?use=shared")
    first = pydicom.dcmread(io.BytesIO(next(content for name, content in again.items() if name.endswith(".dcm"))))
    assert first.StudyInstanceUID != copied[0].StudyInstanceUID, "two copies cannot be put together"


def test_pictures_for_others_are_marked_below_the_image(scene: Seen, city: City, page: str) -> None:
    found = unpack(scene, city, f"{page}/jpeg.zip?use=shared")
    pictures = [Image.open(io.BytesIO(content)) for name, content in found.items() if name.endswith(".jpg")]
    assert len(pictures) == 2
    assert pictures[0].width == 128
    assert pictures[0].height > 128
    strip = pictures[0].convert("L").crop((0, 130, 128, pictures[0].height))
    assert max(strip.tobytes()) > 200, "something is written there"


def test_only_its_patient_takes_a_copy(scene: Seen, city: City, page: str) -> None:
    for path in (f"{page}/dicom.zip", f"{page}/jpeg.zip"):
        assert city.client.get(path, headers=bearer(scene.doctor.token)).status_code == 403
        stranger = city.client.get(path, headers=bearer(city.patient("李测试").token))
        assert (stranger.status_code, stranger.json["code"]) == (404, "records.image_not_found")
    reply = city.client.get(f"{page}/dicom.zip?use=all", headers=bearer(scene.patient.token))
    assert (reply.status_code, reply.json["code"]) == (422, "core.malformed_request")


def test_copies_are_not_taken_without_end(scene: Seen, city: City, page: str) -> None:
    asked = [city.client.get(f"{page}/jpeg.zip", headers=bearer(scene.patient.token)) for _ in range(4)]
    assert [reply.status_code for reply in asked] == [200, 200, 200, 429]
    for reply in asked:
        reply.close()
