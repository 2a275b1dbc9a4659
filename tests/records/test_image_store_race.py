"""However concurrently instances of a study arrive, each is filed once and all are counted."""

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import func, select

from core import db
from core.audit import AuditEntry
from records.images.models import Instance, Series, Study
from records.timeline.models import TimelineEntry
from tests.support import dicom
from tests.support.city import City, Hospital, Patient, bearer

THREADS = 16


def scene(city: City) -> tuple[Hospital, Patient]:
    hospital, patient = city.hospital(), city.patient()
    city.bind_number(hospital, patient, "P0001")
    return hospital, patient


def test_the_same_instance_many_times_at_once_is_one_row(committing_city: City) -> None:
    city = committing_city
    hospital, patient = scene(city)
    pacs, image = city.machine(hospital), dicom.make_image(PatientID="P0001")
    with ThreadPoolExecutor(THREADS) as pool:
        replies = list(pool.map(lambda _: city.store(pacs, image), range(THREADS)))
    assert [reply.status_code for reply in replies] == [200] * THREADS
    assert count(hospital, patient) == (1, 1, 1, 1)
    assert counted(hospital) == (1, 1)


def test_a_study_arriving_from_all_sides_is_one_study(committing_city: City) -> None:
    city = committing_city
    hospital, patient = scene(city)
    pacs, first = city.machine(hospital), dicom.make_image(PatientID="P0001")
    study = first.StudyInstanceUID
    series = [first.SeriesInstanceUID, dicom.make_image().SeriesInstanceUID]
    images = [
        dicom.make_image(PatientID="P0001", StudyInstanceUID=study, SeriesInstanceUID=series[number % 2])
        for number in range(2 * THREADS)
    ]
    with ThreadPoolExecutor(THREADS) as pool:
        replies = list(pool.map(lambda image: city.store(pacs, image), images))
    assert {reply.status_code for reply in replies} == {200}
    assert count(hospital, patient) == (1, 2, 2 * THREADS, 1)
    assert counted(hospital) == (2, 2 * THREADS)


def test_two_contents_under_one_uid_at_once_are_one_filed_and_one_refused(committing_city: City) -> None:
    city = committing_city
    hospital, patient = scene(city)
    pacs, uid = city.machine(hospital), dicom.make_image().SOPInstanceUID
    images = [dicom.make_image(PatientID="P0001", SOPInstanceUID=uid) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda image: city.store(pacs, image), images))
    assert sorted(reply.status_code for reply in replies) == [200] + [409] * 7
    assert count(hospital, patient) == (1, 1, 1, 1)


def test_a_viewer_that_asks_for_everything_at_once_is_one_look(committing_city: City) -> None:
    city = committing_city
    hospital, patient = scene(city)
    image = dicom.make_image(PatientID="P0001")
    assert city.store(city.machine(hospital), image).status_code == 200
    path, headers = f"{dicom.path_of(image)}/rendered", bearer(patient.token)
    with ThreadPoolExecutor(THREADS) as pool:
        replies = list(pool.map(lambda _: city.client.get(path, headers=headers), range(THREADS)))
    assert {reply.status_code for reply in replies} == {200}
    with db.transaction() as session:
        looks = session.scalar(
            select(func.count(AuditEntry.id)).filter_by(subject_id=patient.person_id, action="records.image.read")
        )
    assert looks == 1


def count(hospital: Hospital, patient: Patient) -> tuple[int, ...]:
    """Studies, series, instances and lines on the timeline."""
    of_hospital = select(Study.id).filter_by(hospital_id=hospital.id)
    with db.transaction() as session:
        return tuple(
            session.scalar(asked) or 0
            for asked in (
                select(func.count()).select_from(of_hospital.subquery()),
                select(func.count(Series.id)).where(Series.study_id.in_(of_hospital)),
                select(func.count(Instance.id)).filter_by(hospital_id=hospital.id),
                select(func.count(TimelineEntry.id)).filter_by(person_id=patient.person_id),
            )
        )


def counted(hospital: Hospital) -> tuple[int, int]:
    """What the study's own row says."""
    with db.transaction() as session:
        study = session.scalars(select(Study).filter_by(hospital_id=hospital.id)).one()
        return study.series_count, study.instance_count
