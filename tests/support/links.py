"""Share links as patients make them and others open them."""

from dataclasses import dataclass
from typing import Any

from werkzeug.test import TestResponse

from tests.support.city import City, Patient, bearer

PASSCODE = "482913"


@dataclass(frozen=True)
class Link:
    """A link that was made: its id, what stands behind the hash sign, and the passcode."""

    id: str
    grant_id: str
    secret: str
    health_link: str | None
    passcode: str


def make(city: City, patient: Patient, **wished: Any) -> Link:
    """A link of the patient's; what is not said is as the platform has it, with a passcode known here."""
    reply = ask(city, patient, **wished)
    assert reply.status_code == 201, reply.text
    made = reply.json
    secret = made["address"].partition("#")[2]
    return Link(made["link"]["id"], made["link"]["grant_id"], secret, made.get("health_link"), made["passcode"])


def ask(city: City, patient: Patient, **wished: Any) -> TestResponse:
    """The answer to asking for a link."""
    body = {"person_id": str(patient.person_id), "recipient": "省立医院 李医生", "passcode": PASSCODE} | wished
    return city.client.post("/api/v1/share-links", json=body, headers=bearer(patient.token))


def call(city: City, token: str, method: str, path: str, **body: Any) -> TestResponse:
    """One of the owner's requests about his links."""
    sent: dict[str, Any] = {"json": body} if method != "GET" else {}
    return city.client.open(f"/api/v1/share-links{path}", method=method, headers=bearer(token), **sent)


def knock(city: City, secret: str, passcode: str = PASSCODE, viewer: str = "李医生") -> TestResponse:
    """What the page's script sends."""
    return city.client.post("/share/openings", json={"secret": secret, "passcode": passcode, "viewer": viewer})
