"""The description of the interface is valid, complete and true."""

from typing import Any

import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import create_model

from core.api import Api, Shown, describe, list_operations, new_app
from core.web import Pages, guard_of, public
from records.entries.schemas import RecordEntryShown
from records.life.schemas import LifeShown
from records.reports.schemas import ReportShown
from records.timeline.schemas import Timeline
from records.trends.schemas import TrendShown

PROBLEM = "#/components/schemas/Problem"
# Outside protocols that have a form of their own for refusals.
OWN_FORMS = (
    "/fhir",
    "/.well-known/smart-configuration",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/.well-known/jwks.json",
    "/oauth",
    "/rest",
    "/notify",
)


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    reply = app.test_client().get("/openapi.json")
    assert reply.status_code == 200
    described: dict[str, Any] = reply.get_json()
    return described


def test_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_operation_says_what_it_does_and_how_it_refuses(document: dict[str, Any]) -> None:
    operations = list_operations(document)
    assert len(operations) > 10
    for found in operations:
        operation, place = found["operation"], (found["method"], found["path"])
        assert operation.get("summary"), place
        default = operation["responses"]["default"]["content"]
        own_form = found["path"].startswith(OWN_FORMS)
        assert own_form or default["application/problem+json"]["schema"]["$ref"] == PROBLEM, place
        assert not own_form or "application/problem+json" not in default, place
        assert operation["tags"], place


def test_every_machine_route_and_its_permission_stand_in_it(app: Flask, document: dict[str, Any]) -> None:
    described = {
        (found["method"].upper(), found["path"]): found["operation"].get("x-permission")
        for found in list_operations(document)
    }
    for rule in app.url_map.iter_rules():
        # What answers for every other address of a protocol is no operation.
        if not rule.rule.startswith(("/api/", "/fhir", "/dicomweb", "/oauth")) or "<path:" in rule.rule:
            continue
        # The page to which apps lead browsers (RFC 6749) is for people.
        if isinstance(app.blueprints.get(rule.endpoint.rpartition(".")[0]), Pages):
            continue
        path = "".join(
            f"{{{part.argument}}}" if part.is_variable else part.text
            for part in map(PathPart, rule.rule.replace("<", "\0<").replace(">", "\0").split("\0"))
        )
        guard = guard_of(app, rule.endpoint)
        assert guard is not None
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            assert described[(method, path)] == guard.permission, (method, path)


def test_what_a_phone_reads_is_shown_by_examples_that_are_true(document: dict[str, Any]) -> None:
    for model in (RecordEntryShown, LifeShown, ReportShown, Timeline, TrendShown):
        described = document["components"]["schemas"][model.__name__]
        model.model_validate(described["example"])
    parameters = document["paths"]["/api/v1/timeline"]["get"]["parameters"]
    exemplary = {each["name"]: each.get("example") for each in parameters}
    for name in ("kind", "category", "hospital_id", "occurred_from", "occurred_until", "stage", "is_unread"):
        assert exemplary[name], name


def test_building_it_twice_gives_the_same(app: Flask, document: dict[str, Any]) -> None:
    assert app.test_client().get("/openapi.json").get_json() == document


def test_the_token_form_is_of_the_type_that_rfc_6749_names(document: dict[str, Any]) -> None:
    body = document["paths"]["/oauth/token"]["post"]["requestBody"]
    assert list(body["content"]) == ["application/x-www-form-urlencoded"]


class PathPart:
    """A piece of a rule: a literal text or ``<converter:argument>``."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.is_variable = text.startswith("<")
        self.argument = text.lstrip("<").rpartition(":")[2]


def test_no_schema_goes_under_the_name_of_another() -> None:
    app = new_app("names")
    shapes: list[dict[str, Any]] = [{"one": (int, ...)}, {"other": (str, ...)}]
    for number, fields in enumerate(shapes):
        api = Api(f"names_{number}", tag="Names", url_prefix=f"/{number}")
        answer = create_model("Answer", __base__=Shown, **fields)
        api.get("/thing", responses={200: answer})(public("for tests")(lambda: ""))
        app.register_api(api)
    with pytest.raises(ValueError, match="Answer of names_1"):
        describe(app)


def test_what_may_be_missing_is_not_required_and_other_media_types_are_told(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert "ended_at" not in schemas["UploadShown"]["required"]
    assert "created_at" in schemas["UploadShown"]["required"]
    responses = document["paths"]["/api/v1/reports/{report_id}/report.pdf"]["get"]["responses"]
    assert list(responses["200"]["content"]) == ["application/pdf"]
    assert list(document["paths"]["/fhir/Patient"]["get"]["responses"]["200"]["content"]) == ["application/fhir+json"]
