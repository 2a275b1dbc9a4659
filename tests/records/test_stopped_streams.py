"""What is being sent stops at the next instance when it may no longer be seen, and what was sent is seen to be cut."""

import io
import zipfile
from collections.abc import Callable, Iterator

import pydicom
import pytest
from werkzeug.test import TestResponse

from tests.records import hidden
from tests.support import studies
from tests.support.city import City, bearer
from tests.support.studies import Seen

WHOLE, JPEG = 'multipart/related; type="application/dicom"', 'multipart/related; type="image/jpeg"'


@pytest.fixture(scope="module")
def scene(module_city: City) -> Seen:
    return studies.open_scene(module_city)


@pytest.fixture(scope="module")
def images(scene: Seen) -> list[pydicom.Dataset]:
    images = studies.stack("CT_small.dcm", 3)
    scene.send("胸部CT平扫", *images)
    return images


def sent(reply: TestResponse, between: Callable[[], object]) -> bytes:
    """What comes of an answer when something happens after its first piece."""
    assert reply.status_code == 200, reply.text
    pieces: Iterator[bytes] = iter(reply.iter_encoded())
    begun = next(pieces)
    between()
    whole = begun + b"".join(pieces)
    reply.close()
    return whole


@pytest.mark.parametrize(
    ("path", "accept"), [("", WHOLE), ("/series", WHOLE), ("/rendered", JPEG), ("/series/rendered", JPEG)]
)
def test_a_revoke_stops_a_study_that_is_being_sent(
    scene: Seen, city: City, images: list[pydicom.Dataset], path: str, accept: str
) -> None:
    series = f"/series/{images[0].SeriesInstanceUID}"
    address = f"/dicomweb/studies/{images[0].StudyInstanceUID}{path.replace('/series', series)}"
    headers = bearer(scene.doctor.token) | {"Accept": accept}
    reply = city.client.get(address, headers=headers)
    boundary = f"--{reply.mimetype_params['boundary']}".encode()
    whole = sent(reply, lambda: None)
    assert (whole.count(boundary), whole.endswith(boundary + b"--\r\n")) == (4, True)
    reply = city.client.get(address, headers=headers)
    boundary, told = f"--{reply.mimetype_params['boundary']}".encode(), reply.content_length
    cut = sent(reply, scene.revoke_all)
    assert (cut.count(boundary), boundary + b"--" in cut) == (1, False), "one instance, and no end"
    assert told is None or told > len(cut)
    assert city.client.get(address, headers=headers).json["code"] == "records.image_not_found"


@pytest.mark.parametrize("form", ["dicom.zip", "jpeg.zip", "dicom.zip?use=shared", "jpeg.zip?use=shared"])
def test_a_copy_that_may_not_be_taken_any_more_ends_without_its_directory(city: City, form: str) -> None:
    family = hidden.open_scene(city)
    number, first = f"MZ{family.minor.card_number[:8]}", studies.stack("CT_small.dcm", 3)
    for image in first:
        image.PatientID, image.StudyDescription = number, "复查CT"
        image.SpecificCharacterSet = "ISO_IR 192"
    assert city.store(city.machine(family.household.hospital, name="影像系统"), *first).status_code == 200
    items = family.listed("/api/v1/timeline", family.minor)
    study_id = next(one["object_id"] for one in items if one["title"] == "复查CT")
    address = f"/view/{study_id}/{form}"
    whole = sent(family.get(address, family.mother), lambda: None)
    with zipfile.ZipFile(io.BytesIO(whole)) as packed:
        assert len(packed.namelist()) == 4
    cut = sent(family.get(address, family.mother), lambda: family.hide(study_id))
    assert cut.count(b"PK\x03\x04") < 4
    assert not zipfile.is_zipfile(io.BytesIO(cut))
    assert family.get(address, family.mother).status_code == 404
