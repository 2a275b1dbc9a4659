"""However many try at once: no more passcodes are compared, and no more openings made, than a link allows."""

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text

from consent.links import service as links
from consent.links.models import MOST_TRIES, ShareLink
from consent.models import Purpose
from consent.scope import Scope
from core import db
from core.errors import Refusal
from tests.support.city import City, Patient
from tests.support.links import PASSCODE

TRIES, THREADS = 200, 16


class Door:
    """A link, and many before it."""

    def __init__(self, city: City, *, openings: int = 1000) -> None:
        self.city = city
        self.owner: Patient = city.patient()
        wish = links.Wish(self.owner.person_id, "李医生", Purpose.SHARING, Scope(), PASSCODE, days=1, openings=openings)
        with db.transaction() as session:
            made = links.make_link(session, self.owner.actor, wish, base_url="https://yimatong.example")
        self.id, self.secret = made.link.id, made.addresses.page.partition("#")[2]

    def knock(self, passcode: str) -> str:
        """What became of one try."""
        knock = links.Knock(self.secret, passcode, "李医生", "电脑")
        try:
            with self.city.app.app_context(), db.transaction() as session:
                links.open_link(session, knock, way=links.Way.PAGE)
        except Refusal as refusal:
            return refusal.code
        return "opened"

    def knock_often(self, passcodes_tried: list[str]) -> list[str]:
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(self.knock, passcodes_tried))

    def tries(self) -> int:
        with db.transaction() as session:
            return session.get_one(ShareLink, self.id).tries


def test_200_wrong_passcodes_at_once_are_never_compared_more_often_than_the_cap(committing_city: City) -> None:
    door = Door(committing_city)
    answers = door.knock_often([f"{number:06d}" for number in range(TRIES)])
    assert answers.count("consent.share_passcode_wrong") == MOST_TRIES
    assert answers.count("consent.share_link_closed") == TRIES - MOST_TRIES
    assert door.tries() == MOST_TRIES
    assert door.knock(PASSCODE) == "consent.share_link_closed"


def test_right_ones_among_wrong_ones_give_back_only_themselves(committing_city: City) -> None:
    door = Door(committing_city)
    answers = door.knock_often([PASSCODE if number % 4 else f"{number:06d}" for number in range(4 * (MOST_TRIES - 1))])
    assert answers.count("consent.share_passcode_wrong") == MOST_TRIES - 1
    assert answers.count("opened") == 3 * (MOST_TRIES - 1)
    assert door.tries() == MOST_TRIES - 1


def test_a_link_is_never_opened_more_often_than_it_may(committing_city: City) -> None:
    door = Door(committing_city, openings=5)
    answers = door.knock_often([PASSCODE] * 40)
    assert (answers.count("opened"), answers.count("consent.share_link_closed")) == (5, 35)


def test_a_revoke_waits_for_an_opening_under_way(committing_city: City) -> None:
    door = Door(committing_city)
    with ThreadPoolExecutor(2) as pool:
        with db.transaction() as session:
            links.open_link(session, links.Knock(door.secret, PASSCODE, "李医生", "电脑"), way=links.Way.PAGE)
            revoked = pool.submit(revoke_link, door)
            while not pool.submit(somebody_waits, committing_city).result():
                assert not revoked.done(), "acknowledged while the link was still being opened"
        revoked.result(timeout=60)
    assert door.knock(PASSCODE) == "consent.share_link_closed"


def revoke_link(door: Door) -> None:
    with door.city.app.app_context(), db.transaction() as session:
        links.revoke_link(session, door.owner.actor, door.id)


def somebody_waits(city: City) -> bool:
    with city.app.app_context(), db.transaction() as session:
        return bool(session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))
