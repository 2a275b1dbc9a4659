"""An assertion is good once, however many use it at the same moment."""

import threading
from concurrent.futures import ThreadPoolExecutor

from tests.accounts.test_oauth_api import ask
from tests.support.city import City


def test_20_threads_with_one_assertion_get_one_token(committing_city: City) -> None:
    city = committing_city
    machine = city.machine(city.hospital())
    assertion = city.assertion(machine.client_id, machine.private_jwk)
    together = threading.Barrier(20)

    def use(_: int) -> int:
        together.wait()
        return ask(city.client, assertion).status_code

    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(use, range(20)))
    assert sorted(statuses) == [200] + [401] * 19
