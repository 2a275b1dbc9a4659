"""The list of sensitive kinds and the dictionary of items mean the same tests."""

import csv
from pathlib import Path

import pytest

from records import items
from records.releasing.classification import classify
from records.reports.incoming import LOINC

SENSITIVE_ITEMS = {"LAB-HIV": "hiv", "LAB-RPR": "reproductive"}


def test_what_the_dictionary_knows_by_code_is_known_by_code_alone() -> None:
    with (Path(str(items.__file__)).parent / "starting_list.csv").open(encoding="utf-8", newline="") as lines:
        listed = {line["code"]: line["loinc"].split() for line in csv.DictReader(lines)}
    for item, codes in listed.items():
        for code in codes:
            assert classify(codes=[(LOINC, code)], names=[]) == SENSITIVE_ITEMS.get(item), (item, code)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("X84", "psychiatric"), ("X80.0", "psychiatric"), ("X85", None), ("F02.4", "hiv"), ("F02.3", "psychiatric"),
     ("O98.7", "hiv"), ("O98.6", None), ("Z11.4", "hiv")],
)  # fmt: skip
def test_the_ends_of_a_chapter_are_in_it(code: str, kind: str | None) -> None:
    assert classify(codes=[("http://hl7.org/fhir/sid/icd-10", code)], names=[]) == kind
