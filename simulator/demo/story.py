"""The story, a to m: each act is a function, each step one line; refusals are part of it."""

import os
import secrets
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from simulator.control import Control
from simulator.demo import documents, household, imaging, lifelong, money, office, older
from simulator.demo.cast import HospitalSystems, Phone, Staff, new_phone
from simulator.demo.stage import Stage
from simulator.people import SyntheticPerson, invent_person


@dataclass
class Story:
    """What the acts hand on to each other."""

    stage: Stage
    control: Control
    credentials: dict[str, Any]
    person: SyntheticPerson = field(default_factory=lambda: invent_person("陈测试", born="19880808", is_male=True))
    phone: Phone = field(init=False)
    card_id: str = ""
    visit_a: dict[str, Any] = field(default_factory=dict)
    visit_b: dict[str, Any] = field(default_factory=dict)
    report_id: str = ""
    study: dict[str, str] = field(default_factory=dict)
    study_id: str = ""
    first_code: str = ""
    first_shown_at: float = 0.0

    def __post_init__(self) -> None:
        self.phone = new_phone(self.stage, self.control)
        self.hospital_a, self.hospital_b = self.credentials["hospitals"][:2]
        self.patient_number = f"A{secrets.randbelow(10**8):08d}"

    def play(self) -> None:
        """All acts in order.

        :raises NotAsExpected: a step went another way.
        """
        for act in (
            self.sign_in,
            self.register,
            self.show_code,
            self.scan_at_hospital_a,
            self.send_results,
            self.read_own_records,
            self.treat_at_hospital_b,
            self.revoke,
            self.pay_later,
            self.speak_the_older_interface,
            self.raise_a_child,
            self.confirm_on_the_phone,
            self.run_the_platform,
            self.live_with_records,
            self.outlive_a_code,
        ):
            act()

    def sign_in(self) -> None:
        """a. The patient signs in with WeChat."""
        stage, phone = self.stage, self.phone
        stage.title("一、登录 · Signing in")
        phone.sign_in()
        stage.say("患者用微信登录，平台向微信核对登录码并发放自己的令牌", "the patient signs in with a WeChat code")
        wechat = "/api/v1/wechat/sessions"
        for code, refusal, status in (
            ("trouble-40029", "accounts.wechat_code_invalid", 401),
            ("trouble-40226", "accounts.wechat_user_blocked", 401),
            ("trouble-45011", "accounts.wechat_too_often", 429),
            ("trouble--1", "accounts.wechat_unavailable", 503),
        ):
            stage.refused("POST", wechat, json={"code": code}, code=refusal, expect=status)
        stage.say("微信拒绝的登录码各有各的说明", "each way WeChat says no has its own refusal")
        first = phone.refresh_token
        body = {"refresh_token": first}
        tokens = stage.send("POST", "/api/v1/sessions/refresh", json=body, expect=200).json()
        stage.say("刷新令牌，旧的随即作废", "the refresh token rotates")
        reused = "accounts.refresh_token_reused"
        stage.refused("POST", "/api/v1/sessions/refresh", json=body, code=reused, expect=401)
        stage.refused("GET", "/api/v1/cards", token=tokens["access_token"], code="accounts.session_ended", expect=401)
        stage.say("旧令牌再次出现：整个登录立即终止", "an old refresh token ends the whole sign-in at once")
        phone.sign_in()
        stage.say("患者重新登录", "the patient signs in again")

    def register(self) -> None:
        """b. Real-name registration: one person, one card."""
        stage, phone = self.stage, self.phone
        stage.title("二、实名登记 · Real-name registration")
        wrong = self.person.certificate_number[:-1] + ("0" if self.person.certificate_number[-1] != "0" else "1")
        stage.refused(
            "POST",
            "/api/v1/registrations",
            token=phone.access_token,
            json={"certificate_type": "01", "certificate_number": wrong, "name": "陈测试", "phone": self.person.phone},
            code="health_card.certificate_invalid",
            expect=422,
        )
        stage.say("身份证号校验位不对：拒绝", "a wrong check digit is refused")
        registered = phone.register(self.person, expect=201)
        self.card_id = registered["card_id"]
        stage.say("登记成功，发放电子健康卡（卡号为 256 位随机数）", "registered; a card with its own random number")
        again = phone.register(self.person, expect=200)
        stage.check(again["card_id"] == self.card_id, "applying again gave another card")
        stage.say("再次申请，还是同一张卡", "applying again returns the same card")

    def show_code(self) -> None:
        """c. The code, as text, SVG and PNG."""
        stage, phone = self.stage, self.phone
        stage.title("三、二维码 · The code")
        path = f"/api/v1/cards/{self.card_id}/codes"
        text = phone.show_code(self.card_id)
        stage.check(text.count(":") == 3 and text.split(":")[1] == "0", "not the national dynamic shape")
        self.first_code, self.first_shown_at = text, time.monotonic()
        stage.say(f"动态码（签名，60 秒，一次有效）{text[:12]}…:0:…", "a dynamic code: signed, 60 seconds, once")
        for kind, magic in (("image/svg+xml", b"<svg"), ("image/png", b"\x89PNG")):
            body = {"kind": "static"}
            picture = stage.send(
                "POST", path, token=phone.access_token, json=body, headers={"Accept": kind}, expect=201
            ).content
            stage.check(magic in picture[:200], f"not {kind}")
        stage.say("静态码可作为 SVG 或 PNG 打印", "a static code, as SVG and PNG for printing")

    def scan_at_hospital_a(self) -> None:
        """d. The desk of hospital A scans."""
        stage, phone = self.stage, self.phone
        stage.title(f"四、{self.hospital_a['name']}窗口扫码 · Hospital A scans")
        desk = Staff.sign_in(stage, self.credentials, self.hospital_a, "registrar")
        code = phone.show_code(self.card_id)
        self.visit_a = desk.scan(code, patient_number=self.patient_number)
        person = self.visit_a["person"]
        stage.check(person["name"] == "陈*试", "the name is not masked")
        stage.say(
            f"窗口看到 {person['name']} {person['certificate_number']}，核验等级 {person['assurance']}，就诊已登记",
            "masked demographics, assurance level, an open visit",
        )
        desk.scan_refused(code, terminal="W02", refusal="health_card.code_redeemed", status=409)
        stage.say("同一个码第二次使用：拒绝", "the same code again is refused")
        forged = code[:-20] + ("A" if code[-20] != "A" else "B") + code[-19:]
        desk.scan_refused(forged, refusal="health_card.code_forged", status=422)
        stage.say("伪造的码：拒绝", "a forged code is refused")
        photographed = phone.show_code(self.card_id)
        revoke = f"/api/v1/cards/{self.card_id}/codes/revoke"
        stage.send("POST", revoke, token=phone.access_token, expect=204)
        desk.scan_refused(photographed, refusal="health_card.code_revoked", status=410)
        stage.say("患者作废此前出示的码：旧码随即被拒", "the patient ends all codes shown so far: refused at once")
        static = phone.show_code(self.card_id, "static")
        desk.scan_refused(static, refusal="health_card.second_factor_missing", status=422)
        stage.say("静态码需要再核对证件：拒绝单独使用", "a static code alone opens nothing")

    def send_results(self) -> None:
        """e. Hospital A's systems send a FHIR report, an HL7 v2 report, and a CT with its report."""
        stage = self.stage
        stage.title("五、医院系统上传 · Hospital A's systems send")
        systems = HospitalSystems(stage, self.hospital_a)
        systems.sign_in()
        stage.say("医院系统以私钥签名换取访问令牌", "OAuth 2 client credentials with private_key_jwt")
        bundle = documents.blood_count_bundle(self.patient_number, self.hospital_a, self.visit_a["visit_id"])
        fhir = {"Content-Type": "application/fhir+json"}
        body = documents.as_json(bundle)
        stage.send("POST", "/fhir", token=systems.token, data=body, headers=fhir, expect=200)
        stage.send("POST", "/fhir", token=systems.token, data=body, headers=fhir, expect=200)
        stage.say("血常规报告以 FHIR R4 上传；重发一次也只有一份", "a blood count as FHIR R4; sent twice, filed once")
        message = documents.glucose_message(self.patient_number, self.hospital_a)
        for _ in range(2):
            answer = systems.send_hl7(message)
            stage.check("MSA|AA|" in answer, f"not acknowledged: {answer!r}")
        stage.say(
            "血糖报告以 HL7 v2（MLLP）上传，落库之后才应答 AA", "glucose as HL7 v2 over MLLP, acknowledged when durable"
        )
        imaging.send_examination(self, systems)
        stranger = documents.blood_count_bundle("NOBODY", self.hospital_a, None)
        outcome = stage.send(
            "POST", "/fhir", token=systems.token, data=documents.as_json(stranger), headers=fhir, expect=422
        ).json()
        stage.check(
            "records.person_not_matched" in documents.as_json(outcome).decode(), "not the expected OperationOutcome"
        )
        stage.say("认不出患者的报告：不丢失，转入待处理区", "a report of nobody known is kept in quarantine, not lost")

    def read_own_records(self) -> None:
        """f. The patient reads."""
        stage, phone = self.stage, self.phone
        stage.title("六、患者查看 · The patient reads")
        items = phone.get("/api/v1/timeline")["items"]
        stage.check(len(items) == 4, f"4 lines expected on the timeline, found {len(items)}")
        stage.say("时间线：" + "、".join(item["title"] for item in items), "the timeline across hospitals")
        self.report_id = next(i["object_id"] for i in items if "血" in i["title"] and "常规" in i["title"])
        report = phone.get(f"/api/v1/reports/{self.report_id}")
        stage.say("报告：" + documents.describe_report(report), "values, units, reference ranges, flags")
        imaging.look_on_the_phone(self)

    def treat_at_hospital_b(self) -> None:
        """g. A doctor at hospital B sees nothing, then everything that is shared for the visit."""
        stage = self.stage
        stage.title(f"七、{self.hospital_b['name']}医生 · A doctor at hospital B")
        doctor = Staff.sign_in(stage, self.credentials, self.hospital_b, "doctor")
        self.doctor = doctor
        self._see_nothing(doctor, timeline=f"/api/v1/visits/{self.visit_a['visit_id']}/timeline")
        stage.say("未扫码之前，什么也看不到", "before the card is scanned there, nothing is seen")
        self.visit_b = doctor.scan(self.phone.show_code(self.card_id), medical_step="010102")
        timeline = f"/api/v1/visits/{self.visit_b['visit_id']}/timeline"
        items = stage.send("GET", timeline, token=doctor.token, expect=200).json()["items"]
        report = stage.send("GET", f"/api/v1/reports/{self.report_id}", token=doctor.token, expect=200).json()
        stage.say(
            f"扫码后看到 {len(items)} 项，包括{report['hospital_name']}的{report['name']}和 CT",
            "after the scan: A's report and images, under the visit's treatment grant",
        )
        imaging.look_at_the_desk(self)
        self._recognise(doctor)

    def revoke(self) -> None:
        """The patient revokes, and reads who looked."""
        stage, phone, doctor = self.stage, self.phone, self.doctor
        stage.title("八、撤回与查阅记录 · Revoke, and who looked")
        grants = phone.get("/api/v1/grants")["grants"]
        grant = next(g for g in grants if g["visit_id"] == self.visit_b["visit_id"])
        phone.post(f"/api/v1/grants/{grant['id']}/revoke", {}, expect=200)
        timeline = f"/api/v1/visits/{self.visit_b['visit_id']}/timeline"
        stage.refused("GET", timeline, token=doctor.token, code="consent.nothing_shared", expect=403)
        self._see_nothing(doctor)
        imaging.look_no_more(self)
        stage.say("患者撤回授权，下一次请求即被拒绝", "the patient revokes; the very next request is refused")
        rows = phone.get("/api/v1/access-log")["rows"]
        looked = [row for row in rows if row.get("hospital_name") == self.hospital_b["name"] and "grant_id" in row]
        actions = {row["action"] for row in looked}
        for action in ("records.timeline.read", "records.report.read", "records.image.read"):
            stage.check(action in actions, f"{action} is missing in the access log: {actions}")
        for row in reversed(looked):
            at = datetime.fromisoformat(row["at"]).astimezone(documents.CITY).strftime("%H:%M:%S")
            print(f"      {at} {row['who']} {row['hospital_name']} {row['action']} {row.get('purpose', '')}")
        stage.say("患者看到谁、哪家医院、看了什么、为什么", "the access log: who, which hospital, what, why")

    def pay_later(self) -> None:
        """h. Treated first, paid later."""
        money.pay_later(self)

    def speak_the_older_interface(self) -> None:
        """i. Hospital A's old system uses the interface that it already speaks."""
        older.speak_the_older_interface(self)

    def raise_a_child(self) -> None:
        """j. A newborn and its two guardians."""
        household.raise_a_child(self)

    def confirm_on_the_phone(self) -> None:
        """k. A code made with the PIN, and a tap."""
        household.confirm_on_the_phone(self)

    def run_the_platform(self) -> None:
        """l. The operator merges, takes it back, and issues a list."""
        office.run_the_platform(self)

    def live_with_records(self) -> None:
        """m. One person's reports of four hospitals, and what becomes of them."""
        lifelong.look_after_a_life(self, lifelong.gather_a_life(self))

    def outlive_a_code(self) -> None:
        """A code older than 60 seconds is refused. The one wait of the story; DEMO_QUICK=1 leaves it out."""
        stage = self.stage
        if os.environ.get("DEMO_QUICK"):
            return
        stage.title("十六、过期的码（需等到第一个码满 60 秒） · An expired code: waiting until the first is 60 s old")
        time.sleep(max(0.0, self.first_shown_at + 61.5 - time.monotonic()))
        desk = Staff.sign_in(stage, self.credentials, self.hospital_a, "registrar")
        # Shown before the patient ended all codes, but its age is looked at first.
        desk.scan_refused(self.first_code, refusal="health_card.code_expired", status=410)
        stage.say("60 秒已过：拒绝", "60 seconds are over: refused")

    def _recognise(self, doctor: Staff) -> None:
        stage, visit = self.stage, self.visit_b["visit_id"]
        check = f"/api/v1/visits/{visit}/order-checks"
        body = {"item_codes": [documents.HAEMOGLOBIN]}
        reminders = stage.send("POST", check, token=doctor.token, json=body, expect=200).json()["reminders"]
        stage.check(len(reminders) == 1, f"one reminder expected: {reminders}")
        reminder = reminders[0]
        stage.say(
            f"医生要再开{reminder['item_name']}：提醒已有{reminder['hospital_name']}的结果（{reminder['mark']}）",
            "ordering it again: the doctor is reminded of the valid result",
        )
        answer = {"item_code": documents.HAEMOGLOBIN, "report_id": reminder["report_id"], "answer": "recognised"}
        stage.send("POST", f"/api/v1/visits/{visit}/recognitions", token=doctor.token, json=answer, expect=201)
        stage.say(
            f"医生选择互认，为患者省下 {reminder['amount_fen'] / 100:.2f} 元",
            "the doctor recognises it; no needless repeat",
        )

    def _see_nothing(self, staff: Staff, timeline: str | None = None) -> None:
        stage = self.stage
        if timeline:
            stage.refused("GET", timeline, token=staff.token, code="records.visit_not_found", expect=404)
        report = f"/api/v1/reports/{self.report_id}"
        stage.refused("GET", report, token=staff.token, code="records.report_not_found", expect=404)
        stage.refused("GET", imaging.frame_path(self), token=staff.token, code="records.image_not_found", expect=404)
