"""The story that ``make demo`` tells is true, also after a restart, and while processes are killed.

``kill -9`` under load: nothing that was acknowledged is lost, and nothing happens twice.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support.load import Load, check_money, check_records
from tests.support.platform import Platform, running_platform

# What is killed, after how many more acts of each kind have been acknowledged.
KILLS = [("server", 3), ("worker", 2), ("server", 3)]
ACTS_IN_THE_END = 2


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running_platform(tmp_path_factory.mktemp("installation") / "var") as platform:
        yield platform


def play(platform: Platform) -> str:
    with platform.play_demo() as demo:
        output, _ = demo.communicate(timeout=300)
    assert demo.returncode == 0, output
    return output


def test_the_story_goes_as_told(platform: Platform) -> None:
    told = play(platform)
    for act in (
        "一、",
        "二、",
        "三、",
        "四、",
        "五、",
        "六、",
        "七、",
        "八、",
        "九、",
        "十、",
        "十一、",
        "十二、",
        "十三、",
        "十四、",
        "十五、",
    ):
        assert act in told


def test_nothing_of_it_listens_to_other_machines(platform: Platform) -> None:
    heard_at = platform.list_listening()
    assert ("127.0.0.1", platform.port) in heard_at
    assert {host for host, _ in heard_at} == {"127.0.0.1"}


def test_a_restart_keeps_the_data_and_leaves_no_process(platform: Platform) -> None:
    patient = platform.credentials["patients"][0]
    before = list_card_numbers(platform, patient["wx_code"])
    assert platform.stop() == 0
    platform.start()
    assert list_card_numbers(platform, patient["wx_code"]) == before
    assert [card_id for card_id, _ in before] == patient["card_ids"]


def test_the_story_goes_as_told_again_when_server_and_worker_are_killed_in_the_middle(platform: Platform) -> None:
    victims = {"五、": "worker", "九、": "server"}
    output = []
    with platform.play_demo() as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            output.append(line)
            if line[:2] in victims:
                platform.kill(victims.pop(line[:2]))
    assert demo.returncode == 0, "".join(output)
    assert victims == {}


def test_nothing_acknowledged_is_lost_and_nothing_happens_twice(platform: Platform) -> None:
    load, stop = Load(platform), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(load.run, stop)
        try:
            for program, acts in KILLS:
                load.wait_for_more(acts, running)
                platform.kill(program)
            load.wait_for_more(ACTS_IN_THE_END, running)
        finally:
            # Or the pool would wait for ever for a load that nobody ends.
            stop.set()
        running.result(timeout=240)
    print(load.acknowledged)
    check_records(load)
    check_money(load)
    verified = platform.run_command("ledger", "verify")
    assert verified.returncode == 0, verified.stdout


def list_card_numbers(platform: Platform, wx_code: str) -> list[tuple[str, str]]:
    signed_in = requests.post(f"{platform.base_url}/api/v1/wechat/sessions", json={"code": wx_code}, timeout=60)
    headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
    cards = requests.get(f"{platform.base_url}/api/v1/cards", headers=headers, timeout=60).json()["cards"]
    return [(card["card_id"], card["number"]) for card in cards]
