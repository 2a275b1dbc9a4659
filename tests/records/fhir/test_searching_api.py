"""What a search may ask for beside its filters: by whom, how many, how much of each."""

import json
from typing import Any

import pytest

from records.fhir import systems
from tests.support.city import City, Hospital, Machine, Patient
from tests.support.entries import call, condition, get, matches, named
from tests.support.fhir import bundle, card, observation, refusal_of, report, report_id_of, send


@pytest.fixture(scope="module")
def hospital(module_city: City) -> Hospital:
    return module_city.hospital()


@pytest.fixture(scope="module")
def machine(module_city: City, hospital: Hospital) -> Machine:
    return module_city.machine(hospital)


@pytest.fixture(scope="module")
def patient(module_city: City, hospital: Hospital, machine: Machine) -> Patient:
    """Somebody who shares three results and a diagnosis with the hospital, where he is number MZ7."""
    patient = module_city.patient()
    module_city.visit(module_city.staff(hospital), patient, hospital, patient_number="MZ7")
    body = bundle(report(card(patient.card_number)), observation(), observation("718-7"), observation("2160-0"))
    assert report_id_of(send(module_city, machine, body))
    assert (
        call(module_city, machine.token, "POST", "Condition", condition(named(patient.card_number))).status_code == 201
    )
    return patient


def test_a_person_is_named_by_an_identifier(city: City, hospital: Hospital, machine: Machine, patient: Patient) -> None:
    number, number_of_card = f"{systems.PATIENT_NUMBER}|MZ7", f"{systems.CARD}|{patient.card_number}"
    for name in ("patient.identifier", "subject.identifier", "subject:Patient.identifier", "patient:identifier"):
        for value in (number, number_of_card, f"{systems.PATIENT_NUMBER}|nobody,{number}"):
            assert len(matches(get(city, machine.token, f"Observation?{name}={value}"))) == 3
    asked = f"patient.identifier={number_of_card}&_count=2&code=2345-7,718-7,2160-0"
    page = get(city, machine.token, f"Observation?{asked}")
    following = next(link["url"] for link in page["link"] if link["relation"] == "next")
    assert patient.card_number not in following
    assert len(matches(get(city, machine.token, following.partition("/fhir/")[2]))) == 1
    unknown = f"{systems.PATIENT_NUMBER}|nobody"
    assert matches(get(city, machine.token, f"Observation?patient.identifier={unknown}")) == []
    elsewhere = city.machine(city.hospital())
    assert matches(get(city, elsewhere.token, f"Observation?patient.identifier={number_of_card}")) == []
    for odd in ("Observation?patient.identifier=urn:other|1", "AllergyIntolerance?subject.identifier=1",
                "Consent?patient.identifier=1"):  # fmt: skip
        assert refusal_of(call(city, machine.token, "GET", odd)) == (400, "records.fhir_search_unsupported")


def test_what_there_is_can_be_counted(city: City, machine: Machine, patient: Patient) -> None:
    whose = f"patient={patient.person_id}"
    for asked in ("_total=accurate&_count=1", "_total=estimate", "_count=0", "_summary=count"):
        assert get(city, machine.token, f"Observation?{whose}&{asked}")["total"] == 3
    counted = get(city, patient.token, f"Observation?{whose}&_count=0")
    assert (counted["total"], counted.get("entry"), [one["relation"] for one in counted["link"]]) == (3, None, ["self"])
    assert get(city, patient.token, f"Observation?_summary=count&code=718-7&{whose}")["total"] == 1
    assert "total" not in get(city, patient.token, "Observation?_total=none")
    stranger = city.machine(city.hospital())
    assert get(city, stranger.token, f"Observation?{whose}&_count=0")["total"] == 0
    log = matches(get(city, patient.token, "AuditEvent?_count=200"))
    assert len([one for one in log if one["subtype"][0]["code"] == "records.resource.listed"]) == 7
    unnamed = call(city, machine.token, "GET", f"Observation?_count=0&identifier={patient.card_number}")
    assert refusal_of(unnamed) == (400, "records.fhir_search_unsupported")
    for odd in ("Patient?_total=accurate", "Observation?_total=many", "Patient?_count=0", "Consent?_summary=count"):
        assert refusal_of(call(city, patient.token, "GET", odd)) == (400, "records.fhir_search_unsupported")


def test_a_part_of_each_is_given_and_marked(city: City, patient: Patient) -> None:
    (whole,) = matches(get(city, patient.token, "Condition"))
    (summary,) = matches(get(city, patient.token, "Condition?_summary=true"))
    assert summary.keys() == whole.keys() - {"category"}
    assert summary["meta"]["tag"][0]["code"] == "SUBSETTED"
    (few,) = matches(get(city, patient.token, "Condition?_elements=code,Condition.clinicalStatus"))
    assert few.keys() == {"resourceType", "id", "meta", "code", "clinicalStatus", "subject"}
    (text,) = matches(get(city, patient.token, "Condition?_summary=text"))
    assert text.keys() == {"resourceType", "id", "meta", "subject"}
    assert matches(get(city, patient.token, "Condition?_summary=data")) == [whole]
    shown = matches(get(city, patient.token, "Observation?_elements=value&_sort=date"))[0]
    assert shown.keys() == {"resourceType", "id", "meta", "status", "code"}
    assert "valueQuantity" in matches(get(city, patient.token, "Observation?_summary=true"))[0]
    person = matches(get(city, patient.token, "Patient?_elements=gender"))[0]
    assert person.keys() == {"resourceType", "id", "meta", "gender"}
    odd = call(city, patient.token, "GET", "Condition?_summary=some")
    assert refusal_of(odd) == (400, "records.fhir_search_unsupported")


def test_where_each_version_came_from_is_found_beside_it(city: City, hospital: Hospital, patient: Patient) -> None:
    found = get(city, patient.token, "Condition?_revinclude=Provenance:target")
    (origin,) = matches(found, "include")
    (shown,) = matches(found)
    assert origin["target"] == [{"reference": f"Condition/{shown['id']}/_history/1"}]
    narrow = city.machine(hospital, scopes=["system/Condition.read"])
    assert matches(get(city, narrow.token, "Condition?_revinclude=Provenance:target"), "include") == []
    odd = call(city, patient.token, "GET", "Condition?_revinclude=Observation:subject")
    assert refusal_of(odd) == (400, "records.fhir_search_unsupported")


def test_a_batch_reads_as_well_as_it_files(city: City, hospital: Hospital, machine: Machine, patient: Patient) -> None:
    (diagnosis,) = matches(get(city, machine.token, "Condition"))
    address = f"Condition/{diagnosis['id']}"
    urls = [address, f"{address}/_history/1", f"Observation?patient=Patient/{patient.person_id}&_count=2", "Basic/1",
            f"{address}/_history/{'9' * 5000}", f"{address}?_id=1", "Condition/1", "Condition?bogus=1",
            "metadata"]  # fmt: skip
    entries: list[dict[str, Any]] = [{"request": {"method": "GET", "url": url}} for url in urls]
    sent = condition(named(patient.card_number))
    entries.append({"resource": sent, "request": {"method": "POST", "url": "Condition"}})
    batch = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    answer = json.loads(send(city, machine, batch).text)
    statuses = [one["response"]["status"] for one in answer["entry"]]
    assert statuses == ["200 OK"] * 3 + ["404"] * 4 + ["400", "200 OK", "201 Created"]
    assert [one["resource"] for one in answer["entry"][:2]] == [diagnosis, diagnosis]
    page = answer["entry"][2]["resource"]
    assert (page["type"], len(page["entry"])) == ("searchset", 2)
    following = next(link["url"] for link in page["link"] if link["relation"] == "next")
    assert len(matches(get(city, machine.token, following.partition("/fhir/")[2]))) == 1
    writer = city.machine(hospital, scopes=["system/*.write"])
    refused = json.loads(send(city, writer, batch).text)["entry"][0]["response"]
    assert (refused["status"], refused["outcome"]["issue"][0]["code"]) == ("403", "forbidden")
    odd = send(city, machine, batch | {"type": "transaction"})
    assert refusal_of(odd)[0] == 422


def test_the_answer_to_filing_is_as_much_as_is_preferred(city: City, machine: Machine, patient: Patient) -> None:
    def post(preferred: str) -> Any:
        sent = condition(named(patient.card_number))
        return call(city, machine.token, "POST", "Condition", sent, Prefer=preferred)

    minimal, told, whole = (
        post("return=minimal"),
        post("respond-async, return=OperationOutcome"),
        post("return=representation"),
    )
    assert (minimal.status_code, minimal.data, minimal.headers["ETag"]) == (201, b"", 'W/"1"')
    assert "/fhir/Condition/" in minimal.headers["Location"]
    assert json.loads(told.text)["issue"][0]["severity"] == "information"
    assert json.loads(whole.text)["resourceType"] == "Condition"
    head = call(city, patient.token, "HEAD", "Condition")
    assert (head.status_code, head.data) == (200, b"")
    assert get(city, patient.token, "Condition?_format=json&_pretty=true")["type"] == "searchset"
    xml = call(city, patient.token, "GET", "Condition?_format=xml")
    assert refusal_of(xml) == (400, "records.fhir_search_unsupported")
