"""At 14 the child is asked, at 18 the guardian's access ends; to the moment, and without anybody doing anything."""

from datetime import UTC, date, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from core import clock, db
from core.audit import AuditEntry
from core.dispatch import Dispatcher
from health_card import service as health_card
from health_card.certificates import CertificateType, check_certificate
from health_card.family import service as family
from health_card.family.jobs import HANDLERS, announce_fourteenth_birthday, end_guardianship
from health_card.models import Holder
from health_card.notices import reading
from health_card.notices.models import Notice
from health_card.service.ages import LifeStage, birthday, guardian_until, life_stage
from tests.conftest import SteppingClock
from tests.health_card.family.household import Household, born_years_ago, number_of
from tests.support.city import Patient
from tests.support.desks import Desk


@pytest.mark.parametrize(
    ("born", "years", "at"),
    [
        (date(2012, 5, 4), 14, datetime(2026, 5, 3, 16, tzinfo=UTC)),
        (date(2012, 2, 29), 14, datetime(2026, 2, 28, 16, tzinfo=UTC)),
        (date(2012, 2, 29), 18, datetime(2030, 2, 28, 16, tzinfo=UTC)),
        (date(2012, 2, 29), 16, datetime(2028, 2, 28, 16, tzinfo=UTC)),
        (date(1988, 7, 1), 1, datetime(1989, 6, 30, 16, tzinfo=UTC)),
    ],
)
def test_one_turns_older_when_the_day_begins_in_the_city(born: date, years: int, at: datetime) -> None:
    # Until 1991 the city had summer time: then its day began an hour earlier.
    expected = at - timedelta(hours=1) if at.year == 1989 else at
    assert birthday(born, years) == expected


@given(born=st.dates(date(1992, 1, 1), date(2040, 12, 31)), seconds=st.integers(-1, 1))
def test_stages_change_exactly_at_the_birthdays(born: date, seconds: int) -> None:
    for years, before, after in ((14, LifeStage.CHILD, LifeStage.MINOR), (18, LifeStage.MINOR, LifeStage.ADULT)):
        moment = birthday(born, years) + timedelta(seconds=seconds)
        clock.set_clock(partial(_stand_still, moment))
        try:
            assert life_stage(born) is (before if seconds < 0 else after)
        finally:
            clock.set_clock(None)


def _stand_still(moment: datetime) -> datetime:
    return moment


@given(born=st.dates(date(1992, 1, 1), date(2040, 12, 31)))
def test_a_guardian_never_has_longer_than_the_age_allows(born: date) -> None:
    for has_consented in (False, True):
        until = guardian_until(born, has_consented=has_consented)
        if life_stage(born) is LifeStage.ADULT:
            assert until is None
        else:
            assert until == birthday(born, 18 if has_consented else 14)


def held_persons(who: Patient) -> list[str]:
    """Masked names of those whom the login may act for now."""
    with db.snapshot() as session:
        return sorted(card.name for card in health_card.list_cards(session, who.actor))


def forward_to(stepping_clock: SteppingClock, moment: datetime) -> None:
    stepping_clock.time = moment


def test_at_14_it_ends_at_the_first_moment_of_the_day(household: Household, stepping_clock: SteppingClock) -> None:
    child = household.add(household.mother, born_years_ago(14, days=1)).json
    at = datetime.fromisoformat(child["valid_until"])
    forward_to(stepping_clock, at - timedelta(microseconds=1))
    assert held_persons(household.mother) == ["李*试", "王*测"]
    forward_to(stepping_clock, at)
    assert held_persons(household.mother) == ["李*试"]
    with db.snapshot() as session:
        assert len(family.list_family(session, household.mother.actor).members) == 1


def test_the_end_is_written_down_once_and_both_are_told(household: Household, stepping_clock: SteppingClock) -> None:
    child = household.add(household.mother, born_years_ago(14, days=1)).json
    worker = Dispatcher(household.city.app, HANDLERS)
    worker.run_due()
    assert told() == []
    forward_to(stepping_clock, datetime.fromisoformat(child["valid_until"]))
    assert worker.run_due() == 1
    end_guardianship({"holder_id": child["holder_id"]})
    with db.transaction() as session:
        holder = session.get_one(Holder, UUID(child["holder_id"]))
        assert (holder.end_reason, holder.ended_at) == ("came_of_age", stepping_clock.time)
        action = "health_card.holder.came_of_age"
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.action == action))
    assert (str(entry.subject_id), entry.facts) == (child["person_id"], {"for": "child"})
    assert told() == [("acting_ended", str(household.mother.person_id)), ("guardian_ended", child["person_id"])]


def test_from_14_a_minor_agrees_at_a_desk_and_at_18_it_ends(
    household: Household, stepping_clock: SteppingClock
) -> None:
    child = household.add(household.mother, born_years_ago(17, days=1)).json
    assert child["holder"] == "awaiting_desk"
    done = household.confirm(household.mother, child["holder_id"], "household_book", person_was_present=True).json
    until = datetime.fromisoformat(done["valid_until"])
    assert until == birthday(born_years_ago(17, days=1), 18)
    forward_to(stepping_clock, until - timedelta(seconds=1))
    assert held_persons(household.mother) == ["李*试", "王*测"]
    forward_to(stepping_clock, until)
    assert held_persons(household.mother) == ["李*试"]


def test_a_minor_agrees_on_his_own_phone(household: Household) -> None:
    minor = household.minor()
    code = household.invite(household.mother, kind="consent", relation="child").json["code"]
    accepted = household.accept(minor, code).json
    assert datetime.fromisoformat(accepted["valid_until"]) == birthday(born_years_ago(15), 18)
    (acting,) = household.family(minor)["acting_for_me"]
    assert household.leave(minor, acting["holder_id"]).status_code == 204
    assert held_persons(household.mother) == ["李*试"]


def test_a_minor_lets_nobody_but_a_guardian_act(household: Household) -> None:
    minor = household.minor()
    code = household.invite(household.mother, kind="consent", relation="other").json["code"]
    reply = household.accept(minor, code)
    assert (reply.status_code, reply.json["code"]) == (422, "health_card.relation_does_not_fit")


def test_who_ran_out_can_be_agreed_to_again(household: Household, stepping_clock: SteppingClock) -> None:
    number = number_of(born_years_ago(14, days=1))
    child = household.add(household.mother, certificate_number=number).json
    forward_to(stepping_clock, datetime.fromisoformat(child["valid_until"]))
    mother = household.mother.actor
    details = health_card.Details(
        name="王小测", phone="", certificate=check_certificate(CertificateType.RESIDENT_ID, number)
    )
    with db.transaction() as session:
        again, is_added = family.add_relative(
            session, mother, details=details, relation=health_card.Relation.CHILD, limit=5
        )
    assert (is_added, again.is_confirmed) == (True, False)
    assert again.holder_id != UUID(child["holder_id"])
    assert [kind for kind, _ in told()].count("guardian_ended") == 1


@pytest.mark.parametrize(("years", "stands"), [(10, True), (13, True), (15, False), (20, False)])
def test_a_corrected_birth_date_decides_anew(household: Household, years: int, stands: bool) -> None:
    number = number_of(born_years_ago(6))
    assert household.add(household.mother, certificate_number=number).status_code == 201
    correct_birth_date(household, number, born_years_ago(years))
    assert ("王*测" in held_persons(household.mother)) is stands
    if stands:
        (_, member) = household.family(household.mother)["members"]
        assert datetime.fromisoformat(member["valid_until"]) == birthday(born_years_ago(years), 14)


def test_a_consent_given_too_young_counts_no_more(household: Household) -> None:
    number = number_of(born_years_ago(15))
    child = household.add(household.mother, certificate_number=number).json
    household.confirm(household.mother, child["holder_id"], person_was_present=True)
    for born, years in ((born_years_ago(16), 18), (born_years_ago(13), 14)):
        number = correct_birth_date(household, number, born)
        (_, member) = household.family(household.mother)["members"]
        assert datetime.fromisoformat(member["valid_until"]) == birthday(born, years)


def told_of_birthday(who: Patient) -> list[str]:
    """Whom the notices of a coming 14th birthday are about that this login reads."""
    with db.snapshot() as session:
        shown = reading.list_notices(session, who.actor)
    return [str(notice.person_id) for notice in shown if notice.kind == "turning_fourteen"]


def test_thirty_days_before_the_14th_birthday_the_guardians_are_told_once(
    household: Household, stepping_clock: SteppingClock
) -> None:
    child = household.add(household.mother, born_years_ago(14, days=31)).json
    household.second_guardian(child["holder_id"])
    worker = Dispatcher(household.city.app, HANDLERS)
    worker.run_due()
    assert told_of_birthday(household.mother) == []
    forward_to(stepping_clock, datetime.fromisoformat(child["valid_until"]) - timedelta(days=30))
    assert worker.run_due() == 2, "a message a guardian"
    announce_fourteenth_birthday({"holder_id": child["holder_id"]})
    for guardian in (household.mother, household.father):
        assert told_of_birthday(guardian) == [child["person_id"]]
    with db.transaction() as session:
        action = "health_card.fourteenth_birthday.announced"
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.action == action))
    assert (str(entry.subject_id), entry.facts) == (child["person_id"], {})


def test_who_is_not_about_to_turn_14_is_not_told(household: Household, stepping_clock: SteppingClock) -> None:
    number = number_of(born_years_ago(14, days=10))
    moved = household.add(household.mother, certificate_number=number).json
    correct_birth_date(household, number, born_years_ago(13))
    consents = household.add(household.father, born_years_ago(17), name="王丙测").json
    household.confirm(household.father, consents["holder_id"], "household_book", person_was_present=True)
    stepping_clock.forward(days=3)
    for child in (moved, consents):
        announce_fourteenth_birthday({"holder_id": child["holder_id"]})
    assert told_of_birthday(household.mother) + told_of_birthday(household.father) == []
    # Corrected, it comes at the new time.
    forward_to(stepping_clock, birthday(born_years_ago(13), 14) - timedelta(days=30))
    Dispatcher(household.city.app, HANDLERS).run_due()
    assert told_of_birthday(household.mother) == [moved["person_id"]]


def correct_birth_date(household: Household, number: str, born: date) -> str:
    """A desk finds that the child's number was mistaken, and with it the birth date; returns the right number."""
    desk, right = Desk(household.city), number_of(born)
    path = f"/persons/{desk.look_up(number).json['look_up_id']}"
    wrong = str(desk.certificate_id(path))
    body = {"certificate_type": "01", "certificate_number": right, "reason": "mistake", "replaces": wrong}
    reply = desk.post(f"{path}/certificates", body)
    assert reply.status_code == 201, reply.text
    return right


def told() -> list[tuple[str, str]]:
    """Kind and person of what was told about endings."""
    ended = select(Notice.kind, Notice.person_id).where(Notice.kind.endswith("_ended"))
    with db.transaction() as session:
        return sorted((kind, str(person_id)) for kind, person_id in session.execute(ended))
