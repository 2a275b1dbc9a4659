"""``kill -9`` in the middle of filing a study: nothing of it is there, and sent again it is there whole."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from flask import Flask
from sqlalchemy import func, select

from core import db
from records.images.models import Instance, Series, Study
from records.timeline.models import TimelineEntry
from tests.support import dicom
from tests.support.city import City, Hospital, Patient, bearer

ROOT = Path(__file__).resolve().parents[2]
INSTANCES, FILED_BEFORE_KILL = 5, 3
# The files of three instances have their place and their rows are written when the process is gone.
STORE = f"""
import os, signal, sys
from pathlib import Path
from app import create_app
from core import storage
from core.config import read_config

keep, kept = storage.keep, []

def keep_and_die(staged):
    kept.append(keep(staged))
    if len(kept) > {FILED_BEFORE_KILL}:
        os.kill(os.getpid(), signal.SIGKILL)
    return kept[-1]

storage.keep = keep_and_die
app = create_app(read_config(os.environ))
with app.app_context():
    app.test_client().post(
        "/dicomweb/studies",
        data=Path(sys.argv[1]).read_bytes(),
        content_type={dicom.CONTENT_TYPE!r},
        headers={{"Authorization": "Bearer " + sys.argv[2]}},
    )
"""


def test_a_kill_while_a_study_is_filed_leaves_no_half_of_it(
    committing_app: Flask, committing_city: City, environment: dict[str, str], tmp_path: Path
) -> None:
    city = committing_city
    hospital, patient = city.hospital(), city.patient()
    city.bind_number(hospital, patient, "P0001")
    pacs, first = city.machine(hospital), dicom.make_image(PatientID="P0001")
    images = [first] + [
        dicom.make_image(PatientID="P0001", StudyInstanceUID=first.StudyInstanceUID) for _ in range(INSTANCES - 1)
    ]
    body = tmp_path / "body"
    body.write_bytes(dicom.multipart(dicom.to_bytes(image) for image in images))
    killed = subprocess.run(
        [sys.executable, "-c", STORE, str(body), pacs.token],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    assert count(hospital, patient) == (0, 0, 0, 0)
    assert city.store(pacs, *images).status_code == 200
    assert count(hospital, patient) == (1, INSTANCES, INSTANCES, 1)
    path = f"/dicomweb/studies/{first.StudyInstanceUID}/metadata"
    assert len(city.client.get(path, headers=bearer(patient.token)).json) == INSTANCES


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
