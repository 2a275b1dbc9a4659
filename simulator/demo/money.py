"""The last act: a credit line, a charge, a repayment through WeChat Pay."""

import secrets
from typing import TYPE_CHECKING, Any

from simulator.demo.cast import PIN, HospitalSystems

if TYPE_CHECKING:
    from simulator.demo.story import Story

CHARGE_FEN = 12_800
REPAYMENT_FEN = 5_000


def pay_later(story: "Story") -> None:
    """h. Treated first, paid later."""
    stage, phone = story.stage, story.phone
    stage.title("九、先诊疗后付费 · Pay later")
    product = phone.get("/api/v1/credit/products")["products"][0]
    phone.set_pin()
    body = {"product_code": product["code"], "agreement_version": product["agreement_version"], "pin": PIN}
    line = phone.post("/api/v1/credit/lines", body, expect=201)
    stage.say(
        f"签约{product['name']}：额度 {line['limit_fen'] / 100:.2f} 元，免息 {product['interest_free_days']} 天",
        "signed up for a credit line; limit and terms come from the product's row",
    )
    _charge(story)
    _repay(story, line["line_id"])


def _charge(story: "Story") -> None:
    stage = story.stage
    billing = HospitalSystems(stage, story.hospital_a)
    billing.sign_in()
    key = {"Idempotency-Key": secrets.token_urlsafe(16)}
    bill = {
        "visit_id": story.visit_a["visit_id"],
        "amount_fen": CHARGE_FEN,
        "medical_step": "010105",
        "bill_number": f"B{secrets.token_hex(6)}",
    }
    path = "/api/v1/billing/charges"
    first = stage.send("POST", path, token=billing.token, json=bill, headers=key, expect=201)
    again = stage.send("POST", path, token=billing.token, json=bill, headers=key, expect=201)
    stage.check(first.json() == again.json(), "a repeated charge got another answer")
    stage.say(
        f"医院记账 {CHARGE_FEN / 100:.2f} 元；同一请求重发，分文不变",
        "a charge; the same request again changes nothing",
    )
    other = bill | {"amount_fen": CHARGE_FEN + 1}
    reused = "core.idempotency_key_reused"
    stage.refused("POST", path, token=billing.token, json=other, headers=key, code=reused, expect=409)
    stage.say("同一幂等键、不同金额：拒绝", "the same key with another amount is refused")
    too_much = bill | {"amount_fen": 10**8, "bill_number": f"B{secrets.token_hex(6)}"}
    fresh = {"Idempotency-Key": secrets.token_urlsafe(16)}
    limit = "payments.limit_exceeded"
    stage.refused("POST", path, token=billing.token, json=too_much, headers=fresh, code=limit, expect=409)
    stage.say("超出额度：拒绝", "more than the limit is refused")


def _repay(story: "Story", line_id: str) -> None:
    stage, phone = story.stage, story.phone
    key = {"Idempotency-Key": secrets.token_urlsafe(16)}
    path = f"/api/v1/credit/lines/{line_id}/repayments"
    repayment = phone.post(path, {"amount_fen": REPAYMENT_FEN}, expect=201, headers=key)
    repayment_path = f"/api/v1/credit/repayments/{repayment['repayment_id']}"

    def find_payment_request() -> dict[str, Any] | None:
        found: dict[str, Any] | None = phone.get(repayment_path).get("payment")
        return found

    arguments = stage.wait_for(find_payment_request, "the order at WeChat Pay", seconds=90)
    prepay_id = arguments["package"].removeprefix("prepay_id=")
    story.control.pay({**{k: v for k, v in arguments.items() if k != "package"}, "prepay_id": prepay_id})
    stage.wait_for(lambda: True if phone.get(repayment_path)["state"] == "paid" else None, "the payment", seconds=60)
    line = next(line for line in phone.get("/api/v1/credit/lines")["lines"] if line["line_id"] == line_id)
    stage.check(line["drawn_fen"] == CHARGE_FEN - REPAYMENT_FEN, f"drawn: {line['drawn_fen']}")
    seen = story.control.show_payment(arguments_order(story, repayment))
    stage.check(len(seen["charges"]) == 1, "WeChat Pay charged more than once")
    stage.say(
        f"患者用微信还款 {REPAYMENT_FEN / 100:.2f} 元，欠款 {line['drawn_fen'] / 100:.2f} 元",
        "part is repaid through WeChat Pay: signed order, encrypted notification",
    )
    entries = phone.get(f"/api/v1/credit/lines/{line_id}/entries")["entries"]
    stage.check(sum(entry["amount_fen"] for entry in entries) == line["drawn_fen"], "the entries do not sum up")
    stage.say(f"账目 {len(entries)} 笔，借贷相抵", "the ledger's entries sum up to the balance")


def arguments_order(story: "Story", repayment: dict[str, Any]) -> str:
    """Our order number of a repayment."""
    number: str = story.phone.get(f"/api/v1/credit/repayments/{repayment['repayment_id']}")["out_trade_no"]
    return number
