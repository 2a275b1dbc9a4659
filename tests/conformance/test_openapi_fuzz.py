"""Requests made of the OpenAPI document, right and wrong ones, by every role: what comes back is what it says.

``FUZZ_EXAMPLES=300`` makes so many for each operation, anew each time; without it a few, always the same.
"""

import collections
import json
import os
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.failures import FailureGroup

from tests.support import strange
from tests.support.city import City
from tests.support.fuzzing import KEEPS, Answer, Scene, find_faults, open_scene

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "3"))
CHECKED = [
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
]
# Protocols with a form of their own have tests of their own.
ELSEWHERE = ("/fhir",)


@pytest.fixture(scope="module")
def scene(module_city: City) -> Scene:
    return open_scene(module_city)


@pytest.fixture(scope="module")
def operations(scene: Scene) -> list[Any]:
    document = scene.city.client.get("/openapi.json").get_json()
    schema = schemathesis.openapi.from_dict(document)
    found = [result.ok() for result in schema.get_all_operations()]
    return [operation for operation in found if not operation.path.startswith(ELSEWHERE)]


class Fuzz:
    """Sends, checks, takes back, and goes on after a fault, so that one run tells of all."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.faults: dict[str, str] = {}
        self.answers: collections.Counter[tuple[str, int, str]] = collections.Counter()

    def ask(self, operation: Any) -> None:
        """Make up requests to one operation."""
        modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        made = st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes])
        # Mostly who may: what others are answered is soon known.
        holders = self.scene.holders(operation.definition.raw.get("x-permission"))
        roles = st.sampled_from(holders * 3 + list(self.scene.permissions))

        @settings(
            max_examples=EXAMPLES,
            derandomize="FUZZ_EXAMPLES" not in os.environ,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(made, roles, st.randoms(use_true_random=False), st.data())
        def check(case: Case, role: str, chance: Random, data: st.DataObject) -> None:
            fill(case, self.scene, chance)
            send = self.send_strange if chance.random() < 0.4 else self.send
            with self.scene.undone():
                before = self.scene.count_effects()
                answer, told = send(case, role, data)
                after = self.scene.count_effects()
            self.answers[operation.label, answer.status, answer.code] += 1
            faults = find_faults(answer)
            if answer.status < 400 and role not in holders:
                faults.append(f"{role} may not")
            if answer.status >= 400 and after != before and answer.code not in KEEPS:
                faults.append(f"{answer.code} left {after} instead of {before} acts and effects")
            self.note(operation, answer, faults, told)

        check()

    def send(self, case: Case, role: str, _data: st.DataObject) -> tuple[Answer, str]:
        response = case.call(app=self.scene.city.app, headers=self.scene.headers(role))
        media_type = response.headers.get("content-type", [""])[0].partition(";")[0]
        answer = Answer(response.status_code, media_type, response.content)
        told = f"{role}: {case.as_curl_command()}"
        try:
            case.validate_response(response, checks=CHECKS.get_by_names(CHECKED))
        except FailureGroup as failures:
            self.note(case.operation, answer, [str(failure) for failure in failures.exceptions], told)
        return answer, told

    def send_strange(self, case: Case, role: str, data: st.DataObject) -> tuple[Answer, str]:
        body = case.body if isinstance(case.body, dict | list) else None
        plain = strange.Sent(
            case.method,
            case.formatted_path,
            urlencode({name: str(value) for name, value in case.query.items()}, errors="surrogatepass"),
            {"Content-Type": case.media_type} if case.media_type else {},
            json.dumps(body).encode() if body is not None else b"",
        )
        sent = data.draw(strange.twist(plain, body))
        reply = sent.by(self.scene.city.client, self.scene.headers(role))
        return Answer(reply.status_code, reply.mimetype, reply.data), f"{role}: {sent}"

    def note(self, operation: Any, answer: Answer, faults: list[str], told: str) -> None:
        for fault in faults:
            self.faults.setdefault(
                f"{operation.label} {answer.status} {fault[:300]}", f"{told[:900]} -> {answer.body[:300]!r}"
            )


def fill(case: Case, scene: Scene, chance: Random) -> None:
    """Put ids and numbers of what there is into the places that are called so."""
    for name in case.path_parameters:
        case.path_parameters[name] = likely(scene, name, case.path_parameters[name], chance)
    for name in case.query:
        case.query[name] = likely(scene, name, case.query[name], chance)
    if isinstance(case.body, dict):
        for name in case.body:
            case.body[name] = likely(scene, name, case.body[name], chance)


def likely(scene: Scene, name: str, made: Any, chance: Random) -> Any:
    known = scene.words.get(name) or scene.ids_for(name)
    return chance.choice(known) if known and chance.random() < 0.8 else made


def test_every_answer_is_what_the_document_says(app: Flask, scene: Scene, operations: list[Any]) -> None:
    fuzz = Fuzz(scene)
    for operation in operations:
        fuzz.ask(operation)
    print(*sorted(fuzz.answers.items()), sep="\n")
    assert fuzz.faults == {}, "\n\n".join(f"{fault}\n{told}" for fault, told in fuzz.faults.items())
