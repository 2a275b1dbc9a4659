"""However many operators set a rule about one matter at once, one of them is in force."""

from concurrent.futures import ThreadPoolExecutor

from accounts.models import Role
from core.ids import new_id
from records.releasing.models import ReleaseRule
from tests.support.administration import Desk, count
from tests.support.city import City


def test_of_many_rules_about_one_matter_at_once_one_is_left(committing_city: City) -> None:
    desk = Desk(committing_city, Role.OPERATOR)
    name = {"code_system": "urn:example:race", "code": str(new_id()), "mode": "after_review"}

    def put(days: int) -> int:
        return desk.ask("POST", "/release-rules", **name, review_days=days).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(put, range(1, 17))) == {201}
    assert count(ReleaseRule, code=name["code"]) == 16
    assert count(ReleaseRule, code=name["code"], ended_at=None) == 1
