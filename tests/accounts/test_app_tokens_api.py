"""The tokens of apps (RFC 6749 sections 4.1.3 and 6, RFC 7636, RFC 7009, RFC 9700): every way to misuse them."""

from dataclasses import replace

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from accounts import service as accounts
from accounts.apps import service as apps
from accounts.apps.models import AppAuthorization
from accounts.assertions import ASSERTION_TYPE
from core import db
from core.actor import SYSTEM
from core.audit import AuditEntry
from tests.conftest import SteppingClock
from tests.support.apps import REDIRECT, WIDEST, AppSide, accesses, query_of, reads, withdraw
from tests.support.city import City, Patient, bearer


@pytest.fixture(scope="module")
def patient(module_city: City) -> Patient:
    return module_city.patient()


@pytest.fixture(scope="module")
def app_side(module_city: City) -> AppSide:
    return AppSide(module_city)


@pytest.fixture
def here(app: object, app_side: AppSide) -> AppSide:
    """The app of the module, inside the transaction of a test."""
    return app_side


def refused(reply: TestResponse) -> tuple[int, str, str]:
    """RFC 6749, section 5.2: status, the error's name and our own code."""
    assert reply.get_json().keys() == {"error", "error_description", "code"}
    return reply.status_code, reply.json["error"], reply.json["code"]


INVALID = (400, "invalid_grant", "accounts.app_grant_invalid")
REPLAYED = (400, "invalid_grant", "accounts.app_grant_replayed")
NOT_THE_APP = (401, "invalid_client", "accounts.app_credentials_invalid")


def test_a_code_becomes_tokens_once(here: AppSide, patient: Patient, stepping_clock: SteppingClock) -> None:
    city = here.city
    code = here.code(patient)
    stepping_clock.forward(seconds=59)
    reply = here.exchange(code)
    assert (reply.status_code, reply.headers["Cache-Control"]) == (200, "no-store")
    told = reply.json
    assert (told["token_type"], told["expires_in"], told["patient"]) == ("Bearer", 600, str(patient.person_id))
    assert told["scope"] == "patient/*.rs offline_access"
    assert reads(city, told["access_token"], "Condition") == 200
    # Used again it is in somebody else's hands as well: all that came of it ends.
    assert refused(here.exchange(code)) == REPLAYED
    assert reads(city, told["access_token"], "Condition") == 401
    assert refused(here.refresh(told["refresh_token"])) == INVALID
    (listed,) = accesses(city, patient.token)
    assert (listed["status"], listed["app_name"]) == ("ended", "测试健康助手")


def test_a_code_is_good_for_its_app_address_and_verifier_alone(
    here: AppSide, patient: Patient, stepping_clock: SteppingClock
) -> None:
    code, other = here.code(patient), AppSide(here.city)
    other.request()
    wrong: list[dict[str, str | None]] = [
        {"code": "x" * 43},
        {"code": None},
        {"redirect_uri": None},
        {"redirect_uri": REDIRECT + "&x=1"},
        {"code_verifier": None},
        {"code_verifier": ""},
        {"code_verifier": "x" * 43},
        {"code_verifier": here.verifier[:-1]},
        {"code_verifier": here.verifier + "é"},
    ]
    for changes in wrong:
        assert refused(here.exchange(code, **changes)) == INVALID, changes
    # Another app that got hold of the code, with and without the verifier.
    for verifier in (other.verifier, here.verifier):
        assert refused(other.exchange(code, code_verifier=verifier)) == INVALID
    # None of this has used it up.
    assert here.exchange(code).status_code == 200
    late = here.code(patient)
    stepping_clock.forward(seconds=60)
    assert refused(here.exchange(late)) == INVALID


def test_a_code_put_into_another_browser_fails_at_the_verifier(here: AppSide, patient: Patient) -> None:
    stolen = here.code(patient)
    # The app begins anew in the victim's browser, and is given the stolen code there.
    here.request()
    assert refused(here.exchange(stolen)) == INVALID


def test_an_app_with_keys_proves_itself_each_time(city: City) -> None:
    patient, sealed, public = city.patient(), AppSide(city, confidential=True), AppSide(city)
    assert sealed.private_jwk is not None
    code = sealed.code(patient)
    other = AppSide(city, confidential=True)
    assert other.private_jwk is not None
    spent = city.assertion(sealed.client_id, sealed.private_jwk)
    assert sealed.post("/oauth/revoke", token="nothing", client_assertion=spent).status_code == 200
    wrong: list[dict[str, str | None]] = [
        {"client_assertion": None, "client_assertion_type": None, "client_id": sealed.client_id},
        {"client_assertion_type": None},
        {"client_assertion_type": "urn:other"},
        {"client_id": public.client_id},
        {"client_assertion": city.assertion(sealed.client_id, other.private_jwk)},
        {"client_assertion": city.assertion(other.client_id, sealed.private_jwk)},
        {"client_assertion": city.assertion(sealed.client_id, sealed.private_jwk, aud=city.config.base_url)},
        {"client_assertion": spent},
        {"client_assertion": "x"},
    ]
    for changes in wrong:
        assert refused(sealed.exchange(code, **changes)) == NOT_THE_APP, changes
    once = city.assertion(sealed.client_id, sealed.private_jwk)
    assert refused(sealed.exchange("x" * 43, client_assertion=once)) == INVALID
    assert refused(sealed.exchange(code, client_assertion=once)) == NOT_THE_APP
    tokens = sealed.exchange(code).json
    assert sealed.refresh(tokens["refresh_token"]).status_code == 200
    # A public app proves nothing, and cannot borrow the proof of another.
    borrowed = city.assertion(sealed.client_id, sealed.private_jwk)
    for form in (
        {"client_id": "nobody"},
        {"client_id": None},
        {"client_assertion": borrowed, "client_assertion_type": ASSERTION_TYPE},
        {"client_assertion": city.assertion(public.client_id, sealed.private_jwk)},
    ):
        assert (
            refused(public.post("/oauth/token", grant_type="refresh_token", refresh_token="x", **form)) == NOT_THE_APP
        )
    # A hospital system's way in is closed to apps.
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
    asked = city.client.post("/oauth/token", data=form | {"client_assertion": borrowed})
    assert refused(asked) == (401, "invalid_client", "accounts.client_assertion_invalid")


def test_refresh_tokens_rotate_and_reuse_ends_all(
    here: AppSide, patient: Patient, stepping_clock: SteppingClock
) -> None:
    first = here.tokens(patient)
    stepping_clock.forward(minutes=10)
    assert reads(here.city, first["access_token"], "Condition") == 401
    stranger = AppSide(here.city)
    assert refused(stranger.refresh(first["refresh_token"])) == INVALID
    for scope in ("patient/*.cruds", "patient/*.rs patient/Patient.rs", "system/*.read"):
        reply = here.refresh(first["refresh_token"], scope=scope)
        assert refused(reply) == (400, "invalid_scope", "accounts.app_scope_invalid")
    second = here.refresh(first["refresh_token"], scope="patient/*.rs").json
    assert (second["scope"], second["patient"]) == ("patient/*.rs", str(patient.person_id))
    third = here.refresh(second["refresh_token"]).json
    assert third["scope"] == "patient/*.rs offline_access"
    assert refused(here.refresh(second["refresh_token"])) == REPLAYED
    assert refused(here.refresh(third["refresh_token"])) == INVALID
    assert reads(here.city, third["access_token"], "Condition") == 401


def test_without_offline_access_it_is_over_after_an_hour(
    here: AppSide, patient: Patient, stepping_clock: SteppingClock
) -> None:
    tokens = here.tokens(patient, "patient/*.read")
    assert (tokens["expires_in"], "refresh_token" in tokens) == (3600, False)
    lasting = here.tokens(patient)["refresh_token"]
    stepping_clock.forward(minutes=59)
    assert reads(here.city, tokens["access_token"], "Condition") == 200
    stepping_clock.forward(minutes=1)
    assert reads(here.city, tokens["access_token"], "Condition") == 401
    stepping_clock.forward(days=180, minutes=-65)
    last = here.refresh(lasting).json
    assert reads(here.city, last["access_token"], "Condition") == 200
    stepping_clock.forward(minutes=5)
    assert reads(here.city, last["access_token"], "Condition") == 401
    assert refused(here.refresh(last["refresh_token"])) == INVALID


def test_an_app_gives_back_what_it_has(here: AppSide, patient: Patient) -> None:
    city = here.city
    for name in ("refresh_token", "access_token"):
        tokens = here.tokens(patient)
        assert AppSide(city).revoke(tokens[name]).status_code == 200
        assert reads(city, tokens["access_token"], "Condition") == 200
        assert here.revoke(tokens[name]).status_code == 200
        assert reads(city, tokens["access_token"], "Condition") == 401
        assert refused(here.refresh(tokens["refresh_token"])) == INVALID
    for nothing in ("x", "a.b.c", patient.token, patient.refresh_token):
        assert here.revoke(nothing).status_code == 200
    assert city.client.get("/api/v1/cards", headers=bearer(patient.token)).status_code == 200


def test_an_app_that_is_switched_off_is_out_at_once(here: AppSide, patient: Patient) -> None:
    tokens, code = here.tokens(patient), here.code(patient)
    page = here.open(here.city.client)
    details = apps.AppDetails("测试健康助手", "测试科技公司", "0", "展示", [REDIRECT], ["patient/*.rs"])
    with db.transaction() as session:
        apps.change_app(session, SYSTEM, here.id, details=details, is_enabled=False)
    assert reads(here.city, tokens["access_token"], "Condition") == 401
    assert refused(here.refresh(tokens["refresh_token"])) == NOT_THE_APP
    assert refused(here.exchange(code)) == NOT_THE_APP
    assert query_of(page.cancel().location)["error"] == "access_denied"


def test_another_purpose_is_agreed_to_anew(here: AppSide, patient: Patient) -> None:
    tokens = here.tokens(patient)
    details = apps.AppDetails("测试健康助手", "测试科技公司", "0533-0000000", "展示检验趋势", [REDIRECT], WIDEST)
    for changed, status in (
        (replace(details, contact="0533-1111111", name="健康助手"), 200),
        (replace(details, purpose="推荐保险产品"), 401),
    ):
        with db.transaction() as session:
            apps.change_app(session, SYSTEM, here.id, details=changed, is_enabled=True)
        assert reads(here.city, tokens["access_token"], "Condition") == status
    assert refused(here.refresh(tokens["refresh_token"])) == INVALID


def test_a_login_that_ends_everywhere_ends_its_apps(here: AppSide, patient: Patient) -> None:
    tokens, code = here.tokens(patient), here.code(patient)
    with db.transaction() as session:
        accounts.end_sessions_of_login(session, login_id=patient.actor.id, reason="lost")
    assert reads(here.city, tokens["access_token"], "Condition") == 401
    assert refused(here.exchange(code)) == INVALID


def test_an_apps_token_opens_nothing_but_fhir(here: AppSide, patient: Patient) -> None:
    city, token = here.city, here.tokens(patient)["access_token"]
    for path in ("/api/v1/timeline", "/api/v1/cards", "/api/v1/apps", "/api/v1/grants", "/api/v1/access-log"):
        assert city.client.get(path, headers=bearer(token)).status_code == 403, path
    for method, path in (("POST", "/fhir/Condition"), ("PUT", "/fhir/Condition/1")):
        assert city.client.open(path, method=method, headers=bearer(token)).status_code == 403
    # A batch reads; what it would write is refused by the entry.
    for kind, expected in (("transaction", (403, [])), ("batch", (200, ["403"]))):
        entry = {"request": {"method": "POST", "url": "Condition"}, "resource": {"resourceType": "Condition"}}
        sent = {"resourceType": "Bundle", "type": kind, "entry": [entry]}
        answer = city.client.post("/fhir", json=sent, headers=bearer(token))
        statuses = [each["response"]["status"] for each in answer.json.get("entry", [])]
        assert (answer.status_code, statuses) == expected, kind
    for path in ("AuditEvent", "Consent"):
        assert reads(city, token, path) == 403


def test_what_happens_is_in_the_patients_log_without_any_secret(here: AppSide, patient: Patient) -> None:
    tokens = here.tokens(patient)
    (listed,) = accesses(here.city, patient.token)
    assert withdraw(here.city, patient.token, listed["id"]).json["status"] == "ended"
    rows = here.city.client.get("/api/v1/access-log", headers=bearer(patient.token)).json["rows"]
    mine = [(row["action"], row["who_kind"], row["who"]) for row in rows if "app" in row["action"]]
    assert mine == [
        ("accounts.app_authorization.ended", "patient", "本人"),
        ("accounts.app_authorization.began", "app", "测试健康助手"),
        ("accounts.app_authorization.agreed", "patient", "本人"),
    ]
    with db.transaction() as session:
        facts = str(session.scalars(select(AuditEntry.facts)).all())
        (kept,) = session.scalars(select(AppAuthorization).where(AppAuthorization.id == listed["id"]))
    assert kept.end_reason == "revoked"
    assert tokens["refresh_token"] not in facts
