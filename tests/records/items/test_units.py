"""Units: read as UCUM says, written as laboratories write, converted exactly or not at all."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from records.items import schemas, ucum
from records.items.service import convert, dictionary
from records.releasing.classification import list_entries
from records.reports.incoming import LOINC

GLUCOSE = Decimal("180.156")


def into(
    wanted: str, value: str, unit: str, molar_mass: Decimal | None = None, unit_code: str | None = None
) -> str | None:
    found = convert(Decimal(value), unit=unit, unit_code=unit_code, wanted=wanted, decimals=2, molar_mass=molar_mass)
    return None if found is None else f"{found:f}"


@pytest.mark.parametrize(
    ("value", "unit", "wanted", "expected"),
    [
        ("5.10", "mmol/L", "mmol/L", "5.10"),
        ("100", "mg/dL", "mmol/L", "5.55"),
        ("13.5", "g/dl", "g/L", "135.00"),
        ("4.2", "×10^9/L", "10*9/L", "4.2"),
        ("4200", "个/μL", "10*9/L", "4.20"),
        ("4.2", "10³/uL", "10*9/L", "4.2"),
        ("45", "%", "L/L", "0.450"),
        ("2.1", "μIU/mL", "m[iU]/L", "2.1"),
        ("35", "IU/L", "U/L", "35"),
        ("0.6", "μkat/L", "U/L", "36.00"),
        ("40", "mmHg", "kPa", "5.33"),
        ("90", "ml/min/1.73m²", "mL/min/{1.73_m2}", "90"),
        ("90", "mL/(min·1.73㎡)", "mL/min/{1.73_m2}", "90"),
        ("3", "个/HP", "/[HPF]", "3"),
        ("0.0042", "g/L", "mg/L", "4.20"),
    ],
)
def test_what_measures_the_same_is_converted(value: str, unit: str, wanted: str, expected: str) -> None:
    assert into(wanted, value, unit, GLUCOSE if wanted == "mmol/L" else None) == expected


@pytest.mark.parametrize(
    ("unit", "wanted"),
    [
        ("mmol/mol", "%"),  # HbA1c by IFCC is not that by NGSP.
        ("[iU]/L", "10*9/L"),
        ("mL/min", "mL/min/{1.73_m2}"),
        ("mg/g", "%"),
        ("meq/L", "mmol/L"),
        ("mg/dL", "mmol/L"),  # Nothing is known of the substance.
        ("[CFU]/mL", "10*9/L"),
        ("S/CO", "[iU]/L"),
        ("G/L", "g/L"),
        ("", "mmol/L"),
    ],
)
def test_what_measures_something_else_is_never_converted(unit: str, wanted: str) -> None:
    assert into(wanted, "5", unit) is None


def test_enzymes_have_no_mass() -> None:
    assert into("U/L", "5", "mg/L", GLUCOSE) is None


def test_a_number_without_a_unit_is_a_ratio_or_nothing() -> None:
    assert into("1", "1.05", "") == "1.05"
    assert into("[pH]", "7.40", "") == "7.40"


def test_a_unit_that_the_hospital_calls_ucum_is_taken_at_its_word() -> None:
    assert into("U/L", "5", "IU/L") == "5"
    assert into("U/L", "5", "IU/L", unit_code="[iU]/L") is None


@pytest.mark.parametrize(
    "code", ["", "mmol/", "/", "mmol//L", "(mg", "mg)", "xyz/L", "10*99/L", "0/L", "m g", "µmol/L"]
)
def test_what_is_no_unit_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        ucum.read_unit(code)


@given(st.text(max_size=70))
def test_whatever_is_written_is_read_or_left(written: str) -> None:
    assert all(ucum.read_unit(code) for code in ucum.list_readings(written))


MASSES, AMOUNTS = ["g/L", "mg/dL", "ug/mL", "ng/L", "mg/(24.h)", "kg/m3"], ["mol/L", "mmol/L", "umol/dL", "nmol/mL"]


@given(st.sampled_from(MASSES + AMOUNTS), st.sampled_from(MASSES + AMOUNTS), st.fractions(min_value=1, max_value=9999))
def test_there_and_back_is_the_same(one: str, other: str, molar_mass: Fraction) -> None:
    there = ucum.find_factor(one, other, molar_mass=molar_mass)
    back = ucum.find_factor(other, one, molar_mass=molar_mass)
    assert (there is None) == (back is None)
    if there and back:
        assert there * back == 1


def test_the_starting_list_holds_what_it_must() -> None:
    lines = dictionary._read_file(dictionary._STARTING_LIST)
    assert len(lines) >= 150
    for line in lines:
        content = dictionary._starting_content(line, [])
        TypeAdapter(list[schemas._Loinc]).validate_python(list(content.loinc))
        if content.unit:
            ucum.read_unit(content.unit)
    codes = [code for line in lines for code in line["loinc"].split()]
    assert len(codes) == len(set(codes))
    ranges = dictionary._read_file(dictionary._STARTING_RANGES)
    assert {line["code"] for line in ranges} <= {line["code"] for line in lines if line["value_kind"] == "quantity"}
    # Whoever compares a range has to know with what.
    assert all(line["source"] for line in ranges)


def check_digit(number: str) -> int:
    """Mod 10: digits in odd places, counted from the right, are doubled (LOINC Users' Guide, appendix B)."""
    doubled = (int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(number)))
    return -sum(sum(divmod(one, 10)) for one in doubled) % 10


def test_every_loinc_code_that_is_shipped_has_its_check_digit() -> None:
    listed = [code for line in dictionary._read_file(dictionary._STARTING_LIST) for code in line["loinc"].split()]
    sensitive = [entry.code for entry in list_entries() if entry.system == LOINC]
    assert len(listed) > 200
    assert len(sensitive) > 20
    wrong = [code for code in (*listed, *sensitive) if check_digit(code[:-2]) != int(code[-1])]
    assert wrong == []
    # Two digits that changed places are found.
    assert check_digit("2354") != 7
