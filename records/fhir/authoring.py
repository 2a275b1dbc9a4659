"""Who made a report, in FHIR (DiagnosticReport.performer and resultsInterpreter, Observation.performer)."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from records.fhir.parts import Part, check_length
from records.fhir.refusals import FhirContentUnsupported, FhirInvalid
from records.reports.authors import INTERPRETER, MOST_AUTHORS, PERFORMER, Author, keep_authors, list_authors

Reference = dict[str, Any]

_STAFF = re.compile("Practitioner/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


def read_authors(
    part: Part, results: Sequence[tuple[Part, int]] = (), *, positions: Collection[int] = ()
) -> dict[str, Any] | None:
    """Everybody who is named as having made the report or a result of it.

    A ``staff_id`` is what was sent: whether he works for the sender is still to be looked up.

    :param results: the Observations of the report, each with its position in it.
    :param positions: of all its results, where every one is said here.
    :raises FhirInvalid: a reference leads to nobody inside, or nobody to one inside, or they are too many.
    :raises FhirContentUnsupported: a reference leads to an entry of the Bundle.
    """
    inside = {name: one for name, one in part.contained.items() if one.resource_type == "Practitioner"}
    found = [*_list_named(part, "performer", PERFORMER, inside)]
    found += _list_named(part, "resultsInterpreter", INTERPRETER, inside)
    for result, position in results:
        named = _list_named(result, "performer", PERFORMER, inside | dict(result.contained))
        found += [replace(author, lines=(position,)) for author in named]
    if len({replace(author, lines=None) for author in found}) > MOST_AUTHORS:
        raise FhirInvalid((f"{part.at}.performer", f"At most {MOST_AUTHORS} people are expected."))
    said = {reference for one in (part, *(result for result, _ in results)) for reference in _list_references(one)}
    if inside.keys() - said:
        raise FhirInvalid((f"{part.at}.contained", "A Practitioner inside it is neither performer nor interpreter."))
    return keep_authors(found, positions)


def show_authors(kept: Mapping[str, Any] | None, role: str, *, line: int | None = None) -> list[Reference]:
    """References to those of one role: to staff whom we know, to others as they were named.

    :param line: only those who are said to have made the result at this position.
    """
    found = (author for author in list_authors(kept) if author.role == role) if kept else ()
    return [_show(author) for author in found if line is None or author.made(line)]


def _list_references(part: Part) -> Iterator[str]:
    for element in ("performer", "resultsInterpreter"):
        yield from (one.get("reference", "") for one in part.sent.get(element) or [])


def _list_named(part: Part, element: str, role: str, inside: Mapping[str, Part]) -> Iterator[Author]:
    for number, reference in enumerate(part.sent.get(element) or []):
        at = f"{part.at}.{element}[{number}]"
        author = _read_author(reference, role, inside, at)
        if author is not None:
            check_length(at, author.name or "", author.number or "", author.system or "")
            yield author


def _read_author(reference: Reference, role: str, inside: Mapping[str, Part], at: str) -> Author | None:
    """Whom a reference names; None: the hospital or a part of it, which is known from who sends."""
    written = str(reference.get("reference") or "")
    if written.startswith("#"):
        if written not in inside:
            raise FhirInvalid((at, "It refers to no Practitioner inside."))
        sent = inside[written].sent
        identifier: dict[str, Any] = next(iter(sent.get("identifier") or []), {})
        name = _read_name(sent) or reference.get("display")
    elif written.startswith("urn:uuid:"):
        raise FhirContentUnsupported(
            (at, "A Practitioner is put inside the report, or named by identifier or display.")
        )
    elif "Organization" in {reference.get("type"), *written.split("/")}:
        return None
    else:
        identifier, name = reference.get("identifier") or {}, reference.get("display")
    staff = _STAFF.fullmatch(written)
    value, system = identifier.get("value"), identifier.get("system")
    if not (name or value) and not staff:
        # It leads somewhere outside: where, is all that is said.
        value, system = (written or None), None
    if not (name or value or staff):
        return None
    return Author(role, name, value, system if value else None, staff[1] if staff else None)


def _read_name(practitioner: Mapping[str, Any]) -> str | None:
    """The first of his names, as it is written; Chinese without a space between family and given name."""
    for name in practitioner.get("name") or []:
        parts = [part for part in (name.get("family"), *(name.get("given") or [])) if part]
        written = " ".join(parts)
        found = name.get("text") or (written if written.isascii() else "".join(parts))
        if found:
            return str(found)
    return None


def _show(author: Author) -> Reference:
    identifier = {"system": author.system, "value": author.number}
    known = {
        "reference": f"Practitioner/{author.staff_id}" if author.staff_id else None,
        "type": "Practitioner",
        "identifier": {name: value for name, value in identifier.items() if value} or None,
        "display": author.name,
    }
    return {name: value for name, value in known.items() if value}
