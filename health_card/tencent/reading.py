"""Reading what stands in an envelope: every field by its schema, and what is wrong said in one sentence a field."""

from collections.abc import Callable
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from health_card.certificates import CertificateType
from health_card.tencent.refusals import CodeLostZero, FieldInvalid, FieldMissing, FieldUnknown
from health_card.tencent.schemas import CardChannel, CardCostType, MedicalStep, Scene

Model = TypeVar("Model", bound=BaseModel)

_CERTIFICATE_TYPES = frozenset(kind.value for kind in CertificateType)

# The fields whose values are codes, and the codes themselves; None: any four digits.
_CODES: dict[str, frozenset[str] | None] = {
    "idType": _CERTIFICATE_TYPES,
    "idCardType": _CERTIFICATE_TYPES,
    "motherIdType": _CERTIFICATE_TYPES,
    "fatherIdType": _CERTIFICATE_TYPES,
    "medicalStep": frozenset(get_args(MedicalStep)),
    "scene": frozenset(get_args(Scene)),
    "cardChannel": frozenset(get_args(CardChannel)),
    "cardCostTypes": frozenset(get_args(CardCostType)),
    "cardType": frozenset({"11"}),
    "codeType": frozenset({"0", "1"}),
    "department": None,
}


def read_fields(schema: type[Model], sent: dict[str, Any], *, within: str) -> Model:
    """What was sent, by its schema. Null and empty count as not sent, as they do for the signature.

    :param within: ``commonIn`` or ``req``, for saying where a field stands.
    :raises FieldUnknown: a field that the schema does not know.
    :raises FieldMissing: a required field is missing.
    :raises CodeLostZero: a code was sent as a number.
    :raises FieldInvalid: anything else.
    """
    try:
        return schema.model_validate(_without_empty(sent))
    except ValidationError as wrong:
        errors = wrong.errors(include_url=False, include_context=False)
    for refusal, fits in _KINDS:
        found = [_name(error, within) for error in errors if fits(error)]
        if found:
            raise refusal(found) from None
    raise FieldInvalid(f"{_name(error, within)}: {error['msg']}" for error in errors) from None


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: _without_empty(member) for name, member in value.items()}
        return {name: member for name, member in kept.items() if member is not None and member != ""}
    return [_without_empty(member) for member in value] if isinstance(value, list) else value


def _name(error: ErrorDetails, within: str) -> str:
    # A name that we do not know is the sender's own text: its beginning is enough to find it.
    return ".".join(str(part)[:40] for part in (within, *error["loc"]))


def _has_lost_zero(error: ErrorDetails) -> bool:
    field = next((part for part in reversed(error["loc"]) if isinstance(part, str)), "")
    sent = error["input"]
    if field not in _CODES or isinstance(sent, bool):
        return False
    if isinstance(sent, int):
        return True
    known = _CODES[field]
    padded = f"0{sent}"
    return isinstance(sent, str) and (padded in known if known is not None else sent.isdecimal() and len(sent) == 3)


_KINDS: tuple[tuple[type[FieldUnknown | FieldMissing | CodeLostZero], Callable[[ErrorDetails], bool]], ...] = (
    (FieldUnknown, lambda error: error["type"] == "extra_forbidden"),
    (FieldMissing, lambda error: error["type"] == "missing"),
    (CodeLostZero, _has_lost_zero),
)
