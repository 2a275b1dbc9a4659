"""What a hospital's systems copied under a grant is asked back when it ends, and answered under signature."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from werkzeug.test import TestResponse

from accounts.models import Role
from consent.receipts import jobs
from consent.receipts.models import ErasureReceipt, ErasureRequest, ErasureSweep
from core import clock, db
from core.dispatch import TryLater
from core.ids import new_id
from tests.conftest import SteppingClock
from tests.support.browsing import Browser
from tests.support.city import City, Machine, bearer

SCOPES = ["system/*.read", "erasure.write"]
TYPE = "erasure-receipt+jws"


class Ward:
    """A patient in a hospital whose system has read his records by FHIR."""

    def __init__(self, city: City) -> None:
        self.city, self.patient = city, city.patient()
        self.hospital, self.elsewhere = city.hospital("市第二测试医院"), city.hospital("市第三测试医院")
        self.registrar = city.staff(self.hospital, Role.REGISTRAR)
        self.office = city.staff(self.hospital, Role.MEDICAL_AFFAIRS)
        self.machine, self.stranger = (
            city.machine(self.hospital, SCOPES, "集成平台"),
            city.machine(self.elsewhere, SCOPES),
        )
        city.visit(self.registrar, self.patient, self.hospital, patient_number="MZ77")
        (grant,) = city.client.get("/api/v1/grants", headers=bearer(self.patient.token)).json["grants"]
        self.grant_id = UUID(grant["id"])

    def copy(self) -> None:
        asked = f"/fhir/Condition?patient={self.patient.person_id}"
        assert self.city.client.get(asked, headers=bearer(self.machine.token)).status_code == 200

    def revoke(self) -> None:
        path = f"/api/v1/grants/{self.grant_id}/revoke"
        assert self.city.client.post(path, headers=bearer(self.patient.token)).status_code == 200

    def asked(self, token: str | None = None, path: str = "erasure-requests", **query: Any) -> list[dict[str, Any]]:
        reply = self.city.client.get(f"/api/v1/{path}", headers=bearer(token or self.machine.token), query_string=query)
        assert reply.status_code == 200, reply.text
        found: list[dict[str, Any]] = reply.json["erasures"]
        return found

    def answer(self, request_id: str, receipt: str, machine: Machine | None = None) -> TestResponse:
        path = f"/api/v1/erasure-requests/{request_id}/receipt"
        token = (machine or self.machine).token
        return self.city.client.post(path, json={"receipt": receipt}, headers=bearer(token))


@pytest.fixture(scope="module")
def ward_of_module(module_city: City) -> Ward:
    return Ward(module_city)


@pytest.fixture
def ward(ward_of_module: Ward, city: City) -> Ward:
    return ward_of_module


def said(request: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What a hospital says that has erased all."""
    statement = {
        "request_id": request["id"],
        "grant_id": request["grant_id"],
        "grant_version": request["grant_version"],
        "outcome": "erased",
        "erased": ["entries"],
        "erased_at": clock.now().isoformat(),
    } | changes
    return {name: value for name, value in statement.items() if value is not None}


def sign(machine: Machine, payload: dict[str, Any] | bytes, **header: Any) -> str:
    if isinstance(payload, dict):
        payload = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    key = machine.private_jwk
    named = {"kid": key["kid"], "typ": TYPE} | header
    return jwt.api_jws.encode(payload, jwt.PyJWK(key).key, algorithm=key["alg"], headers=named)


def sweep() -> None:
    with pytest.raises(TryLater):
        jobs.sweep({})


def test_a_revoke_asks_whoever_copied_and_the_signed_answer_is_shown_to_all_three(ward: Ward) -> None:
    ward.copy()
    assert ward.asked() == []
    ward.revoke()
    (request,) = ward.asked()
    assert (request["cause"], request["copies"], request["grant_version"]) == ("revoked", 1, 2)
    assert (request["patient_number"], request["is_overdue"], "person_name" in request) == ("MZ77", False, False)
    assert ward.asked(ward.stranger.token) == []
    receipt = sign(ward.machine, said(request))
    answered = ward.answer(request["id"], receipt)
    assert (answered.status_code, answered.json["receipt"]["jws"]) == (201, receipt)
    assert ward.answer(request["id"], receipt).json == answered.json
    (own,) = ward.asked(ward.patient.token, "erasures", grant_id=str(ward.grant_id))
    assert (own["person_name"], own["receipt"]["signed_by"]) == ("张*试", "集成平台")
    assert own["receipt"]["kid"] == ward.machine.private_jwk["kid"]
    assert jwt.api_jws.decode(own["receipt"]["jws"], jwt.PyJWK(ward.machine.private_jwk), ["ES256"])
    assert ward.asked(is_open=True) == []
    desk, operator = Browser(ward.city.app), Browser(ward.city.app)
    desk.sign_in(ward.office)
    operator.sign_in(ward.city.staff(None, Role.OPERATOR))
    for page in (desk.get("/erasures").text, operator.get("/operator/erasures").text):
        assert "患者撤回授权" in page
        assert "集成平台 签名" in page
        assert ward.patient.name not in page
    assert "MZ77" in desk.get("/erasures").text
    assert "MZ77" not in operator.get("/operator/erasures").text


def test_who_read_nothing_by_a_system_is_not_asked(ward: Ward) -> None:
    ward.revoke()
    assert ward.asked() == []


def test_a_grant_that_runs_out_is_noticed_once(ward: Ward, stepping_clock: SteppingClock) -> None:
    ward.copy()
    stepping_clock.forward(hours=25)
    sweep()
    sweep()
    machine = ward.city.machine(ward.hospital, SCOPES)
    (request,) = ward.asked(machine.token)
    assert (request["cause"], request["copies"]) == ("expired", 1)
    # The worker looks at the same time once more, as after a restore: nothing is asked twice.
    with db.transaction() as session:
        session.execute(update(ErasureSweep).values(swept_until=clock.now() - timedelta(days=2)))
    sweep()
    assert len(ward.asked(machine.token)) == 1


def test_what_is_overdue_is_told_and_reminded_weekly(ward: Ward, stepping_clock: SteppingClock) -> None:
    ward.copy()
    ward.revoke()
    with db.transaction() as session:
        request_id = session.scalars(select(ErasureRequest.id).where(ErasureRequest.grant_id == ward.grant_id)).one()
    days = ward.city.config.erasure_days
    for forward, reminders in ((days - 1, 0), (1, 1), (0, 1), (7, 2)):
        stepping_clock.forward(days=forward)
        sweep()
        with db.transaction() as session:
            assert session.get_one(ErasureRequest, request_id).reminders == reminders
    with db.transaction() as session:
        told = session.connection().exec_driver_sql(
            "SELECT kind, facts::text FROM notices WHERE object_id = %s", (str(request_id),)
        )
        assert [tuple(row) for row in told] == [("erasure_overdue", "{}")]


def test_a_receipt_that_does_not_hold_changes_nothing(ward: Ward) -> None:
    ward.copy()
    ward.revoke()
    (request,) = ward.asked()
    colleague = ward.city.machine(ward.hospital, SCOPES)
    good = said(request)
    spaced = json.dumps(good, sort_keys=True).encode()
    twice = b'{"erased":["entries"],"erased":["entries"]' + sign_free(good)
    bad = {
        "another system's key": sign(colleague, good),
        "another type": sign(ward.machine, good, typ="JWT"),
        "a header of more": sign(ward.machine, good, crit=["x"], x=1),
        "another kid": sign(ward.machine, good, kid="other"),
        "not canonical": sign(ward.machine, spaced),
        "a name twice": sign(ward.machine, twice),
        "not JSON": sign(ward.machine, b"erased"),
        "altered": sign(ward.machine, good)[:-8] + "AAAAAAAA",
        "no JWS": "erased",
        "another request": sign(ward.machine, said(request, request_id=str(new_id()))),
        "another version": sign(ward.machine, said(request, grant_version=1)),
        "erased before it was copied": sign(ward.machine, said(request, erased_at="2026-01-01T00:00:00+00:00")),
        "erased tomorrow": sign(ward.machine, said(request, erased_at=(clock.now() + timedelta(days=1)).isoformat())),
        "erased nothing": sign(ward.machine, said(request, erased=[])),
        "kept without a reason": sign(ward.machine, said(request, outcome="partly_kept")),
        "a reason of its own": sign(ward.machine, said(request, outcome="partly_kept", kept_reason="we like it")),
        "kept, and erased": sign(ward.machine, said(request, outcome="kept", kept_reason="dispute")),
    }
    for what, receipt in bad.items():
        reply = ward.answer(request["id"], receipt)
        assert (reply.status_code, reply.json["code"]) == (422, "consent.receipt_invalid"), what
    for machine, request_id in ((ward.stranger, request["id"]), (ward.machine, new_id())):
        reply = ward.answer(str(request_id), sign(machine, good), machine)
        assert (reply.status_code, reply.json["code"]) == (404, "consent.erasure_request_not_found")
    with db.transaction() as session:
        assert session.get(ErasureReceipt, UUID(request["id"])) is None
    kept = said(
        request, outcome="kept", erased=[], erased_at=None, kept_reason="medical_record", kept_until="2041-11-22"
    )
    assert ward.answer(request["id"], sign(ward.machine, kept)).json["receipt"]["kept_until"] == "2041-11-22"
    other = ward.answer(request["id"], sign(ward.machine, good))
    assert (other.status_code, other.json["code"]) == (409, "consent.receipt_given")


def sign_free(statement: dict[str, Any]) -> bytes:
    """The rest of a statement after ``erased``, to be put behind another beginning."""
    rest = {name: value for name, value in statement.items() if name != "erased"}
    return b"," + json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()[1:]


def test_a_receipt_is_written_for_good(ward: Ward) -> None:
    ward.copy()
    ward.revoke()
    (request,) = ward.asked()
    assert ward.answer(request["id"], sign(ward.machine, said(request))).status_code == 201
    with pytest.raises(IntegrityError, match="append-only"), db.transaction() as session:
        session.execute(update(ErasureReceipt).values(outcome="kept"))


def test_strangers_see_none_of_it(ward: Ward) -> None:
    ward.copy()
    ward.revoke()
    assert ward.asked(ward.city.patient().token, "erasures") == []
    limited = ward.city.machine(ward.hospital, ["system/*.read"])
    doctor = ward.city.staff(ward.hospital)
    for token in (limited.token, doctor.token, ward.patient.token):
        reply = ward.city.client.get("/api/v1/erasure-requests", headers=bearer(token))
        assert (reply.status_code, reply.json["code"]) == (403, "core.permission_missing")
