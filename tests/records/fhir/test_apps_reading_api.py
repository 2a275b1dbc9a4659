"""What an app reads by FHIR: what the patient agreed to, of the one person, and nothing beside it."""

import json
from typing import Any
from uuid import UUID

import pytest

from accounts.roles import SCOPE_PERMISSIONS
from consent import service as consent
from consent.models import Sensitivity
from core import clock, db
from health_card.models import Holder, Relation
from records.fhir import systems
from tests.support.apps import AppSide
from tests.support.city import City, Patient, bearer
from tests.support.entries import call, every_kind, get, matches, named
from tests.support.fhir import bundle, card, observation, refusal_of, report, report_id_of, send

OTHERS = ("Condition", "Encounter", "Observation")


class Scene:
    """Two patients of one hospital with something of everything each, and an app that the first one uses."""

    def __init__(self, city: City) -> None:
        self.city, self.hospital = city, city.hospital("市中心测试医院")
        self.machine, staff = city.machine(self.hospital), city.staff(self.hospital)
        self.patient, self.other = city.patient(), city.patient("李测试")
        for one in (self.patient, self.other):
            city.visit(staff, one, self.hospital)
        self.mine, self.theirs = self._fill(self.patient), self._fill(self.other)
        self.scan_id = self._report(self.patient, "影像", category="RAD")
        self.app = AppSide(city)

    def _fill(self, patient: Patient) -> dict[str, str]:
        body = bundle(report(card(patient.card_number)), observation(), observation("718-7", "血红蛋白"))
        body["entry"] += [
            {"resource": one, "request": {"method": "POST", "url": one["resourceType"]}}
            for one in every_kind(named(patient.card_number))
        ]
        reply = send(self.city, self.machine, body)
        found = dict(one["response"]["location"].split("/")[:2] for one in json.loads(reply.text)["entry"][3:])
        return found | {"DiagnosticReport": report_id_of(reply), "Observation": f"{report_id_of(reply)}.1"}

    def _report(self, patient: Patient, name: str, *, category: str) -> str:
        coded = [{"coding": [{"system": systems.DIAGNOSTIC_SERVICE, "code": category}]}]
        sent = bundle(report(card(patient.card_number), category=coded), observation(name=name))
        return report_id_of(send(self.city, self.machine, sent))

    def token(self, scope: str, **agreed: Any) -> str:
        return str(self.app.tokens(self.patient, scope, **agreed)["access_token"])

    def count(self, token: str, query: str) -> int:
        return len(matches(get(self.city, token, query)))

    def status(self, token: str, path: str) -> int:
        return call(self.city, token, "GET", path).status_code


@pytest.fixture(scope="module")
def built(module_city: City) -> Scene:
    return Scene(module_city)


@pytest.fixture
def scene(app: object, built: Scene) -> Scene:
    """The scene of the module, inside the transaction of a test."""
    return built


def test_an_app_reads_one_person_and_nobody_else(scene: Scene) -> None:
    """Not even another one for whom the same login acts."""
    now = clock.now()
    with db.transaction() as session:
        session.add(
            Holder(
                login_id=scene.patient.actor.id,
                person_id=scene.other.person_id,
                relation=Relation.WARD,
                created_at=now,
                confirmed_at=now,
            )
        )
    assert scene.status(scene.patient.token, f"Patient/{scene.other.person_id}") == 200
    city, token = scene.city, scene.token("launch/patient patient/*.rs")
    person, other = scene.patient.person_id, scene.other.person_id
    for kind in OTHERS:
        found = matches(get(city, token, kind))
        assert found, kind
        assert {(one.get("subject") or one.get("patient"))["reference"] for one in found} == {f"Patient/{person}"}
        assert matches(get(city, token, f"{kind}?patient={other}")) == []
        if kind in scene.theirs:
            theirs = f"{kind}/{scene.theirs[kind]}"
            for path in (theirs, f"{theirs}/_history"):
                assert refusal_of(call(city, token, "GET", path)) == (404, "records.fhir_resource_not_found"), path
            assert matches(get(city, token, f"{kind}?_id={scene.theirs[kind]}")) == []
            assert scene.status(token, f"{kind}/{scene.mine[kind]}") == 200
    for path in ("", "/$everything", "/$summary"):
        assert scene.status(token, f"Patient/{other}{path}") == 404
    assert scene.status(token, f"Patient/{person}") == 200
    for query in (f"_id={other}", f"identifier={systems.CARD}|{scene.other.card_number}"):
        assert scene.count(token, f"Patient?{query}") == 0
    assert scene.count(token, f"Provenance?target=Condition/{scene.theirs['Condition']}") == 0


def test_an_app_is_shown_no_number_of_the_person(scene: Scene) -> None:
    told = get(scene.city, scene.token("patient/Patient.r"), f"Patient/{scene.patient.person_id}")
    assert (told["name"], told["telecom"][0]["value"]) == ([{"text": scene.patient.name}], "138****0001")
    assert "identifier" not in told
    assert "address" not in told
    text = json.dumps(told)
    assert not [number for number in (scene.patient.certificate_number, scene.patient.card_number) if number in text]


# Scope, and what it opens: read, search.
VERBS = [
    ("patient/Condition.r", True, False),
    ("patient/Condition.s", False, True),
    ("patient/Condition.read", True, True),
    ("patient/Immunization.rs", False, False),
]


@pytest.mark.parametrize(("scope", "may_read", "may_search"), VERBS)
def test_a_scope_opens_its_type_and_its_verbs(scene: Scene, scope: str, may_read: bool, may_search: bool) -> None:
    token, one = scene.token(scope), f"Condition/{scene.mine['Condition']}"
    read, search = (200 if may_read else 403), (200 if may_search else 403)
    assert [scene.status(token, path) for path in (one, f"{one}/_history", f"{one}/_history/1")] == [read] * 3
    assert scene.status(token, "Condition") == search
    assert call(scene.city, token, "POST", "Condition/_search").status_code == search
    assert scene.status(token, "Observation") == 403
    assert scene.status(token, f"Patient/{scene.patient.person_id}/$everything") == 403


def test_everything_and_included_are_what_the_scopes_cover(scene: Scene) -> None:
    token = scene.token("patient/Patient.r patient/DiagnosticReport.rs patient/Condition.r")
    person = scene.patient.person_id
    everything = matches(get(scene.city, token, f"Patient/{person}/$everything?_count=100"))
    assert {one["resourceType"] for one in everything} == {"Patient", "DiagnosticReport"}
    includes = "&".join(f"_include=DiagnosticReport:{one}" for one in ("result", "patient", "encounter", "performer"))
    found = get(scene.city, token, f"DiagnosticReport?{includes}")
    assert {one["resourceType"] for one in matches(found, "include")} == {"Patient"}
    summary = get(scene.city, token, f"Patient/{person}/$summary")
    sections = {one["code"]["coding"][0]["code"]: one for one in summary["entry"][0]["resource"]["section"]}
    assert [code for code, one in sections.items() if "emptyReason" not in one] == ["30954-2"]
    assert {one["reference"].split("/")[0] for one in sections["30954-2"]["entry"]} == {"DiagnosticReport"}


def test_a_category_confines_reading_searching_including_and_all_else(scene: Scene) -> None:
    category = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
    token = scene.token(f"patient/Observation.rs?category={category} patient/DiagnosticReport.rs patient/Patient.r")
    own, scan = scene.mine["Observation"], f"{scene.scan_id}.1"
    found = [one["id"] for one in matches(get(scene.city, token, "Observation?_count=100"))]
    assert own in found
    assert scan not in found
    assert (scene.status(token, f"Observation/{own}"), scene.status(token, f"Observation/{scan}")) == (200, 404)
    assert scene.status(token, f"Observation/{scan}/_history/1") == 404
    assert scene.count(token, "Observation?category=imaging") == 0
    included = matches(get(scene.city, token, "DiagnosticReport?_include=DiagnosticReport:result"), "include")
    everything = matches(get(scene.city, token, f"Patient/{scene.patient.person_id}/$everything?_count=100"))
    for shown in (included, everything):
        ids = {one["id"] for one in shown}
        assert (own in ids, scan in ids) == (True, False)
    # Two categories are both open, and one type whole is whole.
    both = scene.token("patient/Observation.rs?category=laboratory patient/Observation.s")
    assert scan in [one["id"] for one in matches(get(scene.city, both, "Observation?_count=100"))]
    assert scene.status(both, f"Observation/{scan}") == 404


def test_sensitive_items_are_seen_only_when_the_patient_says_so_and_held_ones_never(scene: Scene) -> None:
    secret, held = (scene._report(scene.patient, name, category="LAB") for name in ("敏感", "待发布"))
    with db.transaction() as session:
        for report_id, sensitivity, is_held in ((secret, Sensitivity.HIV, False), (held, None, True)):
            consent.restrict_item(
                session,
                person_id=scene.patient.person_id,
                hospital_id=scene.hospital.id,
                of=("report", UUID(report_id)),
                sensitivity=sensitivity,
                is_held=is_held,
            )
    assert scene.status(scene.patient.token, f"DiagnosticReport/{secret}") == 200
    for agreed, status in (({}, 404), ({"shows_sensitive": True}, 200)):
        token = scene.token("patient/*.rs", **agreed)
        assert scene.status(token, f"DiagnosticReport/{secret}") == status
        assert scene.status(token, f"Observation/{secret}.1") == status
        assert scene.count(token, f"DiagnosticReport?_id={secret}") == (status == 200)
        assert scene.status(token, f"DiagnosticReport/{held}") == 404
        assert scene.count(token, f"DiagnosticReport?_id={held}") == 0


def test_every_read_of_an_app_stands_in_the_log_under_its_name(scene: Scene) -> None:
    token = scene.token("patient/*.rs")
    get(scene.city, token, f"Condition/{scene.mine['Condition']}")
    get(scene.city, token, "Procedure?code=nothing&patient=" + str(scene.patient.person_id))
    get(scene.city, token, f"Patient/{scene.patient.person_id}")
    rows = scene.city.client.get("/api/v1/access-log", headers=bearer(scene.patient.token)).json["rows"]
    (access,) = scene.city.client.get("/api/v1/apps", headers=bearer(scene.patient.token)).json["apps"]
    told = [(row["action"], row["who_kind"], row["who"], row["purpose"], row["grant_id"]) for row in rows[:3]]
    assert told == [
        (action, "app", "测试健康助手", "app", access["id"])
        for action in ("records.person.read", "records.resource.listed", "records.entry.read")
    ]
    assert all(not row["is_me"] for row in rows[:3])
    audited = matches(get(scene.city, scene.patient.token, "AuditEvent"))[0]
    assert (audited["agent"][0]["altId"], audited["agent"][0]["who"]["display"]) == ("app", "测试健康助手")
    assert audited["entity"][-1] == {"what": {"identifier": {"value": access["id"]}}, "name": "app_authorization"}


def test_discovery_says_what_there_is(scene: Scene) -> None:
    told = scene.city.client.get("/fhir/.well-known/smart-configuration").json
    base_url = scene.city.config.base_url
    assert told["authorization_endpoint"] == f"{base_url}/oauth/authorize"
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert not {"launch-ehr", "client-confidential-symmetric"} & set(told["capabilities"])
    assert {"launch-standalone", "context-standalone-patient", "permission-v2", "sso-openid-connect"} <= set(
        told["capabilities"]
    )
    offered = [scope for scope in told["scopes_supported"] if scope.startswith("patient/")]
    wide = AppSide(scene.city, scopes=offered)
    wide.open(scene.city.client, " ".join([*offered, "launch/patient"]))
    of_systems = {scope for scope in SCOPE_PERMISSIONS if scope.startswith("system/")}
    assert (
        set(told["scopes_supported"])
        == {"launch/patient", "offline_access", "openid", "fhirUser", *offered} | of_systems
    )
    metadata = scene.city.client.get("/.well-known/oauth-authorization-server").json
    assert {name: metadata[name] for name in told if name not in {"capabilities", "scopes_supported"}} == {
        name: value for name, value in told.items() if name not in {"capabilities", "scopes_supported"}
    }
    statement = get(scene.city, scene.patient.token, "metadata")
    (extension,) = statement["rest"][0]["security"]["extension"]
    told_uris = {one["url"]: one["valueUri"] for one in extension["extension"]}
    assert told_uris == {
        "authorize": told["authorization_endpoint"],
        "token": told["token_endpoint"],
        "introspect": told["introspection_endpoint"],
        "revoke": told["revocation_endpoint"],
    }
