"""WADO-RS: whole studies, instances and metadata, in what the asker accepts, for whom may see them."""

import numpy as np
import pytest
from sqlalchemy import delete, text

from core import db
from core.config import Config
from records.images.models import Instance, InstanceDetails
from tests.support import dicom
from tests.support.archive import (
    EXPLICIT,
    FILES,
    IMPLICIT,
    MR,
    OCTETS,
    RLE,
    Archive,
    ask,
    make_archive,
    parts_of,
    read,
)  # fmt: skip
from tests.support.city import City, bearer

ALL_AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'


@pytest.fixture(scope="module")
def archive(module_city: City) -> Archive:
    return make_archive(module_city)


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
    assert study is not None
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
    assert len(ask(city, archive, f"/dicomweb/studies/{archive.study}/metadata").json or []) == len(FILES) + 1
    with db.transaction() as session:
        assert session.query(Instance).filter_by(sop_instance_uid=str(archive.images["ct"].SOPInstanceUID)).count() == 2
