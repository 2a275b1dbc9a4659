"""QIDO-RS: what matches, in a stable order, and nothing that the asker may not see."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pydicom
import pytest
from pydicom.uid import generate_uid
from werkzeug.test import TestResponse

from tests.support import dicom
from tests.support.city import City, Hospital, Patient, Staff, bearer

STUDY, SERIES, INSTANCE = "0020000D", "0020000E", "00080018"


@dataclass(frozen=True)
class Archive:
    """A patient with three studies at one hospital, and somebody else with one; a doctor of another hospital."""

    patient: Patient
    stranger: Patient
    hospital: Hospital
    elsewhere: Hospital
    doctor: Staff
    images: dict[str, pydicom.Dataset]


def request(step: str, procedure: str) -> pydicom.Dataset:
    asked = pydicom.Dataset()
    asked.ScheduledProcedureStepID, asked.RequestedProcedureID = step, procedure
    return asked


@pytest.fixture(scope="module")
def archive(module_city: City) -> Archive:
    city = module_city
    patient, stranger, hospital = city.patient(), city.patient("李测试"), city.hospital()
    city.bind_number(hospital, patient, "P0001")
    city.bind_number(hospital, stranger, "P0002")
    study, series = generate_uid(), generate_uid()
    chest: dict[str, Any] = {
        "PatientID": "P0001",
        "StudyInstanceUID": study,
        "StudyDate": "20260301",
        "StudyTime": "235959",
        "TimezoneOffsetFromUTC": "+0800",
        "AccessionNumber": "A77",
        "SpecificCharacterSet": "GB18030",
        "StudyDescription": "胸部平扫_100%",
        "StudyID": "S-9",
        "ReferringPhysicianName": "Chen^Ceshi=陈^测试",
        "PerformedProcedureStepStartDate": "20260302",
        "PerformedProcedureStepStartTime": "001500",
        "RequestAttributesSequence": [request("SPS1", "RP1"), request("SPS2", "RP1")],
    }
    images = {
        f"ct{number}": dicom.make_image(
            **chest, SeriesInstanceUID=series, SeriesNumber=2, SeriesDescription="肺窗", InstanceNumber=number
        )
        for number in (2, 1)
    }
    alone = {"PerformedProcedureStepStartDate": None, "RequestAttributesSequence": None}
    images["mr"] = dicom.make_image("MR_small.dcm", **chest | alone, SeriesNumber=1, InstanceNumber=1)
    head = (
        chest
        | alone
        | {
            "StudyID": "S-8",
            "ReferringPhysicianName": None,
            "StudyDate": "20260115",
            "StudyTime": "081500",
            "AccessionNumber": "B1",
        }
    )
    images["head"] = dicom.make_image(**head | {"StudyInstanceUID": generate_uid(), "StudyDescription": "HEAD"})
    bare: dict[str, Any] = {
        "StudyDate": "20251231",
        "StudyTime": "000100",
        "TimezoneOffsetFromUTC": None,
        "AccessionNumber": None,
        "StudyDescription": None,
        "StudyID": None,
        "ReferringPhysicianName": None,
        "PerformedProcedureStepStartDate": None,
    }
    images["old"] = dicom.make_image(PatientID="P0001", **bare)
    pacs = city.machine(hospital)
    assert city.store(pacs, *images.values()).status_code == 200
    images["other"] = dicom.make_image(PatientID="P0002", AccessionNumber="A77")
    assert city.store(pacs, images["other"]).status_code == 200
    elsewhere = city.hospital("市第二测试医院")
    return Archive(patient, stranger, hospital, elsewhere, city.staff(elsewhere), images)


def ask(city: City, address: str, who: Patient | Staff) -> TestResponse:
    return city.client.get(f"/dicomweb{address}", headers=bearer(who.token))


def find(city: City, archive: Archive, address: str, tag: str, who: Patient | Staff | None = None) -> list[str]:
    """The names in ``images`` of what was found."""
    reply = ask(city, address, who or archive.patient)
    assert reply.status_code == 200, reply.text
    assert "CESHI" not in reply.text
    first: dict[str, str] = {}
    for name, image in archive.images.items():
        for uid in (image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID):
            first.setdefault(str(uid), name)
    return [first[one[tag]["Value"][0]] for one in reply.json or []]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "ct2 head old"),
        ("limit=1", "ct2"),
        ("limit=1&offset=1", "head"),
        ("offset=3", ""),
        ("AccessionNumber=A77", "ct2"),
        ("00080050=A77", "ct2"),
        ("AccessionNumber=A7", ""),
        ("AccessionNumber=A*", "ct2"),
        ("AccessionNumber=?1", "head"),
        ("AccessionNumber=", "ct2 head old"),
        ("AccessionNumber=*", "ct2 head old"),
        ("ModalitiesInStudy=MR", "ct2"),
        ("ModalitiesInStudy=CT", "ct2 head old"),
        ("ModalitiesInStudy=?R", "ct2"),
        ("ModalitiesInStudy=US", ""),
        ("StudyDate=20260301", "ct2"),
        ("StudyDate=20260302", ""),
        ("StudyDate=20260115-", "ct2 head"),
        ("StudyDate=-20260114", "old"),
        ("StudyDate=20260101-20260131", "head"),
        ("StudyTime=08", "head"),
        ("StudyTime=0815-235959", "ct2 head"),
        ("StudyTime=-0814", "old"),
        ("StudyDescription=HEAD", "head"),
        ("StudyDescription=head", ""),
        (f"StudyDescription={quote('胸部*')}", "ct2"),
        (f"StudyDescription={quote('胸部平扫_100%')}", "ct2"),
        (f"StudyDescription={quote('*_1?0%*')}", "ct2"),
        (f"StudyDescription={quote('*%1*')}", ""),
        ("StudyID=S-9", "ct2"),
        ("StudyID=S-?", "ct2 head"),
        (f"ReferringPhysicianName={quote('陈^测试')}", "ct2"),
        ("ReferringPhysicianName=Chen^*", "ct2"),
        (f"ReferringPhysicianName={quote('Chen^Ceshi=陈^测试')}", "ct2"),
        ("ReferringPhysicianName=Ceshi", ""),
        ("includefield=all&includefield=00081030", "ct2 head old"),
    ],
)
def test_studies_that_match(city: City, archive: Archive, query: str, found: str) -> None:
    assert find(city, archive, f"/studies?{query}", STUDY) == found.split()


def test_lists_of_uids(city: City, archive: Archive) -> None:
    uids = [archive.images[name].StudyInstanceUID for name in ("old", "head", "other")]
    assert find(city, archive, f"/studies?StudyInstanceUID={','.join(uids)}", STUDY) == ["head", "old"]
    assert find(city, archive, f"/studies?StudyInstanceUID={quote(chr(92).join(uids[:2]))}", STUDY) == ["head", "old"]
    both = ",".join(archive.images[name].SOPInstanceUID for name in ("mr", "ct1"))
    assert find(city, archive, f"/instances?SOPInstanceUID={both}", INSTANCE) == ["mr", "ct1"]


@pytest.mark.parametrize(
    ("address", "tag", "found"),
    [
        ("/series", SERIES, "mr ct2 head old"),
        ("/series?Modality=MR", SERIES, "mr"),
        ("/series?SeriesNumber=2&AccessionNumber=A77", SERIES, "ct2"),
        (f"/series?SeriesDescription={quote('肺?')}", SERIES, "ct2"),
        ("/series?limit=2&offset=1", SERIES, "ct2 head"),
        ("/series?PerformedProcedureStepStartDate=20260302", SERIES, "ct2"),
        ("/series?PerformedProcedureStepStartDate=20260302&PerformedProcedureStepStartTime=-0014", SERIES, ""),
        ("/series?RequestAttributesSequence.ScheduledProcedureStepID=SPS2", SERIES, "ct2"),
        ("/series?00400275.00401001=RP*", SERIES, "ct2"),
        ("/instances?RequestAttributesSequence.RequestedProcedureID=RP2", INSTANCE, ""),
        ("/studies/{ct1}/series", SERIES, "mr ct2"),
        ("/studies/{ct1}/series?Modality=US", SERIES, ""),
        ("/instances?AccessionNumber=A77", INSTANCE, "mr ct1 ct2"),
        ("/instances?InstanceNumber=2&Modality=CT&AccessionNumber=A77", INSTANCE, "ct2"),
        ("/studies/{ct1}/instances", INSTANCE, "mr ct1 ct2"),
        ("/studies/{ct1}/instances?Modality=CT&limit=1", INSTANCE, "ct1"),
        ("/studies/{ct1}/series/{ct1series}/instances", INSTANCE, "ct1 ct2"),
        ("/studies/{ct1}/series/{ct1series}/instances?offset=2", INSTANCE, ""),
    ],
)
def test_series_and_instances_that_match(city: City, archive: Archive, address: str, tag: str, found: str) -> None:
    image = archive.images["ct1"]
    named = address.format(ct1=image.StudyInstanceUID, ct1series=image.SeriesInstanceUID)
    assert find(city, archive, named, tag) == found.split()


def test_a_result_comes_with_what_it_belongs_to(city: City, archive: Archive) -> None:
    image, base = archive.images["ct1"], city.config.base_url
    study = ask(city, "/studies?AccessionNumber=A77", archive.patient).json[0]
    assert (study["00080020"]["Value"], study["00080030"]["Value"]) == (["20260301"], ["235959"])
    assert (study["00201206"]["Value"], study["00201208"]["Value"]) == ([2], [3])
    assert study["00080061"]["Value"] == ["CT", "MR"]
    assert (study["00200010"]["Value"], study["00080201"]["Value"]) == (["S-9"], ["+0800"])
    assert study["00080090"]["Value"] == [{"Alphabetic": "Chen^Ceshi", "Ideographic": "陈^测试"}]
    found = ask(city, "/instances?AccessionNumber=A77&Modality=CT&limit=1", archive.patient).json[0]
    assert (found["00080050"]["Value"], found["0008103E"]["Value"]) == (["A77"], ["肺窗"])
    assert (found["00400244"]["Value"], found["00400245"]["Value"]) == (["20260302"], ["001500"])
    assert [one["00400009"]["Value"] for one in found["00400275"]["Value"]] == [["SPS1"], ["SPS2"]]
    assert found["00280100"]["Value"] == [16]
    assert found["00081190"]["Value"] == [base + dicom.path_of(image)]
    assert "00180050" not in found
    address = f"/studies/{image.StudyInstanceUID}/series/{image.SeriesInstanceUID}/instances"
    named = ask(city, f"{address}?includefield=SliceThickness,00180060", archive.patient).json[0]
    assert named["00180050"]["Value"] == [float(image.SliceThickness)]
    assert (named["00180060"]["vr"], "00080050" in named) == ("DS", False)
    everything = ask(city, f"{address}?includefield=all", archive.patient).json[0]
    assert everything["7FE00010"]["BulkDataURI"] == f"{base}{dicom.path_of(image)}/bulkdata/7FE00010"


def test_what_is_left_out_and_what_is_not_done_is_said(city: City, archive: Archive) -> None:
    assert "Warning" not in ask(city, "/studies?limit=3", archive.patient).headers
    more = ask(city, "/studies?limit=2", archive.patient).headers.getlist("Warning")
    assert more == [f'299 {city.config.base_url}/dicomweb "There are additional results that can be requested."']
    fuzzy = ask(city, "/studies?fuzzymatching=true", archive.patient)
    assert "Only literal matching has been performed" in fuzzy.headers["Warning"]
    assert len(fuzzy.json or []) == 3


@pytest.mark.parametrize(
    ("address", "parameter"),
    [
        ("/studies?PatientName=CESHI", "PatientName"),
        ("/studies?Nonsense=1", "Nonsense"),
        ("/studies?00100010=x", "00100010"),
        ("/studies?Modality=CT", "Modality"),
        (
            "/studies?RequestAttributesSequence.ScheduledProcedureStepID=1",
            "RequestAttributesSequence.ScheduledProcedureStepID",
        ),
        ("/series?RequestAttributesSequence.StudyID=1", "RequestAttributesSequence.StudyID"),
        (f"/series?{'StudyID.' * 400}x=1", ""),
        ("/series?SOPInstanceUID=1", "SOPInstanceUID"),
        ("/studies?StudyDate=2026", "StudyDate"),
        ("/studies?StudyDate=20261301", "StudyDate"),
        ("/studies?StudyTime=25", "StudyTime"),
        ("/studies?StudyInstanceUID=1.2.*", "StudyInstanceUID"),
        ("/studies?AccessionNumber=1&AccessionNumber=2", "AccessionNumber"),
        ("/studies?PatientID=1*", "PatientID"),
        ("/instances?InstanceNumber=one", "InstanceNumber"),
        ("/studies?limit=0", "limit"),
        ("/studies?offset=-1", "offset"),
        ("/studies?fuzzymatching=maybe", "fuzzymatching"),
        ("/studies?includefield=Nonsense", "Nonsense"),
        (f"/studies?{quote('张三')}=1", ""),
    ],
)
def test_what_is_not_understood_is_refused_and_not_answered_with_everything(
    city: City, archive: Archive, address: str, parameter: str
) -> None:
    reply = ask(city, address, archive.patient)
    assert (reply.status_code, reply.json["code"]) == (400, "records.search_not_understood")
    assert reply.json["parameter"] == parameter
    assert reply.json["reason"]


def test_patients_are_found_by_number_by_those_who_may(city: City, archive: Archive) -> None:
    number, patient = archive.patient.card_number, archive.patient
    assert find(city, archive, f"/studies?PatientID={number}&limit=1", STUDY) == ["ct2"]
    assert find(city, archive, f"/studies?PatientID={archive.stranger.card_number}", STUDY) == []
    city.bind_number(archive.elsewhere, patient, "Z9")
    assert find(city, archive, "/studies?PatientID=Z9", STUDY, archive.doctor) == []
    city.visit(archive.doctor, patient, archive.elsewhere)
    for asked in ("Z9", number):
        assert find(city, archive, f"/studies?PatientID={asked}&limit=1", STUDY, archive.doctor) == ["ct2"]
    # The number that the patient has at the hospital of the images means nobody at the doctor's.
    assert find(city, archive, "/studies?PatientID=P0001", STUDY, archive.doctor) == []


def test_without_a_grant_every_list_is_empty(city: City, archive: Archive) -> None:
    image = archive.images["ct1"]
    for who in (archive.stranger, archive.doctor):
        for address in ("/studies", "/series", "/instances"):
            found = ask(city, f"{address}?StudyInstanceUID={image.StudyInstanceUID}", who)
            assert (found.status_code, found.json, "Warning" in found.headers) == (200, [], False)
        inside = ask(city, f"/studies/{image.StudyInstanceUID}/instances", who)
        assert (inside.status_code, inside.json["code"]) == (404, "records.image_not_found")
    city.visit(archive.doctor, archive.patient, archive.elsewhere)
    assert find(city, archive, "/instances?AccessionNumber=A77", INSTANCE, archive.doctor) == ["mr", "ct1", "ct2"]
    for grant in city.client.get("/api/v1/grants", headers=bearer(archive.patient.token)).json["grants"]:
        city.client.post(f"/api/v1/grants/{grant['id']}/revoke", headers=bearer(archive.patient.token))
    assert find(city, archive, "/instances?AccessionNumber=A77", INSTANCE, archive.doctor) == []


def test_a_search_is_one_line_in_the_access_log(city: City, archive: Archive) -> None:
    for _ in range(2):
        ask(city, "/studies", archive.patient)
    rows = city.client.get("/api/v1/access-log", headers=bearer(archive.patient.token)).json["rows"]
    assert [row["action"] for row in rows].count("records.study_list.read") == 1
