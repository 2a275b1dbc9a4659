"""Registering hospitals' archives, and archives that are down, lie, or lead somewhere else."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydicom
import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from werkzeug.test import TestResponse

from accounts.models import Role
from core import clock, db, storage
from core.config import Config
from core.dispatch import Dispatcher
from core.outbox import OutboxMessage
from records.images import service as images
from records.pacs import addresses, archive, jobs
from records.pacs.refusals import ArchiveAddressUnfit
from tests.conftest import SteppingClock
from tests.support import dicom
from tests.support.archives import Said, StrangeArchive, strange_archive
from tests.support.certificates import Certificate
from tests.support.city import City, Hospital, Patient, bearer

PATH = "/api/v1/operator/image-archives"
FIRST_DAY = "2026-01-01"
SECRET = "a-secret-of-tests"


@pytest.fixture
def own(config: Config, tmp_path: Path) -> Iterator[Config]:
    own = replace(config, storage_dir=tmp_path)
    storage.configure(own)
    archive._CIRCUITS.clear()
    yield own
    archive._CIRCUITS.clear()
    storage.configure(config)


@pytest.fixture
def hospital(city: City) -> Hospital:
    return city.hospital()


@pytest.fixture
def patient(city: City, hospital: Hospital) -> Patient:
    patient = city.patient()
    city.bind_number(hospital, patient, "P0001")
    return patient


def register(city: City, hospital: Hospital, *, role: Role = Role.SECURITY_ADMINISTRATOR, **sent: Any) -> TestResponse:
    body = {"base_url": "https://pacs.hospital.test/dicomweb/", "secret": SECRET, "first_day": FIRST_DAY} | sent
    token = city.staff(None, role).token
    return city.client.put(f"{PATH}/{hospital.code}", json=body, headers=bearer(token))


def listed(city: City, role: Role = Role.AUDIT_ADMINISTRATOR) -> Any:
    return city.client.get(PATH, headers=bearer(city.staff(None, role).token)).json["archives"]


def of_today(**attributes: Any) -> pydicom.Dataset:
    today = clock.in_city(clock.now()).date()
    return dicom.make_image(PatientID="P0001", StudyDate=f"{today:%Y%m%d}", **attributes)


def answering(image: pydicom.Dataset, whole: bytes | None = None) -> Any:
    """An archive that has one image; ``whole`` in place of its file."""
    metadata = json.loads(image.to_json(bulk_data_threshold=1024, bulk_data_element_handler=lambda _: "x"))
    study = {"0020000D": {"vr": "UI", "Value": [image.StudyInstanceUID]}, "00201208": {"vr": "IS", "Value": [1]}}
    series = {"0020000E": {"vr": "UI", "Value": [image.SeriesInstanceUID]}}

    def answer(path: str) -> Said:
        if "/instances/" in path:
            body = dicom.multipart([dicom.to_bytes(image) if whole is None else whole])
            return 200, {"Content-Type": dicom.CONTENT_TYPE}, body
        found = metadata if path.endswith("/metadata") else series if path.endswith("/series") else study
        return 200, {"Content-Type": "application/dicom+json"}, json.dumps([found]).encode()

    return answer


def index(app: Flask, city: City, hospital: Hospital, base_url: str) -> None:
    today = str(clock.in_city(clock.now()).date())
    assert register(city, hospital, base_url=base_url, first_day=today).status_code == 204
    Dispatcher(app, jobs.HANDLERS).run_due()


def rendered(city: City, patient: Patient, image: pydicom.Dataset) -> TestResponse:
    return city.client.get(f"{dicom.path_of(image)}/rendered", headers=bearer(patient.token))


def test_the_security_administrator_registers_an_archive_and_nobody_reads_its_secret(
    city: City, hospital: Hospital
) -> None:
    assert register(city, hospital, role=Role.OPERATOR).json["code"] == "core.permission_missing"
    unknown = replace(hospital, code="NONE")
    assert register(city, unknown).json["code"] == "accounts.hospital_not_found"
    assert register(city, hospital, username="platform").status_code == 204
    (shown,) = listed(city)
    assert shown["base_url"] == "https://pacs.hospital.test/dicomweb"
    assert (shown["username"], shown["is_enabled"], shown["first_day"]) == ("platform", True, FIRST_DAY)
    assert SECRET not in json.dumps(shown)
    with db.snapshot() as session:
        row = session.execute(text("SELECT secret_sealed FROM image_archives")).scalar_one()
        planned = [
            message.payload for message in session.scalars(select(OutboxMessage)) if message.topic in jobs.HANDLERS
        ]
    assert SECRET.encode() not in row
    assert SECRET not in json.dumps(planned)
    token = city.staff(None, Role.SECURITY_ADMINISTRATOR).token
    close = f"{PATH}/{hospital.code}/close"
    assert city.client.post(close, headers=bearer(token)).status_code == 204
    assert city.client.post(close, headers=bearer(token)).json["code"] == "records.archive_not_found"
    assert listed(city)[0]["is_enabled"] is False
    noted = city.client.post(
        "/api/v1/image-archive/studies",
        json={"study_instance_uid": "1.2.3"},
        headers=bearer(city.machine(hospital).token),
    )
    assert (noted.status_code, noted.json["code"]) == (404, "records.archive_not_found")


UNFIT = [
    "http://pacs.hospital.test/dicomweb",
    "https://user:password@pacs.hospital.test/",
    "https://pacs.hospital.test/?x=1",
    "https://pacs.hospital.test/a/../b",
    "https://127.0.0.2/dicomweb",
    "https://[::1]/dicomweb",
    "https://[::ffff:127.0.0.1]/dicomweb",
    "https://169.254.169.254/latest",
    "https://0.0.0.0/",
    "https://pacs.hospital.test:99999/",
    "ftp://pacs.hospital.test/",
    "https://[broken/",
]


def test_an_address_that_leads_home_or_says_too_much_is_refused(city: City, hospital: Hospital) -> None:
    for base_url in UNFIT:
        refused = register(city, hospital, base_url=base_url)
        assert (refused.status_code, refused.json["code"]) == (422, "records.archive_address_unfit"), base_url
    assert listed(city) == []


def test_a_name_is_looked_at_again_when_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Private networks are where archives stand; the platform's own machine is not."""
    answers = {"10.1.2.3": True, "192.168.1.9": True, "127.0.0.1": False, "169.254.169.254": False, "fe80::1": False}
    for answer, is_fit in answers.items():
        monkeypatch.setattr(
            "records.pacs.addresses.socket.getaddrinfo", lambda *_a, _is=answer, **_n: [(2, 1, 6, "", (_is, 443))]
        )
        if is_fit:
            addresses.check_resolved("https://pacs.hospital.test/")
        else:
            with pytest.raises(ArchiveAddressUnfit):
                addresses.check_resolved("https://pacs.hospital.test/")
    for here in ("http://127.0.0.1:8042/dicom-web", "https://127.0.0.1:8042/dicom-web"):
        assert addresses.check_address(here, "demo") == here
        with pytest.raises(ArchiveAddressUnfit):
            addresses.check_address(here, "production")


def test_a_certificate_is_proven_by_a_public_authority_or_the_hospitals_own(
    app: Flask, city: City, own: Config, hospital: Hospital, patient: Patient, tmp_path: Path
) -> None:
    house, another_house = Certificate(tmp_path, "authority"), Certificate(tmp_path, "another")
    image = of_today()
    today = str(clock.in_city(clock.now()).date())
    with strange_archive(answering(image), Certificate(tmp_path, "archive", house)) as strange:
        for trusted in (None, another_house):
            authority: dict[str, Any] = {"authority": trusted.files[0].read_text()} if trusted else {}
            sent: dict[str, Any] = {"base_url": strange.base_url, "first_day": today} | authority
            assert register(city, hospital, **sent).status_code == 204
            Dispatcher(app, jobs.HANDLERS).run_due()
            archive._CIRCUITS.clear()
        assert strange.asked == [], "who it is was never proven, so it was told no secret"
        told: dict[str, Any] = {
            "base_url": strange.base_url,
            "first_day": today,
            "authority": house.files[0].read_text(),
        }
        assert register(city, hospital, **told).status_code == 204
        Dispatcher(app, jobs.HANDLERS).run_due()
        assert rendered(city, patient, image).status_code == 200
    assert listed(city)[0]["has_authority"] is True
    refused = register(city, hospital, authority="-----BEGIN CERTIFICATE-----")
    assert (refused.status_code, refused.json["code"]) == (422, "core.malformed_request")


def test_an_archive_that_is_down_is_told_at_once_and_asked_again_later(
    app: Flask, city: City, own: Config, hospital: Hospital, patient: Patient
) -> None:
    image = of_today()
    with strange_archive(answering(image)) as strange:
        index(app, city, hospital, strange.base_url)
        assert {said for _, said in strange.asked} == {f"Bearer {SECRET}"}
        strange.answer = lambda _path: (503, {}, b"")
        first = rendered(city, patient, image)
        assert (first.status_code, first.json["code"]) == (503, "records.archive_unavailable")
        assert int(first.headers["Retry-After"]) > 0
        strange.answer = answering(image)
        asked = len(strange.asked)
        assert rendered(city, patient, image).json["code"] == "records.archive_unavailable"
        assert len(strange.asked) == asked, "it is left alone for a while"
        archive._CIRCUITS[hospital.id].close()
        assert rendered(city, patient, image).status_code == 200
    # What is kept here needs nobody; an archive that was taken out of use is not answered for.
    assert rendered(city, patient, image).status_code == 200
    token = city.staff(None, Role.SECURITY_ADMINISTRATOR).token
    city.client.post(f"{PATH}/{hospital.code}/close", headers=bearer(token))
    whole = city.client.get(dicom.path_of(image), headers=bearer(patient.token))
    assert (whole.status_code, whole.json["code"]) == (503, "records.archive_unavailable")


def test_what_was_indexed_and_is_sent_then_is_one_instance_and_needs_the_archive_no_more(
    app: Flask, city: City, own: Config, hospital: Hospital, patient: Patient
) -> None:
    image, pacs = of_today(), city.machine(hospital)
    moved = dicom.make_image(PatientID="P0001", SOPInstanceUID=image.SOPInstanceUID)
    with strange_archive(answering(image)) as strange:
        index(app, city, hospital, strange.base_url)
    assert kept(hospital, image) == {}, "a header is not what a PACS asks to be kept"
    assert refused_for(city.store(pacs, moved)) == 0x0111, "another study's"
    assert city.store(pacs, image).status_code == 200
    archive._CIRCUITS.clear()
    whole = city.client.get(dicom.path_of(image), headers=bearer(patient.token) | {"Accept": "application/dicom"})
    assert (whole.status_code, whole.data) == (200, dicom.to_bytes(image))
    assert rendered(city, patient, image).status_code == 200
    metadata = city.client.get(f"{dicom.path_of(image)}/metadata", headers=bearer(patient.token)).json
    assert "BulkDataURI" in metadata[0]["7FE00010"]
    assert kept(hospital, image) == {image.SOPInstanceUID: image.SOPClassUID}
    studies: Any = city.client.get("/dicomweb/studies", headers=bearer(patient.token)).json
    assert [study["00201208"]["Value"] for study in studies] == [[1]]
    assert city.store(pacs, image).status_code == 200, "again: as filed"
    image.ImageComments = "changed"
    assert refused_for(city.store(pacs, image)) == 0x0111
    with pytest.raises(DBAPIError, match="append-only"), db.transaction() as session:
        session.execute(text("UPDATE instances SET sha256 = '' WHERE NOT is_archived"))


def kept(hospital: Hospital, image: pydicom.Dataset) -> dict[str, str]:
    with db.snapshot() as session:
        return images.list_kept(session, hospital.id, [image.SOPInstanceUID])


def refused_for(reply: TestResponse) -> int:
    return int(reply.json["00081198"]["Value"][0]["00081197"]["Value"][0])


def another(_image: pydicom.Dataset, _strange: StrangeArchive) -> Said:
    body = dicom.multipart([dicom.to_bytes(dicom.make_image(PatientID="P0001"))])
    return 200, {"Content-Type": dicom.CONTENT_TYPE}, body


def no_image(_image: pydicom.Dataset, _strange: StrangeArchive) -> Said:
    return 200, {"Content-Type": dicom.CONTENT_TYPE}, dicom.multipart([b"<html>"])


def a_page(_image: pydicom.Dataset, _strange: StrangeArchive) -> Said:
    return 200, {"Content-Type": "text/html"}, b"sign in"


def led_elsewhere(_image: pydicom.Dataset, strange: StrangeArchive) -> Said:
    return 302, {"Location": f"{strange.base_url}/elsewhere"}, b""


def cut_off(image: pydicom.Dataset, _strange: StrangeArchive) -> Said:
    return 200, {"Content-Type": dicom.CONTENT_TYPE}, dicom.multipart([dicom.to_bytes(image)])[:-2000]


def too_large(image: pydicom.Dataset, _strange: StrangeArchive) -> Said:
    return 200, {"Content-Type": dicom.CONTENT_TYPE}, dicom.multipart([dicom.to_bytes(image) + bytes(200_000)])


LIES = {
    another: "records.archive_answer_unfit",
    no_image: "records.archive_answer_unfit",
    a_page: "records.archive_answer_unfit",
    led_elsewhere: "records.archive_answer_unfit",
    too_large: "records.archive_answer_unfit",
    cut_off: "records.archive_unavailable",
}


def test_what_is_not_the_image_that_was_asked_for_is_not_shown(
    app: Flask, city: City, own: Config, hospital: Hospital, patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = of_today()
    monkeypatch.setattr(archive, "LARGEST_INSTANCE_BYTES", 150_000)
    with strange_archive(answering(image)) as strange:
        index(app, city, hospital, strange.base_url)
        for said, code in LIES.items():
            strange.answer = lambda _path, lie=said: lie(image, strange)  # type: ignore[misc]  # mypy sees two kinds
            refused = rendered(city, patient, image)
            assert (refused.status_code, refused.json["code"]) == (503, code), said.__name__
            assert list((own.storage_dir / "incoming").iterdir()) == [], "nothing of it is left"
        assert not any("elsewhere" in path for path, _ in strange.asked)
        archive._CIRCUITS.clear()
        strange.answer = answering(image)
        assert rendered(city, patient, image).status_code == 200, "nothing false was kept"


def test_the_search_goes_on_by_day_looks_again_and_bears_nonsense(
    app: Flask, city: City, own: Config, hospital: Hospital, patient: Patient, stepping_clock: SteppingClock
) -> None:
    image = of_today(StudyDescription="CHEST CT")
    with strange_archive(lambda _path: (200, {}, b'{"not": "a list"}')) as strange:
        index(app, city, hospital, strange.base_url)
        assert listed(city)[0].get("searched_on") is None
        strange.answer = answering(image)
        stepping_clock.forward(seconds=601)
        Dispatcher(app, jobs.HANDLERS).run_due()
        assert listed(city)[0]["searched_on"] == str(clock.in_city(clock.now()).date())
        with db.snapshot() as session:
            filed = session.execute(text("SELECT sop_instance_uid FROM instances WHERE is_archived")).scalars().all()
        assert filed == [image.SOPInstanceUID]
        strange.asked.clear()
        stepping_clock.forward(seconds=601)
        Dispatcher(app, jobs.HANDLERS).run_due()
        assert strange.asked
        assert all("/studies?" in path for path, _ in strange.asked), "a study that did not grow is left alone"
        # Down: the search waits and goes on by itself, as often as it takes.
        strange.answer = lambda _path: (500, {}, b"")
        stepping_clock.forward(seconds=601)
        Dispatcher(app, jobs.HANDLERS).run_due()
    with db.snapshot() as session:
        waiting = [
            message
            for message in session.scalars(select(OutboxMessage))
            if message.topic in jobs.HANDLERS and message.done_at is None
        ]
    assert [(message.topic, message.dead_at, message.attempts) for message in waiting] == [
        ("records.archive_search_due", None, 0)
    ]
