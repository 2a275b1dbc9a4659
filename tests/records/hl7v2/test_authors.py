"""Who made a report and each result of it, in HL7 v2 (OBR-32, OBR-34, OBX-16)."""

import pytest

from records.hl7v2.parsing import read_message
from records.hl7v2.refusals import MessageNotUnderstood
from records.hl7v2.translation import translate
from records.reports.authors import list_authors
from records.reports.incoming import Incoming
from tests.support.hl7v2 import oru

PATIENT = "P1^^^H1^PI"


def translated(message: str) -> Incoming:
    return translate(read_message(message.encode()), "H1")


def people(obr: str = "", obx: str = "") -> list[tuple[str, str | None, str | None]]:
    """Who made the report, of which OBR-32 to OBR-34 and OBX-16 are these."""
    result = "OBX|1|NM|2345-7^葡萄糖^LN||7.20|mmol/L|||||F"
    order = f"24323-8^生化全套^LN|||20260305083000|||||||||||||||20260305100000||LAB|F|||||||{obr}"
    sent = oru("H1", PATIENT, f"{result}|||||{obx}", obr=order)
    (report,) = translated(sent).reports
    return [(one.role, one.name, one.number) for one in list_authors(report.authors)]


@pytest.mark.parametrize(
    ("obr", "obx", "found"),
    [
        ("1007&李&审核^20260305", "", [("interpreter", "李审核", "1007")]),
        ("1007&李审核||2001&Wang&Jian\\T\\Co~2002&赵&检", "", [
            ("performer", "Wang Jian&Co", "2001"), ("performer", "赵检", "2002"), ("interpreter", "李审核", "1007")]),
        # As systems in the field write it: a person where a person and a time belong.
        ("1007^李^审核", "", [("interpreter", "李审核", "1007")]),
        ("", "2001^王^检验~2001^王^检验", [("performer", "王检验", "2001")]),
        ("", "2001", [("performer", None, "2001")]),
        ("&李审核", '""', [("interpreter", "李审核", None)]),
        ("^", "^^", []),
    ],
)  # fmt: skip
def test_who_made_a_report_is_kept_as_it_is_said(obr: str, obx: str, found: list[tuple[str, ...]]) -> None:
    assert people(obr, obx) == found


def test_each_result_has_its_own_observer_and_a_document_has_no_place_among_them() -> None:
    lines = [
        "OBX|1|ED|PDF^报告||^application^pdf^Base64^JVBERi0xLjQ=||||||F|||||2009^文^书",
        "OBX|2|NM|2345-7^葡萄糖^LN||7.20|mmol/L|||||F|||||2001^王^检验~2002^赵^检",
        "OBX|3|NM|2160-0^肌酐^LN||70|umol/L|||||F|||||2001^王^检验",
        "OBX|4|NM|3094-0^尿素^LN||5|mmol/L|||||F",
    ]
    (report,) = translated(oru("H1", PATIENT, *lines)).reports
    found = [(one.name, one.lines) for one in list_authors(report.authors)]
    assert found == [("文书", None), ("王检验", (1, 2)), ("赵检", (1,))]
    (report,) = translated(oru("H1", PATIENT, *lines[1:3])).reports
    assert [(one.name, one.lines) for one in list_authors(report.authors)] == [("王检验", (0,)), ("赵检", (1,))]


@pytest.mark.parametrize("obx", ["2" * 256, f"1^{'王' * 256}", "~".join(str(number) for number in range(51))])
def test_authors_that_cannot_be_kept_are_refused(obx: str) -> None:
    with pytest.raises(MessageNotUnderstood):
        people(obx=obx)
