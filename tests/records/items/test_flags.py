"""What a result means: the hospital's word first, then its range, then the city's default for sex and age."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import update

from core import db
from core.ids import new_id
from health_card.models import Person
from records.items import service as items
from records.items.service import judging
from records.items.service.dictionary import RangeContent
from records.reports.incoming import LOINC, IncomingObservation
from tests.support.city import City, Patient

CREATININE = IncomingObservation("final", "14682-9", LOINC, "肌酐", value=Decimal(90), unit="μmol/L")
NOON = datetime(2026, 3, 20, 4, tzinfo=UTC)


def judge(city: City, patient: Patient, line: IncomingObservation) -> items.Judgement:
    # No hospital has mapped anything: what all hospitals' codes mean is enough.
    with db.transaction() as session:
        return items.judge(session, person_id=patient.person_id, results=[items.Result(new_id(), NOON, line)])[0]


def born(patient: Patient, sex: str, day: str | None) -> None:
    with db.transaction() as session:
        values = {"sex": sex, "birth_date": day and datetime.fromisoformat(day).date()}
        session.execute(update(Person).where(Person.id == patient.person_id).values(values))


def test_who_has_no_range_is_judged_by_the_citys_for_sex_and_age(city: City) -> None:
    patient = city.patient()
    born(patient, "female", "1985-04-12")
    judged = judge(city, patient, CREATININE)
    assert (judged.item, judged.flag, judged.flag_source) == ("LAB-CREA", "H", "city_range")
    assert judged.explanation == ("高于参考范围（医院未给出参考范围，按全市参考范围 41–73 umol/L 判断，仅供参考）")
    born(patient, "male", "1985-04-12")
    assert judge(city, patient, CREATININE).flag == "N"
    born(patient, "male", "2010-04-12")
    assert judge(city, patient, CREATININE).flag is None
    born(patient, "female", None)
    assert judge(city, patient, CREATININE).flag is None


def test_the_citys_range_is_of_the_citys_unit(city: City) -> None:
    patient = city.patient()
    born(patient, "female", "1985-04-12")
    assert judge(city, patient, replace(CREATININE, value=Decimal("1.2"), unit="mg/dL")).flag == "H"
    assert judge(city, patient, replace(CREATININE, value=Decimal("1.2"), unit="g")).flag is None


def test_the_hospitals_flag_wins_over_every_range(city: City) -> None:
    line = replace(CREATININE, interpretation="N", reference_high=Decimal(50))
    judged = judge(city, city.patient(), line)
    assert (judged.flag, judged.flag_source) == ("N", "hospital")


def test_the_hospitals_range_wins_over_the_citys(city: City) -> None:
    line = replace(CREATININE, reference_low=Decimal(100), reference_high=Decimal(200))
    judged = judge(city, city.patient(), line)
    assert (judged.flag, judged.flag_source) == ("L", "hospital_range")
    assert judged.explanation == "低于参考范围（按医院给出的参考范围 100–200 判断）"


def test_a_text_is_judged_only_where_the_range_is_negative(city: City) -> None:
    line = IncomingObservation("final", "5195-3", LOINC, "乙肝表面抗原", text="阳性(+)", reference_text="阴性")
    patient = city.patient()
    assert judge(city, patient, line).flag == "A"
    assert judge(city, patient, replace(line, text="阴性")).flag == "N"
    assert judge(city, patient, replace(line, text="未做")).flag is None
    assert judge(city, patient, replace(line, reference_text="见说明")).flag is None


USUAL = RangeContent(low=Decimal(4), high=Decimal(10), critical_low=Decimal(2), critical_high=Decimal(30))
ONLY_HIGH, ONLY_LOW = RangeContent(high=Decimal(10)), RangeContent(low=Decimal(4))


@pytest.mark.parametrize(
    ("comparator", "value", "usual", "flag"),
    [
        (None, "4", USUAL, "N"),
        (None, "10", USUAL, "N"),
        (None, "3.9", USUAL, "L"),
        (None, "10.1", USUAL, "H"),
        (None, "1.9", USUAL, "LL"),
        (None, "31", USUAL, "HH"),
        ("<", "4", USUAL, "L"),
        ("<=", "4", USUAL, None),
        ("<", "2", USUAL, "LL"),
        ("<", "7", USUAL, None),
        (">", "10", USUAL, "H"),
        (">=", "30", USUAL, "H"),
        (">", "30", USUAL, "HH"),
        (">", "7", USUAL, None),
        ("<", "5", ONLY_HIGH, "N"),
        ("<", "11", ONLY_HIGH, None),
        (">", "5", ONLY_LOW, "N"),
        (">", "3", ONLY_LOW, None),
        (None, "5", RangeContent(), None),
    ],
)
def test_a_bound_is_flagged_only_when_it_is_certain(
    comparator: str | None, value: str, usual: RangeContent, flag: str | None
) -> None:
    assert judging._compare(Decimal(value), comparator, usual) == flag
