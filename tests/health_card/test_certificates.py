"""Certificate numbers and how they are shown (GB 11643-1999; ISO 7064 MOD 11-2; WS 364.3 CV02.01.101)."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from health_card.certificates import CertificateType, check_certificate, check_character
from health_card.masks import mask_name, mask_number, mask_phone
from health_card.refusals import CertificateInvalid
from tests.conftest import SteppingClock

RESIDENT = CertificateType.RESIDENT_ID
first_17 = st.builds(
    lambda area, born, sequence: f"{area}{born:%Y%m%d}{sequence:03d}",
    st.integers(100_000, 999_999),
    st.dates(date(1900, 1, 1), date(2020, 12, 31)),
    st.integers(0, 999),
)


@pytest.mark.parametrize(
    ("number", "born", "sex"),
    [
        ("11010519491231002X", date(1949, 12, 31), "female"),
        ("440524188001010014", date(1880, 1, 1), "male"),
    ],
)
def test_the_published_examples_hold(number: str, born: date, sex: str) -> None:
    checked = check_certificate(RESIDENT, number)
    assert (checked.number, checked.birth_date, checked.sex) == (number, born, sex)


@pytest.mark.parametrize(
    "typed", ["11010519491231002x", " 110105 19491231 002X ", "110105-19491231-002x", "110105\u300019491231002X"]
)
def test_one_number_however_it_is_typed(typed: str) -> None:
    assert check_certificate(RESIDENT, typed).identity == "01:11010519491231002X"


@pytest.mark.parametrize(
    "number",
    [
        "",
        "110105194912310021",
        "11010519491231002",
        "11010519491231002X0",
        "01010519491231002X",
        "11010519490229002X",
        "1101051949123100XX",
        "１１010519491231002X",
        "11010519491231002Ⅹ",
        "110105491231002",
        "' OR 1=1 --",
    ],
)
def test_what_is_no_resident_id_is_refused(number: str) -> None:
    with pytest.raises(CertificateInvalid) as refused:
        check_certificate(RESIDENT, number)
    assert refused.value.code == "health_card.certificate_invalid"


@given(first_17)
@settings(max_examples=200, deadline=None)
def test_the_check_character_catches_every_wrong_digit_and_every_swap(first: str) -> None:
    number = first + check_character(first)
    assert check_certificate(RESIDENT, number).number == number
    for place in range(17):
        wrong = str((int(first[place]) + 1 + place % 9) % 10)
        assert check_character(first[:place] + wrong + first[place + 1 :]) != number[17]
    for place in range(16):
        if first[place] != first[place + 1]:
            swapped = first[:place] + first[place + 1] + first[place] + first[place + 2 :]
            assert check_character(swapped) != number[17]


def test_nobody_is_born_tomorrow_and_the_day_begins_in_the_city(stepping_clock: SteppingClock) -> None:
    stepping_clock.time = stepping_clock.time.replace(year=2026, month=3, day=1, hour=15, minute=59)
    first = "99000020260302001"
    with pytest.raises(CertificateInvalid):
        check_certificate(RESIDENT, first + check_character(first))
    stepping_clock.forward(minutes=1)
    assert check_certificate(RESIDENT, first + check_character(first)).birth_date == date(2026, 3, 2)


@pytest.mark.parametrize(
    ("kind", "number", "kept"),
    [
        (CertificateType.PASSPORT, "e1234 5678", "E12345678"),
        (CertificateType.HONG_KONG_MACAU_PERMIT, "H12345678(01)", "H12345678(01)"),
        (CertificateType.OFFICER, "军字第1234567号", "军字第1234567号"),
        (CertificateType.BIRTH_CERTIFICATE, "r 370123456", "R370123456"),
    ],
)
def test_other_types_are_kept_in_one_spelling(kind: CertificateType, number: str, kept: str) -> None:
    assert check_certificate(kind, number).number == kept


@pytest.mark.parametrize("number", ["", "123", "x" * 33, "E1234;678", "E1234\x00678", "<b>1234</b>"])
def test_no_type_takes_just_anything(number: str) -> None:
    with pytest.raises(CertificateInvalid):
        check_certificate(CertificateType.PASSPORT, number)


@pytest.mark.parametrize("number", ["370123456", "RR37012345", "R37012345", "R3701234567"])
def test_a_birth_certificate_is_a_letter_and_nine_digits(number: str) -> None:
    with pytest.raises(CertificateInvalid):
        check_certificate(CertificateType.BIRTH_CERTIFICATE, number)


def test_our_own_passports_name_no_country() -> None:
    assert check_certificate(CertificateType.PASSPORT, "E12345678", "CHN").country == ""
    assert check_certificate(CertificateType.PASSPORT, "E12345678", "KOR").country == "KOR"
    with pytest.raises(CertificateInvalid):
        check_certificate(CertificateType.PASSPORT, "E12345678", "Korea")


@pytest.mark.parametrize(
    ("name", "masked"), [("张三", "张*"), ("张小三", "张*三"), ("欧阳测试", "欧**试"), ("张", "*"), ("", "*")]
)
def test_names_are_shown_short(name: str, masked: str) -> None:
    assert mask_name(name) == masked


def test_numbers_are_shown_by_their_ends() -> None:
    assert mask_number("11010519491231002X") == "110***********002X"
    assert mask_phone("13800001234") == "138****1234"


@given(st.text(alphabet="0123456789X", min_size=1, max_size=32))
def test_a_mask_keeps_the_length_and_never_shows_more_than_half(number: str) -> None:
    shown = mask_number(number)
    assert len(shown) == len(number)
    assert sum(character != "*" for character in shown) <= len(number) / 2
    if len(number) < 11:
        assert mask_phone(number) == shown
