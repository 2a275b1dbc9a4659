"""fhirclient and fhirpy, written by others, speak to a real server of ours: also as an app that a patient lets in."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from fhirclient.client import FHIRClient
from fhirclient.models.bundle import Bundle
from fhirclient.models.condition import Condition
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient as PatientResource
from fhirclient.server import FHIRPermissionDeniedException, FHIRServer, FHIRUnauthorizedException
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import ForbiddenError, MultipleResourcesFound, OperationOutcome, ResourceNotFound
from flask import Flask
from requests import HTTPError
from werkzeug.serving import make_server

from core.config import Config
from records.fhir import systems
from tests.support.apps import AppSide, Page, accesses, agree, withdraw
from tests.support.city import City, Machine, Patient
from tests.support.entries import condition, named
from tests.support.fhir import bundle, card, observation, report


@dataclass(frozen=True)
class Scene:
    """A hospital's system and a patient whom it treats, at a server that listens."""

    city: City
    address: str
    machine: Machine
    patient: Patient


@pytest.fixture
def scene(committing_app: Flask, config: Config) -> Iterator[Scene]:
    server = make_server("127.0.0.1", 0, committing_app, threaded=True)
    # Links of answers lead where the server really listens.
    here = replace(config, base_url=f"http://127.0.0.1:{server.server_port}")
    committing_app.extensions["yimatong.config"] = here
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    city = City(committing_app, here)
    hospital, patient = city.hospital(), city.patient()
    city.visit(city.staff(hospital), patient, hospital)
    yield Scene(city, f"{here.base_url}/fhir", city.machine(hospital), patient)
    committing_app.extensions["yimatong.config"] = config
    server.shutdown()
    thread.join()
    server.server_close()


def fhirclient(scene: Scene, token: str) -> FHIRServer:
    server = FHIRServer(None, base_uri=scene.address)
    server.session.headers["Authorization"] = f"Bearer {token}"
    return server


def fhirpy(scene: Scene, token: str) -> SyncFHIRClient:
    return SyncFHIRClient(scene.address, authorization=f"Bearer {token}")


def sent_bundle(patient: Patient) -> dict[str, Any]:
    return bundle(
        report(card(patient.card_number)), observation(), observation("718-7", "血红蛋白"), observation("2160-0")
    )


def test_fhirclient_sends_reads_updates_and_follows_pages(scene: Scene) -> None:
    server = fhirclient(scene, scene.machine.token)
    server.get_capability()
    assert server.capabilityStatement.fhirVersion == "4.0.1"
    answer = Bundle(server.post_json("", sent_bundle(scene.patient)).json())
    assert [one.response.status for one in answer.entry] == ["201 Created"] * 4
    created = Condition(Condition(condition(named(scene.patient.card_number))).create(server))
    assert created.subject.reference == f"Patient/{scene.patient.person_id}"
    read = Condition.read(created.id, server)
    assert read.as_json() == created.as_json()
    with pytest.raises(HTTPError) as unconditional:
        read.update(server)
    assert unconditional.value.response.status_code == 428
    server.session.headers["If-Match"] = f'W/"{read.meta.versionId}"'
    read.clinicalStatus.coding[0].code = "remission"
    read.subject.reference = f"Patient/{scene.patient.person_id}"
    assert Condition(read.update(server)).meta.versionId == "2"
    with pytest.raises(HTTPError) as stale:
        read.update(server)
    assert stale.value.response.status_code == 412
    mine = fhirclient(scene, scene.patient.token)
    person = PatientResource.read(str(scene.patient.person_id), mine)
    assert person.name[0].text == scene.patient.name
    search = Observation.where({"patient": person.id, "_count": "2", "_sort": "-date"})
    assert len({one.id for one in search.perform_resources_iter(mine)}) == 3


def test_fhirpy_searches_includes_and_meets_refusals(scene: Scene) -> None:
    hospital, mine = fhirpy(scene, scene.machine.token), fhirpy(scene, scene.patient.token)
    hospital.execute("", data=sent_bundle(scene.patient))
    sent = condition(named(scene.patient.card_number))
    created = hospital.resource("Condition", **sent)
    created.save()
    again = hospital.resource("Condition", **sent)
    again.save()
    assert (created.id, again.meta.versionId) == (again.id, "1")
    with pytest.raises(OperationOutcome):
        created.save()
    with pytest.raises(MultipleResourcesFound):  # It says so of every 412.
        hospital._do_request("put", f"Condition/{created.id}", data=sent | {"id": created.id},
                             extra_headers={"If-Match": 'W/"7"'})  # fmt: skip
    reports = mine.resources("DiagnosticReport").include("DiagnosticReport", "result").fetch_raw()
    assert sorted(one.resource.resourceType for one in reports.entry) == ["DiagnosticReport", *["Observation"] * 3]
    assert len(mine.resources("Observation").search(patient=scene.patient.person_id).limit(2).fetch_all()) == 3
    (found,) = mine.resources("Condition").search(code="E11.9").fetch()
    assert found.to_reference().to_resource() == found
    everything = mine.execute(f"Patient/{scene.patient.person_id}/$everything", method="get")
    assert {one.resource.resourceType for one in everything.entry} >= {"Patient", "Condition", "Observation"}
    summary = mine.execute(f"Patient/{scene.patient.person_id}/$summary", method="get")
    assert summary.entry[0].resource.resourceType == "Composition"
    stranger = fhirpy(scene, scene.city.patient("李测试").token)
    with pytest.raises(ResourceNotFound):
        stranger.reference("Condition", created.id).to_resource()
    with pytest.raises(ForbiddenError):
        stranger.resource("Condition", **condition({"identifier": {"system": systems.CARD, "value": "0" * 64}})).save()
    with pytest.raises(OperationOutcome):
        mine.resources("Condition").search(bogus="1").fetch()


def test_fhirclient_is_let_in_by_the_patient_refreshes_and_is_put_out(scene: Scene) -> None:
    """The SMART App Launch flow of fhirclient: discovery, PKCE, callback, patient context, refresh."""
    city, patient = scene.city, scene.patient
    fhirpy(scene, scene.machine.token).execute("", data=sent_bundle(patient))
    native = AppSide(city, redirect_uri="http://127.0.0.1/back")
    settings = {"app_id": native.client_id, "api_base": scene.address, "redirect_uri": "http://127.0.0.1:3000/back"}
    smart = FHIRClient(settings | {"scope": "patient/Patient.r patient/Observation.rs offline_access"})
    assert not smart.prepare()
    browser = city.client
    asked = browser.get(smart.authorize_url.removeprefix(city.config.base_url))
    assert asked.status_code == 200, asked.location
    page = Page(browser, asked)
    back = page.type(agree(city, patient, page))
    smart.handle_callback(back.location)
    assert smart.ready
    assert smart.patient.name[0].text == patient.name
    assert smart.launch_context["scope"] == "launch/patient patient/Patient.r patient/Observation.rs offline_access"
    search = Observation.where({"patient": smart.patient_id, "_count": "2"})
    assert len(list(search.perform_resources_iter(smart.server))) == 3
    assert smart.reauthorize()
    with pytest.raises(FHIRPermissionDeniedException):
        smart.server.request_json("Condition")
    (access,) = accesses(city, patient.token)
    withdraw(city, patient.token, access["id"])
    with pytest.raises(FHIRUnauthorizedException):
        smart.server.request_json("Observation")
