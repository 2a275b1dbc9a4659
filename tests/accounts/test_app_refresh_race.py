"""One refresh token of an app, many at once."""

import threading
from concurrent.futures import ThreadPoolExecutor

from werkzeug.test import TestResponse

from tests.support.apps import AppSide
from tests.support.city import City


def test_8_threads_with_one_refresh_token_get_one_pair_and_lose_it(committing_city: City) -> None:
    side, together = AppSide(committing_city), threading.Barrier(8)
    token = side.tokens(committing_city.patient())["refresh_token"]

    def use(_: int) -> TestResponse:
        together.wait()
        return side.refresh(token)

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(use, range(8)))
    (won,) = [reply.json for reply in replies if reply.status_code == 200]
    codes = {reply.json["code"] for reply in replies if reply.status_code == 400}
    assert codes <= {"accounts.app_grant_invalid", "accounts.app_grant_replayed"}
    assert side.refresh(won["refresh_token"]).json["code"] == "accounts.app_grant_invalid"
