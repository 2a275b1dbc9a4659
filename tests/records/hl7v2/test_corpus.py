"""300 messages as laboratories write them, sent as they come: many together."""

from collections import Counter

from sqlalchemy import select

from core import db
from records.hl7v2 import jobs
from records.reports.models import Observation, Report, ReportAttachment
from tests.records.hl7v2.conftest import PORT, Speaking
from tests.support.hl7v2_corpus import KINDS, write_corpus


def answer_of(frame: bytes) -> tuple[str, str]:
    text = frame.decode("gb18030" if b"GB" in frame.split(b"\r")[0].upper() else "utf-8", "replace")
    error = next((line.split("|")[5] for line in text.split("\r") if line.startswith("ERR")), "")
    return text.partition("\rMSA|")[2][:2], error.split("^")[0]


def read_filed(speaking: Speaking) -> dict[str, tuple[tuple[tuple[str, ...], ...], int]]:
    """By the message's id: the values of the results of its reports, and how many documents they hold."""
    with db.transaction() as session:
        lines = session.execute(
            select(Report.identifier_value, Observation.value, Observation.text)
            .outerjoin(Observation, Observation.report_id == Report.id)
            .where(Report.hospital_id == speaking.hospital.id)
            .order_by(Report.identifier_value, Observation.position)
        ).all()
        documents = Counter(
            session.scalars(
                select(Report.identifier_value)
                .join(ReportAttachment, ReportAttachment.report_id == Report.id)
                .where(Report.hospital_id == speaking.hospital.id)
            )
        )
    values: dict[str, list[str]] = {}
    for number, value, text in lines:
        values.setdefault(number, []).append(f"{value:f}" if value is not None else text or "")
    filed: dict[str, tuple[tuple[tuple[str, ...], ...], int]] = {}
    for number in sorted(values):
        before = filed.get(number[:4], ((), 0))
        filed[number[:4]] = (*before[0], tuple(values[number])), before[1] + documents[number]
    return filed


def test_each_of_300_messages_becomes_what_it_should(speaking: Speaking) -> None:
    cases = list(write_corpus(speaking.hospital.code, "MZ1"))
    assert len({case.body for case in cases}) == 300
    assert {case.name for case in cases} == {kind.__name__.strip("_") for kind in KINDS} | {"long"}
    answers = [
        answer
        for start in range(0, 300, 50)
        for answer in jobs.receive_frames(PORT, [case.body for case in cases[start : start + 50]])
    ]
    filed = read_filed(speaking)
    for case, answer in zip(cases, answers, strict=True):
        assert answer is not None
        assert answer_of(answer[0]) == case.answer, (case.name, case.control_id)
        # A report without results has one line that says nothing.
        shown = tuple(values or ("",) for values in case.shown)
        assert filed.get(case.control_id, ((), 0)) == (shown, case.documents), (case.name, case.control_id)
    outcomes = Counter(case.answer[0] for case in cases)
    assert outcomes["AE"] == len(speaking.waiting())
    assert min(outcomes[code] for code in ("AA", "AE", "AR")) >= 15, outcomes
