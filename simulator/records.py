"""Records of the demo city: one patient's reports and images of all its hospitals, and what waits at their desks.

Run as ``python -m simulator.records`` while the platform serves; once an installation. Everything goes over the real
interfaces, as the hospitals' own systems send it.
"""

import json
import os
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from simulator.control import Control
from simulator.demo import documents
from simulator.demo.cast import HospitalSystems, Phone, Staff
from simulator.demo.stage import NotAsExpected, Stage

_PANEL = ("1558-6", "空腹血糖")
_LIST_HEADERS = {"Content-Type": "text/csv"}


def main() -> int:
    """Send them, unless that was done before. Returns the exit code."""
    credentials_file = Path(os.environ["CREDENTIALS_FILE"])
    done = credentials_file.with_name("records-sent")
    if done.exists():
        return 0
    credentials = json.loads(credentials_file.read_text())
    stage = Stage(credentials["base_url"])
    try:
        Filling(stage, credentials).fill()
    except (NotAsExpected, requests.RequestException) as error:
        # The city is usable without; the next start tries again.
        print(f"simulator.records: {error}", file=sys.stderr)
        return 0
    done.touch()
    return 0


class Filling:
    """The first patient of the city, known at each hospital under a number of its own."""

    def __init__(self, stage: Stage, credentials: dict[str, Any]) -> None:
        self.stage, self.credentials = stage, credentials
        outside = credentials["simulator"]
        self.patient = credentials["patients"][0]
        self.phone = Phone(stage, Control(outside["base_url"], outside["token"]), self.patient["wx_code"])
        self.hospitals = credentials["hospitals"]
        self.numbers = [f"{letter}{self.patient['phone'][-6:]}" for letter in "ABCD"]

    def fill(self) -> None:
        """All of it.

        :raises NotAsExpected: something is refused.
        """
        self.phone.sign_in()
        card_id = self.patient["card_ids"][0]
        for hospital, number in zip(self.hospitals, self.numbers, strict=True):
            desk = Staff.sign_in(self.stage, self.credentials, hospital, "registrar")
            desk.scan(self.phone.show_code(card_id), patient_number=number)
        self.send_reports()
        self.send_examinations()
        self.send_what_waits()
        self.upload_lists()

    def send_reports(self) -> None:
        """A blood count, and glucose over a year in two units."""
        first, last = self._systems(0), self._systems(3)
        self._send(first, documents.blood_count_bundle(self.numbers[0], self.hospitals[0], None))
        for days_ago, value in ((300, 5.4), (120, 5.9)):
            line = ("1558-6", "空腹血糖", value, "mmol/L", "mmol/L", 3.9, 6.1, "N")
            self._send(first, self._bundle(0, line, days_ago))
        self._send(last, self._bundle(3, ("1558-6", "空腹血糖", 113.5, "mg/dL", "mg/dL", 70.0, 110.0, "H"), 40))
        answer = self._systems(1).send_hl7(documents.glucose_message(self.numbers[1], self.hospitals[1]))
        self.stage.check("MSA|AA|" in answer, f"not acknowledged: {answer!r}")

    def send_examinations(self) -> None:
        """A CT of the chest at one hospital, and what another one saw four months before."""
        for place, days_ago, nodule_mm in ((1, 126, 6.0), (0, 3, 9.0)):
            systems = self._systems(place)
            examination = documents.Examination(self.numbers[place], self.hospitals[place], days_ago)
            systems.send_images(examination.images(("ZHANG^CESHI", "M", "19850412"), nodule_mm=nodule_mm))
            self._send(systems, examination.report(documents.found_nodule(nodule_mm)))

    def send_what_waits(self) -> None:
        """A report of a number that nobody has, and one with another's name."""
        unknown = documents.blood_count_bundle("A000000", self.hospitals[0], None)
        self._send(self._systems(0), unknown, expect=422)
        message = documents.glucose_message(self.numbers[1], self.hospitals[1], name="张另测")
        answer = self._systems(1).send_hl7(message)
        self.stage.check("MSA|AE|" in answer, f"not kept: {answer!r}")

    def upload_lists(self) -> None:
        """One list that is filed, with the clinic's own code; one that was checked, and has errors."""
        desk = Staff.sign_in(self.stage, self.credentials, self.hospitals[2], "registrar")
        performed = datetime.now(documents.CITY) - timedelta(days=7)
        row = {
            "报告编号": "W-0001",
            "患者号": self.numbers[2],
            "姓名": self.patient["name"],
            "报告名称": "空腹血糖",
            "采样时间": f"{performed:%Y-%m-%d %H:%M}",
            "项目代码": "XT01",
            "项目名称": "空腹血糖",
            "结果": "5.7",
            "单位": "mmol/L",
            "参考范围": "3.9-6.1",
        }
        path = f"/api/v1/uploads/{self._upload(desk, [row])}/commit"
        self.stage.send("POST", path, token=desk.token, json={}, expect=202)
        wrong = [
            row | {"报告编号": "W-0002", "采样时间": "昨天上午"},
            row | {"报告编号": "W-0003", "姓名": "张另测"},
            row | {"报告编号": "W-0004", "结果": "6.0"},
        ]
        self._upload(desk, wrong)

    def _systems(self, place: int) -> HospitalSystems:
        systems = HospitalSystems(self.stage, self.hospitals[place])
        systems.sign_in()
        return systems

    def _bundle(self, place: int, line: documents.Line, days_ago: int) -> dict[str, Any]:
        return documents.report_bundle(
            self.numbers[place], self.hospitals[place], None, _PANEL, [line], days_ago=days_ago
        )

    def _send(self, systems: HospitalSystems, bundle: dict[str, Any], *, expect: int = 200) -> None:
        headers, body = {"Content-Type": "application/fhir+json"}, documents.as_json(bundle)
        self.stage.send("POST", "/fhir", token=systems.token, data=body, headers=headers, expect=expect)

    def _upload(self, desk: Staff, rows: list[dict[str, str]]) -> str:
        sheet = documents.result_list(rows)
        reply = self.stage.send(
            "POST", "/api/v1/uploads", token=desk.token, data=sheet, headers=_LIST_HEADERS, expect=200
        )
        return str(reply.json()["id"])


if __name__ == "__main__":
    sys.exit(main())
