"""An independent DICOM implementation (dcmtk) sends to the listener and reads what it answers."""

import subprocess
from pathlib import Path

import pydicom
import pytest
from flask import Flask

from accounts.service import ports
from core import db
from core.actor import SYSTEM
from tests.records.dimse.test_listener import receiving
from tests.records.hl7v2.test_mllp import can_connect, wait_until
from tests.records.hl7v2.test_mllp_tls import ours
from tests.support import dicom
from tests.support.certificates import Certificate
from tests.support.city import City
from tests.support.dimse import Receiving, serving
from tests.support.ports import opened_dicom_port

__all__ = ["ours", "receiving"]

pytestmark = pytest.mark.system("dcmtk")


def run(program: str, port: int, *arguments: str, calling: str = "PACS", called: str = "YIMATONG") -> tuple[int, str]:
    """The exit code of one of dcmtk's programs, and what it said."""
    command = [program, "-v", "-aet", calling, "-aec", called, *arguments[:-1], "127.0.0.1", str(port), arguments[-1]]
    done = subprocess.run(
        [part for part in command if part], check=False, capture_output=True, text=True, timeout=60, errors="replace"
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def files(tmp_path: Path, receiving: Receiving) -> Path:
    """Images of one person in several transfer syntaxes."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in SYNTAXES:
        image = dicom.make_image(name, PatientID=receiving.number)
        (folder / name).write_bytes(dicom.to_bytes(image))
    return folder


# Implicit and explicit, little and big endian, JPEG, JPEG 2000, RLE.
SYNTAXES = [
    "CT_small.dcm",
    "MR_small_implicit.dcm",
    "MR_small_bigendian.dcm",
    "JPEG-lossy.dcm",
    "JPEG2000.dcm",
    "MR_small_RLE.dcm",
]


def test_dcmtk_echoes_and_sends_every_transfer_syntax_as_it_is(receiving: Receiving, files: Path) -> None:
    assert run("echoscu", receiving.port, "")[0] == 0
    code, said = run("dcmsend", receiving.port, "+sd", str(files))
    assert code == 0, said
    sent = [pydicom.dcmread(path) for path in files.iterdir()]
    stored = receiving.stored()
    assert set(stored) == {str(image.SOPInstanceUID) for image in sent}
    # The same again changes nothing.
    assert run("dcmsend", receiving.port, "+sd", str(files))[0] == 0
    assert receiving.stored() == stored


def test_dcmtk_is_told_why_an_image_waits(receiving: Receiving, tmp_path: Path) -> None:
    (tmp_path / "x.dcm").write_bytes(dicom.to_bytes(dicom.make_image(PatientID="NOBODY")))
    _, said = run("storescu", receiving.port, "-d", str(tmp_path / "x.dcm"))
    assert "0xc001" in said.lower()
    assert "records.person_not_matched" in said
    assert receiving.waiting() == ["records.person_not_matched"]
    assert receiving.stored() == {}


@pytest.mark.parametrize(
    ("titles", "reason"),
    [
        ({"calling": "SOMEBODY"}, "Calling AE Title Not Recognized"),
        ({"called": "SOMEBODY"}, "Called AE Title Not Recognized"),
    ],
)
def test_dcmtk_is_turned_away_under_another_title(receiving: Receiving, titles: dict[str, str], reason: str) -> None:
    code, said = run("echoscu", receiving.port, "", **titles)
    assert code != 0
    assert reason in said


def test_dcmtk_speaks_tls_with_the_certificate_that_is_registered(
    committing_app: Flask, committing_city: City, ours: Certificate, tmp_path: Path
) -> None:
    hospital = committing_city.hospital()
    known, stranger = Certificate(tmp_path, "pacs"), Certificate(tmp_path, "stranger")
    signed = Certificate(tmp_path, "signed", known)
    with opened_dicom_port(hospital.id) as port:
        with db.transaction() as session:
            certificate = known.files[0].read_bytes()
            ports.trust_certificate(session, SYSTEM, ports.IMAGES, hospital_id=hospital.id, certificate=certificate)
        with serving(committing_app):
            wait_until(lambda: can_connect(port))
            codes = [run("echoscu", port, *tls(shown, ours), "")[0] for shown in (known, stranger, signed)]
            in_clear = run("echoscu", port, "")[0]
    assert codes[0] == 0
    assert 0 not in (*codes[1:], in_clear)


def tls(shown: Certificate, ours: Certificate) -> list[str]:
    return ["+tls", str(shown.files[1]), str(shown.files[0]), "+cf", str(ours.files[0])]
