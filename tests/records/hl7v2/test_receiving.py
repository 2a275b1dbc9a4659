"""One frame in, one acknowledgement out: AA, AE or AR, and what each leaves behind."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, text, update

from accounts import service as accounts
from accounts.models import Hospital as HospitalRow
from accounts.models import MllpEndpoint
from core import clock, db
from core.actor import SYSTEM
from records.hl7v2 import jobs
from records.intake import service as intake
from records.intake.models import InboundMessage
from tests.support.city import City, Hospital, Patient, bearer
from tests.support.hl7v2 import DEFAULT_RESULT, fields_of, oru

PORT = 2575


def receive_one(port: int, body: bytes) -> bytes | None:
    """What a single message is answered; None when nobody speaks at the port."""
    (answers,) = jobs.receive_frames(port, [body])
    return answers[0] if answers else None


@pytest.fixture(scope="module")
def hospital(module_city: City) -> Hospital:
    """A hospital whose messages arrive at PORT."""
    hospital = module_city.hospital("市中心测试医院")
    with db.transaction() as session:
        accounts.open_mllp_port(session, SYSTEM, hospital_id=hospital.id, port=PORT)
    return hospital


@pytest.fixture(scope="module")
def patient(module_city: City, hospital: Hospital) -> Patient:
    """A patient whom the hospital knows as MZ1."""
    city, patient = module_city, module_city.patient()
    city.visit(city.staff(hospital), patient, hospital, patient_number="MZ1")
    return patient


def receive(message: str | bytes, charset: str = "utf-8") -> dict[str, list[str]]:
    body = message if isinstance(message, bytes) else message.encode(charset)
    ack = receive_one(PORT, body)
    assert ack is not None
    return fields_of(ack.decode(charset))


def outcome(ack: dict[str, list[str]]) -> tuple[str, str]:
    """MSA-1 and our code in ERR-5."""
    return ack["MSA"][1], ack["ERR"][5].split("^")[0] if "ERR" in ack else ""


def reports_of(city: City, patient: Patient) -> list[dict[str, Any]]:
    headers = bearer(patient.token)
    items = city.client.get("/api/v1/timeline", headers=headers).json["items"]
    replies = [city.client.get(f"/api/v1/reports/{item['object_id']}", headers=headers) for item in items]
    return [dict(reply.json or {}) for reply in replies]


def waiting_from(hospital: Hospital) -> list[InboundMessage]:
    waiting = select(InboundMessage).filter_by(state="quarantined", hospital_id=hospital.id)
    with db.transaction() as session:
        return list(session.scalars(waiting.order_by(InboundMessage.id)))


def test_a_filed_message_is_accepted_and_read_by_the_patient(city: City, hospital: Hospital, patient: Patient) -> None:
    ack = receive(oru(hospital.code, f"MZ1^^^{hospital.code}^PI", control_id="K-1"))
    assert outcome(ack) == ("AA", "")
    assert ack["MSA"][2] == "K-1"
    assert (ack["MSH"][8], ack["MSH"][4], ack["MSH"][5]) == ("ACK^R01^ACK", "LIS", hospital.code)
    (report,) = reports_of(city, patient)
    assert (report["name"], report["hospital_name"]) == ("生化全套", "市中心测试医院")
    assert report["observations"][0]["value"] == "7.20"
    log = city.client.get("/api/v1/access-log", headers=bearer(patient.token)).json["rows"]
    (filed,) = [row for row in log if row["action"] == "records.report.filed"]
    assert (filed["who_kind"], filed["who"]) == ("machine", "市中心测试医院 HL7 接口")


def test_gb18030_in_and_gb18030_out(city: City, hospital: Hospital, patient: Patient) -> None:
    named = "OBX|1|ST|X^龘𠀀试验^L||阴性||||||F"
    message = oru(hospital.code, "MZ1", named, msh="P|2.4||||||GB 18030-2000")
    ack = receive(message, "gb18030")
    assert (outcome(ack), ack["MSH"][17]) == (("AA", ""), "GB 18030-2000")
    assert reports_of(city, patient)[0]["observations"][0]["name"] == "龘𠀀试验"


def test_the_same_message_again_gets_the_same_acknowledgement(city: City, hospital: Hospital, patient: Patient) -> None:
    message = oru(hospital.code, "MZ1").encode()
    assert receive_one(PORT, message) == receive_one(PORT, message)
    assert len(reports_of(city, patient)) == 1


def test_a_used_control_id_with_other_content_is_an_error(city: City, hospital: Hospital, patient: Patient) -> None:
    receive(oru(hospital.code, "MZ1", control_id="K1"))
    assert outcome(receive(oru(hospital.code, "MZ1", control_id="K1"))) == ("AE", "records.message_key_reused")
    assert len(reports_of(city, patient)) == 1
    assert [message.reason for message in waiting_from(hospital)] == ["records.message_key_reused"]


def test_a_correction_by_hl7_is_the_next_version(city: City, hospital: Hospital, patient: Patient) -> None:
    obr = "24323-8^生化全套^LN|||20260305083000|||||||||||||||20260305{}||LAB|{}"
    receive(oru(hospital.code, "MZ1", order="A1", obr=obr.format("100000", "F")))
    corrected = DEFAULT_RESULT.replace("7.20", "5.20").replace("|H|||F", "|N|||C")
    assert outcome(receive(oru(hospital.code, "MZ1", corrected, order="A1", obr=obr.format("110000", "C"))))[0] == "AA"
    (report,) = reports_of(city, patient)
    assert (report["version"], report["status"], report["observations"][0]["value"]) == (2, "corrected", "5.20")
    late = oru(hospital.code, "MZ1", order="A1", obr=obr.format("103000", "F"))
    assert outcome(receive(late)) == ("AE", "records.report_outdated")


def test_what_cannot_be_filed_is_kept_whole(hospital: Hospital, patient: Patient) -> None:
    nobody = oru(hospital.code, "UNKNOWN", msh="P|2.4||||||GB 18030-2000").encode("gb18030")
    broken = oru(hospital.code, "MZ1", "OBX|1|NM|X^葡萄糖||很多||||||F").encode()
    unmatched = receive(nobody, "gb18030")
    assert outcome(unmatched) == ("AE", "records.person_not_matched")
    assert unmatched["ERR"][8] == "无法确认报告属于哪位患者,已转入待处理"
    ack = receive(broken)
    assert outcome(ack) == ("AE", "records.message_not_understood")
    assert (ack["ERR"][2], ack["ERR"][3], ack["ERR"][4]) == ("OBX^1^5", "102^Data type error^HL70357", "E")
    assert "很多" not in "|".join(ack["ERR"])
    assert [intake.read_body(message) for message in waiting_from(hospital)] == [nobody, broken]
    assert {message.content_type for message in waiting_from(hospital)} == {"x-application/hl7-v2+er7"}


def test_contradicting_identifiers_are_filed_under_nobody(city: City, hospital: Hospital, patient: Patient) -> None:
    other = city.patient("李测试")
    for identifiers in (
        f"MZ1~{other.card_number}^^^^HC",
        f"MZ1~{other.certificate_number}^^^^NNCHN",
        "MZ1~MZ2",
        f"MZ1~{'0' * 64}^^^^HC",
        f"MZ1~{patient.certificate_number[:-1]}^^^^NNCHN",
    ):
        ack = receive(oru(hospital.code, identifiers))
        assert outcome(ack) == ("AE", "records.person_not_matched")
    assert reports_of(city, patient) == reports_of(city, other) == []
    agreeing = f"MZ1~{patient.card_number}^^^^HC~{patient.certificate_number}^^^^NNCHN~X^^^OTHER^MR"
    assert outcome(receive(oru(hospital.code, agreeing))) == ("AA", "")


def not_for_us(hospital: Hospital) -> Iterator[tuple[str, str]]:
    good = oru(hospital.code, "MZ1")
    yield "records.facility_wrong", oru("OTHER", "MZ1")
    yield "records.message_type_unsupported", good.replace("ORU^R01^ORU_R01", "ADT^A02")
    yield "records.message_type_unsupported", good.replace("ORU^R01^ORU_R01", "ORU")
    yield "records.message_type_unsupported", oru(hospital.code, "MZ1", msh="P|3.0")
    yield "records.message_not_for_production", oru(hospital.code, "MZ1", msh="T|2.5.1")
    yield "records.message_unreadable", oru(hospital.code, "MZ1", msh="P|2.5.1||||||BIG5")
    yield "records.message_unreadable", "hello"
    yield "records.message_unreadable", ""


def test_what_is_not_for_us_is_rejected_and_not_kept(city: City, hospital: Hospital, patient: Patient) -> None:
    for code, message in not_for_us(hospital):
        assert outcome(receive(message)) == ("AR", code)
    assert waiting_from(hospital) == []
    assert reports_of(city, patient) == []


def test_a_rejection_names_the_message_even_when_it_cannot_be_read(hospital: Hospital) -> None:
    assert receive(oru(hospital.code, "MZ1", control_id="K9", msh="P|2.5.1||||||BIG5"))["MSA"][2] == "K9"


def test_a_closed_port_or_hospital_is_not_answered(hospital: Hospital) -> None:
    message = oru(hospital.code, "MZ1").encode()
    assert receive_one(PORT + 1, message) is None
    assert PORT in jobs.list_ports()
    with db.transaction() as session:
        session.execute(update(HospitalRow).where(HospitalRow.id == hospital.id).values(is_enabled=False))
    assert receive_one(PORT, message) is None
    assert PORT not in jobs.list_ports()
    with db.transaction() as session:
        session.execute(update(HospitalRow).where(HospitalRow.id == hospital.id).values(is_enabled=True))
        session.execute(update(MllpEndpoint).values(is_enabled=False))
    assert receive_one(PORT, message) is None


def test_when_the_database_fails_the_sender_is_told_to_come_back(hospital: Hospital, patient: Patient) -> None:
    with db.transaction() as session:
        session.execute(text("ALTER TABLE observations RENAME TO elsewhere"))
    ack = receive(oru(hospital.code, "MZ1"))
    assert outcome(ack) == ("AR", "core.database_unavailable")
    assert ack["ERR"][3].startswith("207")
    assert waiting_from(hospital) == []


def test_an_error_of_ours_is_answered_and_leaves_nothing(city: City, hospital: Hospital, patient: Patient) -> None:
    # Once where messages are filed together, once where this one is then filed alone.
    times = iter([None, None])

    def stumbling() -> datetime:
        if next(times, "after") is None:
            raise RuntimeError("a mistake")
        return datetime.now(UTC)

    clock.set_clock(stumbling)
    try:
        assert outcome(receive(oru(hospital.code, "MZ1"))) == ("AR", "core.internal_error")
    finally:
        clock.set_clock(None)
    assert waiting_from(hospital) == []
    assert reports_of(city, patient) == []
