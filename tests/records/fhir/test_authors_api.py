"""Who made a report: kept with each version as it was said, and shown to whoever reads it."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.support.browsing import Browser
from tests.support.city import City, Hospital, Machine, Patient, Staff, bearer
from tests.support.entries import call, get, identified, matches, named
from tests.support.fhir import bundle, card, observation, refusal_of, report, report_id_of, send
from tests.support.papers import read_pdf

STAFF_NUMBERS = "urn:example:staff"


@pytest.fixture(scope="module")
def hospital(module_city: City) -> Hospital:
    return module_city.hospital()


@pytest.fixture(scope="module")
def doctor(module_city: City, hospital: Hospital) -> Staff:
    return module_city.staff(hospital, name="周医生")


@pytest.fixture(scope="module")
def machine(module_city: City, hospital: Hospital) -> Machine:
    return module_city.machine(hospital)


@pytest.fixture(scope="module")
def patient(module_city: City, hospital: Hospital, doctor: Staff) -> Patient:
    found = module_city.patient()
    module_city.visit(doctor, found, hospital, patient_number="MZ1")
    return found


def practitioner(**changes: Any) -> dict[str, Any]:
    """Somebody inside a report."""
    name = [{"family": "钱", "given": ["检验"]}]
    number = [{"system": STAFF_NUMBERS, "value": "2001"}]
    return {"resourceType": "Practitioner", "id": "p", "name": name, "identifier": number} | changes


def signed(patient: Patient, **changes: Any) -> dict[str, Any]:
    """A report with its result and who made it inside."""
    plain = {
        "contained": [observation(id="a"), practitioner()],
        "result": [{"reference": "#a"}],
        "performer": [{"reference": "#p"}],
    }
    return report(card(patient.card_number)) | plain | changes


def post(city: City, machine: Machine, sent: dict[str, Any]) -> dict[str, Any]:
    reply = call(city, machine.token, "POST", sent["resourceType"], sent)
    assert reply.status_code == 201, reply.text
    return dict(json.loads(reply.text))


def authors(city: City, patient: Patient, report_id: str) -> list[dict[str, Any]]:
    found = city.client.get(f"/api/v1/reports/{report_id}", headers=bearer(patient.token)).json
    return list(found["authors"])


def test_whoever_reads_the_report_reads_who_made_it(
    city: City, hospital: Hospital, doctor: Staff, machine: Machine, patient: Patient
) -> None:
    interpreters = [{"reference": f"Practitioner/{doctor.id}"}, {"display": "李审核"}]
    elsewhere = {"reference": "http://example.org/fhir/Practitioner/9"}
    house = {"reference": f"Organization/{hospital.id}"}
    sent = signed(patient, performer=[house, {"reference": "#p"}, elsewhere], resultsInterpreter=interpreters)
    shown = post(city, machine, sent)
    assert shown["performer"][1:] == [
        {"type": "Practitioner", "identifier": {"system": STAFF_NUMBERS, "value": "2001"}, "display": "钱检验"},
        {"type": "Practitioner", "identifier": {"value": "http://example.org/fhir/Practitioner/9"}},
    ]
    known = {"reference": f"Practitioner/{doctor.id}", "type": "Practitioner", "display": "周医生"}
    assert shown["resultsInterpreter"] == [known, {"type": "Practitioner", "display": "李审核"}]
    assert authors(city, patient, shown["id"])[2:] == [
        {"role": "interpreter", "name": "周医生", "staff_id": str(doctor.id)},
        {"role": "interpreter", "name": "李审核"},
    ]
    found = get(
        city, machine.token, f"DiagnosticReport?_id={shown['id']}&_include=DiagnosticReport:results-interpreter"
    )
    assert [one["name"][0]["text"] for one in matches(found, "include")] == ["周医生"]
    summary = get(city, patient.token, f"Patient/{patient.person_id}/$summary")
    assert "钱检验; 周医生; 李审核" in json.dumps(summary, ensure_ascii=False)
    paper = city.client.get(f"/api/v1/reports/{shown['id']}/report.pdf", headers=bearer(patient.token)).get_data()
    text = read_pdf(paper)[0][0]
    assert "结果判读人员：周医生、李审核" in text.replace("\n", ""), text
    # What is read can be sent again, and is the same.
    again = shown | {"subject": named(patient.card_number)}
    reply = call(city, machine.token, "PUT", f"DiagnosticReport/{shown['id']}", again, **{"If-Match": 'W/"1"'})
    assert (reply.status_code, json.loads(reply.text)["meta"]["versionId"]) == (200, "1"), reply.text


def test_the_page_of_a_doctor_names_them(city: City, hospital: Hospital, doctor: Staff, machine: Machine) -> None:
    patient = city.patient()
    visit_id = city.visit(doctor, patient, hospital)
    report_id = post(city, machine, signed(patient))["id"]
    browser = Browser(city.app)
    browser.sign_in(doctor)
    assert "钱检验" in browser.get(f"/visits/{visit_id}?open={report_id}").text


def test_another_author_is_another_version_that_says_so(city: City, machine: Machine, patient: Patient) -> None:
    sent = signed(patient)
    first = post(city, machine, sent)
    other = sent | {"status": "amended", "resultsInterpreter": [{"display": "李审核"}]}
    assert call(city, machine.token, "POST", "DiagnosticReport", other).status_code == 201
    versions = city.client.get(f"/api/v1/reports/{first['id']}", headers=bearer(patient.token)).json["versions"]
    assert [(one["authors_changed"], one["conclusion_changed"], one["changes"]) for one in versions] == [
        (False, False, []), (True, False, [])]  # fmt: skip
    old = get(city, patient.token, f"DiagnosticReport/{first['id']}/_history/1")
    assert "resultsInterpreter" not in old


def test_who_is_not_of_the_sending_house_is_never_taken_for_somebody(
    city: City, machine: Machine, patient: Patient
) -> None:
    stranger = city.staff(city.hospital(), name="别家医生")
    for staff_id in (stranger.id, uuid4()):
        shown = post(city, machine, signed(patient, resultsInterpreter=[{"reference": f"Practitioner/{staff_id}"}]))
        said = {"role": "interpreter", "number": f"Practitioner/{staff_id}"}
        assert authors(city, patient, shown["id"])[1] == said
        assert "reference" not in shown["resultsInterpreter"][0]


def test_a_result_alone_and_results_of_a_report_name_theirs(city: City, machine: Machine, patient: Patient) -> None:
    alone = observation(identifier=identified(), subject=named(patient.card_number), issued="2026-03-20T10:00:00+08:00",
                        contained=[practitioner()], performer=[{"reference": "#p"}])  # fmt: skip
    shown = post(city, machine, alone)
    assert shown["performer"][1]["display"] == "钱检验"
    changed = alone | {
        "id": shown["id"],
        "status": "amended",
        "performer": [{"display": "孙检验"}, {"reference": "#p"}],
    }
    reply = call(city, machine.token, "PUT", f"Observation/{shown['id']}", changed, **{"If-Match": 'W/"1"'})
    assert [one["display"] for one in json.loads(reply.text)["performer"][1:]] == ["孙检验", "钱检验"]
    of_report = bundle(report(card(patient.card_number)), observation(performer=[{"display": "孙检验"}]))
    report_id = report_id_of(send(city, machine, of_report))
    assert [one["name"] for one in authors(city, patient, report_id)] == ["孙检验"]
    # One line is changed by somebody else: both have made the report.
    line = observation(id=f"{report_id}.1", status="corrected", subject=named(patient.card_number),
                       issued="2026-03-20T10:00:00+08:00", performer=[{"display": "吴检验"}])  # fmt: skip
    reply = call(city, machine.token, "PUT", f"Observation/{report_id}.1", line, **{"If-Match": 'W/"1"'})
    assert reply.status_code == 200, reply.text
    assert [one["name"] for one in authors(city, patient, report_id)] == ["孙检验", "吴检验"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"performer": [{"reference": "#nobody"}, {"reference": "#p"}]}, "records.fhir_invalid"),
        ({"performer": [{"display": "李审核"}]}, "records.fhir_invalid"),
        ({"performer": [{"reference": "#p"}, {"display": "长" * 256}]}, "records.fhir_invalid"),
        ({"performer": [{"reference": "#p"}, *({"display": str(n)} for n in range(50))]}, "records.fhir_invalid"),
        (
            {"performer": [{"reference": "#p"}, {"reference": f"urn:uuid:{uuid4()}"}]},
            "records.fhir_content_unsupported",
        ),
    ],
)
def test_authors_that_lead_nowhere_are_refused(
    city: City, machine: Machine, patient: Patient, changes: dict[str, Any], code: str
) -> None:
    reply = call(city, machine.token, "POST", "DiagnosticReport", signed(patient, **changes))
    assert refusal_of(reply) == (422, code), reply.text


def made(city: City, patient: Patient, report_id: str) -> list[list[str]]:
    """Who is said to have made each result."""
    found = get(city, patient.token, f"Observation?patient={patient.person_id}&_sort=date&_count=200")
    lines = {one["id"]: one["performer"][1:] for one in matches(found) if one["id"].startswith(report_id)}
    return [[who["display"] for who in lines[f"{report_id}.{number}"]] for number in range(1, len(lines) + 1)]


def by(*names: str) -> list[dict[str, str]]:
    return [{"display": name} for name in names]


def test_each_result_names_who_made_it(city: City, machine: Machine, patient: Patient) -> None:
    results = [observation(performer=by("孙检验", "钱检验")), observation(performer=by("孙检验")), observation()]
    sent = report(card(patient.card_number), performer=by("周组长", "孙检验"))
    report_id = report_id_of(send(city, machine, bundle(sent, *results)))
    assert made(city, patient, report_id) == [["孙检验", "钱检验"], ["孙检验"], []]
    told = [(one["name"], one.get("lines")) for one in authors(city, patient, report_id)]
    assert told == [("周组长", None), ("孙检验", [1, 2]), ("钱检验", [1])]
    read = get(city, patient.token, f"DiagnosticReport/{report_id}")
    assert [one["display"] for one in read["performer"][1:]] == ["周组长", "孙检验", "钱检验"]
    path, again = f"DiagnosticReport/{report_id}", read | {"subject": named(patient.card_number)}
    reply = call(city, machine.token, "PUT", path, again, **{"If-Match": 'W/"1"'})
    assert (reply.status_code, json.loads(reply.text)["meta"]["versionId"]) == (200, "1"), reply.text
    # A new result stands before those that are taken over, of which one is left out: each keeps its own.
    new = observation(id="a", performer=by("吴检验"))
    kept = [{"reference": "#a"}, *(read["result"][number] for number in (1, 0))]
    changed = again | {"contained": [new], "result": kept, "performer": by("周组长"), "status": "amended"}
    reply = call(city, machine.token, "PUT", path, changed, **{"If-Match": 'W/"1"'})
    assert reply.status_code == 200, reply.text
    assert made(city, patient, report_id) == [["吴检验"], ["孙检验"], ["孙检验", "钱检验"]]
    # One result is said anew: it is of whom it names now, and the others are of whom they were.
    line = observation(id=f"{report_id}.3", status="corrected", subject=named(patient.card_number),
                       issued="2026-03-20T11:00:00+08:00", performer=by("郑检验"))  # fmt: skip
    reply = call(city, machine.token, "PUT", f"Observation/{report_id}.3", line, **{"If-Match": 'W/"2"'})
    assert reply.status_code == 200, reply.text
    assert made(city, patient, report_id) == [["吴检验"], ["孙检验"], ["郑检验"]]


def test_who_made_every_result_is_kept_once(city: City, machine: Machine, patient: Patient) -> None:
    results = [observation(performer=by("孙检验")), observation(performer=by("孙检验"))]
    report_id = report_id_of(send(city, machine, bundle(report(card(patient.card_number)), *results)))
    assert [one["lines"] for one in authors(city, patient, report_id)] == [[0]]
    assert made(city, patient, report_id) == [["孙检验"], ["孙检验"]]
    # The second is said anew by somebody else: the first stays of whom it was.
    line = observation(id=f"{report_id}.2", status="corrected", subject=named(patient.card_number),
                       issued="2026-03-20T11:00:00+08:00", performer=by("吴检验"))  # fmt: skip
    call(city, machine.token, "PUT", f"Observation/{report_id}.2", line, **{"If-Match": 'W/"1"'})
    assert made(city, patient, report_id) == [["孙检验"], ["吴检验"]]
