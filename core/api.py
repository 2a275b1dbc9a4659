"""The machine interface: blueprints whose routes describe themselves, and the OpenAPI document made of them."""

import re
from collections.abc import Callable
from functools import cache, partial
from threading import Lock
from typing import Any, NoReturn

from flask import Flask, Response, current_app, jsonify, render_template
from flask.json.provider import DefaultJSONProvider
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.info import Info
from flask_openapi3.models.tag import Tag
from flask_openapi3.openapi import OpenAPI
from flask_openapi3.types import ParametersTuple
from flask_openapi3.utils import parse_parameters
from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, ValidationError, model_validator

from core import reference
from core.errors import MalformedRequest, list_refusals
from core.web import Pages, guard_of, public

VERSION = "0.1.0"


class Described(BaseModel):
    """A schema that is made once: flask-openapi3 asks for it again at every request."""

    @classmethod
    def model_json_schema(cls, *args: Any, **named: Any) -> dict[str, Any]:
        """The JSON Schema, not to be changed by who asks without parameters."""
        return super().model_json_schema(*args, **named) if args or named else _schema_of(cls)


@cache
def _schema_of(model: type[Described]) -> dict[str, Any]:
    return BaseModel.model_json_schema.__func__(model)  # type: ignore[attr-defined, no-any-return]


class Headers(Described):
    """Headers of a request; others may come along."""


class Received(Described):
    """What comes in: a field that the schema does not name is an error, not a guess."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_nul(cls, sent: Any) -> Any:
        """PostgreSQL texts cannot hold U+0000, and no word of any language needs it."""
        if isinstance(sent, dict) and any(isinstance(value, str) and "\0" in value for value in sent.values()):
            raise ValueError("the character U+0000 is not allowed")
        return sent


class Shown(BaseModel):
    """What goes out."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """A field without a value is left out (``web.present``): nobody may count on one that can be null."""
        schema = handler(core_schema)
        described = handler.resolve_ref_schema(schema)
        if "required" in described:
            described["required"] = [
                name
                for name in described["required"]
                if {"type": "null"} not in described["properties"][name].get("anyOf", [])
            ]
        return schema


class Problem(Shown):
    """A refusal (RFC 9457). Look at `code`; docs/errors.md says what to do about each, and which members it adds."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str = Field(description="one sentence for a person, in Chinese")
    status: int
    detail: str = Field(description="for whoever connects a system, in English")
    code: str = Field(examples=["health_card.code_expired"])
    request_id: str


_DESCRIBING = Lock()


class Api(APIBlueprint):
    """A blueprint of machine routes: parameters and bodies are checked against their schemas.

    :param present_problem: how its refusals look, when an outside protocol has a form of its own for them.
    :param speaks: the media type of all its answers, refusals too, when an outside protocol has one.
    """

    def __init__(
        self,
        name: str,
        *,
        tag: str,
        url_prefix: str | None = None,
        present_problem: Callable[[dict[str, Any]], Response] | None = None,
        speaks: str | None = None,
    ) -> None:
        super().__init__(name, __name__, url_prefix=url_prefix, abp_tags=[Tag(name=tag)])
        self.speaks = speaks
        self.present_problem = present_problem
        self._not_described: list[Callable[[], ParametersTuple]] = []

    def _collect_openapi_info(self, rule: str, func: Callable[..., Any], **declared: Any) -> ParametersTuple:
        # All routes together take a second to describe, and most processes are never asked to.
        self._not_described.append(partial(super()._collect_openapi_info, rule, func, **declared))
        return parse_parameters(func, doc_ui=False)

    def describe_routes(self, app: OpenAPI) -> None:
        """Put the routes into the application's document.

        :raises ValueError: a schema has the name of another one, and would be described as that.
        """
        while self._not_described:
            self._not_described.pop(0)()
        for name, schema in self.components_schemas.items():
            if app.components_schemas.get(name, schema) != schema:
                raise ValueError(f"{name} of {self.name} and {name} of another blueprint are not the same")
        for path, item in self.paths.items():
            # What one blueprint reads at an address another may write there.
            known = app.paths.setdefault(path, item)
            for method in item.model_fields_set - known.model_fields_set:
                setattr(known, method, getattr(item, method))
        app.components_schemas.update(self.components_schemas)
        app.tags += [tag for tag in self.tags if tag not in app.tags]


class JsonProvider(DefaultJSONProvider):
    """JSON as it is sent to us and by us: names stay in their order, and nesting without end is an error of JSON."""

    sort_keys = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """:raises ValueError: not JSON, or nested deeper than anything that we understand."""
        try:
            return super().loads(s, **kwargs)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def new_app(name: str) -> OpenAPI:
    """A Flask application that collects its OpenAPI 3.1 document."""
    app = OpenAPI(
        name,
        info=Info(
            title="Yimatong 一码通",
            version=VERSION,
            description="Open electronic health card platform: one code, one person, every hospital.",
        ),
        doc_ui=False,
        validation_error_model=Problem,
        validation_error_callback=refuse_malformed,
        security_schemes={
            "bearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "access token of a patient, a staff member or a machine client",
            }
        },
    )
    app.json = JsonProvider(app)
    return app


def refuse_malformed(error: ValidationError) -> NoReturn:
    """Say which fields are wrong and why; never repeat what was sent.

    :raises MalformedRequest: always.
    """
    raise MalformedRequest(
        [
            {"field": ".".join(str(part) for part in found["loc"]) or "(body)", "message": found["msg"]}
            for found in error.errors(include_url=False, include_context=False, include_input=False)
        ]
    ) from None


pages = Pages("docs", __name__)


@pages.get("/openapi.json")
@public("the description of the interface is for everybody who builds against it")
def openapi_json() -> Response:
    """The OpenAPI 3.1 document of this installation."""
    return jsonify(describe(current_app._get_current_object()))  # type: ignore[attr-defined]


@pages.get("/docs")
@public("the description of the interface is for everybody who builds against it")
def docs() -> str:
    """The same, to be read by a person."""
    document = describe(current_app._get_current_object())  # type: ignore[attr-defined]
    return render_template(
        "core/docs.html",
        info=document["info"],
        subjects=reference.read_subjects(document, list_operations(document)),
        structures=reference.read_structures(document),
    )


@pages.get("/docs/errors")
@public("what to do about each refusal code is for everybody who builds against it")
def error_docs() -> str:
    """Every refusal code: the addresses that problem details name as their `type`."""
    return render_template("core/errors.html", refusals=list_refusals())


def describe(app: Flask) -> dict[str, Any]:
    """The document: what the routes declare, plus what holds for all of them (refusals, permissions)."""
    assert isinstance(app, OpenAPI)
    with _DESCRIBING:
        return _describe(app)


def _describe(app: OpenAPI) -> dict[str, Any]:
    for blueprint in app.blueprints.values():
        if isinstance(blueprint, Api):
            blueprint.describe_routes(app)
    document: dict[str, Any] = app.api_doc
    rules = {
        (_openapi_path(rule.rule), method.lower()): rule
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    for found in list_operations(document):
        operation, rule = found["operation"], rules[found["path"], found["method"]]
        guard = guard_of(app, rule.endpoint)
        if guard is not None and guard.permission:
            operation["security"] = [{"bearer": []}]
            operation["x-permission"] = guard.permission
        blueprint = app.blueprints[rule.endpoint.rpartition(".")[0]]
        _describe_answers(operation, blueprint.speaks if isinstance(blueprint, Api) else None)
        content = operation.get("requestBody", {}).get("content", {})
        if "multipart/form-data" in content:
            # Our forms carry no files; RFC 6749 wants this type for its own.
            content["application/x-www-form-urlencoded"] = content.pop("multipart/form-data")
    document["components"]["schemas"]["Problem"] = Problem.model_json_schema()
    return document


def _describe_answers(operation: dict[str, Any], speaks: str | None) -> None:
    """What is no schema of ours: other media types (``x-also-produces``), a protocol's own, refusals."""
    responses = operation["responses"]
    responses.pop("422", None)
    responses.pop("default", None)
    others = operation.pop("x-also-produces", [])
    if not responses.keys() - {"204"} and (others or (speaks and not responses)):
        responses["200"] = {"description": "OK"}
    for status, response in responses.items():
        if status != "204":
            response.setdefault("content", {}).update({media_type: {"schema": {}} for media_type in others})
            if speaks and not response["content"]:
                response["content"] = {speaks: {"schema": {}}}
    responses["default"] = (
        {"description": "A refusal", "content": {speaks: {"schema": {}}}} if speaks else _PROBLEM_RESPONSE
    )


def list_operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Every operation of a document as ``path``, ``method`` and ``operation``."""
    return [
        {"path": path, "method": method, "operation": operation}
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def _openapi_path(rule: str) -> str:
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule)


_PROBLEM_RESPONSE = {
    "description": "A refusal: problem details (RFC 9457)",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
