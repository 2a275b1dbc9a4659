"""An independent DICOM implementation (dcmtk) sends to the listener and reads what it answers."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from flask import Flask

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
def files(tmp_path: Path, receiving: Receiving) -> Iterator[Path]:
    """Images of one person in several transfer syntaxes."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in SYNTAXES:
        image = dicom.make_image(name, PatientID=receiving.number)
        (folder / name).write_bytes(dicom.to_bytes(image))
    yield folder


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
