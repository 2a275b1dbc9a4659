"""Who may call: signature, timestamp, requestId, token, switch; and how a refusal is said."""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from core import db
from core.actor import SYSTEM
from core.errors import list_refusals
from health_card.tencent import routes
from health_card.tencent import service as tencent
from health_card.tencent.envelope import MOST_BYTES
from health_card.tencent.models import TencentApp, TencentRequest
from health_card.tencent.result_codes import OTHER, RESULT_CODES
from health_card.tencent.routes import FAILURES_PER_MINUTE
from tests.conftest import SteppingClock
from tests.health_card.tencent.conftest import House
from tests.support.city import City
from tests.support.tencent import OPERATION, TOKEN, outcome

MANUAL = Path(__file__).resolve().parents[3] / "docs" / "interfaces" / "tencent.md"
READ = "getHealthCardByHealthCardId"
ANY_CARD: dict[str, Any] = {"healthCardId": "A" * 64}


def test_a_token_is_given_and_a_new_one_ends_the_old(house: House) -> None:
    first = house.system.token
    answer = house.system.sign_in()
    assert answer["rsp"]["expiresIn"] == 7200
    assert answer["commonOut"]["errMsg"] == "成功"
    assert house.system.refused(READ, ANY_CARD) == (2101, "health_card.card_not_found")
    refused = house.system.refused(READ, ANY_CARD, appToken=first)
    assert refused == (1205, "health_card.tencent_token_invalid")


def test_a_token_lives_two_hours(house: House, stepping_clock: SteppingClock) -> None:
    house.system.sign_in()
    stepping_clock.forward(seconds=7199)
    assert house.system.refused(READ, ANY_CARD) == (2101, "health_card.card_not_found")
    stepping_clock.forward(seconds=1)
    assert house.system.refused(READ, ANY_CARD) == (1205, "health_card.tencent_token_invalid")
    assert house.system.refused(READ, ANY_CARD, appToken="") == (1205, "health_card.tencent_token_invalid")


def test_the_signature_covers_every_field(house: House) -> None:
    good = house.system.envelope(ANY_CARD)
    for part, name, value in (
        ("req", "healthCardId", "B" * 64),
        ("commonIn", "requestId", "another-request"),
        ("commonIn", "channelNum", 1),
        ("commonIn", "sign", "c2lnbg=="),
    ):
        changed = json.loads(json.dumps(good))
        changed[part][name] = value
        answer = house.system.post(OPERATION + READ, changed).get_json()
        assert outcome(answer) == (1202, "health_card.tencent_sign_wrong")
        assert answer["rsp"] == {}
    assert outcome(house.system.post(OPERATION + READ, good).get_json())[0] == 2101


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_or_early_timestamp_is_refused(house: House, stepping_clock: SteppingClock, seconds: int) -> None:
    house.system.sign_in()
    sent = house.system.envelope(ANY_CARD)
    stepping_clock.forward(seconds=seconds)
    answer = house.system.post(OPERATION + READ, sent).get_json()
    assert outcome(answer) == (1203, "health_card.tencent_timestamp_stale")
    assert answer["commonOut"]["requestId"] == sent["commonIn"]["requestId"]


@pytest.mark.parametrize("written", ["", "today", "1e9", "-5", "٣", "9" * 30])
def test_a_timestamp_is_unix_seconds(house: House, written: str) -> None:
    wanted = 1102 if not written else 1203
    assert house.system.refused(READ, ANY_CARD, timestamp=written)[0] == wanted


def test_a_number_is_as_good_a_timestamp_as_a_text(house: House, stepping_clock: SteppingClock) -> None:
    house.system.sign_in()
    now = int(stepping_clock.time.timestamp())
    assert house.system.refused(READ, ANY_CARD, timestamp=now, channelNum="0")[0] == 2101


def test_a_request_id_is_used_once_also_when_its_request_was_refused(house: House) -> None:
    sent = house.system.envelope(ANY_CARD)
    assert outcome(house.system.post(OPERATION + READ, sent).get_json())[0] == 2101
    again = house.system.post(OPERATION + READ, sent).get_json()
    assert outcome(again) == (1204, "health_card.tencent_request_repeated")
    other = House(house.city)
    assert other.system.refused(READ, ANY_CARD, requestId=sent["commonIn"]["requestId"])[0] == 2101


def test_used_request_ids_are_cleared_away_when_no_timestamp_could_hold(
    house: House, stepping_clock: SteppingClock
) -> None:
    house.system.sign_in()
    stepping_clock.forward(hours=1, seconds=1)
    house.system.sign_in()
    with db.snapshot() as session:
        app = session.scalars(select(TencentApp).filter_by(app_id=house.system.app_id)).one()
        kept = session.scalars(select(TencentRequest).filter_by(client_id=app.client_id)).all()
    assert len(kept) == 1


def test_of_20_at_the_same_moment_with_one_request_id_one_is_served(committing_city: City) -> None:
    house = House(committing_city)
    sent, together = house.system.envelope(ANY_CARD), threading.Barrier(20)

    def post(_: int) -> int:
        client = committing_city.client
        together.wait()
        return outcome(client.post(OPERATION + READ, json=sent).get_json())[0]

    with ThreadPoolExecutor(20) as pool:
        assert sorted(pool.map(post, range(20))) == [1204] * 19 + [2101]


def test_an_access_is_for_its_own_hospital_and_app(house: House) -> None:
    other = House(house.city)
    assert house.system.refused(READ, ANY_CARD, hospitalId=other.hospital.code)[1] == "health_card.tencent_sign_wrong"
    assert house.system.refused(READ, ANY_CARD, hospitalId="nowhere") == (1201, "health_card.tencent_app_unknown")
    body = house.system.envelope({"appId": other.system.app_id}, appToken="")
    assert outcome(house.system.post(TOKEN, body).get_json()) == (1201, "health_card.tencent_app_unknown")


def test_switched_off_it_is_out_at_once(house: House) -> None:
    def change(is_enabled: bool) -> None:
        with db.transaction() as session:
            tencent.change_access(
                session, SYSTEM, app_id=house.system.app_id, is_enabled=is_enabled, shows_dynamic_codes=False
            )

    change(False)
    assert house.system.refused(READ, ANY_CARD) == (1201, "health_card.tencent_app_unknown")
    change(True)
    assert house.system.refused(READ, ANY_CARD) == (1205, "health_card.tencent_token_invalid")


def test_a_new_secret_ends_the_old_one_and_its_token(house: House) -> None:
    with db.transaction() as session:
        issued = tencent.rotate_secret(session, SYSTEM, app_id=house.system.app_id)
    assert house.system.refused(READ, ANY_CARD) == (1202, "health_card.tencent_sign_wrong")
    house.system.app_secret = issued.app_secret
    assert house.system.refused(READ, ANY_CARD) == (1205, "health_card.tencent_token_invalid")
    house.system.sign_in()


def test_an_access_can_do_no_more_than_its_scopes(house: House) -> None:
    body = ANY_CARD | {"idType": "01", "idNumber": "11010519491231002X", "codeType": "0"}
    assert house.system.refused("getDynamicQRCode", body) == (1206, "health_card.tencent_scope_missing")


def test_twenty_failed_proofs_lock_the_sender_out_and_no_other_hospital(house: House) -> None:
    other = House(house.city)
    for _ in range(FAILURES_PER_MINUTE):
        assert house.system.refused(READ, ANY_CARD, sign="c2lnbg==")[0] == 1202
    assert house.system.refused(READ, ANY_CARD) == (1207, "core.rate_exceeded")
    assert other.system.refused(READ, ANY_CARD)[0] == 2101


def test_a_system_that_asks_too_often_has_to_wait(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "REQUESTS_PER_MINUTE", 2)
    codes = [house.system.refused(READ, ANY_CARD)[0] for _ in range(3)]
    assert codes == [2101, 2101, 1207]


def test_two_operators_at_the_same_moment_open_one_access(committing_city: City) -> None:
    hospital, together = committing_city.hospital(), threading.Barrier(8)

    def switch_on(_: int) -> str:
        with committing_city.app.app_context(), db.transaction() as session:
            together.wait()
            return tencent.switch_on(session, SYSTEM, hospital_code=hospital.code).app_id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(switch_on, range(8)))) == 1


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b"not json", (1001, "health_card.tencent_body_unreadable")),
        ('{"commonIn": {}, "req": {"name": "张"}}'.encode("gb18030"), (1002, "health_card.tencent_body_not_utf8")),
        (b" " * (MOST_BYTES + 1), (1003, "health_card.tencent_body_too_large")),
        (b'{"commonIn": {}, "req": {}}', (1102, "health_card.tencent_field_missing")),
        (b'{"commonIn": {"colour": 1}, "req": {}}', (1101, "health_card.tencent_field_unknown")),
    ],
)
def test_what_cannot_be_read_is_said_in_the_same_form(city: City, body: bytes, wanted: tuple[int, str]) -> None:
    reply = city.client.post(OPERATION + READ, data=body)
    assert reply.status_code == 200
    assert outcome(reply.get_json()) == wanted
    assert reply.json["commonOut"]["requestId"] == ""


def test_an_operation_that_is_not_served_is_said_so(city: City) -> None:
    reply = city.client.post(OPERATION + "ocrInfo", json={"commonIn": {"requestId": "R-12345678"}, "req": {}})
    assert outcome(reply.get_json()) == (1004, "health_card.tencent_operation_unknown")
    assert reply.json["commonOut"]["requestId"] == "R-12345678"


def test_the_manual_names_every_result_code(city: City) -> None:
    written = dict(re.findall(r"^\| (\d{4}) \| `([a-z0-9_.]+)` \|", MANUAL.read_text(), re.MULTILINE))
    assert written == {str(number): code for code, number in RESULT_CODES.items()}
    assert len(set(RESULT_CODES.values()) | {OTHER}) == len(RESULT_CODES) + 1
    known = {refusal.code for refusal in list_refusals()}
    assert set(RESULT_CODES) <= known


def test_the_document_describes_every_operation(city: City) -> None:
    document = city.client.get("/openapi.json").get_json()
    paths = [path for path in document["paths"] if path.startswith(OPERATION)]
    assert len(paths) == 9
    for path in paths:
        (reference,) = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"].values()
        assert {"commonIn", "req"} == set(document["components"]["schemas"][reference.rpartition("/")[2]]["properties"])
