"""At the same moment: one export of a person, one number of a document, one notice of a morning's reports."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import func, select

from core import db
from health_card.notices.models import Notice
from records.documents import service as documents
from records.exports import service as exports
from records.exports.models import RecordExport
from records.exports.refusals import ExportUnderWay
from records.news import service as news
from tests.support.charts import send_report
from tests.support.city import City

AT_ONCE = 8


def all_at_once(city: City, acts: list[Callable[[], object]]) -> list[object]:
    together = threading.Barrier(len(acts))

    def begin(act: Callable[[], object]) -> object:
        together.wait()
        with city.app.app_context():
            return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(begin, acts))


def test_of_many_who_ask_for_an_export_one_gets_it(committing_city: City) -> None:
    patient = committing_city.patient()

    def ask() -> bool:
        try:
            with db.transaction() as session:
                exports.ask_export(session, patient.actor)
        except ExportUnderWay:
            return False
        return True

    assert sum(map(bool, all_at_once(committing_city, [ask] * AT_ONCE))) == 1
    with db.transaction() as session:
        (running,) = session.scalars(select(RecordExport).filter_by(person_id=patient.person_id))
        exports.cancel_export(session, patient.actor, export_id=running.id)


def test_a_report_printed_by_many_has_one_number(committing_city: City) -> None:
    patient = committing_city.patient()
    report_id = send_report(committing_city, committing_city.hospital(), patient)

    def print_it() -> str:
        with db.transaction() as session:
            return documents.print_report(session, patient.actor, report_id=report_id).number

    assert len(set(all_at_once(committing_city, [print_it] * AT_ONCE))) == 1


def test_reports_told_at_once_are_one_notice(committing_city: City) -> None:
    hospital, patient = committing_city.hospital(), committing_city.patient()
    first, second = (send_report(committing_city, hospital, patient) for _ in range(2))
    is_told, is_second_told = threading.Event(), threading.Event()

    def tell_first() -> None:
        with db.transaction() as session:
            news.tell_of_version(session, report_id=first, version=1)
            is_told.set()
            # The second one waits for our commit: this only gives it the time to go past us if it does not.
            is_second_told.wait(0.5)

    def tell_second() -> None:
        is_told.wait()
        with db.transaction() as session:
            news.tell_of_version(session, report_id=second, version=1)
        is_second_told.set()

    all_at_once(committing_city, [tell_first, tell_second])
    with db.transaction() as session:
        told = select(func.count(Notice.id)).filter_by(person_id=patient.person_id, kind="report_new")
        assert session.scalar(told) == 1
