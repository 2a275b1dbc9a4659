"""Counts of cards, as interface and as page."""

from datetime import timedelta

from sqlalchemy import update

from accounts.models import Role
from core import clock, db
from health_card.models import Card, CardState
from tests.conftest import SteppingClock
from tests.support.browsing import Browser
from tests.support.city import City, bearer
from tests.support.lists import open_batch, person, work

PATH = "/api/v1/operator/card-counts"


def test_cards_are_counted_by_day_of_the_city_channel_and_state(city: City) -> None:
    operator = city.staff(None, Role.OPERATOR)
    before = city.client.get(PATH, headers=bearer(operator.token)).json
    patient, lost = city.patient(), city.patient()
    work(open_batch(city, operator, [person(), person()]))
    # 23:30 UTC is the next morning in the city.
    yesterday = (clock.in_city(clock.now()) - timedelta(days=1)).replace(hour=7, minute=30)
    with db.transaction() as session:
        session.execute(update(Card).where(Card.id == patient.card_id).values(issued_at=yesterday))
        session.get_one(Card, lost.card_id).state = CardState.LOST
    after = city.client.get(PATH, headers=bearer(operator.token)).json
    assert len(after["days"]) == 30
    assert after["days"][-1]["day"] == str(clock.in_city(clock.now()).date())
    assert after["days"][-1]["batch"] == before["days"][-1]["batch"] + 2
    assert after["days"][-1]["app"] == before["days"][-1]["app"] + 1
    assert after["days"][-2]["app"] == before["days"][-2]["app"] + 1
    assert (after["normal"], after["lost"]) == (before["normal"] + 3, before["lost"] + 1)


def test_only_operators_count(city: City) -> None:
    registrar = city.staff(city.hospital(), Role.REGISTRAR)
    assert city.client.get(PATH, headers=bearer(registrar.token)).status_code == 403


def test_the_page_shows_the_last_thirty_days(city: City, stepping_clock: SteppingClock) -> None:
    stepping_clock.forward(days=40)
    operator = city.staff(None, Role.OPERATOR)
    browser = Browser(city.app)
    browser.sign_in(operator)
    assert "近 30 天没有发卡" in browser.get("/operator/cards").get_data(as_text=True)
    work(open_batch(city, operator, [person() for _ in range(3)]))
    page = browser.get("/operator/cards").get_data(as_text=True)
    assert page.count("<rect") == 1
    assert 'class="batch"' in page
