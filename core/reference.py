"""The OpenAPI document rearranged for a person who reads it: by subject, with small tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PROBLEM = "Problem"


@dataclass(frozen=True)
class Line:
    """One parameter or field. ``schema`` names the structure that its type links to."""

    name: str
    kind: str
    schema: str | None
    is_required: bool
    note: str
    place: str = ""


@dataclass(frozen=True)
class Content:
    """A body: its media type and its fields."""

    media_type: str
    schema: str | None
    lines: list[Line]


@dataclass(frozen=True)
class Answer:
    """One answer that is no refusal."""

    status: str
    note: str
    contents: list[Content]


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    anchor: str
    method: str
    path: str
    summary: str
    note: str
    permission: str | None
    parameters: list[Line]
    bodies: list[Content]
    answers: list[Answer]


@dataclass(frozen=True)
class Subject:
    """The operations under one tag."""

    anchor: str
    name: str
    operations: list[Operation]


@dataclass(frozen=True)
class Structure:
    """A named schema: an object of fields, or one of some values."""

    name: str
    note: str
    values: str | None
    lines: list[Line]


def read_subjects(document: dict[str, Any], operations: list[dict[str, Any]]) -> list[Subject]:
    """The operations by tag, in the document's order."""
    by_tag: dict[str, list[Operation]] = {}
    for found in operations:
        tag = (found["operation"].get("tags") or [""])[0]
        by_tag.setdefault(tag, []).append(_read_operation(document, found))
    return [Subject(f"subject-{number}", tag, found) for number, (tag, found) in enumerate(by_tag.items(), 1)]


def read_structures(document: dict[str, Any]) -> list[Structure]:
    """Every named schema, by name; one without fields says what its values are."""
    schemas: dict[str, Any] = document.get("components", {}).get("schemas", {})
    return [
        Structure(
            name=name,
            note=schema.get("description", ""),
            values=None if "properties" in schema else _describe_kind(schema)[0],
            lines=list(_read_fields(schema)),
        )
        for name, schema in sorted(schemas.items())
    ]


def _read_operation(document: dict[str, Any], found: dict[str, Any]) -> Operation:
    said = found["operation"]
    summary, _, rest = (said.get("summary") or said.get("description") or "").partition("\n")
    note = said.get("description", "") if said.get("description") != said.get("summary") else rest
    return Operation(
        anchor=f"{found['method']}{found['path']}".replace("/", "-").replace("{", "").replace("}", ""),
        method=found["method"].upper(),
        path=found["path"],
        summary=summary,
        note=note.strip(),
        permission=said.get("x-permission"),
        parameters=[
            _read_line(one["name"], one.get("schema", {}), bool(one.get("required")), one.get("description"), one["in"])
            for one in said.get("parameters", [])
        ],
        bodies=_read_contents(document, said.get("requestBody", {})),
        answers=[
            Answer(status, answer.get("description", ""), _read_contents(document, answer))
            for status, answer in sorted(said.get("responses", {}).items())
            if status != "default"
        ],
    )


def _read_contents(document: dict[str, Any], holder: dict[str, Any]) -> list[Content]:
    contents = []
    for media_type, content in holder.get("content", {}).items():
        name = _named(content.get("schema", {}))
        schema = document["components"]["schemas"].get(name, {}) if name else content.get("schema", {})
        contents.append(Content(media_type, name, list(_read_fields(schema))))
    return contents


def _read_fields(schema: dict[str, Any]) -> Iterator[Line]:
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        yield _read_line(name, field, name in required, field.get("description"))


def _read_line(name: str, schema: dict[str, Any], is_required: bool, note: str | None, place: str = "") -> Line:
    kind, linked = _describe_kind(schema)
    limits = _describe_limits(schema)
    words = [word for word in (note or schema.get("description"), limits) if word]
    return Line(name, kind, linked, is_required, " · ".join(words), place)


def _describe_kind(schema: dict[str, Any]) -> tuple[str, str | None]:
    name = _named(schema)
    if name:
        return name, name
    if "const" in schema:
        return repr(schema["const"]).replace("'", '"'), None
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"]), None
    if schema.get("type") == "array":
        kind, linked = _describe_kind(schema.get("items", {}))
        return f"{kind}[]", linked
    choices = [one for one in schema.get("anyOf", schema.get("oneOf", [])) if one.get("type") != "null"]
    if choices:
        kinds = [_describe_kind(choice) for choice in choices]
        return " | ".join(dict.fromkeys(kind for kind, _ in kinds)), kinds[0][1]
    kind = str(schema.get("type", "any"))
    return (f"{kind} ({schema['format']})" if "format" in schema else kind), None


_LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "from {}",
    "maximum": "to {}",
    "pattern": "matches {}",
    "default": "default {}",
}


def _describe_limits(schema: dict[str, Any]) -> str:
    """The limits, also of an optional field, whose schema stands beside ``null``."""
    merged = {key: value for one in schema.get("anyOf", []) for key, value in one.items()} | schema
    return ", ".join(words.format(merged[key]) for key, words in _LIMITS.items() if merged.get(key) not in (None, ""))


def _named(schema: dict[str, Any]) -> str | None:
    reference = schema.get("$ref")
    if reference is None and len(schema.get("allOf", [])) == 1:
        reference = schema["allOf"][0].get("$ref")
    return str(reference).rpartition("/")[2] if reference else None
