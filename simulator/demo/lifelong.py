"""Two acts: one person's reports of four hospitals, and what the person and the hospitals do with them."""

import io
import json
import secrets
import zipfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from simulator.demo import documents
from simulator.demo.cast import HospitalSystems, Phone, Staff, new_phone
from simulator.people import SyntheticPerson, invent_person

if TYPE_CHECKING:
    from simulator.demo.story import Story

_FASTING_GLUCOSE = "LAB-FPG"
_FHIR = {"Content-Type": "application/fhir+json"}
# A change is told some seconds after it was filed: a look that is under way counts too.
_TOLD_WITHIN_SECONDS = 60


@dataclass
class Life:
    """A minor of sixteen, known at four hospitals under a number of each."""

    story: "Story"
    person: SyntheticPerson = field(init=False)
    phone: Phone = field(init=False)
    mother: Phone = field(init=False)
    card_id: str = ""
    number: str = field(default_factory=lambda: f"N{secrets.randbelow(10**8):08d}")
    visits: list[str] = field(default_factory=list)
    desks: list[Staff] = field(default_factory=list)
    order: str = field(default_factory=lambda: f"GLU{secrets.token_hex(6)}")
    corrected_id: str = ""

    def __post_init__(self) -> None:
        born = datetime.now(documents.CITY) - timedelta(days=16 * 366)
        self.person = invent_person("孙小测", born=f"{born:%Y%m%d}", is_male=True)
        self.phone = new_phone(self.story.stage, self.story.control)
        self.mother = new_phone(self.story.stage, self.story.control)
        self.hospitals = self.story.credentials["hospitals"][:4]
        self.systems = [HospitalSystems(self.story.stage, hospital) for hospital in self.hospitals]

    def send_bundle(self, place: int, bundle: dict[str, Any]) -> str:
        """A FHIR report of one of the hospitals; returns its id."""
        reply = self.story.stage.send(
            "POST", "/fhir", token=self.systems[place].token, data=documents.as_json(bundle), headers=_FHIR, expect=200
        )
        location: str = reply.json()["entry"][0]["response"]["location"]
        return location.split("/")[1]

    def timeline(self) -> list[dict[str, Any]]:
        """The person's own, newest first."""
        items: list[dict[str, Any]] = self.phone.get("/api/v1/timeline")["items"]
        return items

    def find_report(self, place: int) -> str:
        """The report of one of the hospitals."""
        name = self.hospitals[place]["name"]
        return next(str(line["object_id"]) for line in self.timeline() if line["hospital_name"] == name)


def gather_a_life(story: "Story") -> Life:
    """Four hospitals send in four ways; one timeline, one trend, one correction."""
    story.stage.title("十四、四家医院，一条时间线 · Four hospitals, one timeline")
    life = Life(story)
    _visit_four_hospitals(life)
    _send_four_ways(life)
    _upload(life)
    _read_all(life)
    _correct(life)
    return life


def look_after_a_life(story: "Story", life: Life) -> None:
    """Who is told of a correction, what is sensitive, what waits, what is printed and what is taken away."""
    story.stage.title("十五、敏感、待处理、更正提醒、打印与导出 · Sensitive, waiting, corrected, printed, exported")
    _keep_from_others(life)
    _resolve(life)
    _prove(life)
    _be_told(life)
    _export(life)


def _visit_four_hospitals(life: Life) -> None:
    story, stage = life.story, life.story.stage
    adult = invent_person("孙测试", born="19840311", is_male=False)
    for phone, person in ((life.mother, adult), (life.phone, life.person)):
        phone.sign_in()
        registered = phone.register(person, expect=(200, 201))
    life.card_id = registered["card_id"]
    invited = life.mother.post("/api/v1/family/invitations", {"kind": "consent", "relation": "child"}, expect=201)
    life.phone.post("/api/v1/family/invitations/accept", {"code": invited["code"]}, expect=200)
    for hospital, systems in zip(life.hospitals, life.systems, strict=True):
        desk = Staff.sign_in(stage, story.credentials, hospital, "doctor")
        life.desks.append(desk)
        life.visits.append(desk.scan(life.phone.show_code(life.card_id), patient_number=life.number)["visit_id"])
        systems.sign_in()
    stage.say("16岁的少年，母亲经其同意代办；他在四家医院扫码就诊", "a minor of 16 visits four hospitals with one code")


def _glucose(value: float, unit: str, low: float, high: float) -> documents.Line:
    return ("1558-6", "空腹血糖", value, unit, unit, low, high, "N")


def _send_four_ways(life: Life) -> None:
    stage, panel = life.story.stage, ("1558-6", "空腹血糖")
    life.send_bundle(
        0,
        documents.report_bundle(
            life.number, life.hospitals[0], life.visits[0], panel, [_glucose(5.6, "mmol/L", 3.9, 6.1)]
        ),
    )
    answer = life.systems[1].send_hl7(documents.glucose_message(life.number, life.hospitals[1], order=life.order))
    stage.check("MSA|AA|" in answer, f"not acknowledged: {answer!r}")
    life.send_bundle(
        3,
        documents.report_bundle(
            life.number, life.hospitals[3], life.visits[3], panel, [_glucose(97.3, "mg/dL", 70, 110)]
        ),
    )
    stage.say("三家以接口上传：FHIR、HL7 v2、FHIR（mg/dL）", "three send by FHIR, HL7 v2, and FHIR in mg/dL")


def _upload(life: Life) -> None:
    stage, desk, code = life.story.stage, life.desks[2], f"XT{secrets.token_hex(4)}"
    row = {
        "报告编号": f"W{secrets.token_hex(4)}",
        "患者号": life.number,
        "姓名": life.person.name,
        "报告名称": "空腹血糖",
        "采样时间": f"{datetime.now(documents.CITY):%Y-%m-%d %H:%M}",
        "项目代码": code,
        "项目名称": "空腹血糖",
        "结果": "5.2",
        "单位": "mmol/L",
        "参考范围": "3.9-6.1",
    }
    wrong = row | {"报告编号": f"W{secrets.token_hex(4)}", "采样时间": "二〇二六年"}
    sheet = documents.result_list([row, wrong])
    headers = {"Content-Type": "text/csv"}
    checked = stage.send("POST", "/api/v1/uploads", token=desk.token, data=sheet, headers=headers, expect=200).json()
    error = checked["errors"][0]
    stage.check((error["line"], error["code"]) == (3, "bad_date"), f"another error: {error}")
    path = f"/api/v1/uploads/{checked['id']}"
    body = {"leaves_out_errors": True}
    stage.send("POST", f"{path}/commit", token=desk.token, json=body, expect=202)

    def find_filed() -> dict[str, Any] | None:
        upload: dict[str, Any] = stage.send("GET", path, token=desk.token, expect=200).json()
        return upload if upload["state"] == "filed" else None

    filed = stage.wait_for(find_filed, "the list", seconds=60)["reports"]
    stage.check((filed.get("filed"), filed.get("left_out")) == (1, 1), f"filed: {filed}")
    stage.say(
        f"卫生院没有系统，上传表格：第 {error['line']} 行“{error['column']}”{error['advice']}；其余入档",
        "a clinic uploads a list: the wrong row is named and left out, the rest is filed",
    )
    mapping = {"code_system": "urn:yimatong:code:local", "code": code, "item": _FASTING_GLUCOSE}
    stage.send("POST", "/api/v1/code-mappings", token=life.systems[2].token, json=mapping, expect=201)
    stage.say(f"该院自编代码 {code} 对照到市项目“空腹血糖”", "its own code is mapped to the city's item")


def _read_all(life: Life) -> None:
    stage = life.story.stage
    lines = life.timeline()
    names = {line["hospital_name"] for line in lines}
    stage.check(len(lines) == len(names) == 4, f"4 hospitals expected on the timeline: {lines}")
    for line in lines:
        life.phone.get(f"/api/v1/reports/{line['object_id']}")
    stage.check(not any(line["is_unread"] for line in life.timeline()), "read, and still marked as unread")
    person_id = life.phone.get("/api/v1/family")["members"][0]["person_id"]
    trend = life.phone.get(f"/api/v1/persons/{person_id}/trends/{_FASTING_GLUCOSE}")
    values = {point["hospital_name"]: point["value"] for point in trend["points"]}
    stage.check(len(values) == 4 and not trend["apart"], f"4 points expected in one unit: {trend}")
    stage.say(
        "一条时间线四家医院，逐份阅读；空腹血糖趋势（mmol/L）："
        + "、".join(str(values[hospital["name"]]) for hospital in life.hospitals),
        "one timeline; the trend of four hospitals in one unit",
    )


def _correct(life: Life) -> None:
    stage, life.corrected_id = life.story.stage, life.find_report(1)
    path = f"/api/v1/reports/{life.corrected_id}"
    stage.send("GET", path, token=life.desks[3].token, expect=200)
    message = documents.glucose_message(life.number, life.hospitals[1], order=life.order, value="4.6", status="C")
    answer = life.systems[1].send_hl7(message)
    stage.check("MSA|AA|" in answer, f"not acknowledged: {answer!r}")
    versions = life.phone.get(path)["versions"]
    stage.check([version["status"] for version in versions] == ["final", "corrected"], f"versions: {versions}")
    change = versions[1]["changes"][0]
    stage.say(
        f"患者与另一家医院的医生读过之后，检验科更正 {change['before']} → {change['after']}：旧版保留",
        "corrected after the patient and a doctor had read it: the old version stays",
    )


def _be_told(life: Life) -> None:
    stage, report_id, reader = life.story.stage, life.corrected_id, life.desks[3]

    def find_notice() -> dict[str, Any] | None:
        notices = life.phone.get("/api/v1/notices")["notices"]
        return next((notice for notice in notices if notice["kind"] == "report_amended"), None)

    def find_correction() -> dict[str, Any] | None:
        found = stage.send("GET", "/api/v1/corrections?is_seen=false", token=reader.token, expect=200).json()
        return next((one for one in found["corrections"] if one["report_id"] == report_id), None)

    stage.wait_for(find_notice, "the notice of the correction", seconds=_TOLD_WITHIN_SECONDS)
    told = stage.wait_for(find_correction, "the correction", seconds=_TOLD_WITHIN_SECONDS)
    stage.check((told["read_version"], told["report_version"]) == (1, 2), f"other versions: {told}")
    stage.say("读过旧版的患者与医生都收到更正提醒", "both who had read the old version are told of the correction")


def _keep_from_others(life: Life) -> None:
    stage = life.story.stage
    line: documents.Line = ("7917-8", "HIV抗体", 0.1, "COI", "{COI}", 0, 1, "N")
    bundle = documents.report_bundle(life.number, life.hospitals[0], None, ("7917-8", "HIV抗体"), [line], days_ago=30)
    path = f"/api/v1/reports/{life.send_bundle(0, bundle)}"
    missing = "records.report_not_found"
    stage.refused("GET", path, token=life.phone.access_token, code=missing, expect=404)
    stage.say("上月未扫码时的 HIV 结果：先待发布，患者暂不可见", "an HIV result of before any visit is held at first")
    stage.send("POST", f"{path}/release", token=life.desks[0].token, expect=204)
    life.phone.get(path)
    for token in (life.mother.access_token, life.desks[3].token):
        stage.refused("GET", path, token=token, code=missing, expect=404)
    mothers = [line["title"] for line in life.mother.get("/api/v1/timeline")["items"]]
    stage.check(len(mothers) == 4 and "HIV抗体" not in mothers, f"his mother sees {mothers}")
    stage.say(
        "本院医生审核发布后，本人可见；母亲与其他医院仍看不到，如同不存在",
        "released by its doctor: he sees it; his mother and other hospitals do not",
    )


def _resolve(life: Life) -> None:
    stage, hospital = life.story.stage, life.hospitals[1]
    order = f"GLU{secrets.token_hex(6)}"
    answer = life.systems[1].send_hl7(documents.glucose_message(life.number, hospital, order=order, name="吴另测"))
    stage.check("MSA|AE|" in answer and "records.person_contradicts" in answer, f"not kept: {answer!r}")
    registrar = Staff.sign_in(stage, life.story.credentials, hospital, "registrar")
    query = {"state": "quarantined", "reason": "records.person_contradicts"}
    waiting = stage.send("GET", "/api/v1/quarantine", token=registrar.token, params=query, expect=200).json()
    path = f"/api/v1/quarantine/{waiting['messages'][0]['id']}"
    body = {"patient_number": life.number, "why": "details_wrong", "is_confirmed": True}
    done = stage.send("POST", f"{path}/assign", token=registrar.token, json=body, expect=200).json()
    stage.check(done["state"] == "accepted", f"it stays: {done}")
    stage.check(len(life.timeline()) == 6, "what was assigned is not on the timeline")
    stage.say(
        "姓名不符的报告进入待处理区，不会记到别人名下；登记员核对后指定患者入档",
        "a report with a wrong name waits, and is filed after somebody looked",
    )


def _prove(life: Life) -> None:
    stage = life.story.stage
    path = f"/api/v1/reports/{life.find_report(0)}/report.pdf"
    printed = stage.send("GET", path, token=life.phone.access_token, expect=200).content
    stage.check(printed.startswith(b"%PDF-"), "not a PDF")
    page = stage.send("POST", "/verify", files={"document": ("report.pdf", printed)}, expect=200).text
    stage.check(life.hospitals[0]["name"] in page, "the page does not know its own document")
    forged = printed.replace(b"%%EOF", b"%%E0F")
    page = stage.send("POST", "/verify", files={"document": ("report.pdf", forged)}, expect=200).text
    stage.check(life.hospitals[0]["name"] not in page, "a changed file counts as genuine")
    stage.say(
        f"报告打印为 PDF（{len(printed)} 字节），任何人可在 /verify 验真；改一个字节即不符",
        "a report on paper, proven at /verify; a changed file is not",
    )


def _export(life: Life) -> None:
    stage = life.story.stage
    ordered = life.phone.post("/api/v1/exports", {}, expect=202)

    def find_ready() -> dict[str, Any] | None:
        exports = life.phone.get("/api/v1/exports")["exports"]
        return next((one for one in exports if one["id"] == ordered["id"] and one["state"] == "ready"), None)

    ready = stage.wait_for(find_ready, "the export", seconds=90)
    path = f"/api/v1/exports/{ready['id']}/archive.zip"
    content = stage.send("GET", path, token=life.phone.access_token, expect=200).content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = archive.namelist()
        reports = [
            json.loads(line)
            for name in files
            if name.startswith("fhir/DiagnosticReport-")
            for line in archive.read(name).splitlines()
        ]
    stage.check(ready["reports"] == len(reports) == 6, f"6 reports expected in the file: {files}")
    stage.say(
        f"全部记录打包带走：{len(reports)} 份报告，网页与 FHIR 两种格式（{len(content)} 字节）",
        "everything to take away: readable pages and FHIR",
    )
