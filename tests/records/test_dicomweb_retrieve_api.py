"""WADO-RS: whole studies, metadata, frames, bulk data and pictures, in what the asker accepts."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import generate_uid
from sqlalchemy import delete, text
from werkzeug.test import TestResponse

from core import db
from core.config import Config
from records.images.models import Instance, InstanceDetails
from tests.support import dicom
from tests.support.city import City, Hospital, Machine, Patient, Staff, bearer

EXPLICIT, IMPLICIT, RLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.5"
ALL_AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
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


@pytest.fixture(scope="module")
def archive(module_city: City) -> Archive:
    city = module_city
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
    return pydicom.dcmread(io.BytesIO(content))


def test_a_study_comes_whole_each_instance_as_it_was_stored(city: City, archive: Archive) -> None:
    for accept in (None, "*/*", "multipart/related", ALL_AS_STORED, f"image/jpeg, {ALL_AS_STORED}; q=0.1"):
        reply = ask(city, archive, f"/dicomweb/studies/{archive.study}", accept)
        assert reply.content_length == len(reply.data)
        found = dict(parts_of(reply)), [content for _, content in parts_of(reply)]
        assert sorted(found[1]) == sorted(archive.files.values())
        assert f"application/dicom; transfer-syntax={EXPLICIT}" in found[0]
    series = f"/dicomweb/studies/{archive.study}/series/{archive.images['mr'].SeriesInstanceUID}"
    stored = [content for _, content in parts_of(ask(city, archive, series))]
    assert stored == [archive.files[name] for name in MR]
    assert ask(city, archive, series, "application/dicom").json["code"] == "records.representation_not_available"


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, RLE])
def test_a_series_in_another_transfer_syntax_shows_the_same(city: City, archive: Archive, syntax: str) -> None:
    series = f"/dicomweb/studies/{archive.study}/series/{archive.images['mr'].SeriesInstanceUID}"
    asked = f'multipart/related; type="application/dicom"; transfer-syntax={syntax}'
    plain = archive.images["mr"].pixel_array
    for (content_type, content), name in zip(parts_of(ask(city, archive, series, asked)), MR, strict=True):
        image = read(content)
        assert content_type == f"application/dicom; transfer-syntax={syntax}"
        assert image.file_meta.TransferSyntaxUID == syntax
        assert image.SOPInstanceUID == archive.images[name].SOPInstanceUID
        assert image.PatientID == "P0001"
        assert np.array_equal(image.pixel_array, plain), name


def test_colour_is_transcoded_to_rgb(city: City, archive: Archive) -> None:
    image = read(ask(city, archive, archive.path("cine"), f"application/dicom; transfer-syntax={EXPLICIT}").data)
    assert (image.PhotometricInterpretation, image.NumberOfFrames) == ("RGB", 30)
    assert np.array_equal(image.pixel_array, archive.images["cine"].pixel_array)


@pytest.mark.parametrize(
    ("name", "accept"),
    [
        ("mr", 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.80'),
        ("mr", 'multipart/related; type="image/jpeg"'),
        ("mr", "application/zip"),
        ("mr", "*/*; q=0"),
        ("jls", 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.90'),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(city: City, archive: Archive, name: str, accept: str) -> None:
    reply = ask(city, archive, archive.path(name), accept)
    assert (reply.status_code, reply.json["code"]) == (406, "records.representation_not_available")
    assert all("application/dicom" in one for one in reply.json["available"])


def test_metadata_at_three_levels_is_what_the_files_say(city: City, archive: Archive, config: Config) -> None:
    study = ask(city, archive, f"/dicomweb/studies/{archive.study}/metadata").json
    assert len(study) == len(FILES)
    series = f"/dicomweb/studies/{archive.study}/series/{archive.images['mr'].SeriesInstanceUID}"
    of_series = ask(city, archive, f"{series}/metadata", "application/json")
    assert of_series.mimetype == "application/json"
    assert [one["00080018"]["Value"][0] for one in of_series.json] == [archive.images[n].SOPInstanceUID for n in MR]
    by_uid = {one["00080018"]["Value"][0]: one for one in study}
    for name, image in archive.images.items():
        found = by_uid[image.SOPInstanceUID]
        assert [found] == ask(city, archive, f"{archive.path(name)}/metadata").json
        assert found["00100020"] == {"vr": "LO", "Value": ["P0001"]}
        for tag, element in found.items():
            if "Value" in element and element["vr"] in {"UI", "CS", "SH", "LO", "IS"}:
                assert element == image[int(tag, 16)].to_json_dict(None, 0), tag
    pixels = by_uid[archive.images["ct"].SOPInstanceUID]["7FE00010"]
    assert pixels == {"vr": "OW", "BulkDataURI": f"{config.base_url}{archive.path('ct')}/bulkdata/7FE00010"}
    refused = ask(city, archive, f"{series}/metadata", 'multipart/related; type="application/dicom+xml"')
    assert refused.json["code"] == "records.representation_not_available"


def test_metadata_is_kept_sealed_and_made_of_the_file_where_it_is_not(city: City, archive: Archive) -> None:
    uid = archive.images["ct"].SOPInstanceUID
    kept = ask(city, archive, f"{archive.path('ct')}/metadata").data
    frames = ask(city, archive, f"{archive.path('rle')}/frames/3", f"{OCTETS}; transfer-syntax=*").data
    with db.transaction() as session:
        sealed = session.scalars(
            db.orm.select(InstanceDetails.metadata_sealed).join(Instance).filter_by(sop_instance_uid=uid)
        ).one()
        assert sealed is not None
        assert b"P0001" not in sealed
        session.execute(delete(InstanceDetails))
    assert ask(city, archive, f"{archive.path('ct')}/metadata").data == kept
    again = ask(city, archive, f"{archive.path('rle')}/frames/3", f"{OCTETS}; transfer-syntax=*").data
    assert again.split(b"\r\n\r\n")[1][:-40] == frames.split(b"\r\n\r\n")[1][:-40]
    assert ask(city, archive, f"{archive.path('jp2')}/frames/1", "application/octet-stream").status_code == 200


def test_kept_details_do_not_change(city: City, archive: Archive) -> None:
    with pytest.raises(Exception, match="instance_details"), db.transaction() as session:
        session.execute(text("UPDATE instance_details SET frame_places = NULL"))


@pytest.mark.parametrize(
    ("name", "accept", "content_type"),
    [
        ("ct", None, f"application/octet-stream; transfer-syntax={EXPLICIT}"),
        ("ct", f"{OCTETS}; transfer-syntax=*", f"application/octet-stream; transfer-syntax={EXPLICIT}"),
        ("big", OCTETS, f"application/octet-stream; transfer-syntax={EXPLICIT}"),
        ("jls", OCTETS, f"application/octet-stream; transfer-syntax={EXPLICIT}"),
        ("jls", "*/*", f"application/octet-stream; transfer-syntax={EXPLICIT}"),
        ("jp2", 'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1',
         f"application/octet-stream; transfer-syntax={EXPLICIT}"),
        ("jls", "application/octet-stream", None),
    ],
)  # fmt: skip
def test_a_frame_is_its_samples(
    city: City, archive: Archive, name: str, accept: str | None, content_type: str | None
) -> None:
    reply = ask(city, archive, f"{archive.path(name)}/frames/1", accept)
    found = list(parts_of(reply)) if content_type else [(None, reply.data)]
    plain = archive.images["ct" if name == "ct" else "mr"].PixelData
    assert found == [(content_type, plain)]


@pytest.mark.parametrize(
    ("name", "accept", "media_type"),
    [
        ("jls", 'multipart/related; type="image/jls"', "image/jls"),
        ("jls", "image/jls", "image/jls"),
        ("jls", f"{OCTETS}; transfer-syntax=*", "application/octet-stream"),
        ("jls", "*/*; transfer-syntax=*", "image/jls"),
        ("jp2", 'multipart/related; type="image/jp2"; transfer-syntax=1.2.840.10008.1.2.4.90', "image/jp2"),
        ("rle", 'multipart/related; type="image/dicom-rle"', "image/dicom-rle"),
        ("cine", 'image/png, multipart/related; type="image/jpeg"; q=0.5', "image/jpeg"),
    ],
)
def test_a_frame_comes_encoded_as_it_was_stored(
    city: City, archive: Archive, name: str, accept: str, media_type: str
) -> None:
    image = archive.images[name]
    reply = ask(city, archive, f"{archive.path(name)}/frames/1", accept)
    expected = next(
        pydicom.encaps.generate_frames(image.PixelData, number_of_frames=int(image.get("NumberOfFrames", 1)))
    )
    syntax = image.file_meta.TransferSyntaxUID
    if reply.mimetype == "multipart/related":
        assert list(parts_of(reply)) == [(f"{media_type}; transfer-syntax={syntax}", expected)]
    else:
        assert (reply.mimetype, reply.data) == (media_type, expected)


@pytest.mark.parametrize(
    ("name", "accept"),
    [
        ("ct", 'multipart/related; type="image/jls"'),
        ("ct", 'multipart/related; type="image/jp2"'),
        ("jp2", 'multipart/related; type="image/jls"'),
        ("jls", 'multipart/related; type="image/jls"; transfer-syntax=1.2.840.10008.1.2.4.81'),
    ],
)
def test_a_frame_in_another_encoding_is_refused_and_nothing_falls(
    city: City, archive: Archive, name: str, accept: str
) -> None:
    reply = ask(city, archive, f"{archive.path(name)}/frames/1", accept)
    assert (reply.status_code, reply.json["code"]) == (406, "records.representation_not_available")
    assert ask(city, archive, f"{archive.path(name)}/frames/1").status_code == 200


def test_several_frames_come_in_the_order_that_was_asked(city: City, archive: Archive) -> None:
    reply = ask(city, archive, f"{archive.path('rle')}/frames/15,1,7", OCTETS)
    decoded = archive.images["rle"].pixel_array
    assert [content for _, content in parts_of(reply)] == [decoded[n].tobytes() for n in (14, 0, 6)]
    colours = [content for _, content in parts_of(ask(city, archive, f"{archive.path('cine')}/frames/2,30"))]
    assert [len(content) for content in colours] == [240 * 320 * 3] * 2
    for frames, status, code in (
        ("16", 404, "records.image_not_found"),
        ("1,16", 404, "records.image_not_found"),
        ("0", 422, "core.malformed_request"),
        ("1;2", 422, "core.malformed_request"),
    ):
        reply = ask(city, archive, f"{archive.path('rle')}/frames/{frames}")
        assert (reply.status_code, reply.json["code"]) == (status, code)
    assert ask(city, archive, f"{archive.path('rle')}/frames/1,2", "application/octet-stream").status_code == 406


def test_one_frame_does_not_read_the_whole_file(city: City, archive: Archive, config: Config) -> None:
    """Of a file of 6 MB, all but the chunks of one frame are made unreadable."""
    rows, frames = 512, 12
    pixels = np.arange(frames, dtype=np.uint16).repeat(rows * rows).tobytes()
    image = dicom.make_image(
        PatientID="P0001", Rows=rows, Columns=rows, NumberOfFrames=frames, PixelData=pixels, DataSetTrailingPadding=None
    )
    assert city.store(archive.pacs, image).status_code == 200
    with db.transaction() as session:
        key = session.scalars(
            db.orm.select(Instance.storage_key).filter_by(sop_instance_uid=str(image.SOPInstanceUID))
        ).one()
    stored = config.storage_dir / "objects" / key[:2] / key
    with stored.open("r+b") as file:
        file.seek(1024 * 1024)
        file.write(bytes(3 * 1024 * 1024))
    path = f"{dicom.path_of(image)}/frames"
    last = ask(city, archive, f"{path}/12", "application/octet-stream")
    assert last.data == pixels[-rows * rows * 2 :]
    assert ask(city, archive, f"{path}/5", "application/octet-stream").json["code"] == "core.file_damaged"
    assert ask(city, archive, f"{dicom.path_of(image)}/metadata").status_code == 200


def test_bulk_data_comes_from_the_address_that_metadata_gives(city: City, archive: Archive, config: Config) -> None:
    def fetch(uri: str, accept: str | None = None) -> TestResponse:
        return ask(city, archive, uri.removeprefix(config.base_url), accept)

    ct = ask(city, archive, f"{archive.path('ct')}/metadata").json[0]
    assert fetch(ct["7FE00010"]["BulkDataURI"]).data == archive.images["ct"].PixelData
    big = ask(city, archive, f"{archive.path('big')}/metadata").json[0]
    [(_, content)] = parts_of(fetch(big["7FE00010"]["BulkDataURI"], OCTETS))
    assert content == archive.images["mr"].PixelData
    ecg = ask(city, archive, f"{archive.path('ecg')}/metadata").json[0]
    samples = ecg["54000100"]["Value"][0]["54001010"]["BulkDataURI"]
    assert samples.endswith("/bulkdata/54000100.1.54001010")
    assert fetch(samples).data == archive.images["ecg"].WaveformSequence[0].WaveformData
    cine = ask(city, archive, f"{archive.path('cine')}/metadata").json[0]
    frames = list(parts_of(fetch(cine["7FE00010"]["BulkDataURI"])))
    assert (len(frames), frames[0][0]) == (30, "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50")
    for attribute in ("00100010", "54000100.9.54001010", "00091010.1.00100010"):
        reply = ask(city, archive, f"{archive.path('ct')}/bulkdata/{attribute}")
        assert (reply.status_code, reply.json["code"]) == (404, "records.image_not_found")


def shown(reply: TestResponse) -> np.ndarray[Any, Any]:
    assert (reply.status_code, reply.mimetype) == (200, "image/jpeg"), reply.text
    return np.asarray(Image.open(io.BytesIO(reply.data))).astype(int)


def test_a_picture_looks_as_it_was_asked_for(city: City, archive: Archive) -> None:
    path = f"{archive.path('ct')}/rendered"
    plain = shown(ask(city, archive, path))
    assert shown(ask(city, archive, path, viewport="64,200")).shape == (64, 64)
    assert shown(ask(city, archive, path, viewport="300,256")).shape == (256, 256)
    part = shown(ask(city, archive, path, viewport="40,20,10,30,40,20", quality="95"))
    assert np.abs(part - plain[30:50, 10:50]).mean() < 6
    turned = shown(ask(city, archive, path, viewport="128,128,0,0,-128,-128"))
    assert np.abs(turned - plain[::-1, ::-1]).mean() < 3
    dark, light = (shown(ask(city, archive, path, window=f"{center},400,linear")) for center in (2000, -900))
    assert dark.mean() < plain.mean() < light.mean()
    sizes = [len(ask(city, archive, path, quality=quality).data) for quality in ("10", "85", "100")]
    assert sizes == sorted(sizes)
    tags = {ask(city, archive, path, **query).headers["ETag"] for query in ({}, {"quality": "10"}, {"quality": "11"})}
    assert len(tags) == 3


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("viewport", "0,10"),
        ("viewport", "10"),
        ("viewport", "9999,1"),
        ("viewport", "10,10,500,0,10,10"),
        ("viewport", "10,10,0,0,0,10"),
        ("window", "40,400"),
        ("window", "40,400,cubic"),
        ("window", "40,0,linear"),
        ("window", "nan,1,linear"),
        ("quality", "0"),
        ("quality", "101"),
        ("annotation", "patient"),
        ("presentationUID", "1.2.3"),
        ("windowCenter", "40"),
    ],
)
def test_a_picture_that_is_not_understood_or_not_made_is_refused(
    city: City, archive: Archive, parameter: str, value: str
) -> None:
    reply = ask(city, archive, f"{archive.path('ct')}/rendered", **{parameter: value})
    assert (reply.status_code, reply.json["code"]) == (400, "records.rendering_not_understood")
    assert (reply.json["parameter"], bool(reply.json["reason"])) == (parameter, True)


def test_series_and_studies_have_pictures_and_thumbnails(city: City, archive: Archive) -> None:
    study = f"/dicomweb/studies/{archive.study}"
    series = f"{study}/series/{archive.images['mr'].SeriesInstanceUID}"
    pictures = list(parts_of(ask(city, archive, f"{series}/rendered", viewport="32,32")))
    assert [Image.open(io.BytesIO(content)).size for _, content in pictures] == [(32, 32)] * 4
    assert len(list(parts_of(ask(city, archive, f"{study}/rendered", viewport="32,32")))) == len(FILES) - 2
    assert ask(city, archive, f"{series}/rendered", "image/jpeg").status_code == 406
    alone = archive.path("ct").split("/instances/")[0]
    assert shown(ask(city, archive, f"{alone}/rendered", "image/jpeg")).shape == (128, 128)
    for path in (study, series, archive.path("ct"), f"{archive.path('cine')}/frames/9"):
        small = shown(ask(city, archive, f"{path}/thumbnail"))
        assert max(small.shape[:2]) == 128, path
    assert shown(ask(city, archive, f"{study}/thumbnail", viewport="20,20")).shape[:2] <= (20, 20)
    report = archive.path("report").split("/instances/")[0]
    for path in (f"{report}/thumbnail", f"{report}/rendered"):
        assert ask(city, archive, path).json["code"] == "records.image_not_decodable"


def every_address(archive: Archive) -> list[str]:
    study, ct = f"/dicomweb/studies/{archive.study}", archive.path("ct")
    levels = (study, ct.split("/instances/")[0], ct)
    return [
        *(f"{level}{suffix}" for level in levels for suffix in ("", "/metadata", "/rendered", "/thumbnail")),
        *(f"{ct}/frames/1{suffix}" for suffix in ("", "/rendered", "/thumbnail")),
        f"{ct}/bulkdata/7FE00010",
        f"{study}/instances",
    ]


def test_nothing_without_a_grant_and_nothing_after_its_end(city: City, archive: Archive) -> None:
    doctor, addresses = bearer(archive.doctor.token), every_address(archive)

    def statuses() -> set[tuple[int, str | None]]:
        replies = [city.client.get(address, headers=doctor) for address in addresses]
        return {
            (reply.status_code, (reply.json or {}).get("code") if reply.status_code >= 400 else None)
            for reply in replies
        }

    hidden = {(404, "records.image_not_found")}
    assert statuses() == hidden
    city.visit(archive.doctor, archive.patient, archive.elsewhere)
    assert statuses() == {(200, None)}
    first = city.client.get(f"{archive.path('rle')}/frames/1", headers=doctor)
    assert first.status_code == 200
    grants = city.client.get("/api/v1/grants", headers=bearer(archive.patient.token)).json["grants"]
    for grant in grants:
        city.client.post(f"/api/v1/grants/{grant['id']}/revoke", headers=bearer(archive.patient.token))
    second = city.client.get(f"{archive.path('rle')}/frames/2", headers=doctor)
    assert (second.status_code, second.json["code"]) == (404, "records.image_not_found")
    assert statuses() == hidden
    stranger = city.patient("李测试")
    assert {city.client.get(one, headers=bearer(stranger.token)).status_code for one in addresses} == {404}
    assert {city.client.get(one).status_code for one in addresses} == {401}


def test_a_copy_at_a_second_hospital_is_shown_once(city: City, archive: Archive) -> None:
    city.bind_number(archive.elsewhere, archive.patient, "P0001")
    other = city.machine(archive.elsewhere)
    new = dicom.make_image(PatientID="P0001", StudyInstanceUID=archive.study)
    assert city.store(other, archive.images["ct"], new).status_code == 200
    assert len(ask(city, archive, f"/dicomweb/studies/{archive.study}/metadata").json) == len(FILES) + 1
    with db.transaction() as session:
        assert session.query(Instance).filter_by(sop_instance_uid=str(archive.images["ct"].SOPInstanceUID)).count() == 2
