"""What is no picture of the standard: kept and given back whole, or refused for what it is."""

import pytest
from pydicom.uid import UID

from tests.support import dicom
from tests.support.city import City, Machine, Patient, bearer

SIEMENS_NON_IMAGE = UID("1.3.12.2.1107.5.9.1")
RETIRED_ULTRASOUND = UID("1.2.840.10008.5.1.4.1.1.3")


@pytest.fixture(scope="module")
def sender(module_city: City) -> tuple[Patient, Machine]:
    hospital, patient = module_city.hospital(), module_city.patient()
    module_city.bind_number(hospital, patient, "P0001")
    return patient, module_city.machine(hospital)


def test_objects_of_makers_are_kept_and_said_to_be_no_pictures(city: City, sender: tuple[Patient, Machine]) -> None:
    patient, pacs = sender
    private = dicom.make_image(PatientID="P0001", SOPClassUID=SIEMENS_NON_IMAGE)
    for keyword in ("Rows", "Columns", "PixelData"):
        delattr(private, keyword)
    private.file_meta.MediaStorageSOPClassUID = SIEMENS_NON_IMAGE
    retired = dicom.make_image(
        PatientID="P0001", SOPClassUID=RETIRED_ULTRASOUND, StudyInstanceUID=private.StudyInstanceUID
    )
    assert city.store(pacs, private, retired).status_code == 200
    mine, study = bearer(patient.token), f"/dicomweb/studies/{private.StudyInstanceUID}"
    listed = city.client.get(f"{study}/instances", headers=mine).json
    assert {one["00080016"]["Value"][0] for one in listed} == {SIEMENS_NON_IMAGE, RETIRED_ULTRASOUND}
    whole = city.client.get(dicom.path_of(private), headers=mine | {"Accept": "application/dicom"})
    assert whole.data == dicom.to_bytes(private)
    drawn = city.client.get(f"{dicom.path_of(private)}/rendered", headers=mine)
    assert (drawn.status_code, drawn.json["code"]) == (422, "records.image_not_decodable")
    assert drawn.json["reason"]
    # What has pixels is drawn, of whatever class it is.
    assert city.client.get(f"{dicom.path_of(retired)}/rendered", headers=mine).status_code == 200
    (line,) = city.client.get("/api/v1/timeline", headers=mine).json["items"]
    page = city.client.get(f"/view/{line['object_id']}", headers=mine).text
    assert "不能显示为图像：其他对象 1 个" in page


def test_a_directory_is_refused_for_what_it_is(city: City, sender: tuple[Patient, Machine]) -> None:
    directory = (dicom.SHIPPED / "dicomdirtests" / "DICOMDIR").read_bytes()
    bare = dicom.to_bytes(dicom.make_image(PatientID="P0001")).split(b"DICM", 1)[1]
    reply = city.client.post(
        "/dicomweb/studies",
        data=dicom.multipart([directory, bare]),
        content_type=dicom.CONTENT_TYPE,
        headers=bearer(sender[1].token),
    )
    assert reply.status_code == 409
    # records.image_is_directory; and a data set without the preamble of PS3.10: records.image_unreadable.
    assert [one["00081197"]["Value"][0] for one in reply.json["0008119A"]["Value"]] == [0x0122, 0xC000]
