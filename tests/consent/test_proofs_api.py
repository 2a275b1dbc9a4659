"""A hospital can show what it was given: signed, in every version, also when it has ended."""

import json
from datetime import timedelta
from typing import Any

import jwt
import pytest

from core import clock, db
from core.ids import new_id
from core.keys import kill_key
from tests.support import entries
from tests.support.city import City, Machine, Patient, Staff, bearer

KEYS = "/.well-known/yimatong/grant-keys.json"
NOTICE = "0f" * 32


class Office:
    """A patient has let a doctor of a hospital see his laboratory reports of two months."""

    def __init__(self, city: City) -> None:
        self.city, self.patient, self.home = city, city.patient(), city.hospital()
        self.machine, self.doctor, self.colleague = (
            city.machine(self.home),
            city.staff(self.home),
            city.staff(self.home),
        )
        body = {
            "person_id": str(self.patient.person_id),
            "recipient": {"hospital_id": str(self.home.id), "staff_id": str(self.doctor.id)},
            "scope": {"kinds": ["laboratory"], "since_on": "2026-03-01", "sensitivities": ["hiv"]},
            "purpose": "insurance",
            "expires_at": (clock.now() + timedelta(days=30)).isoformat(),
            "notice_hash": NOTICE,
        }
        self.grant = self.post("/grants", body).json
        narrowed = self.post(f"/grants/{self.grant['id']}/narrow", {"version": 1, "until_on": "2026-04-30"})
        assert narrowed.status_code == 200, narrowed.text

    def post(self, path: str, body: Any) -> Any:
        return self.city.client.post(f"/api/v1{path}", json=body, headers=bearer(self.patient.token))

    def prove(self, by: Patient | Staff | Machine, version: int | None = None, grant_id: object = None) -> Any:
        kind = "grants" if isinstance(by, Patient) else "received-grants"
        asked = f"?version={version}" if version else ""
        path = f"/api/v1/{kind}/{grant_id or self.grant['id']}/proof{asked}"
        return self.city.client.get(path, headers=bearer(by.token))

    def open(self, proof: Any) -> dict[str, Any]:
        """What it says, verified with the published keys as anybody would."""
        published = jwt.PyJWKSet.from_dict(self.city.client.get(KEYS).get_json())
        header = jwt.get_unverified_header(proof["jws"])
        assert (header["kid"], header["typ"]) == (proof["kid"], "grant+jws")
        signed = jwt.PyJWS().decode(proof["jws"], published[header["kid"]].key, algorithms=["EdDSA"])
        said: dict[str, Any] = json.loads(signed)
        assert json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() == signed
        return said


@pytest.fixture(scope="module")
def office_of_module(module_city: City) -> Office:
    return Office(module_city)


@pytest.fixture
def office(office_of_module: Office, city: City) -> Office:
    return office_of_module


def test_a_proof_says_who_was_given_what(office: Office) -> None:
    said = office.open(office.prove(office.patient).json)
    grant = said["grant"]
    assert said["hospital"]["name"] == "市第一测试医院"
    assert (said["status"], said["current_version"], grant["version"]) == ("in_force", 2, 2)
    assert (grant["person_id"], grant["staff_id"]) == (str(office.patient.person_id), str(office.doctor.id))
    assert (grant["kinds"], grant["sensitivities"], grant["until_on"]) == (["laboratory"], ["hiv"], "2026-04-30")
    assert (grant["purpose"], grant["notice_hash"], grant["may_download"]) == ("insurance", NOTICE, True)
    assert "uses_left" not in grant
    assert office.patient.name not in json.dumps(said, ensure_ascii=False)


def test_every_version_that_was_kept_is_proven_also_after_the_end(office: Office) -> None:
    office.post(f"/grants/{office.grant['id']}/revoke", None)
    first, last = (office.open(office.prove(office.machine, version).json) for version in (1, None))
    assert (first["grant"]["until_on"], first["current_version"], first["status"]) == (None, 3, "revoked")
    assert (last["grant"]["version"], last["grant"]["revoked_at"] is None) == (3, False)
    assert office.prove(office.doctor).status_code == 200


def test_nobody_else_is_given_a_proof(office: Office) -> None:
    other, elsewhere = office.city.patient(), office.city.hospital("市第二测试医院")
    machine = office.city.machine(elsewhere, name="集成平台")
    refused = [office.prove(one) for one in (other, office.colleague, office.city.staff(elsewhere), machine)]
    refused += [office.prove(office.patient, 9), office.prove(office.patient, grant_id=new_id())]
    assert {(one.status_code, one.json["code"]) for one in refused} == {(404, "consent.grant_version_not_found")}


def test_a_proof_outlives_its_key_unless_the_key_is_killed(office: Office) -> None:
    proof = office.prove(office.patient).json
    with db.transaction() as session:
        kill_key(session, proof["kid"])
    with pytest.raises(KeyError):
        office.open(proof)


def test_as_fhir_a_consent_says_its_scope(office: Office) -> None:
    search = f"Consent?patient={office.patient.person_id}"
    (found,) = entries.matches(entries.get(office.city, office.patient.token, search))
    provision = found["provision"]
    assert found["meta"]["versionId"] == "2"
    assert provision["class"][0]["code"] == "laboratory"
    assert provision["securityLabel"][0]["code"] == "HIV"
    assert provision["purpose"][0]["code"] == "HPAYMT"
    assert provision["dataPeriod"] == {"start": "2026-03-01", "end": "2026-04-30"}
    assert provision["actor"][0]["reference"]["reference"] == f"Practitioner/{office.doctor.id}"
    assert [one["coding"][0]["code"] for one in provision["action"]] == ["access", "use"]
