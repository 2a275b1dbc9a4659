"""What a request brings of one study is filed together; what raises a question is filed alone, and costs no other."""

from typing import Any

import pydicom
import pytest
from sqlalchemy import select

from core import db, storage
from core.storage import Staged, StorageFull
from records.images import service
from records.images.models import Instance, Series, Study
from records.intake.models import InboundMessage
from tests.support import dicom
from tests.support.city import City, Hospital, Machine

REFUSED = "00081198"


@pytest.fixture
def hospital(city: City) -> Hospital:
    return city.hospital()


@pytest.fixture
def pacs(city: City, hospital: Hospital) -> Machine:
    city.bind_number(hospital, city.patient(), "P0001")
    return city.machine(hospital)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The instances that were filed alone."""
    filed: list[str] = []
    really = service.file_instance

    def counting(*arguments: Any, header: Any, **named: Any) -> service.Filed:
        filed.append(header.sop_instance_uid)
        return really(*arguments, header=header, **named)

    monkeypatch.setattr(service, "file_instance", counting)
    return filed


def slices(count: int, **attributes: Any) -> list[pydicom.Dataset]:
    """Of one study, in two series."""
    first = dicom.make_image(PatientID="P0001", **attributes)
    other = dicom.make_image().SeriesInstanceUID
    attributes |= {"PatientID": "P0001", "StudyInstanceUID": first.StudyInstanceUID}
    series = [other if number % 2 else first.SeriesInstanceUID for number in range(1, count)]
    return [first, *(dicom.make_image(SeriesInstanceUID=uid, **attributes) for uid in series)]


def counts(image: pydicom.Dataset) -> tuple[int, int, int, list[int]]:
    """What the study's row says, how many instances there are, and what the rows of its series say."""
    with db.transaction() as session:
        study = session.scalars(select(Study).filter_by(study_instance_uid=image.StudyInstanceUID)).one()
        series = session.scalars(select(Series).filter_by(study_id=study.id)).all()
        there = session.scalars(select(Instance.id).where(Instance.series_id.in_([one.id for one in series]))).all()
        return study.series_count, study.instance_count, len(there), sorted(one.instance_count for one in series)


def refused_in(reply: Any) -> list[str]:
    return [item["00081155"]["Value"][0] for item in reply.json.get(REFUSED, {}).get("Value", [])]


def test_instances_without_a_question_are_filed_together(city: City, pacs: Machine, alone: list[str]) -> None:
    images = slices(5)
    assert city.store(pacs, *images).status_code == 200
    assert alone == []
    assert counts(images[0]) == (2, 5, 5, [2, 3])
    more = [*images, dicom.make_image(PatientID="P0001", StudyInstanceUID=images[0].StudyInstanceUID)]
    assert city.store(pacs, *more).status_code == 200
    assert sorted(alone) == sorted(image.SOPInstanceUID for image in images), "what came before is looked at again"
    assert counts(images[0]) == (3, 6, 6, [1, 2, 3])


def test_what_raises_a_question_costs_no_other_its_place(city: City, pacs: Machine, alone: list[str]) -> None:
    images = slices(3)
    attributes = {"PatientID": "P0001", "StudyInstanceUID": images[0].StudyInstanceUID}
    somebody = dicom.make_image(**attributes | {"PatientBirthDate": "19850413"})
    twice = dicom.make_image(**attributes, SOPInstanceUID=images[1].SOPInstanceUID)
    reply = city.store(pacs, *images, somebody, twice)
    assert reply.status_code == 202
    assert sorted(refused_in(reply)) == sorted([somebody.SOPInstanceUID, twice.SOPInstanceUID])
    assert sorted(alone) == sorted([somebody.SOPInstanceUID, twice.SOPInstanceUID])
    assert counts(images[0])[1:3] == (3, 3)


def test_one_that_cannot_be_kept_undoes_no_other(
    city: City, pacs: Machine, alone: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    images, really, kept = slices(4), storage.keep, list[Staged]()

    def keep(staged: Staged) -> str:
        """There is no room for the third."""
        kept.extend([staged] if staged not in kept else [])
        if kept.index(staged) == 2:
            raise StorageFull
        return really(staged)

    monkeypatch.setattr(storage, "keep", keep)
    reply = city.store(pacs, *images)
    assert (reply.status_code, len(refused_in(reply)), len(alone)) == (202, 1, 4)
    assert counts(images[0])[1:3] == (3, 3)
    monkeypatch.undo()
    assert city.store(pacs, *images).status_code == 200
    assert counts(images[0])[1:3] == (4, 4)
    with db.transaction() as session:
        rows = select(Instance.storage_key, Instance.data_key).where(
            Instance.sop_instance_uid.in_([image.SOPInstanceUID for image in images])
        )
        for address, key in session.execute(rows).tuples():
            with storage.open_file(address, key) as stream:
                assert stream.read(132).endswith(b"DICM")


def test_a_file_that_waits_leaves_quarantine_among_others(city: City, hospital: Hospital, alone: list[str]) -> None:
    pacs, images = city.machine(hospital), slices(3)
    assert city.store(pacs, images[0]).status_code == 409
    city.bind_number(hospital, city.patient(), "P0001")
    alone.clear()
    assert city.store(pacs, *images).status_code == 200
    assert alone == [images[0].SOPInstanceUID]
    with db.transaction() as session:
        waited = session.scalars(select(InboundMessage).filter_by(message_key=images[0].SOPInstanceUID)).one()
        assert waited.state == "accepted"
    assert counts(images[0])[1:3] == (3, 3)
