"""One patient's day as load on a running platform, and what must stand there afterwards."""

import itertools
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

from simulator.control import Control
from simulator.demo import documents
from simulator.demo.cast import PIN, HospitalSystems, Phone, Staff, new_phone
from simulator.demo.stage import Stage
from simulator.people import invent_person
from tests.support.platform import Platform

CHARGE_FEN, REPAYMENT_FEN = 101, 37
# A server that was killed has to come up again in between.
_MORE_WITHIN_SECONDS = 240


class Load:
    """One patient's day, repeated until it is told to stop. Counts only what was acknowledged."""

    def __init__(self, platform: Platform) -> None:
        outside = platform.credentials["simulator"]
        self.stage = Stage(platform.base_url)
        self.control = Control(outside["base_url"], outside["token"])
        self.credentials = platform.credentials
        self.hospital = platform.credentials["hospitals"][0]
        self.paid_before = {payment["out_trade_no"] for payment in self.control.list_payments()}
        self.phone = new_phone(self.stage, self.control)
        self.phone.sign_in()
        self.card_id = self.phone.register(invent_person("周测试", born="19700101", is_male=True), expect=201)[
            "card_id"
        ]
        self.number = f"K{secrets.randbelow(10**9):09d}"
        desk = Staff.sign_in(self.stage, self.credentials, self.hospital, "registrar")
        self.visit_id = desk.scan(self.phone.show_code(self.card_id), patient_number=self.number)["visit_id"]
        product = self.phone.get("/api/v1/credit/products")["products"][0]
        self.phone.set_pin()
        terms = {"product_code": product["code"], "agreement_version": product["agreement_version"], "pin": PIN}
        self.line_id = self.phone.post("/api/v1/credit/lines", terms, expect=201)["line_id"]
        self.acknowledged = dict.fromkeys(("persons", "fhir", "hl7", "charges", "repayments"), 0)
        self.repayments: list[str] = []
        self.registered: list[tuple[Phone, str]] = []
        self.days = itertools.count()

    def run(self, stop: threading.Event) -> None:
        acts = (self.register, self.send_fhir, self.send_hl7, self.charge, self.repay)
        with ThreadPoolExecutor(len(acts)) as pool:
            for done in [pool.submit(repeat, act, stop) for act in acts]:
                done.result()

    def wait_for_more(self, acts: int, running: "Future[None]") -> None:
        """Until so many more acts of each kind have been acknowledged to the load that is ``running``."""
        wanted = {kind: count + acts for kind, count in self.acknowledged.items()}
        gives_up_at = time.monotonic() + _MORE_WITHIN_SECONDS
        while any(self.acknowledged[kind] < count for kind, count in wanted.items()):
            assert not running.done(), running.exception()
            assert time.monotonic() < gives_up_at, (wanted, self.acknowledged)
            time.sleep(0.02)

    def register(self) -> None:
        phone = new_phone(self.stage, self.control)
        phone.sign_in()
        # One birth date has 500 numbers: each is born on a day of its own, and so has nobody else's.
        born = date(1930, 1, 1) + timedelta(days=next(self.days))
        person = invent_person("吴测试", born=f"{born:%Y%m%d}", is_male=False)
        body = {
            "certificate_type": "01",
            "certificate_number": person.certificate_number,
            "name": person.name,
            "phone": person.phone,
        }
        # Sent again after a lost answer it is 200, not 201.
        reply = self.stage.send("POST", "/api/v1/registrations", token=phone.access_token, json=body, expect=(200, 201))
        self.registered.append((phone, reply.json()["card_id"]))
        self.acknowledged["persons"] += 1

    def send_fhir(self) -> None:
        body = documents.as_json(documents.blood_count_bundle(self.number, self.hospital, self.visit_id))
        headers = {"Content-Type": "application/fhir+json"}
        self.stage.send("POST", "/fhir", token=self.systems().token, data=body, headers=headers, expect=200)
        self.acknowledged["fhir"] += 1

    def send_hl7(self) -> None:
        answer = HospitalSystems(self.stage, self.hospital).send_hl7(
            documents.glucose_message(self.number, self.hospital)
        )
        assert "MSA|AA|" in answer, answer
        self.acknowledged["hl7"] += 1

    def charge(self) -> None:
        bill = {
            "visit_id": self.visit_id,
            "amount_fen": CHARGE_FEN,
            "medical_step": "010105",
            "bill_number": f"B{secrets.token_hex(8)}",
        }
        headers = {"Idempotency-Key": secrets.token_urlsafe(16)}
        path = "/api/v1/billing/charges"
        self.stage.send("POST", path, token=self.systems().token, json=bill, headers=headers, expect=201)
        self.acknowledged["charges"] += 1

    def repay(self) -> None:
        # What is under way counts, so that no repayment is refused for exceeding the debt.
        if self.phone.get("/api/v1/credit/lines")["lines"][0]["payable_fen"] < REPAYMENT_FEN:
            return
        headers = {"Idempotency-Key": secrets.token_urlsafe(16)}
        path = f"/api/v1/credit/lines/{self.line_id}/repayments"
        opened = self.phone.post(path, {"amount_fen": REPAYMENT_FEN}, expect=201, headers=headers)
        self.repayments.append(opened["repayment_id"])
        self.acknowledged["repayments"] += 1

    def systems(self) -> HospitalSystems:
        systems = HospitalSystems(self.stage, self.hospital)
        systems.sign_in()
        return systems

    def pay_all(self) -> list[str]:
        """The patient pays every repayment; returns the order numbers."""
        return [self.pay(f"/api/v1/credit/repayments/{repayment_id}") for repayment_id in self.repayments]

    def pay(self, path: str) -> str:
        def find(member: str) -> Any:
            return self.phone.get(path).get(member)

        request = self.stage.wait_for(lambda: find("payment"), "the order", seconds=90)
        arguments = {name: value for name, value in request.items() if name != "package"}
        self.control.pay({**arguments, "prepay_id": request["package"].removeprefix("prepay_id=")}, notify="duplicate")
        self.stage.wait_for(lambda: find("state") == "paid" or None, "the payment", seconds=60)
        number: str = find("out_trade_no")
        return number


def repeat(act: Callable[[], None], stop: threading.Event) -> None:
    while not stop.wait(0.02):
        act()


def check_records(load: Load) -> None:
    for phone, card_id in load.registered:
        assert [card["card_id"] for card in phone.get("/api/v1/cards")["cards"]] == [card_id]
    titles: list[str] = []
    before = None
    while True:
        page = load.phone.get("/api/v1/timeline", params={"limit": 100, **({"before": before} if before else {})})
        if not page["items"]:
            break
        titles += [item["title"] for item in page["items"]]
        before = page["items"][-1]["id"]
    assert len(titles) == load.acknowledged["fhir"] + load.acknowledged["hl7"]


def check_money(load: Load) -> None:
    order_numbers = load.pay_all()
    line = load.phone.get("/api/v1/credit/lines")["lines"][0]
    charged = load.acknowledged["charges"] * CHARGE_FEN
    assert line["drawn_fen"] == charged - load.acknowledged["repayments"] * REPAYMENT_FEN
    for number in order_numbers:
        seen = load.control.show_payment(number)
        assert len(seen["charges"]) == 1
        assert len(set(seen["prepay_ids"])) == 1
    everything = [payment["out_trade_no"] for payment in load.control.list_payments()]
    assert sorted(order_numbers) == sorted(number for number in everything if number not in load.paid_before)
