"""FHIR Observation to what reports file."""

from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from typing import Any, NoReturn

from fhir.resources.R4B.codeableconcept import CodeableConcept
from fhir.resources.R4B.observation import Observation, ObservationComponent
from fhir.resources.R4B.quantity import Quantity

from records.fhir import systems
from records.fhir.refusals import FhirContentUnsupported, FhirInvalid
from records.reports.incoming import COMPARATORS, INTERPRETATIONS, LOCAL_CODE, UCUM, IncomingObservation, read_decimal
from records.reports.models import ObservationStatus

STATUSES = frozenset(status.value for status in ObservationStatus)


def translate_observation(observation: Observation, at: str) -> list[IncomingObservation]:
    """The lines of one Observation: its own, then one for each component.

    :param at: its FHIRPath expression, for refusals.
    :raises FhirInvalid: a required binding does not hold.
    :raises FhirContentUnsupported: a kind of value that is not taken in.
    """
    if observation.status not in STATUSES:
        raise FhirInvalid((f"{at}.status", f"One of {', '.join(sorted(STATUSES))} is expected."))
    components = observation.component or []
    own = _line(observation, observation.status, at, len(components) or None)
    return [own] + [
        _line(component, observation.status, f"{at}.component[{number}]", 0)
        for number, component in enumerate(components)
    ]


def read_coding(concept: CodeableConcept | None, at: str) -> tuple[str, str, str]:
    """Code, code system and name of a concept: its first coding that has a code.

    :raises FhirInvalid: it has none.
    """
    if concept is not None:
        for coding in concept.coding or []:
            if coding.code:
                name = concept.text or coding.display or coding.code
                return coding.code, coding.system or LOCAL_CODE, name
    raise FhirInvalid((f"{at}.code", "A coding with a code is expected: results are matched by code, never by name."))


def show_concept(concept: CodeableConcept) -> str:
    """What a person reads: the text, else the first coding's display or code."""
    coding = concept.coding[0] if concept.coding else None
    return concept.text or (coding and (coding.display or coding.code)) or ""


def _line(
    line: Observation | ObservationComponent, status: str, at: str, component_count: int | None
) -> IncomingObservation:
    code, code_system, name = read_coding(line.code, at)
    fields: dict[str, Any] = {"status": status, "code": code, "code_system": code_system, "name": name}
    fields["component_count"] = component_count
    if status == ObservationStatus.WITHDRAWN:
        return IncomingObservation(**fields)
    fields |= _read_value(line, at) | _read_reference(line, at)
    fields["interpretation"] = _read_interpretation(line.interpretation or [], at)
    fields["note"] = _read_note(line)
    return IncomingObservation(**fields)


def _read_value(line: Observation | ObservationComponent, at: str) -> dict[str, Any]:
    for name, read in _READERS.items():
        given = getattr(line, name, None)
        if given is not None:
            return read(given, f"{at}.{name}")
    return {}


def _refuse_value(_value: object, at: str) -> NoReturn:
    raise FhirContentUnsupported((at, "This kind of value is not taken in."))


def _read_quantity(quantity: Quantity, at: str) -> dict[str, Any]:
    if quantity.value is None:
        raise FhirInvalid((at, "A quantity without a value; give a dataAbsentReason instead."))
    if quantity.comparator is not None and quantity.comparator not in COMPARATORS:
        raise FhirInvalid((f"{at}.comparator", "One of < <= >= > is expected."))
    return {
        "value": _exact(quantity.value, at),
        "comparator": quantity.comparator,
        "unit": _unit_of(quantity),
        "unit_code": quantity.code if quantity.system == UCUM else None,
    }


def _read_reference(line: Observation | ObservationComponent, at: str) -> dict[str, Any]:
    ranges = line.referenceRange or []
    if not ranges:
        return {}
    if len(ranges) > 1:
        # Which of several holds for this patient is the laboratory's to say; all are shown, none is used as a bound.
        return {"reference_text": "; ".join(_show_range(one) for one in ranges)}
    low, high = ranges[0].low, ranges[0].high
    return {
        "reference_low": _exact(low.value, f"{at}.referenceRange[0].low") if low and low.value is not None else None,
        "reference_high": _exact(high.value, f"{at}.referenceRange[0].high")
        if high and high.value is not None
        else None,
        "reference_text": ranges[0].text,
    }


def _show_range(one: Any) -> str:
    bounds = f"{_plain(one.low)}-{_plain(one.high)}" if one.low or one.high else ""
    kind = show_concept(one.type) if one.type else ""
    return " ".join(part for part in (kind, one.text or bounds) if part)


def _read_interpretation(concepts: list[CodeableConcept], at: str) -> str | None:
    """The first code; a code of HL7's system must be one of it, another system's is not taken for it."""
    codes = [
        coding.code
        for concept in concepts
        for coding in concept.coding or []
        if coding.system in {None, systems.INTERPRETATION}
    ]
    if any(code not in INTERPRETATIONS for code in codes):
        raise FhirInvalid((f"{at}.interpretation", f"Codes of {systems.INTERPRETATION} are expected (H, L, N, A ...)."))
    if concepts and not codes:
        raise FhirContentUnsupported((f"{at}.interpretation", f"A coding of {systems.INTERPRETATION} is needed."))
    return codes[0] if codes else None


def _read_note(line: Observation | ObservationComponent) -> str | None:
    notes = [note.text for note in getattr(line, "note", None) or [] if note.text]
    if line.dataAbsentReason is not None:
        notes.append(show_concept(line.dataAbsentReason))
    return "\n".join(notes) or None


def _exact(value: Decimal, at: str) -> Decimal:
    try:
        return read_decimal(value)
    except ValueError:
        raise FhirInvalid((at, "A decimal of at most 38 digits is expected.")) from None


def _unit_of(quantity: Quantity | None) -> str | None:
    return (quantity.unit or quantity.code) if quantity else None


def _plain(quantity: Quantity | None) -> str:
    if quantity is None or quantity.value is None:
        return ""
    return f"{quantity.comparator or ''}{quantity.value}"


def _show_moment(moment: object) -> str:
    return moment.isoformat() if isinstance(moment, date | time) else str(moment)


_READERS: dict[str, Callable[[Any, str], dict[str, Any]]] = {
    "valueQuantity": _read_quantity,
    "valueInteger": lambda value, at: {"value": _exact(Decimal(value), at)},
    "valueString": lambda value, _at: {"text": value},
    "valueCodeableConcept": lambda value, _at: {"text": show_concept(value) or None},
    "valueBoolean": lambda value, _at: {"text": "true" if value else "false"},
    "valueRange": lambda value, _at: {
        "text": f"{_plain(value.low)}-{_plain(value.high)}",
        "unit": _unit_of(value.low or value.high),
    },
    "valueRatio": lambda value, _at: {"text": f"{_plain(value.numerator)}:{_plain(value.denominator)}"},
    "valueDateTime": lambda value, _at: {"text": _show_moment(value)},
    "valueTime": lambda value, _at: {"text": _show_moment(value)},
    "valueSampledData": _refuse_value,
    "valuePeriod": _refuse_value,
}
