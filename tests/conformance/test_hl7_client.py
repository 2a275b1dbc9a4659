"""An independent HL7 v2 implementation (the ``hl7`` package) sends to the listener and reads what it answers."""

import hl7
from hl7.client import MLLPClient

from tests.records.hl7v2.test_mllp import Listening, listening
from tests.support.hl7v2 import adt, orm

__all__ = ["listening"]


def test_the_independent_client_sends_every_type_and_reads_the_acknowledgements(listening: Listening) -> None:
    code, number = listening.hospital.code, listening.number
    sent = [
        adt(code, number, "A04", number="V1", control_id="T1"),
        orm(code, number, number="V1", control_id="T2"),
        listening.message(control_id="T3").decode(),
        adt(code, number, "A08", number="V1", control_id="T4"),
        adt(code, f"N{number}", "A40", f"MRG|{number}", control_id="T5"),
        adt(code, number, "A03", number="V1", control_id="T6"),
        adt(code, "NOBODY", "A04", control_id="T7"),
    ]
    with MLLPClient("127.0.0.1", listening.port) as client:
        answers = [hl7.parse(client.send_message(hl7.parse(message))[1:-2].decode()) for message in sent]
    assert [str(answer.segment("MSA")[1]) for answer in answers] == ["AA"] * 6 + ["AE"]
    assert [str(answer.segment("MSA")[2]) for answer in answers] == [f"T{place}" for place in range(1, 8)]
    assert [str(answer.segment("MSH")[9]) for answer in answers][:2] == ["ACK^A04^ACK", "ACK^O01^ACK"]
    assert "records.person_not_matched" in str(answers[6].segment("ERR"))


def test_the_independent_client_sends_a_batch(listening: Listening) -> None:
    batch = hl7.parse_file(
        "FHS|^~\\&|LIS\rBHS|^~\\&|LIS\r"
        + listening.message(control_id="B1").decode()
        + listening.message(control_id="B2").decode()
        + "BTS|2\rFTS|1\r"
    )
    with MLLPClient("127.0.0.1", listening.port) as client:
        answer = client.send(b"\x0b" + str(batch).encode() + b"\x1c\r")
    (answered,) = hl7.parse_file(answer[1:-2].decode())
    assert [str(message.segment("MSA")[2]) for message in answered] == ["B1", "B2"]
