"""Hospitals, branches, departments, terminals, staff and systems over the operator's interface."""

import json
import secrets
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from accounts.models import Role
from accounts.roles import ROLE_PERMISSIONS
from accounts.service import clients, oversight, terminals
from core import db, keys
from core.actor import SYSTEM
from core.audit import AuditEntry
from core.ids import new_id
from tests.support.administration import ROOT, Desk, code_of, count
from tests.support.city import City, Hospital, bearer


@pytest.fixture
def operator(city: City) -> Desk:
    return Desk(city, Role.OPERATOR)


@pytest.fixture
def security(city: City) -> Desk:
    return Desk(city, Role.SECURITY_ADMINISTRATOR)


@pytest.fixture
def hospital(city: City) -> Hospital:
    return city.hospital()


def test_a_hospital_is_admitted_with_keys_required_and_read_back(operator: Desk) -> None:
    code = f"H{secrets.token_hex(4)}"
    made = operator.make("/hospitals", code=code, name="市第九测试医院", level=3)
    branch = operator.make(f"/hospitals/{made['id']}/branches", code="E", name="东院区", address="测试路 1 号")
    operator.make(f"/hospitals/{made['id']}/departments", code="0304", name="心内一科", branch_id=branch["id"])
    operator.make(f"/hospitals/{made['id']}/departments", code="0304", name="心内科")
    operator.make(f"/hospitals/{made['id']}/terminals", code="W01", kind="01", branch_id=branch["id"])
    shown = operator.ask("GET", f"/hospitals/{made['id']}").json
    assert (shown["code"], shown["requires_terminal_keys"], shown["is_enabled"]) == (code, True, True)
    assert [each["name"] for each in shown["branches"]] == ["东院区"]
    assert [(each["code"], each["name"], each.get("branch_id")) for each in shown["departments"]] == [
        ("0304", "心内科", None),
        ("0304", "心内一科", branch["id"]),
    ]
    assert [(each["code"], each["open_flags"]) for each in shown["terminals"]] == [("W01", 0)]
    found = operator.ask("GET", f"/hospitals?text={code}").json["hospitals"]
    assert [each["id"] for each in found] == [made["id"]]


def test_facts_are_changed_and_audited(operator: Desk, hospital: Hospital) -> None:
    branch = operator.make(f"/hospitals/{hospital.id}/branches", code="E", name="东院", address="")["id"]
    department = operator.make(f"/hospitals/{hospital.id}/departments", code="0300", name="内科")["id"]
    terminal = operator.make(f"/hospitals/{hospital.id}/terminals", code="W02", kind="02")["id"]
    for path, body in {
        f"/hospitals/{hospital.id}": {"name": "新名", "level": 0, "is_enabled": True, "requires_terminal_keys": True},
        f"/hospitals/{hospital.id}/branches/{branch}": {"name": "东", "address": "某处", "is_enabled": False},
        f"/hospitals/{hospital.id}/departments/{department}": {"name": "大内科", "is_enabled": False},
        f"/terminals/{terminal}": {"branch_id": branch, "is_enabled": False},
    }.items():
        assert operator.ask("PUT", path, **body).status_code == 204
    shown = operator.ask("GET", f"/hospitals/{hospital.id}").json
    assert (shown["name"], shown["level"], shown["requires_terminal_keys"]) == ("新名", 0, True)
    assert (shown["branches"][0]["address"], shown["branches"][0]["is_enabled"]) == ("某处", False)
    assert (shown["departments"][0]["name"], shown["departments"][0]["is_enabled"]) == ("大内科", False)
    changed = next(each for each in shown["terminals"] if each["id"] == terminal)
    assert (changed["branch_id"], changed["is_enabled"]) == (branch, False)
    for kind, key in (("branch", branch), ("department", department), ("terminal", terminal)):
        assert count(AuditEntry, object_id=key, action=f"accounts.{kind}.changed") == 1


def test_what_is_taken_is_refused_and_nothing_is_written(operator: Desk, hospital: Hospital) -> None:
    at = f"/hospitals/{hospital.id}"
    operator.make(f"{at}/branches", code="E", name="东院", address="")
    operator.make(f"{at}/departments", code="0300", name="内科")
    username = operator.make(f"{at}/staff", username=f"u{secrets.token_hex(4)}", name="测", role="doctor")["username"]
    before = count(AuditEntry)
    for path, body, code in (
        ("/hospitals", {"code": hospital.code, "name": "另一家", "level": 1}, "accounts.hospital_code_taken"),
        (f"{at}/branches", {"code": "E", "name": "西院"}, "accounts.branch_code_taken"),
        (f"{at}/departments", {"code": "0300", "name": "二内科"}, "accounts.department_code_taken"),
        (f"{at}/terminals", {"code": hospital.terminal, "kind": "01"}, "accounts.terminal_code_taken"),
        (f"{at}/staff", {"username": username, "name": "测", "role": "doctor"}, "accounts.username_taken"),
    ):
        assert code_of(operator.ask("POST", path, **body)) == (409, code)
    assert count(AuditEntry) == before


def test_an_unknown_department_is_refused(operator: Desk, hospital: Hospital) -> None:
    reply = operator.ask("POST", f"/hospitals/{hospital.id}/departments", code="9999", name="某科")
    assert code_of(reply) == (422, "accounts.department_code_unknown")


def test_what_is_not_there_is_not_found(city: City, operator: Desk, security: Desk, hospital: Hospital) -> None:
    other, nobody = city.hospital(), new_id()
    strange = operator.make(f"/hospitals/{other.id}/branches", code="E", name="东院")["id"]
    at, facts = f"/hospitals/{hospital.id}", {"name": "名", "is_enabled": True}
    for reply, code in (
        (operator.ask("GET", f"/hospitals/{nobody}"), "accounts.hospital_not_found"),
        (operator.ask("POST", f"/hospitals/{nobody}/branches", code="E", name="东院"), "accounts.hospital_not_found"),
        (operator.ask("GET", f"/hospitals/{nobody}/staff"), "accounts.hospital_not_found"),
        (operator.ask("PUT", f"{at}/branches/{strange}", **facts), "accounts.branch_not_found"),
        (
            operator.ask("POST", f"{at}/departments", code="0300", name="内科", branch_id=strange),
            "accounts.branch_not_found",
        ),
        (operator.ask("PUT", f"{at}/departments/{nobody}", **facts), "accounts.department_not_found"),
        (operator.ask("PUT", f"/terminals/{nobody}", is_enabled=True), "accounts.terminal_not_found"),
        (operator.ask("POST", f"/terminals/{nobody}/enrolment-codes"), "accounts.terminal_not_found"),
        (operator.ask("DELETE", f"/terminals/{nobody}/key"), "accounts.terminal_not_found"),
        (operator.ask("POST", f"/terminal-flags/{nobody}/clear"), "accounts.flag_not_found"),
        (operator.ask("PUT", f"/staff/{nobody}", is_enabled=False), "accounts.staff_not_found"),
        (operator.ask("PUT", f"/staff/{security.staff.id}", is_enabled=False), "accounts.staff_not_found"),
        (
            security.ask("PUT", f"/administrators/{city.staff(hospital).id}", is_enabled=False),
            "accounts.staff_not_found",
        ),
        (security.ask("PUT", f"/clients/{nobody}/jwks", jwks=key_set()), "accounts.client_not_found"),
    ):
        assert code_of(reply) == (404, code)


def test_the_three_roles_are_separated(city: City, hospital: Hospital) -> None:
    """Nobody who runs the platform can do what another of the three does."""
    asks = {
        Role.OPERATOR: [
            "/hospitals",
            f"/hospitals/{hospital.id}",
            f"/hospitals/{hospital.id}/staff",
            "/terminal-flags",
        ],
        Role.SECURITY_ADMINISTRATOR: ["/administrators", "/clients"],
        Role.AUDIT_ADMINISTRATOR: ["/audit-entries"],
    }
    for role in asks:
        desk = Desk(city, role)
        for owner, paths in asks.items():
            statuses = {desk.ask("GET", path).status_code for path in paths}
            assert statuses == {200 if owner is role else 403}, (role, owner)
    # Looks that a hospital does not answer for are seen by both whom it could concern.
    shared = {"accounts:session:end", "accounts:password:change", "accounts:overview:read", "consent:question:oversee"}
    held = [ROLE_PERMISSIONS[role] - shared for role in asks]
    assert len(held[0] | held[1] | held[2]) == sum(len(each) for each in held)
    # He watches, and says what he finds.
    assert {name.rpartition(":")[2] for name in held[2]} == {"read", "search", "count", "oversee", "conclude"}


@pytest.mark.parametrize("role", [Role.REGISTRAR, Role.DOCTOR])
def test_staff_of_a_hospital_run_nothing(city: City, hospital: Hospital, role: Role) -> None:
    headers = bearer(city.staff(hospital, role).token)
    for path in ("/hospitals", "/terminal-flags", "/administrators", "/clients", "/audit-entries"):
        assert code_of(city.client.get(f"{ROOT}{path}", headers=headers)) == (403, "core.permission_missing")


def test_a_hospital_switched_off_is_out_at_once_and_on_again_revives_no_session(
    city: City, operator: Desk, hospital: Hospital
) -> None:
    staff, machine = city.staff(hospital), city.machine(hospital)
    facts = {"name": "市第一测试医院", "level": 3, "requires_terminal_keys": False}
    scan = {"json": {}, "headers": bearer(staff.token)}
    assert city.client.post("/api/v1/desk/scans", **scan).status_code == 422
    operator.ask("PUT", f"/hospitals/{hospital.id}", is_enabled=False, **facts)
    assert city.client.post("/api/v1/desk/scans", **scan).status_code == 401
    assert city.client.get("/api/v1/quarantine", headers=bearer(machine.token)).status_code == 401
    operator.ask("PUT", f"/hospitals/{hospital.id}", is_enabled=True, **facts)
    assert city.client.post("/api/v1/desk/scans", **scan).status_code == 401
    assert city.client.get("/api/v1/quarantine", headers=bearer(machine.token)).status_code == 200


def test_a_flag_stands_until_the_operator_clears_it(operator: Desk, hospital: Hospital) -> None:
    terminal = operator.ask("GET", f"/hospitals/{hospital.id}").json["terminals"][0]
    with db.transaction() as session:
        terminals.flag_terminal(session, SYSTEM, terminal["id"], reason="not_me")
    mine = [
        flag for flag in operator.ask("GET", "/terminal-flags").json["flags"] if flag["terminal_id"] == terminal["id"]
    ]
    assert [(flag["reason"], flag["terminal_code"]) for flag in mine] == [("not_me", "W01")]
    assert operator.ask("GET", f"/hospitals/{hospital.id}").json["terminals"][0]["open_flags"] == 1
    assert operator.ask("POST", f"/terminal-flags/{mine[0]['id']}/clear").status_code == 204
    assert code_of(operator.ask("POST", f"/terminal-flags/{mine[0]['id']}/clear")) == (404, "accounts.flag_not_found")
    assert operator.ask("GET", f"/hospitals/{hospital.id}").json["terminals"][0]["open_flags"] == 0


# Systems and their keys


def public_jwk(key: Any = None, **changes: Any) -> dict[str, Any]:
    key = key or ec.generate_private_key(ec.SECP256R1())
    if isinstance(key, rsa.RSAPrivateKey):
        text, algorithm = RSAAlgorithm.to_jwk(key.public_key()), "PS256"
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        text, algorithm = OKPAlgorithm.to_jwk(key.public_key()), "EdDSA"
    else:
        text, algorithm = ECAlgorithm.to_jwk(key.public_key()), "ES256"
    jwk = json.loads(text) | {"alg": algorithm, "kid": secrets.token_hex(4)} | changes
    return {name: value for name, value in jwk.items() if value is not None}


def key_set(*keys_in_it: dict[str, Any]) -> dict[str, Any]:
    return {"keys": list(keys_in_it) or [public_jwk()]}


def client_of(hospital: Hospital, **changes: Any) -> dict[str, Any]:
    body = {"hospital_code": hospital.code, "client_id": f"c-{secrets.token_hex(4)}", "name": "检验系统"}
    return body | {"jwks": key_set(), "scopes": ["system/*.write"]} | changes


def test_good_keys_of_each_kind_are_taken(security: Desk, hospital: Hospital) -> None:
    good = [
        public_jwk(),
        public_jwk(ec.generate_private_key(ec.SECP384R1()), alg="ES384"),
        public_jwk(ed25519.Ed25519PrivateKey.generate(), use="sig"),
        public_jwk(rsa.generate_private_key(65537, 2048), key_ops=["verify"]),
    ]
    made = security.make("/clients", **client_of(hospital, jwks=key_set(*good)))
    shown = next(each for each in security.ask("GET", "/clients").json["clients"] if each["id"] == made["id"])
    assert shown["kids"] == [key["kid"] for key in good]


def bad_key_sets() -> dict[str, Any]:
    private = json.loads(ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1())))
    good = public_jwk()
    return {
        "private members": key_set(private | {"alg": "ES256", "kid": "k1"}),
        "a shared secret": key_set({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256", "kid": "k1"}),
        "a weak RSA key": key_set(public_jwk(rsa.generate_private_key(65537, 2048)) | {"n": "_" * 171}),
        "another algorithm": key_set(public_jwk(alg="RS256")),
        "none": key_set(public_jwk(alg="none")),
        "no algorithm": key_set(public_jwk(alg=None)),
        "another curve than its algorithm": key_set(public_jwk(ec.generate_private_key(ec.SECP384R1()))),
        "a point beside the curve": key_set(good | {"y": good["x"]}),
        "half a point": key_set({name: value for name, value in good.items() if name != "y"}),
        "a number for a coordinate": key_set(good | {"x": 5}),
        "for encryption": key_set(public_jwk(use="enc")),
        "no kid": key_set(public_jwk(kid=None)),
        "an odd kid": key_set(public_jwk(kid="密钥")),
        "one kid twice": key_set(public_jwk(kid="k1"), public_jwk(kid="k1")),
        "no keys": {"keys": []},
        "eleven keys": key_set(*[public_jwk() for _ in range(11)]),
        "no list": {"keys": "all"},
        "no objects": {"keys": [1]},
        "a URL": {"jwks_uri": "https://example.test/jwks"},
    }


def test_other_keys_are_refused(city: City, security: Desk, hospital: Hospital) -> None:
    machine = city.machine(hospital)
    for name, jwks in bad_key_sets().items():
        for reply in (
            security.ask("POST", "/clients", **client_of(hospital, jwks=jwks)),
            security.ask("PUT", f"/clients/{machine.id}/jwks", jwks=jwks),
        ):
            assert code_of(reply) == (422, "accounts.client_keys_invalid"), name
    with db.snapshot() as session:
        kept = next(each for each in clients.list_clients(session) if each.id == machine.id)
    assert kept.kids == [machine.private_jwk["kid"]]


def test_replaced_keys_sign_in_and_the_old_ones_do_not(city: City, security: Desk, hospital: Hospital) -> None:
    machine, other = city.machine(hospital), city.machine(hospital)
    public = {name: value for name, value in other.private_jwk.items() if name != "d"}
    assert security.ask("PUT", f"/clients/{machine.id}/jwks", jwks=key_set(public)).status_code == 204

    def sign_in(key: dict[str, Any]) -> int:
        assertion = city.assertion(machine.client_id, key)
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        form = {"grant_type": "client_credentials", "client_assertion_type": kind, "client_assertion": assertion}
        return city.client.post("/oauth/token", data=form).status_code

    assert (sign_in(machine.private_jwk), sign_in(other.private_jwk)) == (401, 200)


def test_a_client_is_changed_and_switched_off_at_once(city: City, security: Desk, hospital: Hospital) -> None:
    machine = city.machine(hospital)
    facts = {"name": "影像系统", "scopes": ["quarantine.read"]}
    assert security.ask("PUT", f"/clients/{machine.id}", is_enabled=False, **facts).status_code == 204
    assert city.client.get("/api/v1/quarantine", headers=bearer(machine.token)).status_code == 401
    wide = {"name": "影像系统", "scopes": ["everything"], "is_enabled": True}
    assert code_of(security.ask("PUT", f"/clients/{machine.id}", **wide)) == (422, "accounts.scope_unknown")


def test_a_client_id_is_given_once_and_to_a_known_hospital(security: Desk, hospital: Hospital) -> None:
    body = client_of(hospital)
    security.make("/clients", **body)
    assert code_of(security.ask("POST", "/clients", **body)) == (409, "accounts.client_id_taken")
    nowhere = client_of(hospital, hospital_code="nowhere")
    assert code_of(security.ask("POST", "/clients", **nowhere)) == (404, "accounts.hospital_not_found")


# The audit trail


def test_the_audit_trail_is_read_by_filter_and_page_and_that_is_audited(city: City, hospital: Hospital) -> None:
    auditor, operator = Desk(city, Role.AUDIT_ADMINISTRATOR), Desk(city, Role.OPERATOR)
    made = operator.make(f"/hospitals/{hospital.id}/departments", code="0300", name="内科")["id"]
    entries = auditor.ask("GET", f"/audit-entries?action=accounts.department&object_id={made}").json["entries"]
    assert [(each["action"], each["actor_id"]) for each in entries] == [
        ("accounts.department.added", str(operator.staff.id))
    ]
    assert "内科" not in json.dumps(entries, ensure_ascii=False)
    assert auditor.ask("GET", f"/audit-entries?object_id={made}&before={entries[0]['id']}").json["entries"] == []
    assert auditor.ask("GET", f"/audit-entries?object_id={made}&until=2001-01-01").json["entries"] == []
    assert len(auditor.ask("GET", f"/audit-entries?object_id={made}&since=2001-01-01").json["entries"]) == 1
    assert count(AuditEntry, actor_id=auditor.staff.id, action="accounts.audit.read") == 4
    for bad in ("action=*", "since=9999-12-31", "actor_id=me", "colour=red"):
        assert code_of(auditor.ask("GET", f"/audit-entries?{bad}")) == (422, "core.malformed_request")


# Signing keys


def test_keys_are_rotated_and_the_last_one_killed_is_replaced(city: City) -> None:
    purpose = f"test_{secrets.token_hex(4)}".translate(str.maketrans("0123456789", "ghijklmnop"))
    actor = city.staff(None, Role.SECURITY_ADMINISTRATOR).actor
    with db.transaction() as session:
        first = keys.add_key(session, purpose)
    with db.transaction() as session:
        second = oversight.rotate_signing_key(session, actor, purpose=purpose)
    for kid in (second, first):
        with db.transaction() as session:
            oversight.kill_signing_key(session, actor, kid, confirmation=kid)
    with db.transaction() as session:
        mine = [key for key in oversight.list_signing_keys(session) if key.purpose == purpose]
        ring = keys.ring(session, purpose)
    assert sorted(key.state for key in mine) == ["killed", "killed", "signing"]
    assert set(ring.verifying_keys) == {ring.signing_kid}
    assert ring.signing_kid not in {first, second}
    assert count(AuditEntry, actor_id=actor.id, action="core.key.killed") == 2
