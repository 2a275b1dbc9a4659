"""The log in an export can be proven by who has nothing but the file and the platform's public keys."""

import json
import re

from core import db
from core.sealing.check_proof import check_proof
from core.sealing.notes import list_keys
from tests.records.exports.test_exports import Counter, make
from tests.support.charts import open_case
from tests.support.city import City, bearer
from tests.support.sealing import ORIGIN, seal

_NAME = re.compile(r"access-log-proofs/([0-9a-f-]{36})\.tlog-proof")


def test_each_sealed_row_has_a_proof_of_its_own(city: City) -> None:
    counter = Counter(city, open_case(city))
    case, patient = counter.case, counter.patient
    city.client.get(f"/api/v1/reports/{case.report_id}", headers=bearer(case.doctor.token))
    other = city.patient("李测试")
    seal()
    city.client.get("/api/v1/timeline", headers=bearer(patient.token))
    export_id = counter.order()
    make(export_id)
    files = counter.archive(export_id)
    with db.snapshot() as session:
        signers = list_keys(session, ORIGIN)
    proven = {}
    for name, text in files.items():
        if found := _NAME.fullmatch(name):
            _, _, entry = check_proof(text, signers)
            proven[found.group(1)] = json.loads(entry)
            assert proven[found.group(1)]["id"] == found.group(1)
    listed = [
        json.loads(line)
        for name, text in files.items()
        if name.endswith(".ndjson") and name.startswith("access-log")
        for line in text.splitlines()
    ]
    acts = {row["id"]: row["action"] for row in listed}
    assert {proven[id_]["action"] for id_ in proven} >= {"records.report.read", "health_card.person.registered"}
    assert proven.keys() <= acts.keys()
    # What was done after the sealing is listed, and has no proof yet.
    assert {acts[id_] for id_ in acts.keys() - proven.keys()} == {"records.timeline.read"}
    assert str(other.person_id) not in "".join(map(str, proven.values()))
    pages = "".join(text for name, text in files.items() if re.fullmatch(r"access-log-\d+\.html", name))
    assert "尚未封存" in pages
    assert all(f"access-log-proofs/{id_}.tlog-proof" in pages for id_ in proven)
    assert "查看报告" in pages
    assert patient.name not in pages
