"""A patient's study of many kinds of files, and reading what DICOMweb answers."""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import pydicom
from pydicom.uid import generate_uid
from werkzeug.test import TestResponse

from tests.support import dicom
from tests.support.city import City, Hospital, Machine, Patient, Staff, bearer

EXPLICIT, IMPLICIT, RLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.5"
OCTETS = 'multipart/related; type="application/octet-stream"'


@dataclass(frozen=True)
class Archive:
    """A patient with one study of three series at a hospital, and a doctor of another one."""

    patient: Patient
    elsewhere: Hospital
    doctor: Staff
    pacs: Machine
    study: str
    images: dict[str, pydicom.Dataset]
    files: dict[str, bytes]

    def path(self, name: str) -> str:
        return dicom.path_of(self.images[name])


FILES = {
    "ct": "CT_small.dcm",
    "big": "MR_small_bigendian.dcm",
    "jls": "MR_small_jpeg_ls_lossless.dcm",
    "jp2": "MR_small_jp2klossless.dcm",
    "rle": "rtdose_rle.dcm",
    "cine": "examples_ybr_color.dcm",
    "mr": "MR_small.dcm",
    "report": "reportsi.dcm",
    "ecg": "waveform_ecg.dcm",
}
MR = ("big", "jls", "jp2", "mr")


def make_archive(city: City) -> Archive:
    """File it."""
    patient, hospital, elsewhere = city.patient(), city.hospital(), city.hospital("市第二测试医院")
    city.bind_number(hospital, patient, "P0001")
    pacs, study, series = city.machine(hospital), generate_uid(), generate_uid()
    images = {
        key: dicom.make_image(name, PatientID="P0001", StudyInstanceUID=study, SeriesNumber=number)
        for number, (key, name) in enumerate(FILES.items())
    }
    for number, key in enumerate(MR, 1):
        images[key].SeriesInstanceUID, images[key].SeriesNumber, images[key].InstanceNumber = series, 50, number
    assert city.store(pacs, *images.values()).status_code == 200
    files = {key: dicom.to_bytes(image) for key, image in images.items()}
    return Archive(patient, elsewhere, city.staff(elsewhere), pacs, study, images, files)


def ask(city: City, archive: Archive, address: str, accept: str | None = None, **query: str) -> TestResponse:
    """As the patient."""
    headers = bearer(archive.patient.token) | ({"Accept": accept} if accept else {})
    return city.client.get(address, headers=headers, query_string=query)


def parts_of(reply: TestResponse) -> Iterator[tuple[str, bytes]]:
    """Content type and content of each part."""
    assert (reply.status_code, reply.mimetype) == (200, "multipart/related"), reply.text
    boundary = f"--{reply.mimetype_params['boundary']}".encode()
    first, *between, end = (b"\r\n" + reply.data).split(b"\r\n" + boundary)
    assert (first, end) == (b"", b"--\r\n")
    for part in between:
        head, _, content = part.partition(b"\r\n\r\n")
        yield head.decode().removeprefix("\r\nContent-Type: "), content


def read(content: bytes) -> pydicom.Dataset:
    """A file."""
    return pydicom.dcmread(io.BytesIO(content))
