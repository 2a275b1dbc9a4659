"""A large study in one request, from its first byte until it is filed, in little memory."""

import io
import os
import tracemalloc
from collections.abc import Iterator

from tests.records.test_dicomweb_store_api import Trickle
from tests.support import dicom
from tests.support.city import City, bearer

# 1024 for a study of a gigabyte.
MEGABYTES = int(os.environ.get("STOW_MEGABYTES", "24"))
INSTANCE_BYTES = 8 * 1024 * 1024


def write_body(instances: int) -> Iterator[bytes]:
    """Pictures of 8 MiB, of which no two are the same instance; never one of them as a whole."""
    image = dicom.make_image(PatientID="P0001", Rows=2048, Columns=2048, PixelData=bytes(INSTANCE_BYTES))
    content, uid = dicom.to_bytes(image), str(image.SOPInstanceUID)
    begin = content.index(b"\xe0\x7f\x10\x00OW") + 12
    head, tail = content[:begin], content[begin + INSTANCE_BYTES :]
    del image, content
    for number in range(instances):
        yield f"--{dicom.BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        yield head.replace(uid.encode(), f"{uid[:-4]}{number:04d}".encode())
        for _ in range(INSTANCE_BYTES // 65536):
            yield bytes(65536)
        yield tail + b"\r\n"
    yield f"--{dicom.BOUNDARY}--\r\n".encode()


def test_a_large_study_is_filed_without_being_held_in_memory(city: City) -> None:
    hospital, patient = city.hospital(), city.patient()
    city.bind_number(hospital, patient, "P0001")
    pacs, instances = city.machine(hospital), MEGABYTES * 1024 * 1024 // INSTANCE_BYTES
    body = write_body(instances)
    first = next(body)
    stream = io.BufferedReader(Trickle(piece for pieces in ([first], body) for piece in pieces))
    tracemalloc.start()
    try:
        reply = city.client.post(
            "/dicomweb/studies",
            content_type=dicom.CONTENT_TYPE,
            headers=bearer(pacs.token),
            environ_overrides={"wsgi.input": stream, "wsgi.input_terminated": True},
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (reply.status_code, len(reply.json["00081199"]["Value"])) == (200, instances)
    assert peak < INSTANCE_BYTES, f"{peak / 2**20:.1f} MiB at its most"
