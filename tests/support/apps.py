"""An app of somebody else, the browser in which it is used, and the phone that answers it."""

import base64
import hashlib
import json
import re
import secrets
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from flask.testing import FlaskClient
from jwt.algorithms import ECAlgorithm
from werkzeug.test import TestResponse

from accounts.apps import service as apps
from accounts.assertions import ASSERTION_TYPE
from core import clock, db
from core.actor import SYSTEM
from health_card.models import Holder, Person, Relation
from health_card.service.ages import last_birth_date
from tests.support.city import City, Patient, bearer

REDIRECT = "https://app.example/back?from=ehr"
WIDEST = ["patient/*.rs", "offline_access"]


def challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def query_of(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query))


class AppSide:
    """A registered app. It keeps the verifier and state of its last request, as an app does."""

    def __init__(
        self, city: City, *, scopes: list[str] | None = None, confidential: bool = False, redirect_uri: str = REDIRECT
    ) -> None:
        self.city, self.redirect_uri = city, redirect_uri
        self.client_id = f"app-{secrets.token_hex(6)}"
        self.private_jwk: dict[str, Any] | None = None
        jwks = None
        if confidential:
            private = json.loads(ECAlgorithm.to_jwk(generate_private_key(SECP256R1())))
            self.private_jwk = private | {"kid": secrets.token_hex(8), "alg": "ES256", "use": "sig"}
            jwks = {"keys": [{name: value for name, value in self.private_jwk.items() if name != "d"}]}
        details = apps.AppDetails(
            "测试健康助手", "测试科技公司", "0533-0000000", "展示检验趋势", [redirect_uri], scopes or WIDEST
        )
        with db.transaction() as session:
            self.id = apps.register_app(session, SYSTEM, client_id=self.client_id, details=details, jwks=jwks)

    def request(self, scope: str | None = "patient/*.rs offline_access", **changes: str | None) -> dict[str, str]:
        """The parameters of an authorization request, with ``changes`` (None leaves one out)."""
        self.verifier, self.state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        asked: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": scope,
            "state": self.state,
            "aud": f"{self.city.config.base_url}/fhir",
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (asked | changes).items() if value is not None}

    def led_on(self, **changes: str | None) -> TestResponse:
        """What the browser is answered that the app leads to the platform."""
        return self.city.client.get(f"/oauth/authorize?{urlencode(self.request(**changes))}")

    def open(self, browser: FlaskClient, scope: str = "patient/*.rs offline_access", **changes: str | None) -> "Page":
        """The browser is led to the platform, and shows what is asked."""
        reply = browser.get(f"/oauth/authorize?{urlencode(self.request(scope, **changes))}")
        assert reply.status_code == 200, (reply.status_code, reply.location)
        return Page(browser, reply)

    def code(self, patient: Patient, scope: str = "patient/*.rs offline_access", **agreed: Any) -> str:
        """The patient agrees; the code that the app gets."""
        page = self.open(self.city.client, scope)
        reply = page.type(agree(self.city, patient, page, **agreed))
        assert reply.status_code == 303, reply.text
        told = query_of(reply.location)
        assert (told["state"], told["iss"]) == (self.state, self.city.config.base_url)
        return told["code"]

    def exchange(self, code: str, /, **changes: str | None) -> TestResponse:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        }
        return self.post("/oauth/token", **(form | changes))

    def refresh(self, refresh_token: str, /, **changes: str | None) -> TestResponse:
        return self.post("/oauth/token", **({"grant_type": "refresh_token", "refresh_token": refresh_token} | changes))

    def revoke(self, token: str) -> TestResponse:
        return self.post("/oauth/revoke", token=token)

    def tokens(self, patient: Patient, scope: str = "patient/*.rs offline_access", **agreed: Any) -> dict[str, Any]:
        reply = self.exchange(self.code(patient, scope, **agreed))
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.get_json()
        return found

    def post(self, path: str, **form: str | None) -> TestResponse:
        """With the app's own proof, unless ``form`` says otherwise."""
        sent = self._proof() | form
        return self.city.client.post(path, data={name: value for name, value in sent.items() if value is not None})

    def _proof(self) -> dict[str, str | None]:
        if self.private_jwk is None:
            return {"client_id": self.client_id}
        assertion = self.city.assertion(self.client_id, self.private_jwk)
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


class Page:
    """The page that asks, in the browser that began it."""

    def __init__(self, browser: FlaskClient, reply: TestResponse) -> None:
        self.browser, self.text, self.reply = browser, reply.text, reply
        self.address = re.findall(r'action="(/oauth/authorize/[0-9a-f-]+)"', self.text)[0]
        (shown,) = re.findall(r"(\d{4}) (\d{4})</strong>", self.text)
        self.number = "".join(shown)

    @property
    def id(self) -> str:
        return str(self.address).rpartition("/")[2]

    @property
    def secret(self) -> str:
        """What the browser keeps."""
        cookie = self.browser.get_cookie(f"yimatong_app_{UUID(self.id).hex}", path="/oauth/authorize")
        return str(cookie.value) if cookie else ""

    def type(self, digits: str) -> TestResponse:
        return self.browser.post(self.address, data={"confirmation": digits, "number": self.number})

    def cancel(self) -> TestResponse:
        return self.browser.post(f"{self.address}/cancel")


def take_up(city: City, token: str, number: str) -> TestResponse:
    return city.client.post("/api/v1/app-requests", json={"number": number}, headers=bearer(token))


def answer(city: City, token: str, request_id: str, **body: Any) -> TestResponse:
    path = f"/api/v1/app-requests/{request_id}/agreement"
    return city.client.post(path, json=body, headers=bearer(token))


def agree(city: City, patient: Patient, page: Page, **body: Any) -> str:
    """Looked up and agreed to on the phone; the six digits that it shows."""
    asked = take_up(city, patient.token, page.number)
    assert asked.status_code == 200, asked.text
    agreed = answer(city, patient.token, asked.json["id"], **({"person_id": str(patient.person_id)} | body))
    assert agreed.status_code == 201, agreed.text
    return str(agreed.json["confirmation"])


def hold(login: Patient, person: Patient, relation: Relation, *, years: int | None = None) -> None:
    """The login acts for this person, who is so many years old tomorrow."""
    with db.transaction() as session:
        now = clock.now()
        session.add(
            Holder(
                login_id=login.actor.id,
                person_id=person.person_id,
                relation=relation,
                created_at=now,
                confirmed_at=now,
            )
        )
        if years is not None:
            session.get_one(Person, person.person_id).birth_date = last_birth_date(years) + timedelta(days=1)


def accesses(city: City, token: str) -> list[dict[str, Any]]:
    """The patient's list of apps."""
    found: list[dict[str, Any]] = city.client.get("/api/v1/apps", headers=bearer(token)).json["apps"]
    return found


def withdraw(city: City, token: str, access_id: str) -> TestResponse:
    return city.client.post(f"/api/v1/apps/{access_id}/revoke", headers=bearer(token))


def reads(city: City, token: str, path: str) -> int:
    """The status of a FHIR request."""
    return city.client.get(f"/fhir/{path}", headers=bearer(token)).status_code
