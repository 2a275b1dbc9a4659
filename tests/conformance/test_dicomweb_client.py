"""dicomweb-client, written by others, speaks to a real server of ours."""

import io
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from dicomweb_client import DICOMwebClient
from dicomweb_client.session_utils import create_session
from flask import Flask
from PIL import Image
from requests import HTTPError
from werkzeug.serving import make_server

from tests.support import dicom
from tests.support.city import City, Hospital, Patient


@pytest.fixture
def address(committing_app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, committing_app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/dicomweb"
    server.shutdown()
    thread.join()
    server.server_close()


def client(address: str, token: str) -> DICOMwebClient:
    session = create_session()
    return DICOMwebClient(url=address, session=session, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def scene(committing_city: City) -> tuple[Hospital, Patient]:
    hospital, patient = committing_city.hospital(), committing_city.patient()
    committing_city.bind_number(hospital, patient, "P0001")
    return hospital, patient


def test_store_search_and_retrieve(address: str, committing_city: City, scene: tuple[Hospital, Patient]) -> None:
    hospital, patient = scene
    pacs = client(address, committing_city.machine(hospital).token)
    viewer = client(address, patient.token)
    images = [dicom.make_image(PatientID="P0001", PatientName="张^测试", SpecificCharacterSet="GB18030")]
    images += [dicom.make_image(name, PatientID="P0001") for name in ("MR_small_RLE.dcm", "SC_rgb_rle_2frame.dcm")]
    for image in images:
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    stored = pacs.store_instances(images)
    assert len(stored.ReferencedSOPSequence) == 3
    assert "FailedSOPSequence" not in stored
    studies = viewer.search_for_studies()
    assert {one["0020000D"]["Value"][0] for one in studies} == {image.StudyInstanceUID for image in images}
    for image in images:
        uids = (image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID)
        assert len(viewer.search_for_studies(search_filters={"StudyInstanceUID": uids[0]})) == 1
        assert len(viewer.search_for_series(uids[0])) == 1
        assert len(viewer.search_for_instances(uids[0], uids[1])) == 1
        metadata = viewer.retrieve_instance_metadata(*uids)
        assert metadata["00080018"]["Value"] == [uids[2]]
        back = viewer.retrieve_instance(*uids)
        assert back.PixelData == image.PixelData
        rendered = viewer.retrieve_instance_rendered(*uids, media_types=("image/jpeg",))
        assert Image.open(io.BytesIO(rendered)).size == (image.Columns, image.Rows)


def test_frames_of_a_cine(address: str, committing_city: City, scene: tuple[Hospital, Patient]) -> None:
    hospital, patient = scene
    cine = dicom.make_image("examples_ybr_color.dcm", PatientID="P0001")
    cine.file_meta.MediaStorageSOPInstanceUID = cine.SOPInstanceUID
    client(address, committing_city.machine(hospital).token).store_instances([cine])
    viewer = client(address, patient.token)
    uids = (cine.StudyInstanceUID, cine.SeriesInstanceUID, cine.SOPInstanceUID)
    frames = [
        np.asarray(
            Image.open(
                io.BytesIO(viewer.retrieve_instance_frames_rendered(*uids, [number], media_types=("image/jpeg",)))
            )
        )
        for number in (1, 30)
    ]
    assert frames[0].shape == (240, 320, 3)
    assert not np.array_equal(frames[0], frames[1])


def test_a_large_instance_comes_in_chunks(address: str, committing_city: City, scene: tuple[Hospital, Patient]) -> None:
    """Above a megabyte dicomweb-client sends without a Content-Length (Transfer-Encoding: chunked)."""
    hospital, patient = scene
    large = dicom.make_image(PatientID="P0001", Rows=2048, Columns=2048, PixelData=bytes(2 * 2048 * 2048))
    large.file_meta.MediaStorageSOPInstanceUID = large.SOPInstanceUID
    stored = client(address, committing_city.machine(hospital).token).store_instances([large])
    assert len(stored.ReferencedSOPSequence) == 1
    back = client(address, patient.token).retrieve_instance(
        large.StudyInstanceUID, large.SeriesInstanceUID, large.SOPInstanceUID
    )
    assert back.PixelData == large.PixelData


def test_failures_name_the_instance(address: str, committing_city: City, scene: tuple[Hospital, Patient]) -> None:
    hospital, _ = scene
    pacs = client(address, committing_city.machine(hospital).token)
    good, bad = dicom.make_image(PatientID="P0001"), dicom.make_image(PatientID="NOBODY")
    for image in (good, bad):
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    stored = pacs.store_instances([good, bad])
    assert [one.ReferencedSOPInstanceUID for one in stored.FailedSOPSequence] == [bad.SOPInstanceUID]
    assert stored.FailedSOPSequence[0].FailureReason == 0xC001


def test_a_stranger_gets_nothing(address: str, committing_city: City, scene: tuple[Hospital, Patient]) -> None:
    hospital, _ = scene
    image = dicom.make_image(PatientID="P0001")
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    client(address, committing_city.machine(hospital).token).store_instances([image])
    stranger = client(address, committing_city.patient("李测试").token)
    assert stranger.search_for_studies() == []
    with pytest.raises(HTTPError) as refused:
        stranger.retrieve_instance(image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID)
    assert refused.value.response.status_code == 404
