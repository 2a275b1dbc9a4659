"""Requests of the protocols and pages that no OpenAPI schema describes, each with something strange in it."""

import json
import re
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.routing import Rule

from records.fhir import systems
from records.fhir.catalogue import KINDS
from tests.support import dicom, fhir, strange
from tests.support.channels import ROW, write_upload
from tests.support.city import City
from tests.support.entries import every_kind, named
from tests.support.fuzzing import Answer, Fuzz, Scene, open_scene
from tests.support.hl7v2 import adt, orm, oru

FHIR_EXAMPLES, MESSAGES, FILES, FORMS = 100, 40, 24, 120
TEMPLATES = Path(__file__).resolve().parents[2] / "templates"

WORDS = [json.loads(text) for text in strange.VALUES if text.startswith('"')]
DATES = ["2026", "2026-02-30", "ge2026-01-01", "lt9999-12-31T23:59:59Z", "0000", "ap2026", "2026-03-05T24:00"]
TOKENS = ["|", "a|b", "|b", "a|", "http://loinc.org|2345-7", "a|b|c", ",", "a,b,,", "\\,", "final", "%"]
SEARCHES = ["_count", "_sort", "_include", "_lastUpdated", "_id", "_cursor", "patient.name", "code:not"]
NOT_IN_A_FIELD = ["^^^", "&&&", "\\X0D\\", "\\Xzz\\", "~" * 500, "|" * 500, "\r", "\n", "\x1c\r", "\x0b", "-1", "1e999"]


@pytest.fixture(scope="module")
def scene(module_city: City) -> Scene:
    return open_scene(module_city)


def known(scene: Scene) -> st.SearchStrategy[str]:
    ids = [str(one) for found in scene.ids.values() for one in found]
    return st.sampled_from([*ids, *strange.SEGMENTS, f"{'0' * 8}-0000-0000-0000-{'0' * 12}"])


def fhir_requests(scene: Scene) -> st.SearchStrategy[strange.Sent]:
    """Searches, reads, and resources filed one by one or in Bundles."""
    kinds, ids = st.sampled_from(list(KINDS)), known(scene)
    names = sorted({name for kind in KINDS.values() for name in kind.parameters} | set(SEARCHES))
    values = st.sampled_from([*WORDS, *DATES, *TOKENS, "1", "-1", "0", "10000000000", "-date", "Patient/1"]) | ids
    query = st.lists(st.tuples(st.sampled_from(names), values), max_size=3).map(encode)
    searches = st.builds(lambda kind, asked: strange.Sent("GET", f"/fhir/{kind}", asked), kinds, query)
    forms = st.builds(search_by_form, kinds, query)
    endings = st.sampled_from(
        ["", "/_history", "/_history/1", "/_history/0", f"/_history/{2**63}", "/$everything", "/$summary"]
    )
    reads = st.builds(lambda kind, one, end: strange.Sent("GET", f"/fhir/{kind}/{one}{end}"), kinds, ids, endings)
    person = named(scene.words["card_number"][0])
    report = fhir.bundle(fhir.report((systems.CARD, scene.words["card_number"][0])), fhir.observation())
    entries = [
        {"resource": one, "request": {"method": "POST", "url": one["resourceType"]}} for one in every_kind(person)
    ]
    bundles = [report, report | {"type": "batch"}, report | {"entry": [*report["entry"], *entries]}]
    posts = [("POST", one["resourceType"], one) for one in every_kind(person)] + [("POST", "", one) for one in bundles]
    puts = [("PUT", f"{one['resourceType']}/{{id}}", one) for one in every_kind(person)]
    filings = st.sampled_from(posts + puts).flatmap(lambda one: ids.flatmap(partial(file_strangely, *one)))
    plain = searches | forms | reads
    return st.one_of(plain, plain.flatmap(strange.twist), filings, filings, filings)


def encode(asked: list[tuple[str, str]]) -> str:
    return urlencode(asked, errors="surrogatepass")


def search_by_form(kind: str, asked: str) -> strange.Sent:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return strange.Sent("POST", f"/fhir/{kind}/_search", headers=headers, body=asked.encode())


def file_strangely(method: str, path: str, resource: dict[str, Any], one: str) -> st.SearchStrategy[strange.Sent]:
    headers = {"Content-Type": "application/fhir+json"} | ({"If-Match": 'W/"1"'} if method == "PUT" else {})
    target = f"/fhir/{path}".rstrip("/").replace("{id}", one)
    return strange.twist(strange.Sent(method, target, headers=headers, body=json.dumps(resource).encode()), resource)


def test_fhir(app: Flask, scene: Scene) -> None:
    fuzz = Fuzz(scene)
    roles = st.sampled_from(["machine"] * 6 + ["patient", "patient", "doctor", "nobody"])

    @fuzz.examples(FHIR_EXAMPLES)
    @given(fhir_requests(scene), roles)
    def check(sent: strange.Sent, role: str) -> None:
        label = f"{sent.method} {'/'.join(sent.path.split('/')[:3])[:30]}"
        answer = fuzz.ask(label, f"{role}: {sent}", lambda: Answer.of(sent.by(scene.city.client, scene.headers(role))))
        if answer.media_type != "application/fhir+json":
            fuzz.note(label, f"answered as {answer.media_type}", sent, answer)

    check()
    fuzz.tell()


def messages(scene: Scene, code: str) -> st.SearchStrategy[bytes]:
    """HL7 v2 with a field, a character or a byte that does not belong there."""
    number = scene.words["patient_number"][0]
    good = [
        oru(code, number),
        adt(code, number, "A01", number="V1"),
        adt(code, number, "A40", "MRG|X"),
        orm(code, number),
    ]
    fields = st.sampled_from([*WORDS, *NOT_IN_A_FIELD])
    field = st.builds(put_field, st.sampled_from(good), st.integers(0, 60), fields)
    byte = st.builds(put_byte, st.sampled_from(good), st.integers(0, 600), st.integers(0, 255))
    return st.one_of(field, field, byte, st.sampled_from(strange.BODIES))


def put_field(message: str, place: int, text: str) -> bytes:
    parts = re.split(r"([|\r^])", message)
    parts[place * 2 % len(parts)] = text
    return "".join(parts).encode("utf-8", "surrogatepass")


def put_byte(message: str, place: int, byte: int) -> bytes:
    text = bytearray(message.encode())
    text[place % len(text)] = byte
    return bytes(text)


def test_hl7_v2_by_https(app: Flask, scene: Scene) -> None:
    fuzz, code = Fuzz(scene), scene.words["hospital_code"][0]
    headers = scene.headers("machine") | {"Content-Type": "application/hl7-v2"}

    @fuzz.examples(MESSAGES)
    @given(messages(scene, code))
    def check(message: bytes) -> None:
        post = scene.city.client.post
        answer = fuzz.ask(
            "message", message, lambda: Answer.of(post("/api/v1/hl7v2/messages", data=message, headers=headers))
        )
        if b"|207^" in answer.body:
            fuzz.note("message", "an error of ours", message, answer)

    check()
    fuzz.tell()


def test_lists_and_images(app: Flask, scene: Scene) -> None:
    fuzz, post = Fuzz(scene), scene.city.client.post
    good = write_upload(ROW | {"report_number": "R9"}, ROW | {"report_number": "R9", "item_name": "白细胞"})
    workbook = scene.city.client.get("/api/v1/uploads/template.xlsx", headers=scene.headers("registrar")).data
    image = dicom.multipart([dicom.to_bytes(dicom.make_image(PatientID=scene.words["patient_number"][0]))])
    excel = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    files = [
        ("/api/v1/uploads", "registrar", "text/csv", good),
        ("/api/v1/uploads", "registrar", excel, workbook),
        ("/api/v1/operator/batches?name=x", "operator", "text/csv", "证件类型,证件号码,姓名\r\n01,1,张".encode()),
        ("/dicomweb/studies", "machine", dicom.CONTENT_TYPE, image),
    ]
    words = st.sampled_from([word.encode("utf-8", "surrogatepass") for word in WORDS] + [b'"', b",", b"\r\n", b"=1+1"])

    @fuzz.examples(FILES)
    @given(st.sampled_from(files), st.integers(0, 3000), st.integers(0, 40), words)
    def check(file: tuple[str, str, str, bytes], place: int, length: int, word: bytes) -> None:
        path, role, kind, content = file
        place %= len(content)
        changed = content[:place] + word[:100] + content[place + length :]
        headers = scene.headers(role) | {"Content-Type": kind, "Idempotency-Key": "x" * 9}
        fuzz.ask(f"{path} {kind}", changed[:2000], lambda: Answer.of(post(path, data=changed, headers=headers)))

    check()
    fuzz.tell()


def page_rules(app: Flask) -> list[Rule]:
    pages = [
        name for name, blueprint in app.blueprints.items() if name.endswith("_pages") or name == "administration_home"
    ]
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint.split(".")[0] in pages]


def test_pages_and_their_forms(app: Flask, scene: Scene) -> None:
    fuzz, rules = Fuzz(scene), page_rules(app)
    found = (re.findall(r'name="(\w+)"', path.read_text()) for path in TEMPLATES.rglob("*.html"))
    fields = sorted({name for names in found for name in names} - {"csrf_token", "viewport"})
    values = known(scene) | st.sampled_from(
        [*WORDS, *(word for known in scene.words.values() for word in known), "on", "1"]
    )
    forms = st.dictionaries(st.sampled_from(fields), values, max_size=6)
    ids = known(scene)

    @fuzz.examples(FORMS)
    @given(st.sampled_from(rules), st.sampled_from(list(scene.browsers)), forms, ids, st.sampled_from(strange.QUERIES))
    def check(rule: Rule, role: str, form: dict[str, str], one: str, query: str) -> None:
        path = re.sub(r"<[^>]+>", one, rule.rule)
        browser, is_post = scene.browsers[role], "POST" in (rule.methods or set())
        body = urlencode(form | {"csrf_token": browser.csrf_token}, errors="surrogatepass")
        address = f"{path}?{query}"

        def send() -> Answer:
            if not is_post:
                return Answer.of(browser.client.get(address))
            return Answer.of(browser.client.post(address, data=body, content_type="application/x-www-form-urlencoded"))

        fuzz.ask(f"{'POST' if is_post else 'GET'} {rule.rule}", f"{role}: {address} {form}", send)

    check()
    fuzz.tell()
