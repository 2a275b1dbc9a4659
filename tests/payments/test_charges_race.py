"""However many charges come at once, the limit holds and each intent has one effect."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.payments.till import Till, findings, new_key
from tests.support.city import City


def test_50_threads_never_draw_more_than_the_limit(committing_city: City) -> None:
    till = Till.open(committing_city, limit_fen=10_000)
    assert till.capture(9_000).status_code == 201
    with ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(lambda _: till.capture(100), range(50)))
    codes = Counter(reply.json.get("code", "charged") for reply in replies)
    assert codes == {"charged": 10, "payments.limit_exceeded": 40}
    assert till.line()["available_fen"] == 0
    assert findings() == []


def test_20_threads_with_one_key_charge_once(committing_city: City) -> None:
    till, key = Till.open(committing_city), new_key()
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _: till.capture(700, key=key, bill_number="B-20"), range(20)))
    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.data for reply in replies}) == 1
    assert Counter(reply.headers.get("Idempotency-Replayed") for reply in replies) == {None: 1, "true": 19}
    assert till.line()["drawn_fen"] == 700


def test_one_bill_under_20_keys_is_charged_once(committing_city: City) -> None:
    till = Till.open(committing_city)
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _: till.capture(700, bill_number="B-21"), range(20)))
    codes = Counter(reply.json.get("code", "charged") for reply in replies)
    assert codes == {"charged": 1, "payments.bill_already_charged": 19}
    assert till.line()["drawn_fen"] == 700


def test_20_threads_repaying_never_promise_more_than_the_debt(committing_city: City) -> None:
    till = Till.open(committing_city)
    till.capture(1000)
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _: till.repay(300), range(20)))
    codes = Counter(reply.json.get("code", "opened") for reply in replies)
    assert codes == {"opened": 3, "payments.repayment_exceeds_debt": 17}
    assert till.line()["payable_fen"] == 100
