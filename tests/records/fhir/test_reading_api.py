"""Reading and searching by FHIR: a patient, a hospital under a grant, and everybody else."""

import json
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from urllib.parse import urlsplit

import pytest
from fhir.resources.R4B import get_fhir_model_class

from consent import service as consent
from core import clock, db
from health_card.models import Holder
from records.fhir import systems
from tests.support.city import City, bearer
from tests.support.entries import call, condition, every_kind, get, matches, named
from tests.support.fhir import bundle, card, observation, refusal_of, report, report_id_of, send

KINDS = (
    "AllergyIntolerance AuditEvent Condition Consent DiagnosticReport DocumentReference Encounter Immunization "
    "MedicationRequest Observation Organization Patient Practitioner Procedure Provenance ServiceRequest Specimen"
)


class Scene:
    """One patient with something of everything at a hospital that treats him now."""

    def __init__(self, city: City) -> None:
        self.city, self.hospital, self.patient = city, city.hospital("市中心测试医院"), city.patient()
        self.machine = city.machine(self.hospital)
        doctor = city.staff(self.hospital)
        self.doctor_id = doctor.id
        self.visit_id = city.visit(doctor, self.patient, self.hospital, patient_number="MZ1")
        body = bundle(report(card(self.patient.card_number)), observation(), observation("718-7", "血红蛋白"))
        body["entry"] += [
            {"resource": one, "request": {"method": "POST", "url": one["resourceType"]}}
            for one in every_kind(named(self.patient.card_number))
        ]
        reply = send(city, self.machine, body)
        self.report_id = report_id_of(reply)
        self.entries = dict(one["response"]["location"].split("/")[:2] for one in json.loads(reply.text)["entry"][3:])


@pytest.fixture(scope="module")
def scene_of_module(module_city: City) -> Scene:
    return Scene(module_city)


@pytest.fixture
def scene(scene_of_module: Scene, city: City) -> Scene:
    return scene_of_module


def validate(resource: dict[str, Any]) -> None:
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)


def test_whoever_may_finds_everything_and_it_is_valid_fhir(scene: Scene) -> None:
    for reader, kind in product(("patient", "machine"), KINDS.split()):
        token = getattr(scene, reader).token
        asked = f"?target=Condition/{scene.entries['Condition']}" if kind == "Provenance" else ""
        asked = f"?_id={scene.hospital.id}" if kind == "Organization" else asked
        asked = f"?_id={scene.doctor_id}" if kind == "Practitioner" else asked
        found = get(scene.city, token, kind + asked)
        if reader == "machine" and kind == "AuditEvent":
            assert matches(found) == []
            continue
        assert matches(found), kind
        validate(found)
        newest = matches(found)[0]
        assert get(scene.city, token, f"{kind}/{newest['id']}") == newest


def test_a_hospital_reads_the_grants_by_which_it_sees_and_no_other(scene: Scene) -> None:
    city, asked = scene.city, f"Consent?patient={scene.patient.person_id}"
    (grant,) = matches(get(city, scene.machine.token, asked))
    assert (grant["status"], grant["provision"]["actor"][0]["reference"]["display"]) == ("active", "市中心测试医院")
    stranger = city.machine(city.hospital())
    assert matches(get(city, stranger.token, "Consent")) == []
    assert refusal_of(call(city, stranger.token, "GET", f"Consent/{grant['id']}"))[0] == 404
    revoked = city.client.post(f"/api/v1/grants/{grant['id']}/revoke", headers=bearer(scene.patient.token))
    assert revoked.status_code == 200, revoked.text
    assert matches(get(city, scene.machine.token, asked)) == []
    assert [one["status"] for one in matches(get(city, scene.patient.token, asked))] == ["inactive"]


def test_practitioners_are_of_a_house_and_known_by_who_they_looked_at(scene: Scene) -> None:
    city, (doctor,) = scene.city, matches(get(scene.city, scene.machine.token, f"Practitioner?_id={scene.doctor_id}"))
    assert doctor["qualification"][0]["issuer"]["display"] == "市中心测试医院"
    assert [one["id"] for one in matches(get(city, scene.machine.token, "Practitioner"))] == [str(scene.doctor_id)]
    stranger = city.machine(city.hospital())
    assert matches(get(city, stranger.token, f"Practitioner?_id={scene.doctor_id}")) == []
    assert refusal_of(call(city, stranger.token, "GET", f"Practitioner/{scene.doctor_id}"))[0] == 404
    assert refusal_of(call(city, scene.patient.token, "GET", "Practitioner"))[1] == "records.fhir_search_unsupported"
    looked = [row["agent"][0]["who"].get("reference") for row in matches(get(city, scene.patient.token, "AuditEvent"))]
    assert f"Practitioner/{scene.doctor_id}" in looked
    assert get(city, scene.patient.token, f"Practitioner/{scene.doctor_id}") == doctor


def test_any_row_of_the_access_log_is_read_by_its_owner(scene: Scene) -> None:
    city, whose = scene.city, f"AuditEvent?patient={scene.patient.person_id}"
    for _ in range(55):
        get(city, scene.machine.token, f"Condition?patient={scene.patient.person_id}")
    first = get(city, scene.patient.token, f"{whose}&_count=200")
    following = next(link["url"] for link in first["link"] if link["relation"] == "next").partition("/fhir/")[2]
    oldest = matches(get(city, scene.patient.token, following))[-1]
    assert get(city, scene.patient.token, f"AuditEvent/{oldest['id']}") == oldest
    for token in (city.patient().token, scene.machine.token):
        assert refusal_of(call(city, token, "GET", f"AuditEvent/{oldest['id']}"))[0] == 404
    two = call(city, scene.patient.token, "GET", f"{whose},Patient/1")
    assert refusal_of(two) == (400, "records.fhir_search_unsupported")
    assert matches(get(city, scene.patient.token, "AuditEvent?patient=Patient/1")) == []


def test_a_visit_that_the_platform_saw_has_one_version(scene: Scene) -> None:
    token, address = scene.patient.token, f"Encounter/{scene.visit_id}"
    history = get(scene.city, token, f"{address}/_history")
    assert [one["resource"] for one in history["entry"]] == [get(scene.city, token, f"{address}/_history/1")]
    assert refusal_of(call(scene.city, token, "GET", f"{address}/_history/2"))[0] == 404


def test_nobody_else_finds_anything(scene: Scene) -> None:
    city = scene.city
    strangers = [city.patient().token, city.machine(city.hospital()).token]
    ours = {"Patient": scene.patient.person_id, "DiagnosticReport": scene.report_id, "Encounter": scene.visit_id}
    ours |= {"Observation": f"{scene.report_id}.1", "Provenance": f"{scene.report_id}.1"} | scene.entries
    for token in strangers:
        for kind, resource_id in ours.items():
            reply = call(city, token, "GET", f"{kind}/{resource_id}")
            assert refusal_of(reply) == (404, "records.fhir_resource_not_found"), kind
        for kind in ("Patient", "DiagnosticReport", "Observation", "Encounter", "Condition"):
            assert matches(get(city, token, f"{kind}?_id={ours[kind]}")) == []
            if kind != "Patient":
                assert matches(get(city, token, f"{kind}?patient={scene.patient.person_id}")) == []
                assert refusal_of(call(city, token, "GET", f"{kind}/{ours[kind]}/_history"))[0] == 404
        assert matches(get(city, token, f"Provenance?target=Condition/{ours['Condition']}")) == []
        everything = call(city, token, "GET", f"Patient/{scene.patient.person_id}/$everything")
        summary = call(city, token, "GET", f"Patient/{scene.patient.person_id}/$summary")
        assert (everything.status_code, summary.status_code) == (404, 404)


def test_a_revoke_holds_from_the_next_request_on(scene: Scene) -> None:
    path = f"Condition/{scene.entries['Condition']}"
    get(scene.city, scene.machine.token, path)
    with db.transaction() as session:
        (grant,) = consent.list_grants(session, scene.patient.actor)
        consent.revoke_grant(session, scene.patient.actor, grant_id=grant.id)
    assert call(scene.city, scene.machine.token, "GET", path).status_code == 404
    assert matches(get(scene.city, scene.machine.token, "Condition")) == []


def test_every_read_stands_in_the_access_log(scene: Scene) -> None:
    person = scene.patient.person_id
    get(scene.city, scene.machine.token, f"Condition/{scene.entries['Condition']}")
    get(scene.city, scene.machine.token, f"Procedure?patient=Patient/{person}&code=nothing")
    rows = scene.city.client.get("/api/v1/access-log", headers=bearer(scene.patient.token)).json["rows"]
    newest = [(row["action"], row["hospital_name"], row["purpose"]) for row in rows[:2]]
    assert newest == [
        ("records.resource.listed", "市中心测试医院", "treatment"),
        ("records.entry.read", "市中心测试医院", "treatment"),
    ]


def test_a_hospital_sees_numbers_masked_and_its_own_number(scene: Scene) -> None:
    mine = get(scene.city, scene.patient.token, f"Patient/{scene.patient.person_id}")
    systems_of = {one["system"] for one in mine["identifier"]}
    assert systems_of == {systems.CARD, f"{systems.CERTIFICATE}01"}
    assert mine["telecom"][0]["value"] == scene.patient.phone
    theirs = get(scene.city, scene.machine.token, f"Patient/{scene.patient.person_id}")
    assert [(one["system"], one["value"]) for one in theirs["identifier"]] == [(systems.PATIENT_NUMBER, "MZ1")]
    assert theirs["telecom"][0]["value"] == "138****0001"
    (found,) = matches(get(scene.city, scene.machine.token, f"Patient?identifier={systems.PATIENT_NUMBER}|MZ1"))
    assert found == theirs
    posted = call(
        scene.city,
        scene.machine.token,
        "POST",
        "Patient/_search",
        f"identifier={systems.CARD}|{scene.patient.card_number}",
        **{"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert matches(json.loads(posted.text)) == [theirs]


FOUND = [
    ("Observation?code=http://loinc.org|2345-7", 1),
    ("Observation?code=2345-7,718-7", 2),
    ("Observation?code=urn:other|2345-7", 0),
    ("Observation?category=laboratory&status=final", 2),
    ("Observation?date=2026-03-20", 2),
    ("Observation?date=ge2026-03-20T08:30&date=lt2026-03-20T08:31", 2),
    ("Observation?date=gt2026-03-20", 0),
    ("Observation?date=lt2026", 0),
    ("Observation?date=le2026-03", 2),
    ("Observation?date=ne2026-03-20", 0),
    ("DiagnosticReport?category=LAB&_lastUpdated=gt2026-01-01", 1),
    ("DiagnosticReport?category=RAD", 0),
    ("DiagnosticReport?identifier=urn:example:lis|none", 0),
    ("Condition?category=problem-list-item&clinical-status=active", 1),
    ("Condition?category=encounter-diagnosis", 0),
    ("AllergyIntolerance?category=medication", 1),
    ("AllergyIntolerance?category=food", 0),
    ("Condition?onset-date=2019", 1),
    ("Encounter?class=AMB", 1),
    ("Encounter?class=IMP&status=finished", 1),
    ("Encounter?identifier=urn:yimatong:id:visit|", 0),
    ("Observation?_id=no-id,,x.1", 0),
    ("Consent?status=active", 1),
]


def test_searches_find_what_they_ask_for(scene: Scene) -> None:
    counts = [(query, len(matches(get(scene.city, scene.patient.token, query)))) for query, _ in FOUND]
    assert counts == FOUND


REFUSED = [
    "Observation?bogus=1",
    "Observation?code:text=x",
    "Observation?date=yesterday",
    "Observation?date=2026-13",
    "Observation?_count=0",
    "Observation?_sort=code",
    "Observation?_include=Observation:device",
    "Observation?_cursor=x",
    "Observation?_cursor=WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwgIngiLCAwXQ",
    "Observation?code=%00",
    "Provenance",
    "Patient?identifier=1",
    "AuditEvent?_lastUpdated=2026",
]


def test_what_is_not_understood_is_refused_and_not_passed_over(city: City) -> None:
    token, refused = city.patient().token, (400, "records.fhir_search_unsupported")
    answers = [(query, refusal_of(call(city, token, "GET", query))) for query in REFUSED]
    assert answers == [(query, refused) for query in REFUSED]
    # Unless the client says that it does not mind.
    assert get(city, token, "Observation?bogus=1", Prefer="handling=lenient")["type"] == "searchset"


def test_a_report_brings_its_results_patient_visit_and_hospital(scene: Scene) -> None:
    includes = "".join(f"&_include=DiagnosticReport:{one}" for one in ("result", "subject", "encounter", "performer"))
    found = get(scene.city, scene.patient.token, f"DiagnosticReport?_id={scene.report_id}{includes}")
    (shown,) = matches(found)
    included = [f"{one['resourceType']}/{one['id']}" for one in matches(found, "include")]
    results = [one["reference"] for one in shown["result"]]
    assert results == [f"Observation/{scene.report_id}.1", f"Observation/{scene.report_id}.2"]
    assert sorted(included) == sorted(
        [f"Patient/{scene.patient.person_id}", *results, f"Organization/{scene.hospital.id}"]
    )


def follow(city: City, token: str, path: str) -> list[list[dict[str, Any]]]:
    pages = []
    while path:
        found = get(city, token, path)
        pages.append(matches(found))
        (link,) = [one["url"] for one in found["link"] if one["relation"] == "next"] or [""]
        parts = urlsplit(link)
        path = f"{parts.path.removeprefix('/fhir/')}?{parts.query}" if link else ""
    return pages


def test_pages_give_everything_once_in_order(scene: Scene) -> None:
    city, machine, patient = scene.city, scene.machine, scene.patient
    for day in (3, 3, 1, 2):
        send(
            city, machine, bundle(report(card(patient.card_number), effectiveDateTime=f"2026-02-0{day}"), observation())
        )
    for sort in ("-date", "date", "-_lastUpdated", "_lastUpdated"):
        pages = follow(city, patient.token, f"Observation?_count=2&_sort={sort}")
        assert [len(page) for page in pages] == [2, 2, 2]
        shown = [one for page in pages for one in page]
        assert len({one["id"] for one in shown}) == 6
        moments = [
            datetime.fromisoformat(one["meta"]["lastUpdated"] if "_" in sort else one["effectiveDateTime"])
            for one in shown
        ]
        assert moments == sorted(moments, reverse=sort.startswith("-"))
    # Both sources of a type in one order, and nothing twice.
    assert [len(page) for page in follow(city, patient.token, "Encounter?_count=1")] == [1, 1]
    # What comes in between does not shift the next page.
    first = get(city, patient.token, "Observation?_count=1")
    later = (datetime.fromisoformat("2026-03-21T00:00:00+08:00") + timedelta(days=1)).isoformat()
    send(city, scene.machine, bundle(report(card(patient.card_number), effectiveDateTime=later), observation()))
    parts = urlsplit(next(one["url"] for one in first["link"] if one["relation"] == "next"))
    (second,) = matches(get(city, patient.token, f"Observation?{parts.query}"))
    assert (matches(first)[0]["id"], second["id"]) == (f"{scene.report_id}.1", f"{scene.report_id}.2")


def test_versions_of_a_report_and_where_they_came_from(scene: Scene) -> None:
    city, patient = scene.city, scene.patient
    sent = report(card(patient.card_number))
    report_id = report_id_of(send(city, scene.machine, bundle(sent, observation())))
    corrected = sent | {"status": "corrected", "issued": "2026-03-20T12:00:00+08:00"}
    send(city, scene.machine, bundle(corrected, observation(valueQuantity={"value": 5.2, "unit": "mmol/L"})))
    history = get(city, patient.token, f"Observation/{report_id}.1/_history")
    validate(history)
    values = [one["resource"]["valueQuantity"]["value"] for one in history["entry"]]
    assert values == [5.2, 7.2]
    assert get(city, patient.token, f"DiagnosticReport/{report_id}/_history/1")["status"] == "final"
    origins = matches(get(city, patient.token, f"Provenance?target=DiagnosticReport/{report_id}"))
    targets = [one["target"][0]["reference"].rpartition("/")[2] for one in origins]
    assert targets == ["2", "1"]
    assert len({one["entity"][0]["what"]["identifier"]["value"] for one in origins}) == 2


def test_everything_is_paged_and_begins_with_the_person(scene: Scene) -> None:
    pages = follow(scene.city, scene.patient.token, f"Patient/{scene.patient.person_id}/$everything?_count=5")
    shown = [f"{one['resourceType']}/{one['id']}" for page in pages for one in page]
    assert shown[0] == f"Patient/{scene.patient.person_id}"
    assert len(shown) == len(set(shown)) == 1 + 1 + 2 + 9 + 1
    assert {f"{kind}/{found}" for kind, found in scene.entries.items()} < set(shown)


def test_the_summary_is_a_document_that_says_what_is_not_known(scene: Scene) -> None:
    document = get(scene.city, scene.machine.token, f"Patient/{scene.patient.person_id}/$summary")
    validate(document)
    composition = document["entry"][0]["resource"]
    sections = {one["code"]["coding"][0]["code"]: one for one in composition["section"]}
    kinds = {code: one["entry"][0]["reference"].partition("/")[0] for code, one in sections.items()}
    assert kinds == {
        "11450-4": "Condition",
        "48765-2": "AllergyIntolerance",
        "10160-0": "MedicationRequest",
        "11369-6": "Immunization",
        "30954-2": "Observation",
        "47519-4": "Procedure",
    }
    present = {one["fullUrl"].removeprefix(f"{scene.city.config.base_url}/fhir/") for one in document["entry"]}
    assert {reference["reference"] for one in sections.values() for reference in one["entry"]} < present
    newcomer = scene.city.patient(name="李<b>测试")
    empty = get(scene.city, newcomer.token, f"Patient/{newcomer.person_id}/$summary")
    validate(empty)
    reasons = [one["emptyReason"]["coding"][0]["code"] for one in empty["entry"][0]["resource"]["section"]]
    assert reasons == ["unavailable"] * 6


def test_scopes_are_checked_type_by_type(scene: Scene) -> None:
    scopes = ["system/Condition.read", "system/Patient.read", "system/Provenance.read"]
    narrow = scene.city.machine(scene.hospital, scopes=scopes)
    assert matches(get(scene.city, narrow.token, "Condition"))
    for path in ("Observation", f"Procedure/{scene.entries['Procedure']}", "Observation/_search"):
        method = "POST" if path.endswith("_search") else "GET"
        reply = call(scene.city, narrow.token, method, path)
        assert refusal_of(reply) == (403, "core.permission_missing")
    reports = scene.city.machine(scene.hospital, scopes=["system/DiagnosticReport.read"])
    asked = "DiagnosticReport?_include=DiagnosticReport:result&_include=DiagnosticReport:patient"
    found = get(scene.city, reports.token, asked)
    assert (len(matches(found)), matches(found, "include")) == (1, [])
    assert matches(get(scene.city, narrow.token, f"Provenance?target=DiagnosticReport/{scene.report_id}")) == []
    assert call(scene.city, narrow.token, "GET", f"Provenance/{scene.report_id}.1").status_code == 404
    everything = get(scene.city, narrow.token, f"Patient/{scene.patient.person_id}/$everything")
    assert {one["resourceType"] for one in matches(everything)} == {"Patient", "Condition"}
    summary = get(scene.city, narrow.token, f"Patient/{scene.patient.person_id}/$summary")
    reasons = ["emptyReason" in one for one in summary["entry"][0]["resource"]["section"]]
    assert reasons == [False, True, True, True, True, True]


def test_a_system_reads_how_to_sign_in(city: City) -> None:
    for path in ("/.well-known/smart-configuration", "/fhir/.well-known/smart-configuration"):
        described = city.client.get(path).json
        assert described["token_endpoint"] == f"{city.config.base_url}/oauth/token"
        assert {"system/*.read", "system/*.write", "system/Condition.read"} <= set(described["scopes_supported"])


def test_what_a_minor_hides_his_guardian_does_not_find(city: City) -> None:
    minor, machine = city.patient(), city.machine(city.hospital())
    guardian, _ = city.login()
    login_id = city.actor(guardian).id
    with db.transaction() as session:
        session.add(
            Holder(
                login_id=login_id,
                person_id=minor.person_id,
                relation="child",
                created_at=clock.now(),
                confirmed_at=clock.now(),
            )
        )
    sent = call(city, machine.token, "POST", "Condition", condition(named(minor.card_number)))
    entry_id = json.loads(sent.text)["id"]
    assert [one["id"] for one in matches(get(city, guardian, "Condition"))] == [entry_id]
    hidden = city.client.post(f"/api/v1/timeline/{entry_id}/hide", headers=bearer(minor.token))
    assert hidden.status_code == 200
    assert matches(get(city, guardian, "Condition")) == []
    for path in (f"Condition/{entry_id}", f"Condition/{entry_id}/_history", f"Provenance/{entry_id}.1"):
        assert call(city, guardian, "GET", path).status_code == 404
    assert matches(get(city, minor.token, "Condition"))
