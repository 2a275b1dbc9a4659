"""Many systems of one hospital change one entry, or one report, at the same moment."""

import json
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from core import db
from records.entries.models import RecordEntry
from tests.support.city import City
from tests.support.entries import call, condition, named
from tests.support.fhir import card, observation, refusal_of, report

THREADS = 8


def test_of_many_updates_of_one_version_one_is_filed(committing_city: City) -> None:
    city = committing_city
    patient, machine = city.patient(), city.machine(city.hospital())
    sent = condition(named(patient.card_number))

    def create(_number: int) -> str:
        return str(json.loads(call(city, machine.token, "POST", "Condition", sent).text)["id"])

    with ThreadPoolExecutor(THREADS) as threads:
        (entry_id,) = set(threads.map(create, range(THREADS)))

    def update(number: int) -> int:
        changed = sent | {"id": entry_id, "note": [{"text": f"第 {number} 次随访"}]}
        reply = call(city, machine.token, "PUT", f"Condition/{entry_id}", changed, **{"If-Match": 'W/"1"'})
        if reply.status_code != 200:
            assert refusal_of(reply) == (412, "records.entry_version_differs")
        return reply.status_code

    with ThreadPoolExecutor(THREADS) as threads:
        statuses = list(threads.map(update, range(THREADS)))
    assert sorted(statuses) == [200, *[412] * (THREADS - 1)]
    with city.app.app_context(), db.transaction() as session:
        rows = session.scalars(select(RecordEntry).filter_by(id=entry_id).order_by(RecordEntry.version)).all()
    assert [(row.version, row.is_current) for row in rows] == [(1, False), (2, True)]


def test_of_many_updates_of_one_report_one_is_filed(committing_city: City) -> None:
    city = committing_city
    patient, machine = city.patient(), city.machine(city.hospital())
    results = {"contained": [observation(id="a")], "result": [{"reference": "#a"}]}
    sent = report(card(patient.card_number)) | results

    def create(_number: int) -> str:
        return str(json.loads(call(city, machine.token, "POST", "DiagnosticReport", sent).text)["id"])

    with ThreadPoolExecutor(THREADS) as threads:
        (report_id,) = set(threads.map(create, range(THREADS)))

    def update(number: int) -> int:
        changed = sent | {"id": report_id, "conclusion": f"第 {number} 次复查"}
        reply = call(city, machine.token, "PUT", f"DiagnosticReport/{report_id}", changed, **{"If-Match": 'W/"1"'})
        if reply.status_code != 200:
            assert refusal_of(reply) == (412, "records.report_version_differs")
        return reply.status_code

    with ThreadPoolExecutor(THREADS) as threads:
        statuses = list(threads.map(update, range(THREADS)))
    assert sorted(statuses) == [200, *[412] * (THREADS - 1)]
