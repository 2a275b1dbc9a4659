"""Names that may be one: simplified and traditional, by their reading, and with a slip."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from health_card.matching.names import is_near, read_name, read_surname, simplify


@pytest.mark.parametrize(
    ("one", "other"),
    [("張偉", "张伟"), ("劉曉東", "刘晓东"), ("阿卜杜拉·买买提", "阿卜杜拉买买提"), ("Kim Min-su", "KIM MINSU")],
)
def test_one_name_in_two_spellings(one: str, other: str) -> None:
    assert simplify(one) == simplify(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("张伟", "章炜"),
        ("单雄", "陕雄"),
        ("曾小明", "增小明"),
        ("张测试", "ZHANG CESHI"),
        ("KIM MINSU", "Minsu Kim"),
        ("吕布", "LV BU"),
    ],
)
def test_names_that_are_read_alike(one: str, other: str) -> None:
    assert read_name(one) & read_name(other)


def test_names_that_are_not_read_alike() -> None:
    assert not read_name("张伟") & read_name("李伟")
    assert not read_name("张伟") & read_name("张强")
    assert read_name("· ") == read_surname("12") == frozenset()


def test_a_surname_has_all_its_readings_and_a_latin_one_stands_at_either_end() -> None:
    assert {"ceng", "zeng"} <= read_surname("曾小明")
    assert read_surname("Kim Min Su") == {"kim", "su"}


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("张小明", "张小民", True),
        ("张小明", "张明小", True),
        ("张小明", "张小", True),
        ("张明", "张小明", True),
        ("张小明", "张小明", False),
        ("张小明", "明小张", False),
        ("张小明", "张大民", False),
        ("张", "", True),
    ],
)
def test_a_slip_is_one_character(one: str, other: str, near: bool) -> None:
    assert is_near(one, other) is is_near(other, one) is near


@given(st.text(max_size=40))
def test_whatever_a_name_is_it_has_readings_or_none_and_never_fails(name: str) -> None:
    assert all(reading == reading.lower() for reading in read_name(name) | read_surname(name))
    assert simplify(simplify(name)) == simplify(name)
