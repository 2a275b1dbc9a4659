"""What is read by its shape is what the models read, and nothing that they would refuse."""

import copy
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given, settings
from hypothesis import strategies as st

from records.fhir import reading
from records.fhir.shapes import Element, read_plain

CODE = {"coding": [{"system": "http://loinc.org", "code": "15074-8", "display": "葡萄糖"}], "text": "葡萄糖"}
QUANTITY = {"value": Decimal("6.30"), "comparator": "<", "unit": "mmol/L", "system": "urn:u", "code": "mmol/L"}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "r1",
    "status": "final",
    "identifier": [{"system": "urn:example:lis", "value": "1"}],
    "category": [CODE],
    "code": CODE,
    "subject": {"reference": "Patient/1", "identifier": {"system": "urn:x", "value": "9"}, "display": "张测试"},
    "issued": "2026-03-05T10:00:00+08:00",
    "valueQuantity": QUANTITY,
    "interpretation": [{"coding": [{"code": "N"}]}],
    "referenceRange": [{"low": QUANTITY, "high": QUANTITY, "text": "3.9-6.1", "appliesTo": [CODE]}],
    "component": [{"code": CODE, "valueString": "阴性"}, {"code": CODE, "valueBoolean": True}],
}
REPORT: dict[str, Any] = {
    "resourceType": "DiagnosticReport",
    "identifier": [{"system": "urn:example:lis", "value": "1", "use": "official", "type": CODE}],
    "status": "final",
    "category": [CODE],
    "code": CODE,
    "subject": {"identifier": {"system": "urn:x", "value": "9"}},
    "effectivePeriod": {"start": "2026-03-05T08:30:00.123Z", "end": "2026-03-05T08:31:00-03:30"},
    "issued": "2026-03-05T10:00:00+08:00",
    "conclusion": "未见异常。",
    "result": [{"reference": "#r1"}],
}
STRANGE = st.sampled_from(
    [
        *("", " ", " a", "a ", "a b", "a  b", "a\tb", "a\nb", "\u3000", "\x00", "\ud800", "\x1f", "\u200b", "😀", "é"),
        *("final", "#r1", "urn:x y", "2026", "2026-03", "2026-03-05", "2026-03-05T10:00:00", "2026-13-05T10:00:00Z"),
        *("2026-03-05T24:00:00Z", "2026-03-05T10:00:60Z", "2026-03-05T10:00:00.1234567Z", "2026-02-30T10:00:00Z"),
        *("2026-03-05T10:00:00+14:00", "2026-03-05T10:00:00-00:00", "2026-03-05T10:00:00.5+08:00", "1026-03-05T10:00Z"),
        *(0, 1, -1, 10**17, 10**19, True, False, Decimal("-0"), Decimal("-0.0"), Decimal("1E+2"), Decimal("0.10")),
        *(Decimal("1E-30"), Decimal("0." + "1" * 40), [], {}, [{}], [None], ["a"], {"coding": []}, {"x": 1}, CODE),
        *([CODE], QUANTITY, {"reference": "Patient/1"}, {"extension": [{"url": "urn:x", "valueString": "a"}]}),
    ]
)
# Names that the models know, or do not, and that are not in every resource.
MORE = (
    *("status", "_status", "status__ext", "extension", "modifierExtension", "implicitRules", "contained", "text"),
    *("meta", "language", "note", "id", "x", "valueString", "valueInteger", "valueDateTime", "valueRange", "assigner"),
    *("effectiveDateTime", "issued", "resource_type", "fhir_comments", "dataAbsentReason", "encounter"),
)
NAMES = st.sampled_from(MORE)


def objects_of(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects_of(one)


@st.composite
def resources(draw: st.DrawFn) -> dict[str, Any]:
    """An ordinary resource in which up to three things are strange, missing or more than there should be."""
    resource: dict[str, Any] = copy.deepcopy(draw(st.sampled_from([OBSERVATION, REPORT])))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(list(objects_of(resource))))
        name = draw(st.one_of(st.sampled_from(sorted(place)), NAMES)) if place else draw(NAMES)
        if place is resource and name == "resourceType":
            continue
        if draw(st.booleans()):
            place[name] = copy.deepcopy(draw(STRANGE))
        else:
            place.pop(name, None)
    return resource


def assert_same(read: Any, model: Any) -> None:
    if isinstance(read, Element):
        assert vars(read)
        assert vars(read).keys() == model.model_fields_set - {"resourceType"}
        for name, value in vars(read).items():
            assert_same(value, getattr(model, name))
        assert all(getattr(read, name) is None for name in type(model).model_fields if name not in vars(read))
    elif isinstance(read, list):
        assert len(read) == len(model)
        for one, other in zip(read, model, strict=True):
            assert_same(one, other)
    else:
        assert read == model
        assert str(read) == str(model) or not isinstance(read, Decimal)


def test_the_ordinary_is_read_without_the_models() -> None:
    assert read_plain(OBSERVATION) is not None
    assert read_plain(REPORT) is not None


@pytest.mark.parametrize(
    "more",
    [
        {"valueString": "a"},
        {"implicitRules": "urn:x"},
        {"modifierExtension": [{"url": "urn:x", "valueString": "a"}]},
        {"status": None},
        {"code": None},
        {"status": "a\x00b"},
        {"issued": "2026-02-30T10:00:00Z"},
        {"valueQuantity": {"value": Decimal("1" * 39)}},
        {"subject": {}},
        {"category": []},
    ],
)
def test_what_may_be_wrong_or_not_understood_is_left_to_the_models(more: dict[str, Any]) -> None:
    resource = {name: value for name, value in (OBSERVATION | more).items() if value is not None}
    assert read_plain(resource) is None


@settings(max_examples=200, deadline=None)
@given(resources())
def test_what_is_read_by_its_shape_the_models_read_alike(resource: dict[str, Any]) -> None:
    read = read_plain(resource)
    if read is not None:
        reading._check_understood(resource)
        assert_same(read, get_fhir_model_class(resource["resourceType"]).model_validate(resource))
