"""Reading a FHIR body: strict JSON, then the resource models of FHIR."""

import json
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any, NoReturn

from fhir.resources.R4B import get_fhir_model_class
from fhir.resources.R4B.bundle import Bundle
from pydantic import ValidationError

from records.fhir.entries import SHAPES
from records.fhir.parts import Part
from records.fhir.refusals import FhirContentUnsupported, FhirInvalid, FhirMediaTypeUnsupported, FhirUnreadable
from records.fhir.shapes import read_plain
from records.reports.incoming import is_storable, read_decimal

MEDIA_TYPES = {"application/fhir+json", "application/json"}
DEEPEST = 32
MOST_READS = 100
_PLAIN = {"DiagnosticReport", "Observation"}
_TAKEN_IN = {"DiagnosticReport", "Observation", *SHAPES}
# What may stand inside a resource: a report's results, and who made them.
_TAKEN_INSIDE = {"DiagnosticReport": ("Observation", "Practitioner"), "Observation": ("Practitioner",)}
# Each changes what a resource means or where its parts are: not understood, so not ignored (FHIR R4, section 2.1.0.1).
_NOT_UNDERSTOOD = ("modifierExtension", "implicitRules", "contained")


def check_media_type(media_type: str, charset: str | None) -> None:
    """:raises FhirMediaTypeUnsupported: not JSON in UTF-8."""
    if media_type not in MEDIA_TYPES or (charset or "utf-8").lower() not in {"utf-8", "utf8"}:
        raise FhirMediaTypeUnsupported


def read_document(body: bytes) -> dict[str, Any]:
    """One JSON object; decimals are exact.

    :raises FhirUnreadable: not strict JSON.
    """
    document = _read_json(body)
    if _is_deeper(document, DEEPEST):
        raise FhirUnreadable
    return document


def check_bundle(document: dict[str, Any]) -> None:
    """Whether this is a transaction or batch Bundle; its resources are looked at one by one (``read_entry``).

    :raises FhirInvalid: not a valid transaction or batch.
    :raises FhirContentUnsupported: an element that is not taken in.
    """
    if document.get("resourceType") != "Bundle":
        raise FhirInvalid(("resourceType", "A Bundle is expected."))
    if document.get("type") not in {"transaction", "batch"}:
        raise FhirInvalid(("Bundle.type", "A transaction or a batch is expected."))
    entries = document.get("entry")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise FhirInvalid(("Bundle.entry", "At least one entry is expected."))
    # Each resource by its own model: the same checks as through the Bundle's, in half the time.
    shells = [{name: value for name, value in entry.items() if name != "resource"} for entry in entries]
    shell = document | {"entry": shells}
    _check_understood(shell)
    _validate(Bundle, shell, "Bundle")


_PATIENT_ALONE = (
    "A person is registered by POST /fhir/Patient, or as an entry of a batch: he stays registered, whatever else of a "
    "transaction would be refused."
)


def check_reads(document: dict[str, Any]) -> None:
    """:raises FhirInvalid: a batch asks for more at once than is answered."""
    asked = [entry for entry in document["entry"] if (entry.get("request") or {}).get("method") == "GET"]
    if len(asked) > MOST_READS:
        raise FhirInvalid(("Bundle.entry", f"At most {MOST_READS} reads are answered in one batch."))


def read_entry(entry: dict[str, Any], number: int) -> Part:
    """The resource of one entry of a Bundle; raises as ``check_bundle`` does.

    :param number: of the entry, from 0.
    """
    resource, at = entry.get("resource"), f"Bundle.entry[{number}].resource"
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(resource, dict) or not isinstance(kind, str):
        raise FhirInvalid((at, "A resource with its resourceType is expected."))
    if kind == "Patient":
        raise FhirContentUnsupported((at, _PATIENT_ALONE))
    if kind not in _TAKEN_IN:
        raise FhirContentUnsupported((at, "GET /fhir/metadata lists the types that are taken in."))
    return _read_part(resource, at, entry)


def is_text_whole(document: dict[str, Any]) -> bool:
    """Whether every text in it is well-formed Unicode without NUL."""
    return all(is_storable(key) and not (isinstance(one, str) and not is_storable(one)) for key, one in _walk(document))


def read_resource(document: dict[str, Any], resource_type: str, request: dict[str, Any]) -> Part:
    """One resource of this type; raises as ``check_bundle`` does.

    :param request: what is asked for, as ``Bundle.entry.request``.
    """
    if document.get("resourceType") != resource_type:
        raise FhirInvalid(("resourceType", f"{resource_type} is expected."))
    return _read_part(document, resource_type, {"request": request})


def check_resource(document: dict[str, Any], resource_type: str) -> None:
    """Whether it is a valid resource of this type that is understood; raises as ``check_bundle`` does."""
    if document.get("resourceType") != resource_type:
        raise FhirInvalid(("resourceType", f"{resource_type} is expected."))
    _check_understood(document)
    _validate(_model(resource_type), document, resource_type)


def _read_part(resource: dict[str, Any], at: str, entry: dict[str, Any]) -> Part:
    """The resource and, in a DiagnosticReport or an Observation, what is inside it."""
    inside: list[Any] = []
    shell = resource
    taken = _TAKEN_INSIDE.get(resource["resourceType"], ())
    if taken and "contained" in resource:
        inside = resource["contained"] if isinstance(resource["contained"], list) else [resource["contained"]]
        shell = {name: value for name, value in resource.items() if name != "contained"}
    model = _read_model(shell, at)
    contained: dict[str, Part] = {}
    for number, one in enumerate(inside):
        where = f"{at}.contained[{number}]"
        if not isinstance(one, dict) or one.get("resourceType") not in taken:
            raise FhirContentUnsupported((where, f"Only {' and '.join(taken)} is taken in inside."))
        if not one.get("id") or f"#{one['id']}" in contained:
            raise FhirInvalid((f"{where}.id", "An id of its own is expected."))
        contained[f"#{one['id']}"] = Part(where, _read_model(one, where), one, {})
    return Part(at, model, resource, entry.get("request") or {}, entry.get("fullUrl"), contained)


def _read_model(document: dict[str, Any], at: str) -> Any:
    """A resource as its model has it: of what is ordinary by its shape, of anything else through the model."""
    plain = read_plain(document) if document["resourceType"] in _PLAIN else None
    if plain is not None:
        return plain
    _check_understood(document)
    return _validate(_model(document["resourceType"]), document, at)


@cache
def _model(resource_type: str) -> Any:
    return get_fhir_model_class(resource_type)


def _validate(model: Any, document: dict[str, Any], at: str) -> Any:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise FhirInvalid(
            *(
                (_expression(at, found["loc"]), found["msg"])
                for found in error.errors(include_url=False, include_context=False, include_input=False)[:20]
            )
        ) from None


def _read_json(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(
            body.decode("utf-8"),
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique_keys,
        )
    except (ValueError, RecursionError, ArithmeticError):
        # RecursionError: nested thousands of levels deep. ArithmeticError: an exponent that no Decimal can hold.
        raise FhirUnreadable from None
    if not isinstance(document, dict):
        raise FhirUnreadable
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. A member that is null says nothing (FHIR R4, section 2.6.2): as if it had not been sent."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is repeated")
    return found if None not in found.values() else {name: value for name, value in pairs if value is not None}


def _is_deeper(value: dict[str, Any] | list[Any], left: int) -> bool:
    """Whether objects and lists lie in each other more than so many times."""
    if left == 0:
        return True
    inner = value.values() if isinstance(value, dict) else value
    return any(_is_deeper(one, left - 1) for one in inner if isinstance(one, dict | list))


def _walk(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every value inside, with the key it stands under."""
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting:
        key, value = waiting.pop()
        members = value.items() if isinstance(value, dict) else ((key, one) for one in value)
        for member in members:
            yield member
            if isinstance(member[1], dict | list):
                waiting.append(member)


def _check_understood(document: dict[str, Any]) -> None:
    for key, value in _walk(document):
        if key in _NOT_UNDERSTOOD:
            raise FhirContentUnsupported((key, "This element is not supported here."))
        if not is_storable(key) or (isinstance(value, str) and not is_storable(value)):
            raise FhirInvalid((key, "A text holds NUL or half a character."))
        if isinstance(value, int | Decimal) and not isinstance(value, bool) and not _is_keepable(value):
            raise FhirInvalid((key, "A number has more than 38 digits."))


def _is_keepable(value: int | Decimal) -> bool:
    try:
        read_decimal(Decimal(value))
    except ValueError:
        return False
    return True


def _expression(root: str, location: tuple[int | str, ...]) -> str:
    """A FHIRPath expression such as ``Bundle.entry[0].resource.status``."""
    return root + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
