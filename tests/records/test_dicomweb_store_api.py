"""STOW-RS: one outcome an instance, and nothing lost."""

import io
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from core import db
from core.config import Config
from core.errors import list_refusals
from core.storage import Staging
from records.dicomweb import stow
from records.images.models import Instance, Study
from records.intake import service as intake
from records.intake.models import InboundMessage
from tests.support import dicom
from tests.support.city import City, Hospital, Machine, Patient, bearer

RETRIEVE_URL, FAILED, STORED, OTHER_FAILURES = "00081190", "00081198", "00081199", "0008119A"


def reasons(reply: TestResponse, sequence: str = FAILED) -> list[int]:
    return [item["00081197"]["Value"][0] for item in reply.json[sequence]["Value"]]


def stored_uids(reply: TestResponse) -> list[str]:
    return [item["00081155"]["Value"][0] for item in reply.json[STORED]["Value"]]


def count_rows(hospital: Hospital) -> tuple[int, int]:
    with db.transaction() as session:
        studies = session.scalars(select(Study).filter_by(hospital_id=hospital.id)).all()
        instances = session.scalars(select(Instance).filter_by(hospital_id=hospital.id)).all()
        return len(studies), len(instances)


def quarantined(hospital: Hospital) -> list[tuple[str, bytes]]:
    with db.transaction() as session:
        waiting = session.scalars(select(InboundMessage).filter_by(hospital_id=hospital.id, state="quarantined"))
        return [(str(message.reason), intake.read_body(message)) for message in waiting]


@pytest.fixture(scope="module")
def hospital(module_city: City) -> Hospital:
    return module_city.hospital()


@pytest.fixture(scope="module")
def pacs(module_city: City, hospital: Hospital) -> Machine:
    return module_city.machine(hospital, name="影像系统")


@pytest.fixture(scope="module")
def patient(module_city: City, hospital: Hospital) -> Patient:
    patient = module_city.patient()
    module_city.bind_number(hospital, patient, "P0001")
    return patient


def test_an_instance_is_filed_and_stands_on_the_timeline(
    city: City, config: Config, pacs: Machine, patient: Patient
) -> None:
    image = dicom.make_image(
        PatientID="P0001",
        StudyDescription="CHEST CT",
        StudyDate="20260301",
        StudyTime="093000",
        TimezoneOffsetFromUTC=None,
    )
    reply = city.store(pacs, image)
    assert (reply.status_code, reply.mimetype) == (200, "application/dicom+json"), reply.text
    assert reply.json[RETRIEVE_URL]["Value"] == [f"{config.base_url}/dicomweb/studies/{image.StudyInstanceUID}"]
    item = reply.json[STORED]["Value"][0]
    assert item["00081150"]["Value"] == [image.SOPClassUID]
    assert item[RETRIEVE_URL]["Value"] == [config.base_url + dicom.path_of(image)]
    items = city.client.get("/api/v1/timeline", headers=bearer(patient.token)).json["items"]
    assert [(one["object_kind"], one["category"], one["title"]) for one in items] == [("study", "imaging", "CHEST CT")]
    assert items[0]["occurred_at"] == "2026-03-01T01:30:00Z"


def test_a_study_grows_and_keeps_one_line(city: City, pacs: Machine, patient: Patient, hospital: Hospital) -> None:
    first = dicom.make_image(PatientID="P0001", StudyDescription=None, InstanceNumber=2)
    study, series = first.StudyInstanceUID, first.SeriesInstanceUID
    second = dicom.make_image(PatientID="P0001", StudyInstanceUID=study, SeriesInstanceUID=series, InstanceNumber=1)
    third = dicom.make_image("MR_small.dcm", PatientID="P0001", StudyInstanceUID=study)
    assert city.store(pacs, first).status_code == 200
    assert city.store(pacs, second, third, study=study).status_code == 200
    assert count_rows(hospital) == (1, 3)
    items = city.client.get("/api/v1/timeline", headers=bearer(patient.token)).json["items"]
    assert len(items) == 1
    shown = city.client.get(f"/api/v1/studies/{items[0]['object_id']}", headers=bearer(patient.token)).json
    assert (shown["modalities"], shown["series_count"], shown["instance_count"]) == (["CT", "MR"], 2, 3)
    numbers = [[one["number"] for one in series["instances"]] for series in shown["series"]]
    assert sorted(map(len, numbers)) == [1, 2]
    assert [1, 2] in numbers


def test_the_same_instance_again_is_accepted_and_kept_once(
    city: City, pacs: Machine, patient: Patient, hospital: Hospital
) -> None:
    image = dicom.make_image(PatientID="P0001")
    replies = [city.store(pacs, image) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [200, 200]
    assert replies[0].json == replies[1].json
    assert count_rows(hospital) == (1, 1)


def test_other_content_under_a_used_uid_is_refused(
    city: City, pacs: Machine, patient: Patient, hospital: Hospital
) -> None:
    image = dicom.make_image(PatientID="P0001")
    changed = dicom.make_image(
        PatientID="P0001", SOPInstanceUID=image.SOPInstanceUID, ImageComments="other", StudyDescription="elsewhere"
    )
    assert city.store(pacs, image).status_code == 200
    reply = city.store(pacs, changed)
    assert (reply.status_code, reasons(reply)) == (409, [0x0111])
    assert count_rows(hospital) == (1, 1), "the refused instance's study must not stay behind, empty"


def test_one_bad_instance_does_not_cost_the_others(
    city: City, pacs: Machine, patient: Patient, hospital: Hospital
) -> None:
    good, unknown = dicom.make_image(PatientID="P0001"), dicom.make_image(PatientID="NOBODY")
    broken = b"this is no DICOM file"
    without_uid = dicom.make_image(PatientID="P0001", SeriesInstanceUID=None)
    body = dicom.multipart([broken, dicom.to_bytes(unknown), dicom.to_bytes(without_uid), dicom.to_bytes(good)])
    reply = send(city, pacs, body)
    assert reply.status_code == 202
    assert stored_uids(reply) == [good.SOPInstanceUID]
    assert reasons(reply) == [0xC001]
    assert sorted(reasons(reply, OTHER_FAILURES)) == [0xA900, 0xC000]
    assert count_rows(hospital) == (1, 1)


def send(city: City, pacs: Machine, body: bytes, content_type: str = dicom.CONTENT_TYPE) -> TestResponse:
    return city.client.post("/dicomweb/studies", data=body, content_type=content_type, headers=bearer(pacs.token))


@pytest.mark.parametrize(
    ("attributes", "is_matched"),
    [
        ({"PatientID": "P0001"}, True),
        ({"PatientID": " P0001 "}, True),
        ({"PatientID": "P0001", "IssuerOfPatientID": "own"}, True),
        ({"PatientID": "P0001", "IssuerOfPatientID": "another house"}, False),
        ({"PatientID": "P0002"}, False),
        ({"PatientID": ""}, False),
        ({"PatientID": "card"}, True),
        ({"PatientID": "card", "IssuerOfPatientID": "platform"}, True),
        ({"PatientID": "card", "IssuerOfPatientID": "another house"}, False),
        ({"PatientID": "0" * 64}, False),
    ],
)
def test_whose_it_is_says_patient_id_with_its_issuer(
    city: City,
    config: Config,
    hospital: Hospital,
    pacs: Machine,
    patient: Patient,
    attributes: dict[str, str],
    is_matched: bool,
) -> None:
    meant = {"card": patient.card_number, "own": hospital.code, "platform": config.issuer_code}
    image = dicom.make_image(**{name: meant.get(value, value) for name, value in attributes.items()})
    reply = city.store(pacs, image)
    assert reply.status_code == (200 if is_matched else 409)
    assert count_rows(hospital)[1] == int(is_matched)
    assert [reason for reason, _ in quarantined(hospital)] == ([] if is_matched else ["records.person_not_matched"])


def test_another_hospitals_number_means_nobody_here(city: City, patient: Patient) -> None:
    elsewhere = city.machine(city.hospital("市第二测试医院"))
    assert reasons(city.store(elsewhere, dicom.make_image(PatientID="P0001"))) == [0xC001]


@pytest.mark.parametrize(
    ("attributes", "is_filed"),
    [
        ({"PatientSex": "M", "PatientBirthDate": "19850412"}, None),
        ({"PatientBirthDate": "19850413"}, False),
        ({"PatientBirthDate": "nonsense"}, True),
        ({"PatientSex": "O"}, True),
        ({"PatientName": "LI^SI"}, False),
        ({"PatientName": "CE SHI ZHANG=張^测试"}, True),
    ],
)
def test_name_sex_or_birth_date_of_another_person_is_set_aside(
    city: City, hospital: Hospital, pacs: Machine, patient: Patient, attributes: dict[str, str], is_filed: bool | None
) -> None:
    is_male = int(patient.certificate_number[16]) % 2 == 1
    reply = city.store(pacs, dicom.make_image(PatientID="P0001", **attributes))
    expected = is_male if is_filed is None else is_filed
    assert reply.status_code == (200 if expected else 409)
    if not expected:
        assert reasons(reply) == [0xC002]
        assert [reason for reason, _ in quarantined(hospital)] == ["records.person_contradicts"]


def test_a_study_is_one_persons(city: City, hospital: Hospital, pacs: Machine, patient: Patient) -> None:
    other = city.patient("李测试")
    city.bind_number(hospital, other, "P0002")
    first = dicom.make_image(PatientID="P0001")
    city.store(pacs, first)
    reply = city.store(pacs, dicom.make_image(PatientID="P0002", StudyInstanceUID=first.StudyInstanceUID))
    assert reasons(reply) == [0xC003]
    assert [reason for reason, _ in quarantined(hospital)] == ["records.study_of_another_person"]
    assert city.client.get("/api/v1/timeline", headers=bearer(other.token)).json["items"] == []


def test_what_waits_in_quarantine_is_whole_kept_once_and_filed_when_sent_again(
    city: City, hospital: Hospital, pacs: Machine, patient: Patient
) -> None:
    image = dicom.make_image(PatientID="LATER")
    for _ in range(2):
        assert city.store(pacs, image).status_code == 409
    assert quarantined(hospital) == [("records.person_not_matched", dicom.to_bytes(image))]
    newcomer = city.patient("王测试")
    city.bind_number(hospital, newcomer, "LATER")
    assert city.store(pacs, image).status_code == 200
    assert quarantined(hospital) == []
    items = city.client.get("/api/v1/timeline", headers=bearer(newcomer.token)).json["items"]
    assert len(items) == 1


def test_a_study_takes_only_its_own_instances(city: City, pacs: Machine, patient: Patient) -> None:
    image = dicom.make_image(PatientID="P0001")
    reply = city.store(pacs, image, study="1.2.3.4")
    assert (reply.status_code, reasons(reply)) == (409, [0xA901])


def test_deflated_instances_are_refused(city: City, pacs: Machine, patient: Patient) -> None:
    body = dicom.multipart([(dicom.SHIPPED / "image_dfl.dcm").read_bytes()])
    assert reasons(send(city, pacs, body), OTHER_FAILURES) == [0xC122]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"", dicom.CONTENT_TYPE, 400, "records.multipart_malformed"),
        (b"--x--", dicom.CONTENT_TYPE, 400, "records.multipart_malformed"),
        (dicom.multipart([]), dicom.CONTENT_TYPE, 400, "records.multipart_malformed"),
        (dicom.multipart([b"x" * 100_000])[:-10], dicom.CONTENT_TYPE, 400, "records.multipart_malformed"),
        (b"x", 'multipart/related; type="application/dicom"', 400, "records.multipart_malformed"),
        (b"{}", "application/json", 415, "records.media_type_unsupported"),
        (b"x", "", 415, "records.media_type_unsupported"),
        (b"x", 'multipart/related; type="application/dicom+json"; boundary=b', 415, "records.media_type_unsupported"),
        (
            dicom.multipart([b"x"]).replace(b"application/dicom", b"image/jpeg"),
            dicom.CONTENT_TYPE,
            415,
            "records.media_type_unsupported",
        ),
    ],
)
def test_what_is_no_store_request_is_refused_whole(
    city: City, pacs: Machine, hospital: Hospital, body: bytes, content_type: str, status: int, code: str
) -> None:
    reply = send(city, pacs, body, content_type)
    assert (reply.status_code, reply.json["code"]) == (status, code)
    assert count_rows(hospital) == (0, 0)


def test_a_body_cut_off_files_nothing(
    city: City, config: Config, pacs: Machine, patient: Patient, hospital: Hospital
) -> None:
    images = [dicom.to_bytes(dicom.make_image(PatientID="P0001")) for _ in range(3)]
    # Processes that other tests killed have left some there.
    before = set((config.storage_dir / "incoming").iterdir())
    reply = send(city, pacs, dicom.multipart(images)[:-4])
    assert reply.json["code"] == "records.multipart_malformed"
    assert count_rows(hospital) == (0, 0)
    assert set((config.storage_dir / "incoming").iterdir()) == before


def test_more_than_elsewhere_is_allowed_passes(city: City, pacs: Machine, patient: Patient) -> None:
    limit = city.app.config["MAX_CONTENT_LENGTH"]
    large = dicom.make_image(PatientID="P0001", Rows=2048, Columns=2048, PixelData=bytes(2 * 2048 * 2048))
    body = dicom.multipart([dicom.to_bytes(large)])
    assert len(body) > limit
    assert send(city, pacs, body).status_code == 200
    elsewhere = city.client.post("/api/v1/staff/sessions", data=body, content_type="application/json")
    assert elsewhere.status_code in {413, 422}


def test_only_systems_with_the_scope_may_store(city: City, hospital: Hospital, patient: Patient) -> None:
    body = dicom.multipart([dicom.to_bytes(dicom.make_image(PatientID="P0001"))])
    without_scope = city.machine(hospital, scopes=["billing.write"])
    doctor = city.staff(hospital)
    for token in (without_scope.token, doctor.token, patient.token):
        reply = city.client.post("/dicomweb/studies", data=body, content_type=dicom.CONTENT_TYPE, headers=bearer(token))
        assert (reply.status_code, reply.json["code"]) == (403, "core.permission_missing")
    reply = city.client.post("/dicomweb/studies", data=body, content_type=dicom.CONTENT_TYPE)
    assert (reply.status_code, reply.json["code"]) == (401, "core.not_signed_in")
    assert count_rows(hospital) == (0, 0)


class Trickle(io.RawIOBase):
    """A body that never lies in memory as a whole."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or next(self._pieces, b"")
        taken = min(len(buffer), len(self._rest))
        buffer[:taken], self._rest = self._rest[:taken], self._rest[taken:]
        return taken


def test_a_large_body_is_not_held_in_memory(city: City) -> None:
    part = f"--{dicom.BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    pieces = (piece for _ in range(4) for piece in (part, *([b"\r\n-" * 16384] * 256), b"\r\n"))
    end = f"--{dicom.BOUNDARY}--\r\n".encode()
    body = Trickle(piece for source in (pieces, [end]) for piece in source)
    tracemalloc.start()
    try:
        with Staging() as staging:
            files = stow.receive_files(io.BufferedReader(body), dicom.CONTENT_TYPE, staging)
            assert [file.size_bytes for file in files] == [256 * 3 * 16384] * 4
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("records.instance_differs", 0x0111),
        ("core.storage_full", 0xA700),
        ("records.image_incomplete", 0xA900),
        ("records.study_mismatch", 0xA901),
        ("records.image_is_directory", 0x0122),
        ("records.image_unreadable", 0xC000),
        ("records.person_not_matched", 0xC001),
        ("records.person_contradicts", 0xC002),
        ("records.study_of_another_person", 0xC003),
        ("records.message_dismissed", 0xC004),
        ("records.transfer_syntax_not_supported", 0xC122),
    ],
)
def test_each_refusal_has_its_failure_reason_and_both_are_documented(code: str, reason: int) -> None:
    refusal = next(kind for kind in list_refusals() if kind.code == code)
    assert stow.failure_reason(refusal()) == reason
    page = Path("docs/interfaces/dicomweb.md").read_text()
    assert any(f"{reason:04X}" in line and code in line for line in page.splitlines())
