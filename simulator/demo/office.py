"""An act: the operator of the platform puts two records together and apart, and issues cards from a list."""

import csv
import io
import secrets
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from simulator.demo.cast import Staff, new_phone
from simulator.people import invent_person

if TYPE_CHECKING:
    from simulator.demo.story import Story

ROWS = 20
_OPERATOR = "/api/v1/operator"


def run_the_platform(story: "Story") -> None:
    """Merge, unmerge, and a batch of 20 lines of which one is wrong."""
    story.stage.title("十三、平台运营 · The operator")
    operator = Staff.sign_in_to_platform(story.stage, story.credentials, "operator")
    _merge_and_unmerge(story, operator)
    _issue_batch(story, operator)


def _merge_and_unmerge(story: "Story", operator: Staff) -> None:
    stage = story.stage
    person = invent_person("郑测试", born="19810709", is_male=True)
    passport = {
        "certificate_type": "03",
        "certificate_number": f"E{secrets.randbelow(10**8):08d}",
        "name": person.name,
        "phone": person.phone,
        "sex": "male",
        "birth_date": "1981-07-09",
    }
    one, other = new_phone(stage, story.control), new_phone(stage, story.control)
    for phone in (one, other):
        phone.sign_in()
    one.register(person, expect=(200, 201))
    other.post("/api/v1/registrations", passport, expect=(200, 201))
    ids = [phone.get("/api/v1/family")["members"][0]["person_id"] for phone in (one, other)]
    body = {"from_id": ids[1], "into_id": ids[0], "reason": "护照与身份证为同一人"}
    link = stage.send("POST", f"{_OPERATOR}/merges", token=operator.token, json=body, expect=201).json()
    for phone in (one, other):
        stage.check(len(phone.get("/api/v1/cards")["cards"]) == 2, "the cards do not stand together")
        told = [notice["kind"] for notice in phone.get("/api/v1/notices")["notices"]]
        stage.check(told.count("merged") == 1, f"told {told.count('merged')} times of the merge")
    stage.say(
        "身份证与护照两份档案合并为一人，两个手机各收到一条通知", "two records become one person; each is told once"
    )
    undo = f"{_OPERATOR}/merges/{link['id']}/undo"
    stage.send("POST", undo, token=operator.token, json={"reason": "核对后并非同一人"}, expect=200)
    for phone in (one, other):
        stage.check(len(phone.get("/api/v1/cards")["cards"]) == 1, "the merge was not taken back")
    stage.say("撤销合并：各归各的，如同从未合并", "the merge is taken back, as if it had never been")


def _issue_batch(story: "Story", operator: Staff) -> None:
    stage = story.stage
    headers = {"Idempotency-Key": secrets.token_urlsafe(16), "Content-Type": "text/csv"}
    sheet, params = _write_list(), {"name": "演示名单"}
    opened = stage.send(
        "POST", f"{_OPERATOR}/batches", token=operator.token, data=sheet, params=params, headers=headers, expect=202
    ).json()
    path = f"{_OPERATOR}/batches/{opened['batch_id']}"

    def find_done() -> dict[str, Any] | None:
        batch: dict[str, Any] = stage.send("GET", path, token=operator.token, expect=200).json()
        return batch if batch["state"] == "done" else None

    done = stage.wait_for(find_done, "the batch", seconds=60)
    found = (done["rows_made"], done["rows_refused"])
    stage.check(found == (ROWS - 1, 1), f"cards and refusals: {found}")
    result = stage.send("GET", f"{path}/result.csv", token=operator.token, expect=200).content.decode("utf-8-sig")
    lines = list(csv.reader(io.StringIO(result)))
    stage.check(len(lines) == ROWS + 1, f"{len(lines)} lines in the result")
    wrong = next(line for line in lines if "health_card.certificate_invalid" in line)
    stage.say(
        f"批量发卡 {ROWS} 行：{ROWS - 1} 张卡，第 {wrong[0]} 行写明原因（身份证号校验位不对）",
        "a list of 20: 19 cards, and one line with its reason, in the result file",
    )


def _write_list() -> bytes:
    sheet = io.StringIO(newline="")
    rows = csv.writer(sheet)
    rows.writerow(("证件类型", "证件号码", "姓名", "手机号"))
    for place in range(ROWS):
        born = date(1950, 1, 1) + timedelta(days=secrets.randbelow(15_000))
        person = invent_person("何测试", born=f"{born:%Y%m%d}", is_male=place % 2 == 0)
        number = person.certificate_number
        if place == ROWS - 1:
            number = number[:-1] + ("0" if number[-1] != "0" else "1")
        rows.writerow(("01", number, person.name, person.phone))
    return sheet.getvalue().encode()
