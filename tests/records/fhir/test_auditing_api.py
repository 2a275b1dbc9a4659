"""AuditEvents by IHE BALP (1.1): what each profile demands, checked on what the platform writes; and who reads them."""

import json
from typing import Any

import pytest

from accounts.models import Role
from core import clock, db
from core.audit import AuditEntry
from core.ids import new_id
from tests.support.charts import Case, open_case
from tests.support.city import City, bearer
from tests.support.entries import call, get, matches
from tests.support.fhir import refusal_of

DCM = "http://dicom.nema.org/resources/ontology/DCM"
TERMS = "http://terminology.hl7.org/CodeSystem"
PROFILES = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
USER = (f"{TERMS}/v3-ParticipationType", "IRCP")


@pytest.fixture(scope="module")
def case_of_module(module_city: City) -> Case:
    """A patient whose report was read by a doctor, by a system and by himself."""
    case = open_case(module_city)
    machine = module_city.machine(case.treating)
    for token in (case.doctor.token, case.patient.token):
        assert module_city.client.get(f"/api/v1/reports/{case.report_id}", headers=bearer(token)).status_code == 200
    assert get(module_city, machine.token, f"DiagnosticReport/{case.report_id}")
    assert get(module_city, machine.token, f"DiagnosticReport?patient={case.patient.person_id}")
    return case


@pytest.fixture
def case(case_of_module: Case, city: City) -> Case:
    return case_of_module


@pytest.fixture
def auditor(city: City) -> str:
    return city.staff(None, Role.AUDIT_ADMINISTRATOR).token


def coded(element: dict[str, Any], name: str = "type") -> tuple[str, str]:
    value = element.get(name, {})
    coding = value.get("coding", [value])[0]
    return coding.get("system"), coding.get("code")


def slices(event: dict[str, Any], name: str, code: tuple[str, str]) -> list[dict[str, Any]]:
    return [one for one in event.get(name, []) if coded(one) == code]


def check_patient(event: dict[str, Any]) -> None:
    (patient,) = slices(event, "entity", (f"{TERMS}/audit-entity-type", "1"))
    assert coded(patient, "role") == (f"{TERMS}/object-role", "1")
    assert patient["what"]["reference"].startswith("Patient/")


def check_ends(event: dict[str, Any]) -> None:
    for code in ("110152", "110153"):
        (end,) = slices(event, "agent", (DCM, code))
        assert end["who"]
        assert end["network"]["address"]
        assert "media" not in end


def check_user(event: dict[str, Any]) -> None:
    (user,) = slices(event, "agent", USER)
    assert (user["requestor"], bool(user["who"]), "network" in user) == (True, True, False)


def check_patient_read(event: dict[str, Any]) -> None:
    """IHE.BasicAudit.Read and PatientRead."""
    assert (coded(event), event["action"], event["outcome"]) == ((f"{TERMS}/audit-event-type", "rest"), "R", "0")
    assert {"system": "http://hl7.org/fhir/restful-interaction", "code": "read"} in event["subtype"]
    check_ends(event)
    check_user(event)
    check_patient(event)
    (data,) = slices(event, "entity", (f"{TERMS}/audit-entity-type", "2"))
    assert coded(data, "role") in {(f"{TERMS}/object-role", code) for code in ("3", "4", "20")}
    assert data["what"]


def check_decision(event: dict[str, Any]) -> None:
    """IHE.BasicAudit.AuthZconsent; its entities are closed."""
    assert (coded(event), event["action"], event["outcome"]) == ((DCM, "110113"), "E", "0")
    subtype = {"system": "https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType", "code": "AuthZ-Consent"}
    assert event["subtype"] == [subtype]
    check_user(event)
    ((user,), (client,), (house,), (authorizer,)) = (
        slices(event, "agent", code)
        for code in (
            USER,
            (DCM, "110150"),
            (f"{TERMS}/v3-RoleClass", "PROV"),
            (f"{TERMS}/extra-security-role-type", "authserver"),
        )
    )
    assert not {"altId", "location", "media"} & user.keys()
    assert client["network"]["address"]
    assert not {"role", "altId", "name", "location", "purposeOfUse"} & client.keys()
    assert (house["requestor"], authorizer["requestor"]) == (False, False)
    assert not {"role", "altId", "name", "location", "policy", "network"} & (house.keys() | authorizer.keys())
    assert authorizer["who"] == event["source"]["observer"]
    check_patient(event)
    consents = slices(event, "entity", ("http://hl7.org/fhir/resource-types", "Consent"))
    assert len(consents) == len(event["entity"]) - 1 >= 1


def check_disclosure(event: dict[str, Any]) -> None:
    """IHE.BasicAudit.PrivacyDisclosure.Source."""
    assert (coded(event), event["action"], event["outcome"]) == ((DCM, "110106"), "R", "0")
    assert {"system": f"{TERMS}/iso-21089-lifecycle", "code": "disclose"} in event["subtype"]
    check_ends(event)
    (source,) = slices(event, "agent", (DCM, "110153"))
    assert source["who"] == event["source"]["observer"]
    check_patient(event)
    assert len(event["entity"]) >= 2


CHECKS = {
    f"{PROFILES}PatientRead": check_patient_read,
    f"{PROFILES}AuthZconsent": check_decision,
    f"{PROFILES}PrivacyDisclosure.Source": check_disclosure,
}


def check_all(events: list[dict[str, Any]]) -> set[str]:
    """What each of them says it is, it is; returns which profiles were met."""
    met = {profile: event for event in events for profile in event.get("meta", {}).get("profile", [])}
    for event in events:
        for profile in event.get("meta", {}).get("profile", []):
            CHECKS[profile](event)
    return set(met)


def test_what_says_that_it_is_of_a_profile_is_so_for_patient_and_auditor(city: City, case: Case, auditor: str) -> None:
    with db.transaction() as session:
        session.add(
            AuditEntry(
                at=clock.now(),
                request_id="r-export",
                actor_kind="patient",
                actor_id=case.patient.actor.id,
                action="records.export.read",
                subject_id=case.patient.person_id,
                object_kind="record_export",
                object_id=new_id(),
                facts={},
            )
        )
    own = matches(get(city, case.patient.token, f"AuditEvent?patient={case.patient.person_id}&_count=200"))
    trail = matches(get(city, auditor, f"AuditEvent?patient={case.patient.person_id}&_count=200"))
    assert check_all(own) == check_all(trail) == set(CHECKS)


def test_a_read_under_a_grant_names_the_consent_and_its_version(city: City, case: Case, auditor: str) -> None:
    asked = f"AuditEvent?patient={case.patient.person_id}&agent=Practitioner/{case.doctor.id}&subtype=records.report"
    (event,) = matches(get(city, auditor, asked))
    (consent,) = slices(event, "entity", ("http://hl7.org/fhir/resource-types", "Consent"))
    (grant,) = city.client.get("/api/v1/grants", headers=bearer(case.patient.token)).json["grants"]
    assert consent["what"]["reference"] == f"Consent/{grant['id']}"
    assert consent["detail"] == [{"type": "version", "valueString": str(grant["version"])}]
    assert event["purposeOfEvent"][0]["coding"][0]["code"] == "TREAT"
    kinds = {coded(entity) for entity in event["entity"]}
    assert ("https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType", "XrequestId") in kinds
    assert get(city, auditor, f"AuditEvent/{event['id']}") == event


def test_an_auditor_reads_ids_and_no_names(city: City, case: Case, auditor: str) -> None:
    trail = json.dumps(
        get(city, auditor, f"AuditEvent?patient={case.patient.person_id}&_count=200"), ensure_ascii=False
    )
    assert [word for word in (case.patient.name, "王测试", "市第二测试医院", "血常规") if word in trail] == []
    assert str(case.doctor.id) in trail


def test_an_auditor_narrows_the_trail_and_each_look_stands_in_it(city: City, case: Case, auditor: str) -> None:
    whose = f"AuditEvent?patient={case.patient.person_id}"
    everything = matches(get(city, auditor, f"{whose}&_count=200"))
    assert matches(get(city, auditor, f"{whose}&date=lt2020-01-01")) == []
    # The look before this one is about the same person too, and stands among them.
    since = matches(get(city, auditor, f"{whose}&date=ge2020-01-01&_count=200"))
    assert {event["id"] for event in everything} < {event["id"] for event in since}
    assert matches(get(city, auditor, f"{whose}&date=eq1999-01-01")) == []
    of_report = matches(get(city, auditor, f"{whose}&entity=DiagnosticReport/{case.report_id}&entity-name=report"))
    assert {event["id"] for event in of_report} < {event["id"] for event in everything}
    assert of_report
    assert matches(get(city, auditor, f"{whose}&entity-name=nothing")) == []
    everything = matches(get(city, auditor, f"{whose}&_count=200"))
    first = get(city, auditor, f"{whose}&_count=3")
    following = next(link["url"] for link in first["link"] if link["relation"] == "next").partition("/fhir/")[2]
    assert [one["id"] for one in matches(get(city, auditor, following))] == [one["id"] for one in everything[2:5]]
    assert matches(get(city, auditor, "AuditEvent?patient=Patient/1")) == []
    for twice in ("subtype=a,b", "subtype=a&subtype=b", "date=ne2026", "identifier=1"):
        assert refusal_of(call(city, auditor, "GET", f"AuditEvent?{twice}"))[1] == "records.fhir_search_unsupported"
    looks = matches(get(city, auditor, f"AuditEvent?agent={city.actor(auditor).id}&subtype=accounts.audit.read"))
    assert len(looks) > 5
    assert refusal_of(call(city, auditor, "GET", f"AuditEvent/{new_id()}"))[0] == 404


def test_nobody_else_reads_the_trail(city: City, case: Case) -> None:
    asked = f"AuditEvent?agent=Practitioner/{case.doctor.id}"
    for token in (case.doctor.token, city.staff(None, Role.OPERATOR).token):
        assert call(city, token, "GET", asked).status_code == 403
    assert matches(get(city, city.machine(case.treating).token, asked)) == []
    assert refusal_of(call(city, case.patient.token, "GET", asked))[1] == "records.fhir_search_unsupported"
