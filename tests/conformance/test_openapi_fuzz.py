"""Requests made of the OpenAPI document, right and wrong ones, by every role: what comes back is what it says."""

import json
from functools import partial
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support import strange
from tests.support.city import City
from tests.support.fuzzing import Answer, Fuzz, Scene, open_scene

EXAMPLES = 2
CHECKED = [status_code_conformance, content_type_conformance, response_schema_conformance]
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


def ask(fuzz: Fuzz, operation: Any) -> None:
    """Make up requests to one operation."""
    scene, modes = fuzz.scene, (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    made = st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes])
    # Mostly who may: what others are answered is soon known.
    holders = scene.holders(operation.definition.raw.get("x-permission"))
    roles = st.sampled_from(holders * 3 + list(scene.permissions))

    @fuzz.examples(EXAMPLES)
    @given(made, roles, st.randoms(use_true_random=False), st.data())
    def check(case: Case[Any], role: str, chance: Random, data: st.DataObject) -> None:
        fill(case, scene, chance)
        headers = scene.headers(role)
        if chance.random() < 0.4:
            strangely = data.draw(make_strange(case))
            sent, send = str(strangely), partial(send_strangely, fuzz, strangely, headers)
        else:
            sent, send = case.as_curl_command(), partial(send_as_made, fuzz, case, headers)
        fuzz.ask(operation.label, f"{role}: {sent}", send, is_allowed=role in holders)

    check()


def send_strangely(fuzz: Fuzz, sent: strange.Sent, headers: dict[str, str]) -> Answer:
    return Answer.of(sent.by(fuzz.scene.city.client, headers))


def send_as_made(fuzz: Fuzz, case: Case[Any], headers: dict[str, str]) -> Answer:
    response = case.call(app=fuzz.scene.city.app, headers=headers)
    media_type = response.headers.get("content-type", [""])[0].partition(";")[0]
    answer = Answer(response.status_code, media_type, response.content)
    try:
        case.validate_response(response, checks=CHECKED)
    except FailureGroup as failures:
        for failure in failures.exceptions:
            fuzz.note(case.operation.label, str(failure), case.as_curl_command(), answer)
    return answer


def make_strange(case: Case[Any]) -> st.SearchStrategy[strange.Sent]:
    body = case.body if isinstance(case.body, dict | list) else None
    plain = strange.Sent(
        case.method,
        case.formatted_path,
        urlencode({name: str(value) for name, value in case.query.items()}, errors="surrogatepass"),
        {"Content-Type": case.media_type} if case.media_type else {},
        json.dumps(body).encode() if body is not None else b"",
    )
    return strange.twist(plain, body)


def fill(case: Case[Any], scene: Scene, chance: Random) -> None:
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
        ask(fuzz, operation)
    fuzz.tell()
