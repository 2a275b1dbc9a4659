"""What watches the whole suite sees an answer without its access row (``tests.support.watching``)."""

from typing import Any

import pytest
from flask import Flask

from consent import service as consent
from records.reports.service import reading
from tests.support.charts import open_case
from tests.support.city import City, bearer
from tests.support.watching import Watch


def test_an_answer_without_its_access_row_is_seen(app: Flask, city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    watching: Watch = app.extensions["tests.watch"]
    case, before = open_case(city), watching.answers
    path = f"/api/v1/reports/{case.report_id}"

    class Unrecorded:
        """As consent, and nothing is written down."""

        def __getattr__(self, name: str) -> Any:
            return (lambda *_, **__: None) if name in {"release", "record_reading"} else getattr(consent, name)

    for token in (case.patient.token, case.doctor.token):
        assert city.client.get(path, headers=bearer(token)).status_code == 200
    assert (watching.unlogged, watching.answers - before) == ([], 2)
    monkeypatch.setattr(reading, "consent", Unrecorded())
    for token in (case.patient.token, case.doctor.token):
        assert city.client.get(path, headers=bearer(token)).status_code == 200
    unlogged, watching.unlogged = watching.unlogged, []
    assert len(unlogged) == 2
    assert path in unlogged[0]
