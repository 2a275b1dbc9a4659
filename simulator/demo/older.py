"""An act: hospital A's old system, which speaks the interface of the health card open platform."""

import base64
import hashlib
import json
import secrets
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from simulator.demo import documents
from simulator.people import invent_person

if TYPE_CHECKING:
    from simulator.demo.story import Story

_ROOT = "/rest/auth/HealthCard"
_TOKEN = f"{_ROOT}/HealthOpenAuth/AuthObj/getAppToken"
_OPERATIONS = f"{_ROOT}/HealthOpenPlatform/ISVOpenObj"


class OldSystem:
    """Signs what it sends (docs/interfaces/tencent.md)."""

    def __init__(self, story: "Story", access: dict[str, str]) -> None:
        self.stage = story.stage
        self.access = access
        self.token = ""

    def sign_in(self) -> None:
        """Get a token."""
        self.token = self.call(_TOKEN, {"appId": self.access["app_id"]})["appToken"]

    def ask(self, operation: str, req: dict[str, Any]) -> dict[str, Any]:
        """Call an operation that must succeed."""
        return self.call(f"{_OPERATIONS}/{operation}", req)

    def call(self, path: str, req: dict[str, Any], *, code: int = 0, **common: str) -> dict[str, Any]:
        """Send a request, signed anew for each try, and check resultCode."""
        headers = {"Content-Type": "application/json"}
        reply = self.stage.send(
            "POST", path, headers=headers, data=lambda: self.envelope(req, **common), expect=200
        ).json()
        found = reply["commonOut"]["resultCode"]
        self.stage.check(found == code, f"{path}: resultCode {found} instead of {code}: {reply['commonOut']['errMsg']}")
        rsp: dict[str, Any] = reply["rsp"]
        return rsp

    def envelope(self, req: dict[str, Any], **common: str) -> bytes:
        """A signed body; ``common`` replaces what would stand in commonIn."""
        common_in = {
            "appToken": self.token,
            "requestId": secrets.token_hex(16).upper(),
            "hospitalId": self.access["hospital_id"],
            "timestamp": str(int(time.time())),
        } | common
        values = {name: value for name, value in (common_in | req).items() if value}
        text = "&".join(f"{name}={_write(values[name])}" for name in sorted(values)) + self.access["app_secret"]
        signature = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        return json.dumps({"commonIn": {"sign": signature} | common_in, "req": req}, ensure_ascii=False).encode()


def _write(value: Any) -> str:
    """An object is signed as the JSON text that is sent."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def speak_the_older_interface(story: "Story") -> None:
    """Register, verify and report as old hospital systems do; a wrong sign and a repeated requestId are refused."""
    stage = story.stage
    stage.title("十、老系统接口 · The interface that hospital systems already speak")
    system = OldSystem(story, story.hospital_a["tencent"])
    system.sign_in()
    stage.say("医院老系统以 SHA-256 签名换取 appToken（7200 秒）", "an old hospital system signs and gets its token")
    person = invent_person("钱测试", born="19900203", is_male=False)
    registration = {
        "name": person.name,
        "gender": "女",
        "nation": "汉族",
        "birthday": "1990-02-03",
        "idType": "01",
        "idNumber": person.certificate_number,
        "phone1": person.phone,
    }
    card = system.ask("registerHealthCard", registration)
    stage.check(system.ask("registerHealthCard", registration) == card, "registering again gave another card")
    stage.say(f"窗口登记患者，发卡 {card['healthCardId'][:12]}…；重复登记还是这张卡", "registers a patient at a window")
    mother = {"motherName": person.name, "motherIdType": "01", "motherIdNumber": person.certificate_number}
    newborn = {name: registration[name] for name in ("gender", "nation", "phone1")} | {
        "name": "钱测试之女",
        "birthday": datetime.now(documents.CITY).strftime("%Y-%m-%d"),
        "childInfo": mother,
    }
    child = system.ask("registerHealthCard", newborn)
    stage.check(child["phid"] != card["phid"], "the newborn became its mother")
    stage.say(f"无证新生儿凭母亲证件登记，发卡 {child['healthCardId'][:12]}…", "registers a newborn under its mother")
    code = story.phone.show_code(story.card_id)
    verification = {"qrCodeText": code, "terminalId": "K01", "medicalStep": "010103", "department": "0300"}
    found = system.ask("verifyQRCode", verification)
    stage.check(found["idNumber"] == story.person.certificate_number, "another person was identified")
    stage.check(bool(found["visitId"]), "no visit was opened")
    stage.say(
        f"自助机核验动态码：{found['name'][0]}**，就诊 {found['visitId'][:8]}… 已打开，患者手机即时得知",
        "verifies a dynamic code: a visit, and the patient is told",
    )
    use = {
        "qrCodeText": code,
        "time": datetime.now(documents.CITY).strftime("%Y-%m-%d %H:%M:%S"),
        "hospitalCode": story.hospital_a["code"],
        "scene": "0101051",
        "department": "0300",
        "cardType": "11",
        "cardChannel": "0200",
        "cardCostTypes": "0100",
    }
    system.ask("reportHISData", use)
    stage.say("上报用卡记录", "reports the use of the card")
    path = f"{_OPERATIONS}/reportHISData"
    system.call(path, use, code=1202, sign="c2lnbg==")
    stage.say("签名不对：拒绝（1202）", "a wrong signature is refused")
    used = secrets.token_hex(16)
    system.call(f"{_OPERATIONS}/getHealthCardByQRCode", {"qrCodeText": code}, requestId=used)
    system.call(path, use, code=1204, requestId=used)
    stage.say("requestId 重复：拒绝（1204）", "a repeated requestId is refused")
