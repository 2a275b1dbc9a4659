"""How messages come: many together, in batches, by HTTPS, with documents inside, in enhanced mode."""

import base64
import secrets
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from consent.models import RestrictedItem
from core import clock, db
from core.outbox import OutboxMessage
from health_card.notices.models import Notice, NoticeKind
from health_card.notices.service import WRITTEN_TOPIC
from records.hl7v2 import jobs
from records.news.jobs import HANDLERS
from records.reports.models import Report
from records.reports.service import FILED_TOPIC
from tests.records.hl7v2.conftest import PORT, Speaking
from tests.support.city import bearer
from tests.support.hl7v2 import adt, fields_of, oru

PDF = b"%PDF-1.4\n" + secrets.token_bytes(70_000)
HTTP = "/api/v1/hl7v2/messages"


def count_reports(speaking: Speaking) -> int:
    with db.transaction() as session:
        return session.scalar(select(func.count()).where(Report.hospital_id == speaking.hospital.id)) or 0


def codes(frame: bytes) -> list[str]:
    return [line[4:6] for line in frame.decode().split("\r") if line.startswith("MSA|")]


def document(content: bytes = PDF) -> str:
    return f"OBX|2|ED|PDF^心电图报告^L||LIS^application^pdf^Base64^{base64.b64encode(content).decode()}||||||F"


def test_messages_filed_together_stand_or_fall_alone(speaking: Speaking) -> None:
    code = speaking.hospital.code
    good, again = oru(code, "MZ1", control_id="G1"), oru(code, "MZ1", control_id="G2", order="same")
    bodies = [
        good,
        oru(code, "NOBODY"),
        again,
        good,
        oru(code, "MZ1", "OBX|1|NM|X^y||5.9||||||C", order="same", control_id="G3"),
        oru("OTHER", "MZ1"),
        "hello",
        good.replace("7.20", "7.30"),
        oru(code, "MZ1"),
    ]
    frames = jobs.receive_frames(PORT, [body.encode() for body in bodies])
    answers = [(answer or [b""])[0] for answer in frames]
    expected = ["AA", "AE", "AA", "AA", "AA", "AR", "AR", "AE", "AA"]
    assert [found for answer in answers for found in codes(answer)] == expected
    assert answers[0] == answers[3]
    assert "records.message_key_reused" in answers[7].decode()
    with db.transaction() as session:
        versions = session.execute(
            select(Report.version, Report.status, Report.is_current)
            .where(Report.identifier_value == "same", Report.hospital_id == speaking.hospital.id)
            .order_by(Report.version)
        ).all()
    assert [tuple(version) for version in versions] == [(1, "final", False), (2, "final", True)]
    assert count_reports(speaking) == 4


def test_what_is_filed_together_is_what_is_filed_alone(speaking: Speaking) -> None:
    card = f"{speaking.patient.card_number}^^^^HC~{speaking.patient.certificate_number}^^^^NNCHN"
    messages = [oru(speaking.hospital.code, patient) for patient in ("MZ1", card, f"MZ1~{card}", "MZ1~MZ2")]
    together = [answer or [] for answer in jobs.receive_frames(PORT, [message.encode() for message in messages])]
    assert [codes(answer[0]) for answer in together] == [["AA"], ["AA"], ["AA"], ["AE"]]
    log = speaking.get("/api/v1/access-log")["rows"]
    assert sum(row["action"] == "records.report.filed" for row in log) == 3
    lines = speaking.get("/api/v1/timeline")["items"]
    reports = [speaking.get(f"/api/v1/reports/{line['object_id']}") for line in lines]
    assert {report["observations"][0]["value"] for report in reports} == {"7.20"}


def test_reports_filed_together_are_labelled_and_told_each_as_if_alone(speaking: Speaking) -> None:
    city, code, other = speaking.city, speaking.hospital.code, speaking.city.patient()
    city.bind_number(speaking.hospital, other, "MZ2")
    city.visit(city.staff(speaking.hospital), speaking.patient, speaking.hospital)
    at = f"{clock.in_city(clock.now() + timedelta(minutes=1)):%Y%m%d%H%M%S}"
    plain, hiv = (f"X{n}^{name}|||{at}|||||||||||||||{at}||LAB|F" for n, name in enumerate(("血常规", "HIV抗体")))
    # Of a sensitive kind: under the visit it is told to the person alone, without a visit it is held back.
    sent = [("MZ1", plain), ("MZ1", hiv), ("MZ1", plain), ("MZ2", plain), ("MZ2", plain), ("MZ2", hiv)]
    bodies = [oru(code, patient, obr=obr).encode() for patient, obr in sent]
    assert [codes((answer or [b""])[0]) for answer in jobs.receive_frames(PORT, bodies)] == [["AA"]] * 6
    with db.transaction() as session:
        (filed,) = session.scalars(select(OutboxMessage).filter_by(topic=FILED_TOPIC)).all()
        assert len(filed.payload["report_ids"]) == 6
    for _ in range(2):
        HANDLERS[FILED_TOPIC](filed.payload)
    with db.transaction() as session:
        mine = select(Notice).where(Notice.person_id.in_([speaking.patient.person_id, other.person_id]))
        notices = session.scalars(mine.filter_by(kind=NoticeKind.REPORT_NEW)).all()
        found = sorted((one.person_id == other.person_id, one.own_only) for one in notices)
        assert found == [(False, False), (False, True), (True, False)]
        told = session.scalars(select(OutboxMessage).filter_by(topic=WRITTEN_TOPIC)).all()
        assert {str(one.id) for one in notices} <= {message.payload["notice_id"] for message in told}
        restricted = session.scalars(select(RestrictedItem).filter_by(hospital_id=speaking.hospital.id)).all()
        assert sorted((one.person_id == other.person_id, one.is_held) for one in restricted) == [
            (False, False),
            (True, True),
        ]


@pytest.mark.parametrize(
    ("head", "tail", "taken"),
    [
        ("BHS|^~\\&|LIS|||||||B7|B7\r", "BTS|2\r", True),
        ("FHS|^~\\&|LIS\rBHS|^~\\&|LIS\r", "BTS|2\rFTS|1\r", True),
        ("FHS|^~\\&|LIS\r", "FTS\r", True),
        ("BHS|^~\\&|LIS\r", "BTS|3\r", False),
        ("BHS|^~\\&|LIS\r", "BTS|x\r", False),
        ("BHS|^~\\&|LIS\r", "", False),
        ("FHS|^~\\&|LIS\r", "BTS|2\r", False),
        ("BHS\r", "BTS|2\r", False),
        ("BHS|^~\\&|LIS\rBHS|^~\\&|LIS\r", "BTS|2\rBTS|2\r", False),
        ("BHS|^~\\&|LIS\rPID|1\r", "BTS|2\r", False),
    ],
    ids=range(10),
)
def test_a_batch_is_answered_by_a_batch(speaking: Speaking, head: str, tail: str, taken: bool) -> None:
    code = speaking.hospital.code
    visit = adt(code, f"MZ5~{speaking.patient.card_number}^^^^HC", "A40", "MRG|MZ1").replace("MZ5~", "MZ5^^^^MR~")
    chinese = oru(code, "MZ5", msh="P|2.4||||||GB 18030-2000").encode("gb18030")
    body = head.encode() + visit.encode() + chinese + tail.encode()
    (answers,) = jobs.receive_frames(PORT, [body])
    assert answers is not None
    # In its order: the result leads to the person by the number that the message before it brought.
    assert codes(answers[0]) == (["AA", "AA"] if taken else ["AR"])
    assert answers[0].startswith(head[:3].encode() if taken else b"MSH")
    assert count_reports(speaking) == int(taken)


@pytest.mark.parametrize(
    ("asked", "patient", "answered"),
    [
        ("AL|AL", "MZ1", ["CA", "AA"]),
        ("AL|NE", "MZ1", ["CA"]),
        ("NE|AL", "MZ1", ["AA"]),
        ("NE|NE", "MZ1", []),
        ("ER|ER", "MZ1", []),
        ("SU|ER", "MZ1", ["CA"]),
        ("ER|SU", "NOBODY", ["CE"]),
        ("AL|ER", "NOBODY", ["CE", "AE"]),
        ("AL|", "MZ1", ["CA"]),
    ],
)
def test_enhanced_mode_answers_as_asked(speaking: Speaking, asked: str, patient: str, answered: list[str]) -> None:
    message = oru(speaking.hospital.code, patient, msh=f"P|2.5.1|||{asked}||UNICODE UTF-8").encode()
    (answers,) = jobs.receive_frames(PORT, [message])
    assert answers is not None
    assert [found for answer in answers for found in codes(answer)] == answered
    assert jobs.receive_frames(PORT, [message]) == [answers] or patient == "NOBODY"
    assert len({fields_of(answer.decode())["MSH"][9] for answer in answers}) == len(answers)


def test_a_document_inside_a_report_is_kept_sealed_and_read_by_who_may(speaking: Speaking) -> None:
    code = speaking.hospital.code
    sent = oru(code, "MZ1", "OBX|1|NM|X^心率||72||||||F", document(), "NTE|1||见附件", order="D1")
    assert speaking.send(sent) == ("AA", "")
    (line,) = speaking.get("/api/v1/timeline")["items"]
    path = f"/api/v1/reports/{line['object_id']}"
    report = speaking.get(path)
    assert report["attachments"] == [
        {"number": 1, "title": "心电图报告", "content_type": "application/pdf", "size_bytes": len(PDF)}
    ]
    assert (len(report["observations"]), report["conclusion"]) == (1, "见附件")
    reply = speaking.city.client.get(f"{path}/attachments/1", headers=bearer(speaking.patient.token))
    assert (reply.data, reply.mimetype) == (PDF, "application/pdf")
    log = speaking.get("/api/v1/access-log")["rows"]
    assert "records.attachment.read" in {row["action"] for row in log}
    assert speaking.get(f"{path}/attachments/2")["code"] == "records.attachment_not_found"
    stranger = speaking.city.staff(speaking.city.hospital())
    for who in (speaking.city.patient().token, stranger.token):
        assert speaking.get(f"{path}/attachments/1", who)["code"] == "records.report_not_found"
    # The same again makes no version; another document does.
    for content, version in ((PDF, 1), (PDF + b"x", 2)):
        assert speaking.send(
            oru(code, "MZ1", "OBX|1|NM|X^心率||72||||||F", document(content), "NTE|1||见附件", order="D1")
        )
        assert speaking.get(path)["version"] == version


def post(speaking: Speaking, token: str, body: str | bytes, media_type: str = "application/hl7-v2") -> TestResponse:
    return speaking.city.client.post(HTTP, data=body, content_type=media_type, headers=bearer(token))


def test_by_https_the_same_messages_get_the_same_acknowledgements(speaking: Speaking) -> None:
    code, token = speaking.hospital.code, speaking.city.machine(speaking.hospital).token
    message = oru(code, "MZ1", control_id="H1")
    first, again = post(speaking, token, message), post(speaking, token, message)
    assert (first.status_code, first.mimetype, codes(first.data)) == (200, "application/hl7-v2", ["AA"])
    assert again.data == first.data
    (by_mllp,) = jobs.receive_frames(PORT, [message.encode()])
    assert by_mllp == [first.data]
    assert codes(post(speaking, token, oru(code, "NOBODY")).data) == ["AE"]
    assert codes(post(speaking, token, oru("OTHER", "MZ1")).data) == ["AR"]
    silent = oru(code, "MZ1", msh="P|2.5.1|||NE|NE||UNICODE UTF-8")
    assert (post(speaking, token, silent).status_code, count_reports(speaking)) == (204, 2)
    both = oru(code, "MZ1", msh="P|2.5.1|||AL|AL||UNICODE UTF-8")
    assert codes(post(speaking, token, both).data) == ["AA"]


def test_by_https_only_a_hospitals_system_may_send(speaking: Speaking) -> None:
    code = speaking.hospital.code
    laboratory = speaking.city.machine(speaking.hospital, scopes=["system/*.write"]).token
    for token in (speaking.patient.token, speaking.city.machine(speaking.hospital, scopes=["quarantine.read"]).token):
        assert post(speaking, token, oru(code, "MZ1")).get_json()["code"] == "core.permission_missing"
    wrong = post(speaking, laboratory, oru(code, "MZ1"), "text/plain")
    assert (wrong.status_code, wrong.get_json()["code"]) == (415, "records.hl7_media_type_unsupported")
    assert count_reports(speaking) == 0
    # A laboratory's client may not say which patients are one.
    refused = post(speaking, laboratory, adt(code, "MZ9", "A40", "MRG|MZ1"))
    assert b"core.permission_missing" in refused.data
    assert speaking.waiting() == []
