"""However many charges or people signing up come at once, the limit holds and each intent has one effect."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from werkzeug.test import TestResponse

from tests.payments.till import Notifier, Till, findings, make_product, new_key, sign_up
from tests.support.city import City


def count_codes(replies: list[TestResponse]) -> Counter[str]:
    """Refusal codes, and how many were done."""
    return Counter((reply.get_json() or {}).get("code", "done") for reply in replies)


def test_50_threads_never_draw_more_than_the_limit(committing_city: City) -> None:
    till = Till.open(committing_city, limit_fen=10_000)
    assert till.capture(9_000).status_code == 201
    with ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(lambda _: till.capture(100), range(50)))
    codes = count_codes(replies)
    assert codes == {"done": 10, "payments.limit_exceeded": 40}
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
    codes = count_codes(replies)
    assert codes == {"done": 1, "payments.bill_already_charged": 19}
    assert till.line()["drawn_fen"] == 700


def test_one_bill_for_8_patients_at_once_is_charged_to_one(committing_city: City) -> None:
    till = Till.open(committing_city)
    patients = [committing_city.patient() for _ in range(8)]
    for patient in patients:
        assert sign_up(committing_city, patient, till.product_code).status_code == 201
    visits = [str(committing_city.visit(till.desk, patient, till.hospital)) for patient in patients]
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda visit: till.capture(700, bill_number="B-22", visit_id=visit), visits))
    assert count_codes(replies) == {"done": 1, "payments.bill_already_charged": 7}


def test_20_threads_repaying_never_promise_more_than_the_debt(committing_city: City) -> None:
    till = Till.open(committing_city)
    till.capture(1000)
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _: till.repay(300), range(20)))
    codes = count_codes(replies)
    assert codes == {"done": 3, "payments.repayment_exceeds_debt": 17}
    assert till.line()["payable_fen"] == 100


def test_one_payment_told_20_times_at_once_is_booked_once(committing_city: City, notifier: Notifier) -> None:
    till = Till.open(committing_city)
    till.capture(1000)
    repayment = till.open_order(600)
    transaction = till.transaction_of(repayment)
    # Half of them carry one id, the others one each.
    told = [notifier.tell(transaction, **({"id": repayment.out_trade_no} if n % 2 else {})) for n in range(20)]
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(till.post, told))
    assert {reply.status_code for reply in replies} == {204}
    assert till.line()["drawn_fen"] == 400
    assert findings() == []


def test_charges_and_payments_at_the_same_moment_lose_nothing(committing_city: City, notifier: Notifier) -> None:
    till = Till.open(committing_city)
    till.capture(1000)
    told = [notifier.tell(till.transaction_of(till.open_order(50))) for _ in range(10)]
    with ThreadPoolExecutor(20) as pool:
        paid = pool.map(till.post, told)
        charged = pool.map(lambda _: till.capture(30), range(10))
        assert {reply.status_code for reply in paid} == {204}
        assert {reply.status_code for reply in charged} == {201}
    assert till.line()["drawn_fen"] == 1000 - 10 * 50 + 10 * 30
    assert findings() == []


def test_20_threads_signing_up_open_one_line(committing_city: City) -> None:
    city = committing_city
    patient, code = city.patient(), make_product(city)
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _: sign_up(city, patient, code), range(20)))
    assert sorted(reply.status_code for reply in replies) == [200] * 19 + [201]
    assert len({reply.json["line_id"] for reply in replies}) == 1
