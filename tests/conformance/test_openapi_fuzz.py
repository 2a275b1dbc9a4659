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
    """Make up requests to one operation: right ones, strange ones, and in a long run those that the document forbids.

    The simplest right one comes first, of who may ask, for what there is: there most mistakes of a document show.
    """
    right = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    _ask(fuzz, operation, right.map(lambda case: (case, None)), few=1)
    _ask(fuzz, operation, right.flatmap(lambda case: st.tuples(st.just(case), make_strange(fuzz.scene, case))), few=1)
    if fuzz.is_long:
        wrong = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
        _ask(fuzz, operation, wrong.map(lambda case: (case, None)), few=0)


def _ask(fuzz: Fuzz, operation: Any, made: st.SearchStrategy[Any], *, few: int) -> None:
    scene = fuzz.scene
    holders = scene.holders(operation.definition.raw.get("x-permission"))
    # Mostly who may: what others are answered is soon known.
    roles = st.sampled_from(holders * 3 + list(scene.permissions))

    @fuzz.examples(few)
    @given(made, roles, st.integers(0, 99))
    def check(pair: tuple[Case[Any], strange.Sent | None], role: str, seed: int) -> None:
        (case, strangely), headers = pair, scene.headers(role)
        if strangely is None:
            fill(case, scene, Random(seed), how_often=0.8 if seed else 1)
            sent, send = case.as_curl_command(), partial(send_as_made, fuzz, case, headers)
        else:
            sent, send = str(strangely), partial(send_strangely, fuzz, strangely, headers)
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


def make_strange(scene: Scene, case: Case[Any]) -> st.SearchStrategy[strange.Sent]:
    fill(case, scene, Random(0), how_often=1)
    body = case.body if isinstance(case.body, dict | list) else None
    plain = strange.Sent(
        case.method,
        case.formatted_path,
        urlencode({name: str(value) for name, value in case.query.items()}, errors="surrogatepass"),
        {"Content-Type": case.media_type} if case.media_type else {},
        json.dumps(body).encode() if body is not None else b"",
    )
    return strange.twist(plain, body)


def fill(case: Case[Any], scene: Scene, chance: Random, *, how_often: float) -> None:
    """Put ids and numbers of what there is into the places that are called so."""
    parts: tuple[Any, ...] = (case.path_parameters, case.query, case.body)
    for made in parts:
        for name in made if isinstance(made, dict) else ():
            known = scene.words.get(name) or scene.ids_for(name)
            if known and chance.random() < how_often:
                made[name] = chance.choice(known)


def test_every_answer_is_what_the_document_says(app: Flask, scene: Scene, operations: list[Any]) -> None:
    fuzz = Fuzz(scene)
    for operation in operations:
        ask(fuzz, operation)
    fuzz.tell()
