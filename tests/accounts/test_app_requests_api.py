"""An app asks to be let in (RFC 6749 section 4.1, RFC 7636, RFC 9700, SMART App Launch 2): every way to be wrong."""

from urllib.parse import urlencode
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.apps import service as apps
from accounts.apps.redirects import is_registered
from accounts.apps.refusals import AppConfirmationWrong, AuthorizationRequestInvalid
from accounts.apps.scopes import CATEGORIZED, are_within, check_scopes, find_categories, permissions_of, read_scope
from accounts.public_keys import base64url_sha256
from core import db
from records.fhir.catalogue import KINDS
from tests.conftest import SteppingClock
from tests.support.apps import REDIRECT, AppSide, agree, answer, query_of, take_up
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


def test_the_page_says_who_asks_for_what_and_leads_back_only_there(here: AppSide) -> None:
    page = here.open(here.city.client, "launch/patient patient/Observation.rs?category=laboratory patient/Patient.r")
    for words in ("测试健康助手", "测试科技公司", "展示检验趋势", "0533-0000000", "检验检查结果（仅检验类）", "一小时"):
        assert words in page.text
    assert "全部健康记录" not in page.text
    policy = page.reply.headers["Content-Security-Policy"]
    assert "form-action 'self' https://app.example" in policy
    assert (page.reply.headers["Cache-Control"], page.reply.headers["X-Frame-Options"]) == ("no-store", "DENY")
    cookie = page.reply.headers["Set-Cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=Lax", "Path=/oauth/authorize"))


def test_an_unknown_app_or_address_is_never_led_anywhere(here: AppSide) -> None:
    wrong: list[dict[str, str | None]] = [
        {"client_id": "somebody"},
        {"client_id": "a\0b"},
        {"client_id": None},
        {"redirect_uri": None},
        {"redirect_uri": "https://app.example/back"},
        {"redirect_uri": REDIRECT + "&more=1"},
        {"redirect_uri": REDIRECT.replace("app.example", "app.example.evil.example")},
        {"redirect_uri": REDIRECT.replace("app.example", "app.example@evil.example")},
        {"redirect_uri": REDIRECT.replace("https", "http")},
        {"redirect_uri": REDIRECT.upper()},
        {"redirect_uri": REDIRECT + "#x"},
        {"redirect_uri": "javascript:alert(1)"},
    ]
    for changes in wrong:
        reply = here.led_on(**changes)
        assert reply.status_code == 400, changes
        assert "Location" not in reply.headers
        assert "accounts.app_unknown" in reply.text
        assert "无法识别发起请求的应用" in reply.text
    twice = urlencode([*here.request().items(), ("redirect_uri", REDIRECT)])
    assert here.city.client.get(f"/oauth/authorize?{twice}").status_code == 400


INVALID: list[tuple[dict[str, str | None], str]] = [
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": None}, "unsupported_response_type"),
    ({"state": None}, "invalid_request"),
    ({"state": "short"}, "invalid_request"),
    ({"state": "with\0nul-in-it"}, "invalid_request"),
    ({"aud": None}, "invalid_request"),
    ({"aud": "https://elsewhere.example/fhir"}, "invalid_request"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge": "x" * 42}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"scope": ""}, "invalid_scope"),
    ({"scope": "launch/patient offline_access"}, "invalid_scope"),
    ({"scope": "patient/*.*"}, "invalid_scope"),
    ({"scope": "patient/*.write"}, "invalid_scope"),
    ({"scope": "patient/Observation.cruds"}, "invalid_scope"),
    ({"scope": "patient/AuditEvent.rs"}, "invalid_scope"),
    ({"scope": "patient/Consent.r"}, "invalid_scope"),
    ({"scope": "user/*.read"}, "invalid_scope"),
    ({"scope": "system/*.read"}, "invalid_scope"),
    ({"scope": "openid fhirUser patient/*.rs"}, "invalid_scope"),
    ({"scope": "launch patient/*.rs"}, "invalid_scope"),
    ({"scope": "patient/Observation.rs?code=2345-7"}, "invalid_scope"),
    ({"scope": "patient/Observation.rs?category=laboratory&code=1"}, "invalid_scope"),
    ({"scope": "patient/Observation.rs?category=urn:other|laboratory"}, "invalid_scope"),
    ({"scope": "patient/Encounter.rs?category=laboratory"}, "invalid_scope"),
    ({"scope": "patient/*.rs?category=laboratory"}, "invalid_scope"),
]


def test_what_cannot_be_asked_for_is_answered_at_the_apps_address(here: AppSide) -> None:
    for changes, error in INVALID:
        scope = changes.get("scope") or "patient/*.rs"
        asked = here.request(scope, **{name: value for name, value in changes.items() if name != "scope"})
        asked |= {"scope": ""} if changes.get("scope") == "" else {}
        reply = here.city.client.get(f"/oauth/authorize?{urlencode(asked)}")
        assert reply.status_code == 303, changes
        assert reply.location.startswith(REDIRECT + "&"), changes
        told = query_of(reply.location)
        assert (told["error"], told["iss"]) == (error, here.city.config.base_url), changes
        assert "code" not in told
        assert told.get("state") == asked.get("state")
    assert AuthorizationRequestInvalid("invalid_scope", "").code == "accounts.authorization_request_invalid"


def test_an_app_asks_for_no_more_than_it_is_registered_for(city: City) -> None:
    narrow = AppSide(city, scopes=["patient/Observation.rs?category=laboratory", "patient/Condition.r"])
    narrow.open(city.client, "patient/Observation.r?category=laboratory patient/Condition.r launch/patient")
    for scope in (
        "patient/*.rs",
        "patient/Observation.rs",
        "patient/Observation.rs?category=imaging",
        "patient/Condition.rs",
        "patient/Condition.read",
        "patient/Patient.r",
        "patient/Condition.r offline_access",
    ):
        reply = city.client.get(f"/oauth/authorize?{urlencode(narrow.request(scope))}")
        assert query_of(reply.location)["error"] == "invalid_scope", scope


def test_a_number_is_taken_up_by_one_login_and_digits_by_one_browser(here: AppSide, patient: Patient) -> None:
    city = here.city
    page = here.open(city.client)
    asked = take_up(city, patient.token, page.number)
    assert asked.json["sees"] == ["全部健康记录"]
    assert asked.json["persons"][0] == {"person_id": str(patient.person_id), "name": "张*试", "is_self": True}
    other = city.patient("李测试")
    assert take_up(city, other.token, page.number).json["code"] == "accounts.app_request_not_found"
    stolen = answer(city, other.token, page.id, person_id=str(other.person_id))
    assert (stolen.status_code, stolen.json["code"]) == (404, "accounts.app_request_not_found")
    early = page.type("123456")
    assert (early.status_code, "accounts.app_not_agreed" in early.text) == (409, False)
    assert "请先在手机上同意" in early.text
    assert page.number[:4] in early.text
    digits = agree(city, patient, page)
    # Whoever knows the address and the digits, but is another browser, gets nothing.
    elsewhere = city.client.post(page.address, data={"confirmation": digits})
    assert elsewhere.status_code == 404
    assert "Location" not in elsewhere.headers
    again = answer(city, patient.token, page.id, person_id=str(patient.person_id))
    assert again.status_code == 404
    assert page.type(digits).status_code == 303
    assert page.type(digits).status_code == 404
    assert page.type("").status_code == 404


def test_five_wrong_tries_end_a_request(here: AppSide, patient: Patient) -> None:
    page = here.open(here.city.client)
    digits = agree(here.city, patient, page)
    wrong = f"{(int(digits) + 1) % 10**6:06d}"
    assert page.secret
    with pytest.raises(AppConfirmationWrong) as refused, db.transaction() as session:
        apps.complete_request(session, UUID(page.id), browser_secret=page.secret, confirmation=wrong, issuer="")
    assert (refused.value.code, refused.value.members) == ("accounts.app_confirmation_wrong", {"tries_left": 4})
    assert "请输入手机上显示的六位数字" in page.type("12345x").text
    replies = [page.type(wrong) for _ in range(4)]
    assert [reply.status_code for reply in replies[:3]] == [422] * 3
    assert "还可以再试 3 次" in replies[0].text
    assert page.type(digits).status_code == 404
    assert here.city.client.get("/api/v1/apps", headers=bearer(patient.token)).json == {"apps": []}


def test_a_request_ends_after_ten_minutes(here: AppSide, patient: Patient, stepping_clock: SteppingClock) -> None:
    page = here.open(here.city.client)
    digits = agree(here.city, patient, page)
    unanswered = here.open(here.city.client)
    stepping_clock.forward(minutes=10)
    assert page.type(digits).status_code == 404
    with pytest.raises(AssertionError, match="session_ended"):
        agree(here.city, patient, unanswered)
    # Another day, nothing is left of it.
    stepping_clock.forward(days=1, seconds=1)
    here.open(here.city.client)
    assert page.cancel().status_code == 404


def test_who_declines_is_led_back_with_that(here: AppSide, patient: Patient) -> None:
    city = here.city
    page = here.open(city.client)
    assert take_up(city, patient.token, page.number).status_code == 200
    path = f"/api/v1/app-requests/{page.id}/refusal"
    assert city.client.post(path, headers=bearer(patient.token)).status_code == 204
    for reply in (page.type("123456"), page.cancel(), here.open(city.client).cancel()):
        assert query_of(reply.location)["error"] == "access_denied"
        assert reply.location.startswith(REDIRECT + "&")
    assert answer(city, patient.token, page.id, person_id=str(patient.person_id)).status_code == 404


def test_an_app_on_the_device_itself_may_listen_anywhere_on_it(city: City, patient: Patient) -> None:
    native = AppSide(city, redirect_uri="http://127.0.0.1/back")
    page = native.open(city.client, redirect_uri="http://127.0.0.1:51234/back")
    assert "form-action 'self' http://127.0.0.1:51234" in page.reply.headers["Content-Security-Policy"]
    registered = ["http://127.0.0.1/back", "https://app.example/back"]
    assert is_registered("http://127.0.0.1:9/back", registered)
    for wrong in (
        "http://127.0.0.1:9/other",
        "http://127.0.0.1.evil.example/back",
        "http://127.0.0.1@evil.example/back",
        "http://localhost/back",
        "https://app.example:8443/back",
        "https://app.example/back/",
        "https://app.example/back;form-action *",
    ):
        assert not is_registered(wrong, registered), wrong


def test_only_types_that_are_searched_by_category_are_confined_by_it() -> None:
    assert {name for name, kind in KINDS.items() if "category" in kind.parameters} == CATEGORIZED


_SCOPES = st.builds(
    lambda kind, verbs, category: f"patient/{kind}.{verbs}" + (f"?category={category}" if category else ""),
    st.sampled_from(["Observation", "Condition", "DiagnosticReport"]),
    st.sampled_from(["r", "s", "rs", "read"]),
    st.sampled_from(["", "laboratory", "imaging"]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(_SCOPES, min_size=1, max_size=4), st.lists(_SCOPES, min_size=1, max_size=4))
def test_what_is_within_lets_do_no_more(asked: list[str], registered: list[str]) -> None:
    assert check_scopes(asked) == list(dict.fromkeys(asked))
    if not are_within(asked, registered):
        return
    assert permissions_of(asked) <= permissions_of(registered)
    for one in map(read_scope, asked):
        for verb in one.verbs:
            narrow, wide = (find_categories(texts, one.resource_type, verb) for texts in (asked, registered))
            assert wide is None or (narrow is not None and narrow <= wide)


def test_the_verifier_of_the_standard_has_the_challenge_of_the_standard() -> None:
    """RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert base64url_sha256(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
