"""Every route of the URL map, with parameters that name something of one person: what to send, and as whom."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, select
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from accounts import identify
from core import clock, db
from core.db import Base
from core.web import Guard, Pages, guard_of
from tests.canary.states import HOME, TREATING
from tests.canary.world import Member, World
from tests.support.city import bearer
from tests.support.entries import condition, named
from tests.support.fuzzing import TABLE_OF

NOBODY = "nobody"
# What a parameter is called whose table its name, or who asks, does not tell.
_MORE_TABLES = {
    "access": "app_authorizations",
    "branch": "branches",
    "app": "apps",
    "request": "app_requests",
    "row": "machine_clients",
    "grant": "grants",
    "holder": "holders",
    "upload": "uploads",
    "sample": "quality_samples",
    "repayment": "repayments",
    "id": "machine_clients",
    "department": "departments",
}
# Where one word names several things, the address says which.
_BY_ADDRESS = {
    "access-log": "audit_entries",
    "access-questions": "access_questions",
    "received-questions": "access_questions",
    "access-requests": "access_requests",
    "deletion": "deletion_requests",
    "emergenc": "emergency_accesses",
    "erasure-requests": "erasure_requests",
    "rectification": "rectification_requests",
    "share-links": "share_links",
}
# Texts in addresses that name nobody.
_WORDS = {
    "version": "1",
    "frame": "1",
    "frames": "1",
    "attribute": "7FE00010",
    "filename": "core/style.css",
    "name": "index.html",
    "rest": "anything",
    "fingerprint": "0" * 64,
    "app_id": "app",
    "kid": "kid",
    "item": "LAB-GLU",
    "level": "0",
    "place": "000",
    "text_hash": "0" * 64,
    "secret": "A" * 43,
    "token": "A" * 43,
}
_PARAMETER = re.compile(r"<(?:(\w+)(?:\([^)]*\))?:)?(\w+)>")
_CHOICES = re.compile(r"any\(([^)]*)\):(\w+)")


@dataclass(frozen=True)
class Ask:
    """One request about one person. ``about``: which report it names (its canaries' first letter), or nothing."""

    rule: Rule
    method: str
    path: str
    about: str = ""
    body: dict[str, Any] | None = None
    form: dict[str, Any] | None = None
    content_type: str = ""

    @property
    def endpoint(self) -> str:
        return str(self.rule.endpoint)


class UnknownParameter(AssertionError):
    """A route has a parameter for which the canary test knows no value: say here what it names."""


@dataclass
class Asking:
    """Knows what there is, and makes requests of it."""

    world: World
    schemas: dict[str, Any] = field(default_factory=dict)
    operations: dict[tuple[str, str], Any] = field(default_factory=dict)
    of_person: dict[str, dict[UUID, list[str]]] = field(default_factory=dict)
    of_all: dict[str, list[str]] = field(default_factory=dict)
    permissions: dict[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def prepare(cls, world: World) -> "Asking":
        document = world.city.client.get("/openapi.json").get_json()
        asking = cls(world, document["components"]["schemas"])
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                asking.operations[path, method.upper()] = operation
        asking._look_around()
        for name, token in world.tokens.items():
            asking.permissions[name] = frozenset() if "stranger" in name else world.city.actor(token).permissions
        asking.permissions[NOBODY] = frozenset()
        return asking

    def _look_around(self) -> None:
        people = [member.patient.person_id for member in self.world.cast.values()]
        with db.snapshot() as session:
            for table in Base.metadata.sorted_tables:
                if "id" not in table.c or not isinstance(table.c.id.type, Uuid):
                    continue
                self.of_all[table.name] = [str(one) for one in session.scalars(select(table.c.id).limit(3))]
                if "person_id" in table.c:
                    found: dict[UUID, list[str]] = defaultdict(list)
                    wanted = select(table.c.person_id, table.c.id).where(table.c.person_id.in_(people))
                    for person_id, row_id in session.execute(wanted).tuples():
                        found[person_id].append(str(row_id))
                    self.of_person[table.name] = found

    def rules(self) -> list[Rule]:
        """In an order that does not change by itself."""
        return sorted(self.world.city.app.url_map.iter_rules(), key=lambda rule: (rule.rule, str(rule.endpoint)))

    def guard(self, rule: Rule) -> Guard | None:
        return guard_of(self.world.city.app, rule.endpoint)

    def may(self, who: str, rule: Rule) -> bool:
        """Whether this one may ask at all."""
        guard = self.guard(rule)
        return guard is None or guard.permission is None or guard.permission in self.permissions[who]

    def asks(self, rule: Rule, member: Member) -> Iterator[Ask]:
        """What one route is asked about one person, in every form that it takes."""
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            for about, known in self._named(rule, member):
                path = _PARAMETER.sub(partial(self._fill_found, rule, member, known), rule.rule)
                for query in self._queries(rule, member) if method == "GET" else ("",):
                    yield Ask(rule, method, path + query, about, *self._body(rule, method, member))

    def _fill_found(self, rule: Rule, member: Member, known: dict[str, str], found: re.Match[str]) -> str:
        return self.fill(rule, found[2], member, known)

    def _named(self, rule: Rule, member: Member) -> Iterator[tuple[str, dict[str, str]]]:
        """Each thing of the person that the route can be asked for."""
        reports = {name[-1]: ids[0] for name, ids in member.ids.items() if name.startswith("report_")}
        if "report_id" in rule.arguments:
            yield from ((about, {"report_id": id_}) for about, id_ in reports.items())
        elif "object_id" in rule.arguments:
            yield from ((about, {"object_id": id_}) for about, id_ in reports.items())
            yield "D", {"object_id": member.ids["study_id"][0]}
        elif "resource_id" in rule.arguments:
            resource_type = rule.rule.split("/")[2]
            found = {"R": reports["R"], "S": reports["S"], "H": reports["H"]} if _has_reports(resource_type) else {}
            suffix = ".1" if resource_type == "Observation" else ""
            yield from ((about, {"resource_id": id_ + suffix}) for about, id_ in found.items())
            if not found:
                known = member.ids.get(resource_type) or [str(member.patient.person_id)]
                yield "", {"resource_id": known[0]}
        elif "entry_id" in rule.arguments:
            yield "C", {"entry_id": member.ids["Condition"][0]}
            yield "E", {"entry_id": member.ids["DocumentReference"][0]}
        else:
            yield "", {}

    def fill(self, rule: Rule, name: str, member: Member, known: dict[str, str]) -> str:
        """The value of one parameter of an address.

        :raises UnknownParameter: nobody has said what it names.
        """
        choices: dict[str, str] = {found[1]: found[0] for found in _CHOICES.findall(rule.rule)}
        world, patient = self.world, member.patient
        own = {
            "person_id": str(patient.person_id),
            "card_id": str(patient.card_id),
            "visit_id": str(member.visit_id or self.of_all["visits"][0]),
            "hospital_id": str(world.hospitals[TREATING].id),
            "hospital_code": world.hospitals[HOME].code,
            "code": "LAB-GLU",
            "number": "1" if "<int:number>" in rule.rule else f"MZ{member.number:04d}",
            **{
                name: ids[0]
                for name, ids in member.ids.items()
                if name.startswith(("study", "series", "instance", "export"))
            },
        }
        if name in choices:
            return choices[name].split(",")[0].strip(" '")
        found = known.get(name) or own.get(name) or _WORDS.get(name)
        return found or self._id_of(name, member, rule)

    def _id_of(self, name: str, member: Member, rule: Rule) -> str:
        stem = name.removesuffix("_id")
        address = next((each for each in _BY_ADDRESS if each in rule.rule and stem != "alarm"), "")
        table = _BY_ADDRESS.get(address) or _MORE_TABLES.get(stem) or TABLE_OF.get(stem, f"{stem}s")
        if table not in self.of_all:
            raise UnknownParameter(f"{rule.rule}: {name}")
        mine = self.of_person.get(table, {}).get(member.patient.person_id)
        # Of what there is none it is asked for something that there is, if only of another kind.
        return (mine or self.of_all[table] or [str(member.patient.person_id)])[0]

    def _queries(self, rule: Rule, member: Member) -> list[str]:
        endpoint, ids = str(rule.endpoint), member.ids
        person_id = member.patient.person_id
        if endpoint.startswith("fhir.search_"):
            return [f"?patient={person_id}&_count=50"]
        if endpoint == "chart_pages.show_chart":
            opened = [ids["report_R"][0], ids["report_H"][0], ids["study_id"][0], ids["Condition"][0]]
            return ["", "?trend=LAB-GLU", *(f"?open={one}" for one in opened)]
        if endpoint.startswith("dicomweb.search_"):
            asked = "includefield=all"
            return [f"?{asked}" if "study" in rule.arguments else f"?StudyInstanceUID={ids['study'][0]}&{asked}"]
        if endpoint in {"timeline.read_own", "life.read_life", "timeline.list_choices", "access_log.list_lines"}:
            return [f"?person_id={person_id}"]
        return [f"?use={use}" for use in ("own", "shared")] if endpoint.startswith("viewing.copy") else [""]

    def _body(self, rule: Rule, method: str, member: Member) -> tuple[Any, Any, str]:
        """JSON, form and media type."""
        endpoint = str(rule.endpoint)
        if method == "GET":
            return None, None, ""
        if endpoint.startswith("fhir.post_search"):
            return None, {"patient": str(member.patient.person_id)}, ""
        if endpoint == "fhir.submit_bundle":
            return self._read_in_batch(member), None, "application/fhir+json"
        if endpoint.startswith("fhir."):
            return condition(named(member.patient.card_number)), None, "application/fhir+json"
        if isinstance(self.world.city.app.blueprints.get(endpoint.partition(".")[0]), Pages):
            return None, self.words(member), ""
        # ``<uuid:visit_id>`` of a rule is ``{visit_id}`` in the document.
        operation = self.operations.get((_PARAMETER.sub(r"{\2}", rule.rule), method), {})
        content = operation.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        return (self._make(schema, member, "") if schema else {}), None, "application/json"

    def _read_in_batch(self, member: Member) -> dict[str, Any]:
        person_id = member.patient.person_id
        urls = [f"{kind}?patient={person_id}" for kind in ("DiagnosticReport", "Condition", "Observation")]
        urls += [f"Patient/{person_id}", f"Patient/{person_id}/$everything"]
        entries = [{"request": {"method": "GET", "url": url}} for url in urls]
        return {"resourceType": "Bundle", "type": "batch", "entry": entries}

    def words(self, member: Member) -> dict[str, Any]:
        """What people type about somebody."""
        patient = member.patient
        return {
            "certificate_type": "01",
            "certificate_number": patient.certificate_number,
            "number": patient.card_number,
            "card_number": patient.card_number,
            "patient_number": f"MZ{member.number:04d}",
            "person_id": str(patient.person_id),
            "card_id": str(patient.card_id),
            "code": patient.card_number,
            "terminal": self.world.hospitals[TREATING].terminal,
            "department": "0300",
            "medical_step": "010101",
            "is_document_seen": True,
            "reason": "emergency",
            "why": "other",
        }

    def _make(self, schema: dict[str, Any], member: Member, name: str) -> Any:
        """Something that a schema takes, about this person where the name says what is meant."""
        while "$ref" in schema or any(among in schema for among in ("anyOf", "oneOf", "allOf")):
            among = next((one for one in ("anyOf", "oneOf", "allOf") if one in schema), None)
            schema = schema[among][0] if among else self.schemas[schema["$ref"].rpartition("/")[2]]
        words, kind, fields = self.words(member), schema.get("type", "string"), schema.get("properties", {})
        made: Any = self._text(schema, member, name)
        if "const" in schema or "enum" in schema:
            made = schema.get("const", schema.get("enum", [None])[0])
        elif name in words and kind in {"string", "boolean"}:
            made = words[name]
        elif kind == "object":
            wanted = (set(schema.get("required", ())) | set(words)) & set(fields)
            made = {each: self._make(fields[each], member, each) for each in sorted(wanted)}
        elif kind == "array":
            made = [self._make(schema["items"], member, name.removesuffix("s"))]
        elif kind in {"integer", "number", "boolean"}:
            made = kind == "boolean" or schema.get("minimum", 1)
        return made

    def _text(self, schema: dict[str, Any], member: Member, name: str) -> str:
        if schema.get("format") == "uuid":
            known = name.endswith("_id") and f"{name.removesuffix('_id')}s" in self.of_all
            return self.fill(Rule("/"), name, member, {}) if known else str(member.patient.person_id)
        now = clock.in_city(clock.now())
        if schema.get("format") in {"date", "date-time"}:
            return now.date().isoformat() if schema["format"] == "date" else now.isoformat()
        shortest: int = schema.get("minLength", 0)
        return "1" * max(6, shortest)

    def send(self, who: str, ask: Ask, request_id: str) -> TestResponse:
        """With the proof that this one has: a page's cookie and its form token, or a bearer token."""
        client, headers = self.world.city.app.test_client(), {"X-Request-Id": request_id}
        token, form = self.world.tokens.get(who, ""), ask.form
        is_page = isinstance(self.world.city.app.blueprints.get(ask.endpoint.partition(".")[0]), Pages)
        if is_page and who in self.world.staff and token:
            client.set_cookie(identify.COOKIE, token)
            form = form and form | {"csrf_token": identify.csrf_token_of(token)}
        elif token:
            headers |= bearer(token)
        data = form if form is not None else None if ask.body is None else json.dumps(ask.body, ensure_ascii=False)
        kind: dict[str, Any] = {"content_type": ask.content_type} if ask.content_type else {}
        return client.open(ask.path, method=ask.method, data=data, headers=headers, **kind)


def _has_reports(resource_type: str) -> bool:
    return resource_type in {"DiagnosticReport", "Observation"}
