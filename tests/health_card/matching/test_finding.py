"""After a registration or correction the worker looks who may be the same person."""

from datetime import date

import pytest
from sqlalchemy import delete, func, select

from accounts.models import Role
from core import db
from core.audit import AuditEntry
from core.dispatch import Dispatcher
from core.outbox import OutboxMessage
from core.vault import vault
from health_card.batches.issuing import CHUNK_MADE_TOPIC, list_made_cards
from health_card.certificates import CertificateType
from health_card.matching import jobs
from health_card.matching.models import MatchCandidate, MatchState, PersonLink, PersonTrait
from health_card.models import Person
from health_card.service.identities import CHANGED_TOPIC, NAME, PHONE
from tests.health_card.matching.registry import (
    Office,
    Pair,
    make_ward,
    new_passport,
    new_phone,
    register,
    see_documents,
)
from tests.support.city import City, resident_id
from tests.support.lists import open_batch, work

BORN = date(1985, 4, 12)
PASSPORT = {"kind": CertificateType.PASSPORT, "sex": "male", "birth_date": BORN}


def under_a_passport(city: City, **changes: object) -> Pair:
    """A person registered twice: with the resident ID, and with a passport."""
    one = register(city, number=resident_id(sex="male"))
    other = register(city, **({"number": new_passport()} | PASSPORT | changes))  # type: ignore[arg-type]
    return Pair(city, one, other)


def household_book(city: City, *, token: str | None = None, **changes: object) -> Pair:
    """One resident ID number, once as resident ID and once in a household book."""
    number = resident_id(sex="male")
    one = register(city, number=number)
    details = {"number": number, "kind": CertificateType.HOUSEHOLD_BOOK, "sex": "male", "birth_date": BORN}
    return Pair(city, one, register(city, **(details | changes)))  # type: ignore[arg-type]


def rename(pair: Pair, name: str, phone: str) -> None:
    """The second record is corrected."""
    with db.transaction() as session:
        person = session.get_one(Person, pair.other.person_id)
        key = vault().unwrap(person.data_key)
        person.name_sealed = key.seal(name, context=NAME)
        person.phone_sealed = key.seal(phone, context=PHONE)


def forget_others(pair: Pair) -> None:
    """Races have left thousands of messages and persons; the rollback puts them back."""
    mine = [str(patient.person_id) for patient in (pair.one, pair.other)]
    with db.transaction() as session:
        session.execute(delete(OutboxMessage).where(OutboxMessage.payload["person_id"].astext.not_in(mine)))
        session.execute(delete(OutboxMessage).where(~OutboxMessage.payload.has_key("person_id")))


def test_a_registration_is_looked_at_by_the_worker(city: City) -> None:
    pair = under_a_passport(city)
    with db.transaction() as session:
        told = session.scalars(select(OutboxMessage).filter_by(topic=CHANGED_TOPIC)).all()
    assert {message.payload["person_id"] for message in told} >= {str(pair.one.person_id), str(pair.other.person_id)}
    forget_others(pair)
    Dispatcher(city.app, jobs.HANDLERS).run_due()
    found = pair.found()
    assert found is not None
    assert (found.state, found.score, set(found.evidence)) == ("open", 18, {"name_same", "birth_same", "sex_same"})
    assert not pair.is_one_person()


def test_looking_again_changes_nothing(city: City) -> None:
    pair = under_a_passport(city)
    first, again = pair.look_and_find(), pair.look_and_find()
    assert (first.id, first.score, first.found_at) == (again.id, again.score, again.found_at)
    with db.snapshot() as session:
        mine = MatchCandidate.first_id.in_((pair.one.person_id, pair.other.person_id))
        assert session.scalar(select(func.count()).where(mine)) == 1


def test_traits_say_nothing_to_who_has_no_key(city: City) -> None:
    pair = under_a_passport(city)
    pair.look()
    with db.snapshot() as session:
        traits = session.scalars(select(PersonTrait).filter_by(person_id=pair.one.person_id)).all()
    assert {trait.kind for trait in traits} == {"certificate_number", "phone", "name_year", "name_day", "surname_birth"}
    assert {len(trait.value_index) for trait in traits} == {16}
    assert not any(pair.one.phone.encode() in trait.value_index for trait in traits)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "錢甲乙"},
        {"name": "QIAN JIAYI"},
        {"birth_date": date(1985, 12, 4)},
        {"birth_date": date(1985, 4, 13)},
        {"birth_date": date(1975, 4, 12)},
    ],
)
def test_other_spellings_and_slips_are_found(city: City, changes: dict[str, object]) -> None:
    assert under_a_passport(city, **changes).look_and_find().state == MatchState.OPEN


def test_namesakes_born_on_one_day_are_left_alone(city: City) -> None:
    pair = Pair(city, register(city, number=resident_id(sex="male")), register(city, number=resident_id(sex="male")))
    pair.look()
    assert pair.found() is None


def test_a_former_name_and_phone_find_too(city: City) -> None:
    phone = new_phone()
    one = register(city, phone=phone, number=resident_id(sex="male"))
    pair = Pair(city, one, register(city, phone=phone, number="E20261122", **PASSPORT))  # type: ignore[arg-type]
    found = pair.look_and_find()
    with db.transaction() as session:
        session.delete(session.get_one(MatchCandidate, found.id))
    rename(pair, "孙丙丁", new_phone())
    assert {"former_name", "former_phone"} <= set(pair.look_and_find().evidence)


def test_after_a_correction_the_score_of_an_open_pair_is_right_again(city: City) -> None:
    pair = under_a_passport(city)
    assert pair.look_and_find().score == 18
    office = Office.open(city)
    assert str(pair.look_and_find().id) in office.get("/matches").text
    with db.transaction() as session:
        session.get_one(Person, pair.other.person_id).birth_date = date(1960, 1, 31)
    found = pair.look_and_find()
    assert (found.state, found.score) == ("open", 2)
    assert str(found.id) not in office.get("/matches").text


def test_one_number_under_two_types_and_one_login_is_one_person_by_itself(city: City) -> None:
    number = resident_id(sex="male")
    one = register(city, number=number)
    other = register(city, number=number, kind=CertificateType.HOUSEHOLD_BOOK, sex="male", birth_date=BORN)
    see_documents(one, other)
    pair = Pair(city, one, other)
    pair.look()
    assert pair.roots() == (one.person_id, one.person_id)
    with db.snapshot() as session:
        (link,) = session.scalars(select(PersonLink).filter_by(into_id=one.person_id))
        assert (link.reason, link.linked_by) == ("certain", None)
        assert "certificate_same_number" in link.evidence
        acts = session.scalars(select(AuditEntry).filter_by(action="health_card.person.merged", object_id=link.id))
        assert {act.subject_id for act in acts} == {one.person_id, other.person_id}
    assert pair.look_and_find().state == MatchState.MERGED


def test_somebody_elses_login_is_never_put_together_by_itself(city: City) -> None:
    pair = household_book(city)
    assert pair.look_and_find().state == MatchState.OPEN
    assert not pair.is_one_person()


def test_what_an_operator_took_apart_is_not_put_together_again_by_itself(city: City) -> None:
    pair, office = household_book(city), Office.open(city)
    see_documents(pair.one, pair.other)
    pair.look()
    assert pair.is_one_person()
    link_id = office.get("/merges").json["merges"][0]["id"]
    assert office.post(f"/merges/{link_id}/undo", reason="误合并").status_code == 200
    pair.look()
    assert pair.look_and_find().state == MatchState.REFUSED
    match_id = pair.look_and_find().id
    assert office.delete(f"/matches/{match_id}/refusal").status_code == 204
    assert pair.look_and_find().state == MatchState.OPEN
    assert not pair.is_one_person()


def test_a_newborns_record_joins_the_childs_own_when_one_guardian_has_both(city: City) -> None:
    guardian = city.patient()
    number = resident_id("20260901", sex="female")
    child = register(city, name="钱新生", number=number)
    newborn = register(city, name="钱新生", number=resident_id("20260901", sex="female"))
    make_ward(guardian, child)
    make_ward(guardian, newborn, has_certificate=False)
    pair = Pair(city, child, newborn)
    pair.look()
    assert pair.roots() == (child.person_id, child.person_id)


def test_of_twins_without_names_nobody_is_certain(city: City) -> None:
    guardian = city.patient()
    child, *newborns = (register(city, name="钱氏之女", number=resident_id("20260901", sex="female")) for _ in range(3))
    make_ward(guardian, child)
    for newborn in newborns:
        make_ward(guardian, newborn, has_certificate=False)
    for newborn in newborns:
        jobs.look_at_persons([newborn.person_id])
    jobs.look_at_persons([child.person_id])
    assert not Pair(city, child, newborns[1]).is_one_person()


def test_a_claim_is_always_put_before_the_operator(city: City) -> None:
    pair = Pair(city, city.patient("赵测试"), register(city, name="钱乙"))
    payload = {"person_ids": [str(pair.other.person_id), str(pair.one.person_id)]}
    jobs.HANDLERS[jobs.PERSON_CLAIMED_TOPIC](payload)
    assert "patient_number_claimed" in pair.look_and_find().evidence
    jobs.HANDLERS[jobs.CERTIFICATE_CLAIMED_TOPIC](payload)
    found = pair.look_and_find()
    assert "certificate_claimed" in found.evidence
    assert str(found.id) in Office.open(city).get("/matches").text


def test_every_record_can_be_looked_at_again(city: City) -> None:
    pair = under_a_passport(city)
    with db.transaction() as session:
        for message in session.scalars(select(OutboxMessage)):
            session.delete(message)
    done = city.app.test_cli_runner().invoke(args=["persons", "index"], catch_exceptions=False)
    assert "announced" in done.output
    forget_others(pair)
    Dispatcher(city.app, jobs.HANDLERS).run_due()
    assert pair.found() is not None


def test_those_of_a_batch_are_looked_at_a_few_at_a_time(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LOOKED_AT_ONCE", 2)
    header = ("证件类型", "证件号码", "姓名", "手机号", "性别", "出生日期")
    # The first and the last are one person with two passports, far apart on the list.
    same, others = ("陈测试", new_phone(), "男", "1985-04-12"), ("王大明", "李小红", "赵铁柱")
    people = [same, *((name, new_phone(), "女", f"195{n}-0{n + 1}-0{n + 1}") for n, name in enumerate(others)), same]
    rows = [["03", new_passport(), *each] for each in people]
    batch_id = open_batch(city, city.staff(None, Role.OPERATOR), rows, header=header)
    work(batch_id)
    told = select(OutboxMessage).filter_by(topic=CHUNK_MADE_TOPIC).order_by(OutboxMessage.id)
    told = told.where(OutboxMessage.payload["batch_id"].astext == str(batch_id))
    for done in range(3):
        with db.transaction() as session:
            messages = [message.payload for message in session.scalars(told)]
        assert [message["first_line"] for message in messages] == [2, 4, 6][: done + 1]
        for payload in messages:
            jobs.look_at_chunk(payload)
    with db.transaction() as session:
        assert len(session.scalars(told).all()) == 3, "what was done again announced nothing again"
        made = [each.person_id for each in list_made_cards(session, batch_id=batch_id, first_line=2, last_line=6)]
        assert set(session.scalars(select(PersonTrait.person_id).where(PersonTrait.person_id.in_(made)))) == set(made)
        pair = session.scalars(select(MatchCandidate).where(MatchCandidate.first_id.in_(made))).one()
    assert {pair.first_id, pair.second_id} == {made[0], made[-1]}
