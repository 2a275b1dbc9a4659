"""WADO-RS: frames, bulk data and pictures, in what the asker accepts."""

import io
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from werkzeug.test import TestResponse

from core import db
from core.config import Config
from records.images.models import Instance
from tests.support import dicom
from tests.support.archive import EXPLICIT, FILES, OCTETS, Archive, ask, make_archive, parts_of
from tests.support.city import City


@pytest.fixture(scope="module")
def archive(module_city: City) -> Archive:
    return make_archive(module_city)


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
