"""Results whose number leads to somebody else are filed under nobody, also among others that are filed together."""

from collections.abc import Iterator

import pytest

from records.hl7v2 import jobs
from tests.records.hl7v2.test_receiving import PORT, hospital, outcome, patient, reports_of
from tests.support.city import City, Hospital, Patient
from tests.support.hl7v2 import fields_of, oru

__all__ = ["hospital", "patient"]


def send_all(*messages: str) -> Iterator[tuple[str, str]]:
    for answers in jobs.receive_frames(PORT, [message.encode() for message in messages]):
        assert answers is not None
        yield outcome(fields_of(answers[0].decode()))


@pytest.mark.parametrize("others", [0, 3])
@pytest.mark.parametrize("said", ["李^大海", "张测试||19850413", "张测试|||{other}"])
def test_a_mistyped_number_that_is_somebody_elses_files_nothing(
    city: City, hospital: Hospital, patient: Patient, said: str, others: int
) -> None:
    sex, other = ("M", "F") if int(patient.certificate_number[16]) % 2 else ("F", "M")
    fitting = [oru(hospital.code, f"MZ1||张^测试||19850412|{sex}", order=f"G{number}") for number in range(others)]
    found = list(send_all(oru(hospital.code, f"MZ1||{said.format(other=other)}", order="W1"), *fitting))
    assert found == [("AE", "records.person_contradicts"), *[("AA", "")] * others]
    assert len(reports_of(city, patient)) == others
