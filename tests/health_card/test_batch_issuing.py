"""A batch: the outcome of each line is that of a single registration, and no line is done twice."""

from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from accounts.models import Role
from core import db, storage
from core.audit import AuditEntry
from core.dispatch import TryLater
from core.outbox import OutboxMessage
from health_card import service as health_card
from health_card.batches import issuing, jobs
from health_card.batches.models import CardBatch
from health_card.models import Card, CardState, CertificateState, Person, PersonCertificate
from tests.conftest import SteppingClock
from tests.support.city import City, bearer, resident_id
from tests.support.lists import HEADER, open_batch, person, progress, result, work

FULL = (*HEADER, "性别", "出生日期", "民族", "地址", "签发国家", "渠道")


def count(table: type[Person] | type[Card]) -> int:
    with db.transaction() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_person_made_by_a_batch_is_as_one_who_registered(city: City) -> None:
    operator = city.staff(None, Role.OPERATOR)
    number = resident_id(born="19850412", sex="female")
    line = [*person(number, "欧阳 测试"), "女", "1985年4月12日", "汉族", "测试路1号", "", "3"]
    batch_id = open_batch(city, operator, [line], header=FULL)
    work(batch_id)
    with db.transaction() as session:
        found = session.scalars(select(PersonCertificate).order_by(PersonCertificate.id.desc())).first()
        assert found is not None
        plain = health_card.get_plain_demographics(session, found.person_id)
        card = session.scalars(select(Card).filter_by(person_id=found.person_id)).one()
        acts = session.scalars(select(AuditEntry).filter_by(subject_id=found.person_id)).all()
    assert (plain.name, plain.phone, plain.sex, str(plain.birth_date)) == (
        "欧阳 测试",
        "13900000001",
        "female",
        "1985-04-12",
    )
    assert (plain.nation, plain.address, plain.assurance) == ("01", "测试路1号", "asserted")
    assert (plain.certificate_type, plain.certificate_number) == ("01", number)
    assert (card.state, card.channel, card.epoch) == (1, 3, 0)
    assert [(act.action, act.actor_id, act.object_id) for act in acts] == [
        ("health_card.person.registered", operator.id, card.id)
    ]


def test_whoever_a_batch_made_gets_the_same_card_on_the_phone(city: City) -> None:
    operator, number = city.staff(None, Role.OPERATOR), resident_id()
    batch_id = open_batch(city, operator, [person(number)])
    work(batch_id)
    token, _ = city.login()
    body = {"certificate_type": "01", "certificate_number": number, "name": "测试居民甲", "phone": "13900000001"}
    reply = city.client.post("/api/v1/registrations", json=body, headers=bearer(token))
    assert (reply.status_code, reply.json["holder"]) == (200, "confirmed")
    cards = city.client.get("/api/v1/cards", headers=bearer(token)).json["cards"]
    assert [card["number"] for card in cards] == [result(city, operator, batch_id)[0][2]]


BAD = [
    (["01", "11010519491231002X1", "测试", "13900000001"], "health_card.certificate_invalid", ""),
    (["01", "110105194912310021", "测试", "13900000001"], "health_card.certificate_invalid", ""),
    (["1", "11010519491231002X", "测试", "13900000001"], "core.malformed_request", "证件类型"),
    (["01", "11010519491231002X", "", "13900000001"], "core.malformed_request", "姓名"),
    (["01", "11010519491231002X", "<b>", "13900000001"], "core.malformed_request", "姓名"),
    (["01", "11010519491231002X", "测试", "1390000000"], "core.malformed_request", "手机号"),
    (["01", "11010519491231002X", "测试", "13900000001", "男"], "health_card.details_contradict_certificate", ""),
    (["01", "11010519491231002X", "测试", "13900000001", "甲"], "core.malformed_request", "性别"),
    (
        ["01", "11010519491231002X", "测试", "13900000001", "", "1950-01-01"],
        "health_card.details_contradict_certificate",
        "",
    ),
    (["01", "11010519491231002X", "测试", "13900000001", "", "昨天"], "core.malformed_request", "出生日期"),
    (["01", "11010519491231002X", "测试", "13900000001", "", "", "人族"], "core.malformed_request", "民族"),
    (["03", "E12345678", "测试", "13900000001", "", "", "", "", "韩国"], "core.malformed_request", "签发国家"),
    (
        ["01", "11010519491231002X", "测试", "13900000001", "", "", "", "", "", "9"],
        "core.malformed_request",
        "申领渠道",
    ),
    (["01", "11010519491231002X", "测试", "13900000001", *[""] * 6, "太多"], "core.malformed_request", ""),
]


def test_each_bad_line_has_its_reason_and_costs_no_other_its_card(city: City) -> None:
    operator = city.staff(None, Role.OPERATOR)
    persons, cards = count(Person), count(Card)
    rows = [row + [""] * (len(FULL) - len(row)) for row, _, _ in BAD]
    batch_id = open_batch(city, operator, [person() + [""] * 6, *rows, person() + [""] * 6], header=FULL)
    work(batch_id)
    outcome = result(city, operator, batch_id)
    assert [(row[3], row[5]) for row in outcome[1:-1]] == [(code, column) for _, code, column in BAD]
    assert [row[0] for row in outcome] == [str(line) for line in range(2, len(BAD) + 4)]
    assert {row[1] for row in outcome[1:-1]} == {"未发卡"}
    assert all(row[4] and row[6] for row in outcome[1:-1])
    assert (outcome[0][1], outcome[-1][1]) == ("已发卡", "已发卡")
    assert (count(Person), count(Card)) == (persons + 2, cards + 2)
    shown = progress(city, operator, batch_id)
    assert (shown["state"], shown["rows_made"], shown["rows_refused"]) == ("done", 2, len(BAD))


def test_who_is_there_already_keeps_his_card(city: City) -> None:
    operator, patient = city.staff(None, Role.OPERATOR), city.patient()
    twice, persons = resident_id(), count(Person)
    rows = [
        person(patient.certificate_number, patient.name, patient.phone),
        person(patient.certificate_number, "另外一人", patient.phone),
        person(twice),
        person(twice),
        person(twice, "另外一人"),
    ]
    batch_id = open_batch(city, operator, rows)
    work(batch_id)
    outcome = result(city, operator, batch_id)
    assert [row[1] for row in outcome] == ["已有卡", "未发卡", "已发卡", "已有卡", "未发卡"]
    assert {outcome[1][3], outcome[4][3]} == {"health_card.person_details_differ"}
    assert outcome[0][2] == patient.card_number
    assert outcome[2][2] == outcome[3][2]
    assert count(Person) == persons + 1


def test_a_card_that_is_not_in_force_is_not_made_anew(city: City) -> None:
    operator, patient = city.staff(None, Role.OPERATOR), city.patient()
    with db.transaction() as session:
        session.get_one(Card, patient.card_id).state = CardState.LOST
    batch_id = open_batch(city, operator, [person(patient.certificate_number, patient.name, patient.phone)])
    work(batch_id)
    assert result(city, operator, batch_id)[0][1:3] == ["已有卡", patient.card_number]


def test_a_certificate_that_was_withdrawn_is_nobodys(city: City) -> None:
    operator, patient, persons = city.staff(None, Role.OPERATOR), city.patient(), count(Person)
    with db.transaction() as session:
        shown = session.scalars(select(PersonCertificate).filter_by(person_id=patient.person_id)).one()
        shown.state, shown.is_primary = CertificateState.WITHDRAWN.value, False
    batch_id = open_batch(city, operator, [person(patient.certificate_number, "另外一人")])
    work(batch_id)
    assert result(city, operator, batch_id)[0][1] == "已发卡"
    assert count(Person) == persons + 1


def test_a_passport_without_its_country_leads_to_whom_it_alone_belongs(city: City) -> None:
    operator, passport = city.staff(None, Role.OPERATOR), f"K{resident_id()[2:9]}"
    rows = [
        ["03", passport, "KIM TEST", "13900000001", "KOR"],
        ["03", passport, "KIM TEST", "13900000001", ""],
        ["03", passport, "OTHER TEST", "13900000002", "JPN"],
    ]
    batch_id = open_batch(city, operator, rows, header=[*HEADER, "country"])
    work(batch_id)
    outcome = result(city, operator, batch_id)
    assert [row[1] for row in outcome] == ["已发卡", "已有卡", "已发卡"]
    assert outcome[0][2] == outcome[1][2] != outcome[2][2]


def test_killed_between_two_chunks_it_goes_on_where_it_stopped(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuing, "CHUNK_ROWS", 7)
    operator, persons = city.staff(None, Role.OPERATOR), count(Person)
    batch_id = open_batch(city, operator, [person() for _ in range(40)])
    next(jobs.issue_chunks(batch_id))
    with db.snapshot() as session:
        started = issuing.find_running(session, batch_id)
        assert started is not None
    # Killed after the reading: what was sealed is forgotten, and nothing of it was written.
    issuing.read_chunk(started, offset=started.next_offset, line=started.next_line)
    assert progress(city, operator, batch_id)["rows_done"] == 7
    work(batch_id)
    work(batch_id)
    assert progress(city, operator, batch_id)["rows_made"] == 40
    assert count(Person) == persons + 40
    assert len({row[2] for row in result(city, operator, batch_id)}) == 40


def test_a_chunk_that_somebody_else_did_is_not_done_again(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuing, "CHUNK_ROWS", 5)
    operator, persons = city.staff(None, Role.OPERATOR), count(Person)
    batch_id = open_batch(city, operator, [person() for _ in range(9)])
    with db.snapshot() as session:
        batch = issuing.find_running(session, batch_id)
        assert batch is not None
    place = {"offset": batch.next_offset, "line": batch.next_line}
    ours, theirs = issuing.read_chunk(batch, **place), issuing.read_chunk(batch, **place)
    for chunk, is_done in ((ours, True), (theirs, False)):
        with db.transaction() as session:
            assert issuing.issue_chunk(session, chunk=chunk) is is_done
    assert count(Person) == persons + 5


def test_who_finds_his_next_chunk_done_looks_again_where_the_list_goes_on(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuing, "CHUNK_ROWS", 2)
    operator = city.staff(None, Role.OPERATOR)
    batch_id = open_batch(city, operator, [person() for _ in range(7)])
    ours = jobs.issue_chunks(batch_id)
    next(ours)
    next(jobs.issue_chunks(batch_id))
    with pytest.raises(TryLater):
        next(ours)
    work(batch_id)
    assert progress(city, operator, batch_id)["rows_made"] == 7


def test_a_long_batch_lets_others_in_between(city: City, stepping_clock: SteppingClock) -> None:
    operator = city.staff(None, Role.OPERATOR)
    batch_id = open_batch(city, operator, [person()])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "SLICE", jobs.SLICE * 0)
        with pytest.raises(TryLater):
            jobs.issue_batch({"batch_id": str(batch_id)})
    jobs.issue_batch({"batch_id": str(batch_id)})
    assert progress(city, operator, batch_id)["state"] == "done"


def test_each_chunk_is_announced_with_whom_it_made(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuing, "CHUNK_ROWS", 3)
    operator, patient = city.staff(None, Role.OPERATOR), city.patient()
    known = person(patient.certificate_number, patient.name, patient.phone)
    batch_id = open_batch(city, operator, [person(), known, person(), person()])
    work(batch_id)
    with db.transaction() as session:
        told = session.scalars(select(OutboxMessage).filter_by(topic=issuing.CHUNK_MADE_TOPIC)).all()
        found = [each.payload for each in told if each.payload["batch_id"] == str(batch_id)]
        made = [
            issuing.list_made_cards(
                session, batch_id=batch_id, first_line=each["first_line"], last_line=each["last_line"]
            )
            for each in found
        ]
    assert [(each["chunk"], each["first_line"], each["last_line"]) for each in found] == [(1, 2, 4), (2, 5, 5)]
    assert [len(ids) for ids in made] == [2, 1]
    assert patient.person_id not in {each.person_id for each in made[0]}


def test_the_list_is_gone_when_the_batch_has_ended(city: City) -> None:
    operator = city.staff(None, Role.OPERATOR)
    batch_id = open_batch(city, operator, [person()])
    with db.transaction() as session:
        batch = session.get_one(CardBatch, batch_id)
        address, key = batch.storage_key, batch.data_key
    assert key is not None
    jobs.discard_list({"batch_id": str(batch_id)})
    storage.open_file(address, key).close()
    work(batch_id)
    for _ in range(2):
        jobs.discard_list({"batch_id": str(batch_id)})
    with pytest.raises(storage.FileDamaged):
        storage.open_file(address, key)


def test_what_became_of_a_line_cannot_be_changed(city: City) -> None:
    batch_id: UUID = open_batch(city, city.staff(None, Role.OPERATOR), [person()])
    work(batch_id)
    with pytest.raises(IntegrityError), db.transaction() as session:
        session.execute(text("UPDATE card_batch_rows SET line = 99"))
