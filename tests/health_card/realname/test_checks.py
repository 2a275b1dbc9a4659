"""A registered person's name is checked; what the source answers decides about the card."""

from typing import Any

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import IntegrityError

from core import db
from core.audit import AuditEntry
from core.dispatch import TryLater
from core.ids import new_id
from core.vault import vault
from health_card import service as health_card
from health_card.models import Card, CardState, Person, PersonCertificate
from health_card.notices.models import Notice
from health_card.realname import jobs, service
from health_card.realname.asking import DUE_TOPIC
from health_card.realname.models import Outcome, RealNameCheck
from health_card.realname.service import Answered
from health_card.realname.source import Answer, RealNameSource
from health_card.service.identities import NAME
from tests.health_card.conftest import Town
from tests.support.city import Patient

CHECKS = "/realname/v1/checks"


def ask(town: Town, patient: Patient) -> dict[str, Any]:
    with db.transaction() as session:
        health_card.ask_real_name(session, person_id=patient.person_id)
    return town.messages(DUE_TOPIC)[-1].payload


def state(patient: Patient) -> str:
    with db.transaction() as session:
        return health_card.find_real_name_state(session, patient.person_id)


def card(patient: Patient) -> tuple[int, int]:
    """State and epoch."""
    with db.transaction() as session:
        found = session.get_one(Card, patient.card_id)
        return found.state, found.epoch


def told(patient: Patient) -> list[str]:
    with db.transaction() as session:
        mine = select(Notice.kind).filter_by(person_id=patient.person_id).order_by(Notice.created_at, Notice.id)
        return list(session.scalars(mine))


def rename(patient: Patient, name: str) -> None:
    """A desk corrects the name."""
    with db.transaction() as session:
        person = session.get_one(Person, patient.person_id)
        person.name_sealed = vault().unwrap(person.data_key).seal(name, context=NAME)


def test_who_agrees_keeps_his_card_and_the_evidence_is_kept(town: Town) -> None:
    patient = town.city.patient()
    assert state(patient) == "unchecked"
    payload = ask(town, patient)
    assert set(payload) == {"person_id", "asking_id"}
    assert town.work() == 1
    assert (state(patient), card(patient), told(patient)) == ("agreed", (CardState.NORMAL, 0), [])
    with db.transaction() as session:
        kept = session.scalars(select(RealNameCheck).filter_by(person_id=patient.person_id)).one()
        acts = session.scalars(select(AuditEntry.action).filter_by(subject_id=patient.person_id)).all()
    assert kept.reference.startswith("R")
    assert kept.source.startswith("http://127.0.0.1")
    assert "health_card.real_name.checked" in acts


def test_who_disagrees_has_no_card_until_the_details_are_right(town: Town) -> None:
    patient, hospital = town.city.patient(), town.city.hospital()
    staff, code = town.city.staff(hospital), town.city.code(patient)
    town.control.disagree(patient.certificate_number)
    jobs.check_real_name(ask(town, patient))
    assert (state(patient), card(patient)) == ("disagreed", (CardState.NOT_ISSUED, 1))
    assert told(patient) == ["real_name_disagreed"]
    assert town.city.scan(staff, code, hospital).json["code"] == "health_card.code_revoked"
    town.control.agree_again()
    jobs.check_real_name(ask(town, patient))
    assert (state(patient), card(patient)) == ("agreed", (CardState.NORMAL, 1))
    assert told(patient) == ["real_name_disagreed", "real_name_agreed"]
    assert town.city.scan(staff, code, hospital).json["code"] == "health_card.code_revoked", "old codes stay dead"
    assert town.city.scan(staff, town.city.code(patient), hospital).status_code == 201


def test_a_person_whose_document_a_desk_has_seen_keeps_the_card(town: Town) -> None:
    patient = town.city.patient()
    with db.transaction() as session:
        session.execute(update(Person).where(Person.id == patient.person_id).values(assurance="document"))
    town.control.disagree(patient.certificate_number)
    jobs.check_real_name(ask(town, patient))
    assert (state(patient), card(patient), told(patient)) == ("disagreed", (CardState.NORMAL, 0), [])


@pytest.mark.parametrize("card_state", [CardState.LOST, CardState.CANCELLED])
def test_a_card_that_is_not_in_force_anyway_stays_as_it_is(town: Town, card_state: CardState) -> None:
    patient = town.city.patient()
    with db.transaction() as session:
        session.execute(update(Card).where(Card.id == patient.card_id).values(state=card_state.value))
    town.control.disagree(patient.certificate_number)
    jobs.check_real_name(ask(town, patient))
    town.control.agree_again()
    jobs.check_real_name(ask(town, patient))
    assert (state(patient), card(patient), told(patient)) == ("agreed", (card_state, 0), [])


def test_a_card_not_issued_for_another_reason_is_not_issued_by_agreeing(town: Town) -> None:
    patient = town.city.patient()
    with db.transaction() as session:
        session.execute(update(Card).where(Card.id == patient.card_id).values(state=CardState.NOT_ISSUED.value))
    jobs.check_real_name(ask(town, patient))
    assert card(patient) == (CardState.NOT_ISSUED, 0)


def test_one_asking_has_one_answer_however_often_the_job_runs(town: Town) -> None:
    patient = town.city.patient()
    payload = ask(town, patient)
    town.control.disagree(patient.certificate_number)
    jobs.check_real_name(payload)
    town.control.order_fault(CHECKS, "500")
    jobs.check_real_name(payload)
    assert (card(patient)[1], told(patient)) == (1, ["real_name_disagreed"])
    with db.transaction() as session:
        assert len(session.scalars(select(RealNameCheck).filter_by(person_id=patient.person_id)).all()) == 1


def test_of_two_workers_with_one_asking_the_second_answer_is_dropped(town: Town) -> None:
    patient, asking_id = town.city.patient(), new_id()
    for reference in ("R1", "R2"):
        with db.transaction() as session:
            asked = service._open_identity(session, session.get_one(Person, patient.person_id))
            assert asked is not None
            service.record_real_name(
                session,
                person_id=patient.person_id,
                asking_id=asking_id,
                asked=asked,
                answered=Answered(Outcome.DISAGREED, "tests", reference),
            )
    assert (card(patient)[1], told(patient)) == (1, ["real_name_disagreed"])


def test_a_newborn_without_a_certificate_is_not_asked_about(town: Town) -> None:
    patient = town.city.patient()
    with db.transaction() as session:
        session.execute(delete(PersonCertificate).where(PersonCertificate.person_id == patient.person_id))
    town.control.order_fault(CHECKS, "500")
    jobs.check_real_name(ask(town, patient))
    assert state(patient) == "unchecked"


@pytest.mark.parametrize("fault", ["500", "drop", "garbage"])
def test_a_source_that_is_down_is_asked_again_later(town: Town, fault: str) -> None:
    patient = town.city.patient()
    town.control.order_fault(CHECKS, fault)
    ask(town, patient)
    assert town.work() == 1
    assert (state(patient), card(patient)) == ("unchecked", (CardState.NORMAL, 0))
    town.make_due(DUE_TOPIC)
    assert town.work() == 1
    assert state(patient) == "agreed"


def test_a_silent_source_is_given_a_rest(town: Town) -> None:
    patients = [town.city.patient() for _ in range(2)]
    town.control.order_fault(CHECKS, "500")
    for patient in patients:
        with pytest.raises(TryLater):
            jobs.check_real_name(ask(town, patient))
    assert {state(patient) for patient in patients} == {"unchecked"}, "only the first of them was asked about"


def test_without_a_source_nobody_is_checked_and_nothing_waits(town: Town) -> None:
    patient = town.city.patient()
    town.configure(realname=None)
    ask(town, patient)
    assert town.work() == 1
    assert town.messages(DUE_TOPIC)[0].done_at is not None
    assert (state(patient), card(patient)) == ("unchecked", (CardState.NORMAL, 0))


def test_an_answer_about_details_that_were_corrected_meanwhile_is_dropped(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = town.city.patient()
    town.control.disagree(patient.certificate_number)
    genuine = RealNameSource.check

    def be_overtaken(source: RealNameSource, **asked: str) -> Answer:
        rename(patient, "张更正")
        return genuine(source, **asked)

    monkeypatch.setattr(RealNameSource, "check", be_overtaken)
    jobs.check_real_name(ask(town, patient))
    assert (state(patient), card(patient), told(patient)) == ("unchecked", (CardState.NORMAL, 0), [])


@pytest.mark.parametrize("change", ["UPDATE real_name_checks SET outcome = 'agreed'", "DELETE FROM real_name_checks"])
def test_the_evidence_cannot_be_changed(town: Town, change: str) -> None:
    jobs.check_real_name(ask(town, town.city.patient()))
    with pytest.raises(IntegrityError, match="append-only"), db.transaction() as session:
        session.execute(text(change))
