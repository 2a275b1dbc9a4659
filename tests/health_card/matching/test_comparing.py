"""What counts as evidence, what it sums up to, and what is certain."""

from dataclasses import replace
from datetime import date

import pytest

from core.ids import new_id
from health_card.matching.comparing import Known, KnownCertificate, compare, is_certain
from health_card.matching.models import TraitKind
from health_card.matching.weights import REVIEW_THRESHOLD, score
from tests.health_card.matching.registry import slip
from tests.support.city import resident_id

BORN = date(1985, 4, 12)
NUMBER = resident_id("19850412", sex="male")


def resident(number: str, kind: str = "01", state: str = "current") -> tuple[KnownCertificate, ...]:
    return (KnownCertificate(kind, number, state),)


def known(**changes: object) -> Known:
    """A record of one man, with a login of his own."""
    first = Known(
        person_id=new_id(),
        root_id=new_id(),
        name="钱小乙",
        phone="13900000001",
        sex="male",
        birth_date=BORN,
        assurance="asserted",
        certificates=resident(NUMBER),
        holders=frozenset({new_id()}),
        guardians=frozenset(),
    )
    return replace(first, **changes)  # type: ignore[arg-type]  # the fields' own types are those above


PASSPORT = resident("E12345678", "03")
OTHER_ID = resident(resident_id("19850412", sex="male"))


@pytest.mark.parametrize(
    ("changes", "evidence", "is_reviewed"),
    [
        # The same person under a passport.
        ({"certificates": PASSPORT}, {"name_same", "birth_same", "sex_same", "phone_same"}, True),
        ({"certificates": PASSPORT, "phone": "x"}, {"name_same", "birth_same", "sex_same"}, True),
        ({"certificates": PASSPORT, "phone": "x", "name": "錢小乙"}, {"name_variant", "birth_same", "sex_same"}, True),
        (
            {"certificates": PASSPORT, "phone": "x", "name": "QIAN XIAOYI"},
            {"name_pinyin", "birth_same", "sex_same"},
            True,
        ),
        ({"certificates": PASSPORT, "name": "钱小已"}, {"name_pinyin", "birth_same", "sex_same", "phone_same"}, True),
        ({"certificates": PASSPORT, "name": "钱大乙"}, {"name_near", "birth_same", "sex_same", "phone_same"}, True),
        (
            {"certificates": PASSPORT, "phone": "x", "birth_date": date(1985, 12, 4)},
            {"name_same", "birth_swapped", "sex_same"},
            True,
        ),
        (
            {"certificates": PASSPORT, "phone": "x", "birth_date": date(1986, 4, 12)},
            {"name_same", "birth_near", "sex_same"},
            True,
        ),
        ({"certificates": PASSPORT, "birth_date": None, "sex": "unknown"}, {"name_same", "phone_same"}, True),
        # A slip in the number, and one number under two types.
        (
            {"certificates": resident(slip(NUMBER)), "phone": "x"},
            {"name_same", "birth_same", "sex_same", "certificate_near"},
            True,
        ),
        (
            {"certificates": resident(NUMBER, "02"), "phone": "x", "name": "孙丙"},
            {"name_differs", "birth_same", "sex_same", "certificate_same_number"},
            True,
        ),
        # Namesakes born on one day, each with his own number; a father; a wife; twins.
        (
            {"certificates": OTHER_ID, "phone": "x"},
            {"name_same", "birth_same", "sex_same", "resident_ids_differ"},
            False,
        ),
        (
            {"certificates": resident(resident_id("19550101")), "birth_date": date(1955, 1, 1), "name": "钱大勇"},
            {"name_differs", "birth_differs", "sex_same", "phone_same", "resident_ids_differ"},
            False,
        ),
        (
            {"certificates": PASSPORT, "birth_date": date(1987, 7, 7), "sex": "female", "name": "孙丙"},
            {"name_differs", "birth_differs", "sex_differs", "phone_same"},
            False,
        ),
        (
            {"certificates": resident(slip(NUMBER, 16)), "name": "钱小丙"},
            {"name_near", "birth_same", "sex_same", "phone_same", "resident_ids_differ"},
            False,
        ),
    ],
)
def test_evidence_and_whether_the_operator_looks(
    changes: dict[str, object], evidence: set[str], is_reviewed: bool
) -> None:
    one, other = known(), known(**changes)
    found = compare(one, other, ())
    assert set(found) == set(compare(other, one, ())) == evidence
    assert (score(found) >= REVIEW_THRESHOLD) is is_reviewed


def test_a_former_name_and_a_former_phone_still_count() -> None:
    shared = (TraitKind.NAME_DAY, TraitKind.PHONE)
    found = compare(known(), known(name="孙丙丁", phone="x", certificates=PASSPORT), shared)
    assert {"former_name", "former_phone"} <= set(found)


def test_a_withdrawn_certificate_says_nothing() -> None:
    withdrawn = resident(NUMBER, "02", "withdrawn")
    assert "certificate_same_number" not in compare(known(), known(certificates=withdrawn), ())


HOLDER = frozenset({new_id()})
SAME_NUMBER = {"certificates": resident(NUMBER, "02"), "holders": HOLDER}
NEWBORN = {"certificates": (), "holders": HOLDER, "guardians": HOLDER}


@pytest.mark.parametrize(
    ("first", "second", "certain"),
    [
        ({"holders": HOLDER}, SAME_NUMBER, True),
        ({"assurance": "document"}, SAME_NUMBER | {"assurance": "document"}, True),
        # Another's login gets at nothing by registering with his number.
        ({}, SAME_NUMBER, False),
        ({"assurance": "document"}, SAME_NUMBER, False),
        ({"holders": HOLDER}, SAME_NUMBER | {"name": "孙丙"}, False),
        ({"holders": HOLDER}, SAME_NUMBER | {"birth_date": None}, False),
        ({"holders": HOLDER}, SAME_NUMBER | {"sex": "female"}, False),
        # Of what number it is matters: two authorities may give out one passport-like number.
        (
            {"holders": HOLDER, "certificates": PASSPORT},
            SAME_NUMBER | {"certificates": resident("E12345678", "99")},
            False,
        ),
        # Never on name and birth date alone.
        ({"holders": HOLDER}, {"holders": HOLDER, "certificates": PASSPORT}, False),
        ({"holders": HOLDER, "guardians": HOLDER}, NEWBORN, True),
        ({"holders": HOLDER, "guardians": HOLDER}, NEWBORN | {"name": "钱小乙之子"}, False),
        ({"holders": HOLDER, "guardians": HOLDER, "certificates": ()}, NEWBORN, False),
    ],
)
def test_what_is_certain(first: dict[str, object], second: dict[str, object], certain: bool) -> None:
    one, other = known(**first), known(**second)
    assert is_certain(one, other, compare(one, other, ())) is certain
    assert is_certain(other, one, compare(other, one, ())) is certain
