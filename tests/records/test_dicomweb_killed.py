"""``kill -9`` in the middle of filing a study: nothing of it is there, and sent again it is there whole."""

import os
import signal
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import func, select

from core import db, storage
from core.storage import Staged
from records.images.models import Instance, Series, Study
from records.timeline.models import TimelineEntry
from tests.support import dicom
from tests.support.city import City, Hospital, Patient, bearer

INSTANCES, FILED_BEFORE_KILL = 5, 3


def test_a_kill_while_a_study_is_filed_leaves_no_half_of_it(
    committing_app: Flask, committing_city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = committing_city
    hospital, patient = city.hospital(), city.patient()
    city.bind_number(hospital, patient, "P0001")
    pacs, first = city.machine(hospital), dicom.make_image(PatientID="P0001")
    images = [first] + [
        dicom.make_image(PatientID="P0001", StudyInstanceUID=first.StudyInstanceUID) for _ in range(INSTANCES - 1)
    ]
    child = os.fork()
    if child == 0:
        try:
            # The connections are the parent's.
            db.orm.engine.dispose(close=False)
            monkeypatch.setattr(storage, "keep", dying(storage.keep))
            city.store(pacs, *images)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert count(hospital, patient) == (0, 0, 0, 0)
    assert city.store(pacs, *images).status_code == 200
    assert count(hospital, patient) == (1, INSTANCES, INSTANCES, 1)
    path = f"/dicomweb/studies/{first.StudyInstanceUID}/metadata"
    assert len(city.client.get(path, headers=bearer(patient.token)).json or []) == INSTANCES


def dying(keep: Callable[[Staged], str]) -> Callable[[Staged], str]:
    """Puts some files in their place, whose rows are then written, and with the next one the process is gone."""
    kept: list[str] = []

    def keep_or_die(staged: Staged) -> str:
        kept.append(keep(staged))
        if len(kept) > FILED_BEFORE_KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        return kept[-1]

    return keep_or_die


def count(hospital: Hospital, patient: Patient) -> tuple[int, ...]:
    """Studies, series, instances and lines on the timeline."""
    studies = select(Study.id).filter_by(hospital_id=hospital.id)
    with db.transaction() as session:
        return tuple(
            session.scalar(asked) or 0
            for asked in (
                select(func.count()).select_from(studies.subquery()),
                select(func.count(Series.id)).where(Series.study_id.in_(studies)),
                select(func.count(Instance.id)).filter_by(hospital_id=hospital.id),
                select(func.count(TimelineEntry.id)).filter_by(person_id=patient.person_id),
            )
        )
