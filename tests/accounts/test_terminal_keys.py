"""Terminals bring a key of their own and prove it at every scan (RFC 9449): every way to be wrong."""

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from sqlalchemy import select, update

from accounts.models import Hospital as HospitalRow
from accounts.models import Role, SpentProof, TerminalKey
from accounts.public_keys import thumbprint
from accounts.routes import ENROLMENT_TRIES_PER_MINUTE
from core import clock, db
from records.visits.models import Visit
from tests.conftest import SteppingClock
from tests.support.administration import Desk, code_of, count
from tests.support.browsing import Browser
from tests.support.city import City, Hospital, Patient, Staff
from tests.support.terminals import ENROL, SCAN, Terminal, enrolment_code, hashed, terminal_id_of


@pytest.fixture(scope="module")
def hospital(module_city: City) -> Hospital:
    return module_city.hospital()


@pytest.fixture(scope="module")
def staff(module_city: City, hospital: Hospital) -> Staff:
    return module_city.staff(hospital, Role.REGISTRAR)


@pytest.fixture(scope="module")
def patient(module_city: City) -> Patient:
    return module_city.patient()


@pytest.fixture
def terminal(city: City, hospital: Hospital) -> Terminal:
    return Terminal(city).enrol_as(hospital)


def require_keys(hospital: Hospital) -> None:
    with db.transaction() as session:
        session.execute(update(HospitalRow).where(HospitalRow.id == hospital.id).values(requires_terminal_keys=True))


def keys_in_force(hospital: Hospital) -> int:
    terminal_id = terminal_id_of(hospital)
    return count(TerminalKey, terminal_id=terminal_id, revoked_at=None)


def test_thumbprints_are_those_of_the_standard() -> None:
    """RFC 8037, appendix A.3."""
    ed25519 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert thumbprint(ed25519) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_a_terminal_brings_its_key_and_scans_with_proof(
    city: City, patient: Patient, hospital: Hospital, staff: Staff, algorithm: str
) -> None:
    require_keys(hospital)
    terminal = Terminal(city, algorithm)
    code = enrolment_code(hospital)
    assert len(code) == 11
    reply = terminal.enrol(code.lower().replace("-", " "))
    assert reply.status_code == 201
    assert (reply.json["code"], reply.json["hospital_id"]) == ("W01", str(hospital.id))
    assert reply.json["thumbprint"] == thumbprint(terminal.jwk)
    assert terminal.scan(staff, hospital, city.code(patient)).status_code == 201


def test_a_terminal_without_a_key_scans_where_none_is_required(
    city: City, patient: Patient, hospital: Hospital, staff: Staff
) -> None:
    code = city.code(patient)
    assert Terminal(city).scan(staff, hospital, code, proof="").status_code == 201


def test_where_keys_are_required_a_terminal_without_one_scans_nothing(
    city: City, patient: Patient, hospital: Hospital, staff: Staff
) -> None:
    require_keys(hospital)
    reply = Terminal(city).scan(staff, hospital, city.code(patient))
    assert code_of(reply) == (403, "accounts.terminal_key_missing")
    assert count(Visit, hospital_id=hospital.id) == 0


def test_a_terminal_with_a_key_scans_nothing_without_proof(
    city: City, patient: Patient, hospital: Hospital, staff: Staff, terminal: Terminal
) -> None:
    reply = terminal.scan(staff, hospital, city.code(patient), proof="")
    assert code_of(reply) == (401, "accounts.terminal_proof_missing")
    assert reply.headers["WWW-Authenticate"].startswith("DPoP")
    assert count(Visit, hospital_id=hospital.id) == 0


def wrong_claims(base_url: str, now: int) -> dict[str, dict[str, Any]]:
    return {
        "another method": {"htm": "GET"},
        "another address": {"htu": f"{base_url}/desk"},
        "another host": {"htu": f"https://elsewhere.example{SCAN}"},
        "too old": {"iat": now - 121},
        "of the future": {"iat": now + 122},
        "no time": {"iat": None},
        "time is no number": {"iat": "now"},
        "time is not a number": {"iat": float("nan")},
        "time without end": {"iat": 10**400},
        "no jti": {"jti": None},
        "jti too short": {"jti": "1"},
        "jti is a number": {"jti": 12_345_678},
        "no method": {"htm": None},
        "no address": {"htu": None},
        "no session": {"ath": None},
        "another session": {"ath": hashed("another")},
        "no code": {"code_hash": None},
        "another code": {"code_hash": hashed("another")},
        "expired by its own word": {"exp": 1},
    }


@pytest.mark.parametrize("wrong", wrong_claims("", 0))
def test_a_proof_with_wrong_claims_is_refused(
    city: City, patient: Patient, hospital: Hospital, staff: Staff, terminal: Terminal, wrong: str
) -> None:
    claims = wrong_claims(city.config.base_url, int(clock.now().timestamp()))[wrong]
    reply = terminal.scan(staff, hospital, city.code(patient), **claims)
    assert code_of(reply) == (401, "accounts.terminal_proof_invalid")
    assert count(Visit, hospital_id=hospital.id) == 0


def test_a_proof_of_another_form_or_key_is_refused(
    city: City, patient: Patient, hospital: Hospital, staff: Staff, terminal: Terminal
) -> None:
    other, code = Terminal(city), city.code(patient)
    bound: dict[str, Any] = {"ath": hashed(staff.token), "code_hash": hashed(code)}
    borrowed = Terminal(city)
    borrowed.jwk = terminal.jwk
    header, payload, signature = terminal.prove(SCAN, **bound).split(".")
    private = json.loads(ECAlgorithm.to_jwk(terminal.key))
    symmetric = jwt.encode({"htm": "POST"}, "x" * 32, algorithm="HS256", headers={"typ": "dpop+jwt", "jwk": other.jwk})
    for proof in (
        other.prove(SCAN, **bound),
        borrowed.prove(SCAN, **bound),
        terminal.prove(SCAN, {"jwk": other.jwk}, **bound),
        terminal.prove(SCAN, {"jwk": private}, **bound),
        terminal.prove(SCAN, {"jwk": None}, **bound),
        terminal.prove(SCAN, {"jwk": []}, **bound),
        terminal.prove(SCAN, {"jwk": "x"}, **bound),
        terminal.prove(SCAN, {"typ": "JWT"}, **bound),
        symmetric,
        f"{header}.{payload}.",
        f"{header}.{payload}.{signature[:-4]}AAAA",
        f"{header}.{payload}",
        "x",
        "..",
    ):
        reply = terminal.scan(staff, hospital, code, proof=proof)
        assert code_of(reply) == (401, "accounts.terminal_proof_invalid"), proof
    assert terminal.scan(staff, hospital, code).status_code == 201


def test_a_proof_is_good_once_and_what_is_kept_of_it_is_forgotten(
    city: City, patient: Patient, hospital: Hospital, staff: Staff, terminal: Terminal, stepping_clock: SteppingClock
) -> None:
    code = city.code(patient)
    proof = terminal.prove(SCAN, ath=hashed(staff.token), code_hash=hashed(code))
    assert terminal.scan(staff, hospital, code, proof=proof).status_code == 201
    for _ in range(2):
        reply = terminal.scan(staff, hospital, code, proof=proof)
        assert code_of(reply) == (401, "accounts.terminal_proof_invalid")
        stepping_clock.forward(seconds=120)
    stepping_clock.forward(seconds=1)
    assert terminal.scan(staff, hospital, city.code(patient)).status_code == 201
    with db.transaction() as session:
        key_id = session.scalar(select(TerminalKey.id).filter_by(thumbprint=thumbprint(terminal.jwk)))
    assert count(SpentProof, key_id=key_id) == 1


def test_the_desk_page_takes_a_proof_bound_to_the_token_of_its_forms(
    city: City, patient: Patient, hospital: Hospital, staff: Staff, terminal: Terminal
) -> None:
    desk = Browser(city.app)
    desk.sign_in(staff)
    code = city.code(patient)
    form = {"code": code, "terminal": "W01", "department": "0300", "medical_step": "010101", "visit_kind": "O"}
    without = desk.post("/desk", form)
    assert (without.status_code, "accounts.terminal_proof_missing" in without.text) == (401, True)
    assert "只能在登记过的电脑上使用" in without.text
    proof = terminal.prove("/desk", ath=hashed(desk.csrf_token), code_hash=hashed(code))
    assert desk.post("/desk", form | {"terminal_proof": proof}).status_code == 303


# Enrolment


def test_a_code_is_good_once_and_ten_minutes(city: City, hospital: Hospital, stepping_clock: SteppingClock) -> None:
    code = enrolment_code(hospital)
    assert Terminal(city).enrol(code).status_code == 201
    assert code_of(Terminal(city).enrol(code)) == (401, "accounts.enrolment_code_invalid")
    late = enrolment_code(hospital)
    stepping_clock.forward(minutes=10)
    assert code_of(Terminal(city).enrol(late)) == (401, "accounts.enrolment_code_invalid")
    assert code_of(Terminal(city).enrol("AAAAA-AAAAA")) == (401, "accounts.enrolment_code_invalid")
    assert keys_in_force(hospital) == 1


def test_a_new_code_ends_the_one_before(city: City, hospital: Hospital) -> None:
    first, second = enrolment_code(hospital), enrolment_code(hospital)
    assert code_of(Terminal(city).enrol(first)) == (401, "accounts.enrolment_code_invalid")
    assert Terminal(city).enrol(second).status_code == 201


def test_guessing_codes_is_stopped(city: City, hospital: Hospital) -> None:
    terminal, good = Terminal(city), enrolment_code(hospital)
    for _ in range(ENROLMENT_TRIES_PER_MINUTE):
        assert terminal.enrol("AAAAA-AAAAA").status_code == 401
    assert code_of(terminal.enrol(good)) == (429, "core.rate_exceeded")


def test_a_key_that_is_not_acceptable_is_refused_and_the_code_stays_good(city: City, hospital: Hospital) -> None:
    terminal, code = Terminal(city), enrolment_code(hospital)
    private = json.loads(ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1())))
    for changes in ({"d": private["d"]}, {"y": terminal.jwk["x"]}, {"alg": "EdDSA"}, {"x": "AAAA"}):
        assert code_of(terminal.enrol(code, **changes)) == (422, "accounts.terminal_key_invalid")
    for proof in (Terminal(city).prove(ENROL), terminal.prove(SCAN), terminal.prove(ENROL, iat=1)):
        assert code_of(terminal.enrol(code, proof)) == (401, "accounts.terminal_proof_invalid")
    reply = city.client.post(ENROL, json={"code": code, "public_jwk": terminal.jwk | {"alg": "ES256"}})
    assert code_of(reply) == (401, "accounts.terminal_proof_missing")
    assert terminal.enrol(code).status_code == 201


def test_two_terminals_never_have_one_key(city: City, hospital: Hospital, terminal: Terminal) -> None:
    code = enrolment_code(city.hospital())
    assert code_of(terminal.enrol(code)) == (409, "accounts.terminal_key_taken")
    assert Terminal(city).enrol(code).status_code == 201


def test_a_replaced_or_revoked_key_is_worthless_at_once(
    city: City, patient: Patient, hospital: Hospital, staff: Staff, terminal: Terminal
) -> None:
    operator, code = Desk(city, Role.OPERATOR), city.code(patient)
    newer = Terminal(city).enrol_as(hospital)
    assert code_of(terminal.scan(staff, hospital, code)) == (401, "accounts.terminal_proof_invalid")
    require_keys(hospital)
    waiting = enrolment_code(hospital)
    assert operator.ask("DELETE", f"/terminals/{terminal_id_of(hospital)}/key").status_code == 204
    assert code_of(newer.scan(staff, hospital, code)) == (403, "accounts.terminal_key_missing")
    assert code_of(terminal.enrol(waiting)) == (401, "accounts.enrolment_code_invalid")
    assert terminal.enrol(enrolment_code(hospital)).status_code == 201


def test_a_terminal_switched_off_brings_no_key_and_scans_nothing(
    city: City, patient: Patient, hospital: Hospital, staff: Staff, terminal: Terminal
) -> None:
    code = enrolment_code(hospital)
    off = Desk(city, Role.OPERATOR).ask("PUT", f"/terminals/{terminal_id_of(hospital)}", is_enabled=False)
    assert off.status_code == 204
    assert code_of(Terminal(city).enrol(code)) == (401, "accounts.enrolment_code_invalid")
    reply = terminal.scan(staff, hospital, city.code(patient))
    assert code_of(reply) == (422, "accounts.terminal_unknown")


def test_another_hospitals_key_proves_nothing_here(
    city: City, patient: Patient, hospital: Hospital, terminal: Terminal
) -> None:
    elsewhere = city.hospital()
    stranger = Terminal(city).enrol_as(elsewhere)
    staff = city.staff(hospital)
    reply = stranger.scan(staff, hospital, city.code(patient))
    assert code_of(reply) == (401, "accounts.terminal_proof_invalid")


def test_the_header_is_described(city: City) -> None:
    operation = city.client.get("/openapi.json").json["paths"][SCAN]["post"]
    assert "DPoP" in [parameter["name"] for parameter in operation["parameters"]]
