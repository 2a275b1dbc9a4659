"""Laboratory reports a second by FHIR: the product, beside a fhirstarter server and beside a bare insert."""

import json
import random
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import jwt
import psycopg
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from jwt.algorithms import ECAlgorithm

from accounts import service as accounts
from app import create_app
from bench.fhirstarter_app import TABLE
from bench.harness import Figure, Machines, Round, Settings, alternate, machines
from bench.mllp_intake import ITEMS
from bench.town import make_town
from core import clock, db
from core.actor import SYSTEM, Actor, ActorKind
from core.config import Config, read_config
from health_card import service as health_card
from records.fhir import systems
from records.reports.incoming import LOINC, UCUM

_WARM_UP_SECONDS, _WARM_UP_REQUESTS = 1.5, 1500


@dataclass(frozen=True)
class Laboratory:
    """A hospital's system that is signed in, and the numbers of the patients whom it knows."""

    hospital_id: UUID
    client_id: str
    key: jwt.PyJWK
    numbers: list[str]

    def sign_in(self, config: Config) -> str:
        """A token of five minutes."""
        now, token_url = int(clock.now().timestamp()), f"{config.base_url}/oauth/token"
        claims = {"iss": self.client_id, "sub": self.client_id, "aud": token_url, "iat": now, "exp": now + 300}
        claims |= {"jti": secrets.token_hex(8)}
        assertion = jwt.encode(claims, self.key.key, algorithm="ES256", headers={"kid": self.key.key_id})
        with db.transaction() as session:
            token, _ = accounts.issue_machine_token(
                session, assertion=assertion, scope=None, issuer=config.base_url, token_url=token_url
            )
        return token.text


def measure(settings: Settings) -> list[Figure]:
    """Each request files a new report of eight results; the others keep the same body in a table of their own."""
    with tempfile.TemporaryDirectory(prefix="yimatong-bench-") as name, machines(Path(name) / "servers") as running:
        config = read_config(running.environment)
        with create_app(config).app_context():
            card_numbers = make_town(config, persons=settings.persons, seed=settings.seed).card_numbers
            laboratory = _open_laboratory(card_numbers)
            db.orm.session.remove()
            db.orm.engine.dispose()
            other_url = running.copy_database("other")
            with psycopg.connect(other_url, autocommit=True) as connection:
                connection.execute(TABLE)
            running.serve("product", "app:create_app", database_url=running.product_url, ready="/readyz")
            starter = "bench.fhirstarter_app"
            running.serve(
                "fhirstarter", f"{starter}:create_app", database_url=other_url, ready="/healthz", interface="asgi"
            )
            running.serve("bare", f"{starter}:create_bare", database_url=other_url, ready="/healthz")
            chance = random.Random(settings.seed)

            def write_requests(count: int, path: str) -> list[str]:
                token = laboratory.sign_in(config)
                return [_request(path, token, write_report(laboratory, chance)) for _ in range(count)]

            contenders = {
                name: _contender(running, name, write_requests, settings) for name in ("product", "fhirstarter", "bare")
            }
            for database_url in (running.product_url, other_url):
                running.analyse(database_url)
            product, other, bare = alternate("fhir_create", contenders, settings.rounds)
            return [product, other, product, bare]


def write_report(laboratory: Laboratory, chance: random.Random) -> str:
    """A DiagnosticReport of one blood count, its results inside."""
    results = [
        {
            "resourceType": "Observation",
            "id": f"r{number}",
            "status": "final",
            "code": {"coding": [{"system": LOINC, "code": code}], "text": name},
            "valueQuantity": {"value": round(chance.uniform(1, 200), 2), "unit": unit, "system": UCUM, "code": unit},
            "referenceRange": [{"text": usual}],
            "interpretation": [{"coding": [{"system": systems.INTERPRETATION, "code": "N"}]}],
        }
        for number, (code, name, unit, usual) in enumerate(ITEMS, start=1)
    ]
    report = {
        "resourceType": "DiagnosticReport",
        "contained": results,
        "identifier": [{"system": "urn:example:lis", "value": f"{chance.getrandbits(64):016x}"}],
        "status": "final",
        "category": [{"coding": [{"system": systems.DIAGNOSTIC_SERVICE, "code": "LAB"}]}],
        "code": {"coding": [{"system": LOINC, "code": "58410-2"}], "text": "全血细胞计数"},
        "subject": {"identifier": {"system": systems.PATIENT_NUMBER, "value": chance.choice(laboratory.numbers)}},
        "effectiveDateTime": "2026-03-05T08:30:00+08:00",
        "issued": "2026-03-05T10:00:00+08:00",
        "result": [{"reference": f"#{one['id']}"} for one in results],
    }
    return json.dumps(report)


def _open_laboratory(card_numbers: list[str]) -> Laboratory:
    code, client_id, key_id = f"B{secrets.token_hex(6).upper()}", f"lis-{secrets.token_hex(4)}", secrets.token_hex(8)
    private = json.loads(ECAlgorithm.to_jwk(generate_private_key(SECP256R1())))
    private |= {"kid": key_id, "alg": "ES256", "use": "sig"}
    public = {name: value for name, value in private.items() if name != "d"}
    with db.transaction() as session:
        hospital_id = accounts.register_hospital(session, SYSTEM, code=code, name="测试检验医院", level=3)
        accounts.register_client(
            session,
            SYSTEM,
            hospital_id=hospital_id,
            client_id=client_id,
            name="检验系统",
            jwks={"keys": [public]},
            scopes=["system/*.write"],
        )
        system = Actor(ActorKind.MACHINE, hospital_id, frozenset(), hospital_id=hospital_id)
        numbers = {f"MZ{place:06d}": number for place, number in enumerate(card_numbers)}
        for number, card_number in numbers.items():
            person_id = health_card.find_person(session, system, card_number=card_number)
            assert person_id is not None
            health_card.bind_patient_number(session, system, person_id=person_id, number=number)
    return Laboratory(hospital_id, client_id, jwt.PyJWK(private), list(numbers))


def _contender(
    running: Machines, name: str, write_requests: Callable[[int, str], list[str]], settings: Settings
) -> Callable[[], Round]:
    """Warm the server up, and learn how many reports a round will need."""
    path = "/fhir/DiagnosticReport" if name == "product" else "/DiagnosticReport"
    warm_up = replace(settings, seconds=_WARM_UP_SECONDS)
    seen = running.measure(name, write_requests(_WARM_UP_REQUESTS, path), warm_up, expected_status=201)
    enough = int(seen["per_second"] * settings.seconds * 2) + 100
    return lambda: running.measure(name, write_requests(enough, path), settings, expected_status=201)


def _request(path: str, token: str, body: str) -> str:
    head = (
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {token}",
        "Content-Type: application/fhir+json",
        # As fhirstarter answers: without the resource.
        "Prefer: return=minimal",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*head, "", body))
