"""One resource as it was sent, alone or in a Bundle, and what is asked to be done with it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, unquote_plus
from uuid import UUID

from records.entries.incoming import Target
from records.fhir.refusals import FhirContentUnsupported, FhirIfMatchMissing, FhirInvalid
from records.reports.incoming import LONGEST_IDENTIFIER

_VERSION = re.compile(r'(?:W/)?"([1-9][0-9]{0,8})"')
# HL7 table 0203: what a number is, and who gave it out.
IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
_POSITION = re.compile(r"[1-9][0-9]{0,3}")


@dataclass(frozen=True)
class Part:
    """A resource of which the models have found that it is one.

    :ivar at: its FHIRPath expression, for refusals.
    :ivar model: as the models have read it.
    :ivar sent: as it was sent.
    :ivar request: ``Bundle.entry.request``, or what the method, the address and the headers said.
    :ivar contained: the Observations and Practitioners inside a report, by ``#id``.
    """

    at: str
    model: Any
    sent: dict[str, Any]
    request: Mapping[str, Any]
    full_url: str | None = None
    contained: Mapping[str, "Part"] = field(default_factory=dict)

    @property
    def resource_type(self) -> str:
        return str(self.sent["resourceType"])


@dataclass(frozen=True)
class Wish:
    """What is to become of a resource whose identifier is there already.

    :ivar target: the version that it replaces; None: whichever is current.
    :ivar keeps_existing: what is there stays.
    :ivar line: which line of a report is replaced, when it is only one; else 0.
    """

    target: Target | None = None
    keeps_existing: bool = False
    line: int = 0


def read_wish(part: Part) -> Wish:
    """What the request of a resource asks for.

    :raises FhirIfMatchMissing: an update that does not say of which version.
    :raises FhirInvalid: the id is not one of ours, or not the resource's own, or the tag is none.
    :raises FhirContentUnsupported: another method, address or condition.
    """
    request, at = part.request, f"{part.at}.request"
    if request.get("ifNoneMatch") or request.get("ifModifiedSince"):
        raise FhirContentUnsupported((at, "ifNoneExist and ifMatch are the conditions that are known."))
    kind, slash, resource_id = str(request.get("url")).partition("/")
    named, _, condition = str(request.get("url")).partition("?")
    if request.get("method") == "POST" and request["url"] == part.resource_type:
        if request.get("ifNoneExist") is not None:
            _check_condition(part, request["ifNoneExist"])
        return Wish(keeps_existing=request.get("ifNoneExist") is not None)
    if request.get("method") == "PUT" and slash and kind == part.resource_type:
        if request.get("ifMatch") is None:
            raise FhirIfMatchMissing
        return _read_update(part, resource_id, request["ifMatch"])
    if request.get("method") == "PUT" and condition and named == part.resource_type:
        _check_condition(part, condition)
        if_match = request.get("ifMatch")
        return Wish() if if_match is None else Wish(Target(None, _read_tag(part, if_match)))
    raise FhirContentUnsupported((at, "POST <type>, PUT <type>/<id> or PUT <type>?identifier=... is expected."))


def read_identifier(part: Part) -> tuple[str, str]:
    """The sender's own name of a resource: its first identifier that has a system.

    :raises FhirInvalid: there is none, or it is too long to be kept.
    """
    for one in part.sent.get("identifier") or []:
        system, value = one.get("system"), one.get("value")
        if system and value:
            check_length(f"{part.at}.identifier", system, value)
            return system, value
    raise FhirInvalid((f"{part.at}.identifier", "The sender's identifier of it, with its system, is expected."))


def kinds_of(identifier: Mapping[str, Any]) -> set[str]:
    """What an identifier is, by the codes of HL7 table 0203."""
    codings = (identifier.get("type") or {}).get("coding") or []
    return {coding["code"] for coding in codings if coding.get("system") == IDENTIFIER_TYPE and coding.get("code")}


def check_length(at: str, *texts: str) -> None:
    """:raises FhirInvalid: longer than what is kept of an identifier."""
    if max(len(text) for text in texts) > LONGEST_IDENTIFIER:
        raise FhirInvalid((at, f"At most {LONGEST_IDENTIFIER} characters are expected."))


def _check_condition(part: Part, query: str) -> None:
    system, value = read_identifier(part)
    # A plus sign may stand for itself or for a space, as who made the query thought of it.
    if f"identifier={system}|{value}" not in {query, unquote(query), unquote_plus(query)}:
        raise FhirContentUnsupported(
            (f"{part.at}.identifier", "A condition names the resource's own identifier: identifier=<system>|<value>.")
        )


def _read_update(part: Part, resource_id: str, if_match: str) -> Wish:
    version = _read_tag(part, if_match)
    if part.sent.get("id") != resource_id:
        raise FhirInvalid((f"{part.at}.id", "The id in the address is expected."))
    found, dot, position = resource_id.partition(".")
    is_line = part.resource_type == "Observation"
    if is_line != bool(dot) or (is_line and not _POSITION.fullmatch(position)):
        raise FhirInvalid((f"{part.at}.id", "An id that this server gave is expected."))
    try:
        return Wish(Target(UUID(found), version), line=int(position or 0))
    except ValueError:
        raise FhirInvalid((f"{part.at}.id", "An id that this server gave is expected.")) from None


def _read_tag(part: Part, if_match: str) -> int:
    version = _VERSION.fullmatch(if_match)
    if version is None:
        raise FhirInvalid((f"{part.at}.meta.versionId", 'If-Match: W/"<version>" is expected.'))
    return int(version[1])
