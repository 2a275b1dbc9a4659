"""ORU^R01 to reports: every branch."""

from dataclasses import asdict
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from records.hl7v2.parsing import read_message
from records.hl7v2.refusals import MessageNotUnderstood
from records.hl7v2.translation import translate
from records.reports.incoming import Incoming, IncomingObservation
from tests.support.hl7v2 import oru

PATIENT = "P1^^^H1^PI"


def translated(message: str) -> Incoming:
    return translate(read_message(message.encode()), "H1")


def line(obx: str) -> IncomingObservation:
    (report,) = translated(oru("H1", PATIENT, obx)).reports
    (observation,) = report.observations
    return observation


def test_one_order_is_one_report() -> None:
    (report,) = translated(oru("H1", PATIENT, order="A1^LIS")).reports
    assert asdict(report) == {
        "identifier": ("urn:yimatong:hl7v2:filler-order:LIS", "A1"),
        "status": "final",
        "category": "laboratory",
        "code": "24323-8",
        "code_system": "http://loinc.org",
        "name": "生化全套",
        "effective_at": datetime(2026, 3, 5, 0, 30, tzinfo=UTC),
        "issued_at": datetime(2026, 3, 5, 2, tzinfo=UTC),
        "conclusion": None,
        "attachments": (),
        "encounter_ids": (),
        "target": None,
        "keeps_existing": False,
        "authors": None,
        "accession_number": None,
        "based_on": None,
        "study_instance_uid": None,
        "observations": (
            {
                "status": "final",
                "code": "2345-7",
                "code_system": "http://loinc.org",
                "name": "葡萄糖",
                "value": Decimal("7.20"),
                "comparator": None,
                "text": None,
                "unit": "mmol/L",
                "unit_code": "mmol/L",
                "reference_low": Decimal("3.9"),
                "reference_high": Decimal("6.1"),
                "reference_text": "3.9-6.1",
                "interpretation": "H",
                "note": None,
                "component_count": None,
            },
        ),
    }


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ("NM|X^y||7.20", {"value": Decimal("7.20")}),
        ("NM|X^y||-0.5", {"value": Decimal("-0.5")}),
        ("NM|X^y||<0.01", {"value": Decimal("0.01"), "comparator": "<"}),
        ("NM|X^y||≥ 90", {"value": Decimal(90), "comparator": ">="}),
        ("NM|X^y||", {}),
        ('NM|X^y||""', {}),
        ("SN|X^y||>^200", {"value": Decimal(200), "comparator": ">"}),
        ("SN|X^y||^5", {"value": Decimal(5)}),
        ("SN|X^y||=^5", {"value": Decimal(5)}),
        ("SN|X^y||^1^:^128", {"text": "1:128"}),
        ("SN|X^y||^3^-^5", {"text": "3-5"}),
        ("SN|X^y||^2^+", {"text": "2+"}),
        ("ST|X^y||阴性(-)^x", {"text": "阴性(-)^x"}),
        ("TX|X^y||第一行~第二行", {"text": "第一行\n第二行"}),
        ("FT|X^y||甲\\.br\\乙", {"text": "甲\n乙"}),
        ("CE|X^y||A^A型^L", {"text": "A型"}),
        ("CWE|X^y||A^^L~B^乙", {"text": "A\n乙"}),
        ("CWE|X^y||^^^^^^^^原文", {"text": "原文"}),
        ("DT|X^y||20260305", {"text": "20260305"}),
        ("|X^y||", {}),
    ],
)
def test_every_type_of_value(fields: str, shown: dict[str, Any]) -> None:
    observation = line(f"OBX|1|{fields}||||||F")
    found = {name: getattr(observation, name) for name in ("value", "comparator", "text")}
    assert {name: value for name, value in found.items() if value is not None} == shown
    if "value" in shown:
        assert str(observation.value) == str(shown["value"])


@pytest.mark.parametrize(
    ("written", "low", "high"),
    [
        ("3.5-9.5", "3.5", "9.5"),
        ("3.5 - 9.5", "3.5", "9.5"),
        ("3.5～9.5", "3.5", "9.5"),
        ("3.5—9.5", "3.5", "9.5"),
        ("3.5--9.5", None, None),
        ("-2.0--1.0", "-2.0", "-1.0"),
        ("-3-3", "-3", "3"),
        ("<5", None, "5"),
        ("≤5.20", None, "5.20"),
        (">=90", "90", None),
        ("阴性", None, None),
        ("男 3-5 女 2-4", None, None),
    ],
)
def test_bounds_are_read_where_the_range_has_them(written: str, low: str | None, high: str | None) -> None:
    observation = line(f"OBX|1|NM|X^y||1|g|{written}||||F")
    bounds = [bound and Decimal(bound) for bound in (low, high)]
    assert [observation.reference_low, observation.reference_high] == bounds
    assert observation.reference_text == written


@pytest.mark.parametrize(
    ("written", "unit", "code"),
    [
        ("mmol/L", "mmol/L", None),
        ("mmol/L^mmol/L^UCUM", "mmol/L", "mmol/L"),
        ("10*9/L^×10⁹/L^UCUM", "×10⁹/L", "10*9/L"),
        ("10\\S\\9/L", "10^9/L", None),
        ("10^9/L", "10^9/L", None),
        ("*10^12/L", "*10^12/L", None),
        ("", None, None),
    ],
)
def test_units(written: str, unit: str | None, code: str | None) -> None:
    observation = line(f"OBX|1|NM|X^y||1|{written}|||||F")
    assert (observation.unit, observation.unit_code) == (unit, code)


@pytest.mark.parametrize(
    ("written", "flag"), [("H", "H"), ("L~A", "L"), ("HH", "HH"), ("", None), ("↑", "H"), ("↓↓", "LL"), ("N", "N")]
)
def test_flags(written: str, flag: str | None) -> None:
    assert line(f"OBX|1|NM|X^y||1|||{written}|||F").interpretation == flag


@pytest.mark.parametrize(
    ("written", "status", "has_value"),
    [
        ("F", "final", True),
        ("", "final", True),
        ("C", "corrected", True),
        ("P", "preliminary", True),
        ("R", "preliminary", True),
        ("X", "cancelled", True),
        ("I", "registered", True),
        ("D", "entered-in-error", False),
        ("W", "entered-in-error", False),
    ],
)
def test_result_status(written: str, status: str, has_value: bool) -> None:
    observation = line(f"OBX|1|NM|X^y||1|g|0-2||||{written}")
    assert (observation.status, observation.value is not None) == (status, has_value)


@pytest.mark.parametrize(
    ("written", "results", "status"),
    [
        ("P", "F", "preliminary"),
        ("A", "F", "preliminary"),
        ("C", "F", "corrected"),
        ("X", "F", "cancelled"),
        ("", "F", "final"),
        ("", "P", "preliminary"),
        ("", "I", "preliminary"),
        ("", "C", "corrected"),
        ("", "D", "corrected"),
    ],
)
def test_report_status(written: str, results: str, status: str) -> None:
    obr = f"X^y|||20260305|||||||||||||||||LAB|{written}"
    (report,) = translated(oru("H1", PATIENT, f"OBX|1|NM|X^y||1||||||{results}", obr=obr)).reports
    assert report.status == status


@pytest.mark.parametrize(
    ("section", "category"), [("LAB", "laboratory"), ("", "laboratory"), ("CT", "imaging"), ("EC", "other")]
)
def test_category(section: str, category: str) -> None:
    (report,) = translated(oru("H1", PATIENT, obr=f"X^y|||20260305|||||||||||||||||{section}|F")).reports
    assert report.category == category


def test_what_repeats_is_read_once_and_what_differs_each_time() -> None:
    """Neither a value nor a note is another message's, also where a range is too long to be remembered."""
    for usual in ("3.5-9.5", "见说明" * 400):
        for value, separators in (("1.0", "^~\\&"), ("2.0", "^~\\&"), ("3.0", "$~\\&")):
            written = f"OBX|1|NM|6690-2^白细胞^LN||{value}|g/L^g/L^UCUM|{usual}|H|||F\rNTE|1||注{value}"
            message = oru("B1", "MZ1", *written.split("\r"), obr="X1^血^L|||20260305083000|||||||||||||||||LAB|F")
            (report,) = translated(message.replace("^~\\&", separators).replace("^", separators[0])).reports
            (found,) = report.observations
            assert (str(found.value), found.note, found.reference_text) == (value, f"注{value}", usual)
            assert (found.code, found.name, found.unit_code) == ("6690-2", "白细胞", "g/L")


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("20260305083000", datetime(2026, 3, 5, 0, 30, tzinfo=UTC)),
        ("20260305083000.1234", datetime(2026, 3, 5, 0, 30, tzinfo=UTC)),
        ("202603050830+0900", datetime(2026, 3, 4, 23, 30, tzinfo=UTC)),
        ("202603050830-0130", datetime(2026, 3, 5, 10, tzinfo=UTC)),
        ("20260305", datetime(2026, 3, 4, 16, tzinfo=UTC)),
    ],
)
def test_a_time_without_a_zone_is_the_citys(written: str, moment: datetime) -> None:
    (report,) = translated(oru("H1", PATIENT, obr=f"X^y|||{written}||||||||||||||||||F")).reports
    assert report.effective_at == moment


def test_several_orders_are_several_reports_with_their_own_notes() -> None:
    message = oru(
        "H1",
        PATIENT,
        "NTE|1||标本合格",
        "OBX|1|NM|X^y||1||||||F",
        "NTE|1||已复查",
        "NTE|2||两次",
        "OBX|2|NM|X^y||2||||||F",
        "ZXX|1|private",
        "OBR|2||other-1|B^乙|||20260305||||||||||||||||||F",
        "OBX|1|ST|Z^z||阴性||||||F",
        order="first-1",
    )
    first, second = translated(message).reports
    assert (first.identifier[1], second.identifier[1]) == ("first-1", "other-1")
    assert first.conclusion == "标本合格"
    assert [(one.value, one.note) for one in first.observations] == [(Decimal(1), "已复查\n两次"), (Decimal(2), None)]
    assert [one.text for one in second.observations] == ["阴性"]


@pytest.mark.parametrize(
    ("written", "kind", "found"),
    [
        ("A1^^^^HC", "card_numbers", "A1"),
        ("A1", "patient_numbers", "A1"),
        ("A1^^^H1&x&L^MR", "patient_numbers", "A1"),
        ("A1^^^^PI", "patient_numbers", "A1"),
        ("A1^^^^NNCHN", "certificates", ("01", "A1")),
        ("A1^^^^PPN", "certificates", ("03", "A1")),
        ("A1^^^CV02.01.101^06", "certificates", ("06", "A1")),
        ("A1^^^H2^MR", None, None),
        ("A1^^^^VN", None, None),
        ("", None, None),
    ],
)
def test_whom_pid_3_names(written: str, kind: str | None, found: object) -> None:
    subject = translated(oru("H1", written)).subject
    for name in ("card_numbers", "patient_numbers", "certificates"):
        assert getattr(subject, name) == frozenset({found} if name == kind else ())


@pytest.mark.parametrize(
    ("written", "names", "sex", "birth_date"),
    [
        ("张^三||19850412|M", {"张三"}, "male", date(1985, 4, 12)),
        ("张三^^^^^^L~ZHANG^SAN^^^^^L||198504120830|男", {"张三", "ZHANG SAN"}, "male", date(1985, 4, 12)),
        ("某^某^^^^^S||1985|O", set(), "unknown", None),
        ("||nonsense|2", set(), "female", None),
    ],
)
def test_what_else_pid_says_of_the_patient(written: str, names: set[str], sex: str, birth_date: date | None) -> None:
    subject = translated(oru("H1", f"A1||{written}")).subject
    assert (set(subject.names), subject.sex, subject.birth_date) == (names, sex, birth_date)


def test_every_identifier_of_pid_3_counts() -> None:
    subject = translated(oru("H1", "A1^^^H1^MR~B2^^^^HC~C3^^^^NNCHN~D4^^^H1^PI")).subject
    assert subject.patient_numbers == {"A1", "D4"}
    assert subject.card_numbers == {"B2"}
    assert subject.certificates == {("01", "C3")}


def test_the_platforms_visit_id_is_understood_and_the_hospitals_own_number_passed_over() -> None:
    visit = uuid4()
    message = oru("H1", PATIENT)
    ours = message.replace("PV1|1|O", f"PV1|1|O{'|' * 17}{visit}^^^YIMATONG")
    theirs = message.replace("PV1|1|O", f"PV1|1|O{'|' * 17}MZ1")
    assert (translated(ours).visit_id, translated(theirs).visit_id) == (visit, None)


def test_an_object_identifier_names_the_system_of_the_order() -> None:
    (report,) = translated(oru("H1", PATIENT, order="A1^LIS^1.2.3^ISO")).reports
    assert report.identifier == ("urn:oid:1.2.3", "A1")


def without(message: str, segment: str) -> str:
    return "\r".join(one for one in message.split("\r") if not one.startswith(segment))


GOOD = oru("H1", PATIENT)
NOT_UNDERSTOOD = [
    ("PID", without(GOOD, "PID")),
    ("PID", GOOD + "PID|2||P2\r"),
    ("OBR", without(without(GOOD, "OBR"), "OBX")),
    ("OBX", without(GOOD, "OBR")),
    ("DSC", GOOD + "DSC|1\r"),
    ("OBR-3", oru("H1", PATIENT, order="same") + "OBR|2||same|X^y|||20260305\r"),
    ("OBR-3", GOOD + "OBR|2|||X^y|||20260305\r"),
    ("OBR-3", oru("H1", PATIENT, order="9" * 256)),
    ("OBR-4", oru("H1", PATIENT, obr="^按名称|||20260305")),
    ("OBR-7", oru("H1", PATIENT, obr="X^y||||||||||||||||||||LAB|F")),
    ("OBR-7", oru("H1", PATIENT, obr="X^y|||2026")),
    ("OBR-7", oru("H1", PATIENT, obr="X^y|||20260230")),
    ("OBR-7", oru("H1", PATIENT, obr="X^y|||202603050830+")),
    ("OBR-7", oru("H1", PATIENT, obr="X^y|||202603050830+9999")),
    ("OBR-7", oru("H1", PATIENT, obr="X^y|||29990101")),
    ("OBR-25", oru("H1", PATIENT, obr="X^y|||20260305||||||||||||||||||I")),
    ("OBX-3", oru("H1", PATIENT, "OBX|1|NM|^仅名称||1||||||F")),
    ("OBX-11", oru("H1", PATIENT, "OBX|1|NM|X^y||1||||||U")),
    ("OBX-8", oru("H1", PATIENT, "OBX|1|NM|X^y||1|||high|||F")),
    ("OBX-7", oru("H1", PATIENT, f"OBX|1|NM|X^y||1||<{'9' * 40}||||F")),
    ("OBX-5", oru("H1", PATIENT, "OBX|1|ED|X^y||^application^pdf^Base64^AAAA||||||F")),
    ("OBX-5", oru("H1", PATIENT, "OBX|1|ED|X^y||^application^pdf^Base64^JVBERi0x?||||||F")),
    ("OBX-5", oru("H1", PATIENT, "OBX|1|ED|X^y||^application^pdf^Hex^2550||||||F")),
    ("OBX-2", oru("H1", PATIENT, "OBX|1|RP|X^y||file://server/1.pdf||||||F")),
    ("OBX-2", oru("H1", PATIENT, "OBX|1||X^y||1||||||F")),
    *(
        ("OBX-5", oru("H1", PATIENT, f"OBX|1|{kind}|X^y||{value}||||||F"))
        for kind, value in [
            ("NM", "many"),
            ("NM", "1~2"),
            ("NM", "1_000"),
            ("NM", "Infinity"),
            ("NM", "١٢"),
            ("NM", "9" * 39),
            ("NM", "1e99"),
            ("SN", ">^"),
            ("SN", "^^:^"),
            ("SN", "^abc"),
        ]
    ),
    ("OBX", oru("H1", PATIENT, *["OBX|1|NM|X^y||1||||||F"] * 2001)),
    ("PV1-19", GOOD.replace("PV1|1|O", f"PV1|1|O{'|' * 17}17^^^YIMATONG")),
]


@pytest.mark.parametrize(("field", "message"), NOT_UNDERSTOOD, ids=range(len(NOT_UNDERSTOOD)))
def test_what_is_not_understood_names_its_field(field: str, message: str) -> None:
    with pytest.raises(MessageNotUnderstood) as refused:
        translated(message)
    assert refused.value.field == field
