"""Refresh tokens rotate; using one twice ends the sign-in, access tokens included."""

import threading
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select, text

from accounts.models import LoginSession, RefreshToken
from accounts.service import end_session
from core import db
from tests.conftest import SteppingClock
from tests.support.city import City, bearer

REFRESH = "/api/v1/sessions/refresh"


def refresh(city: City, token: str) -> tuple[int, dict[str, str]]:
    reply = city.client.post(REFRESH, json={"refresh_token": token})
    return reply.status_code, reply.get_json()


def is_alive(city: City, access_token: str) -> bool:
    reply = city.client.get("/api/v1/cards", headers=bearer(access_token))
    assert reply.status_code in {200, 401}
    assert reply.status_code == 200 or reply.json["code"] == "accounts.session_ended"
    return reply.status_code == 200


def test_each_refresh_gives_a_new_pair(city: City) -> None:
    access, token = city.login()
    seen = {token}
    for _ in range(3):
        status, pair = refresh(city, token)
        assert status == 200
        token = pair["refresh_token"]
        assert is_alive(city, pair["access_token"])
        seen.add(token)
    assert len(seen) == 4
    assert is_alive(city, access)


def test_a_second_use_ends_the_whole_family_and_that_stays(city: City) -> None:
    access, first = city.login()
    _, second = refresh(city, first)
    _, third = refresh(city, second["refresh_token"])
    bystander, _ = city.login()
    status, problem = refresh(city, first)
    assert (status, problem["code"]) == (401, "accounts.refresh_token_reused")
    for token in (access, second["access_token"], third["access_token"]):
        assert not is_alive(city, token)
    status, problem = refresh(city, third["refresh_token"])
    assert (status, problem["code"]) == (401, "accounts.refresh_token_invalid")
    assert is_alive(city, bystander)


def test_unknown_and_expired_tokens(city: City, stepping_clock: SteppingClock) -> None:
    _, token = city.login()
    status, problem = refresh(city, token[:-1] + ("A" if token[-1] != "A" else "B"))
    assert (status, problem["code"]) == (401, "accounts.refresh_token_invalid")
    stepping_clock.forward(days=29, hours=23)
    status, pair = refresh(city, token)
    assert status == 200
    stepping_clock.forward(hours=1)
    status, problem = refresh(city, pair["refresh_token"])
    assert (status, problem["code"]) == (401, "accounts.refresh_token_invalid")


def test_an_access_token_lives_ten_minutes(city: City, stepping_clock: SteppingClock) -> None:
    access, _ = city.login()
    stepping_clock.forward(seconds=598)
    assert is_alive(city, access)
    stepping_clock.forward(seconds=2)
    assert not is_alive(city, access)


def test_signing_out_ends_everything_at_once(city: City) -> None:
    access, token = city.login()
    assert city.client.delete("/api/v1/sessions/current", headers=bearer(access)).status_code == 204
    assert not is_alive(city, access)
    assert refresh(city, token)[0] == 401


def test_the_tokens_themselves_are_not_kept(city: City) -> None:
    _, token = city.login()
    with db.transaction() as session:
        kept = b"".join(session.scalars(select(RefreshToken.token_hash)))
    assert token.encode() not in kept


def test_20_threads_refreshing_one_token_get_one_pair_and_the_family_ends(committing_city: City) -> None:
    city = committing_city
    _, token = city.login()
    together = threading.Barrier(20)

    def use(_: int) -> tuple[int, dict[str, str]]:
        together.wait()
        return refresh(city, token)

    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(use, range(20)))
    assert sorted({status for status, _ in outcomes}) == [200, 401]
    (pair,) = [body for status, body in outcomes if status == 200]
    codes = [body["code"] for status, body in outcomes if status == 401]
    assert codes.count("accounts.refresh_token_reused") == 1
    assert not is_alive(city, pair["access_token"])


def test_signing_out_while_refreshing_deadlocks_nobody(committing_city: City) -> None:
    """The refresh holds its token and refers to the session; signing out holds the session and wants the token."""
    city = committing_city
    access, token = city.login()
    actor = city.actor(access)
    signing_out = threading.Event()

    def sign_out() -> None:
        with city.app.app_context(), db.transaction() as session:
            signing_out.set()
            end_session(session, actor)

    with ThreadPoolExecutor(1) as pool:
        with db.transaction() as session:
            rows = select(RefreshToken).filter_by(session_id=actor.session_id).with_for_update()
            held = session.scalars(rows).one()
            done = pool.submit(sign_out)
            signing_out.wait(60)
            while not waits_for_a_lock(city):
                pass
            # What refresh_session does next: a new token that refers to the session's row.
            new = RefreshToken(
                session_id=actor.session_id,
                token_hash=token.encode(),
                issued_at=held.issued_at,
                expires_at=held.expires_at,
            )
            session.add(new)
            session.flush()
        done.result(timeout=60)
    assert not is_alive(city, access)
    with db.transaction() as session:
        ended = session.scalar(select(LoginSession.end_reason).filter_by(id=actor.session_id))
    assert ended == "signed_out"


def waits_for_a_lock(city: City) -> bool:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_look_for_waiting, city).result()


def _look_for_waiting(city: City) -> bool:
    with city.app.app_context(), db.transaction() as session:
        return bool(session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))
