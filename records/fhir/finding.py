"""A read or a search of any type, as resources of FHIR R4."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy.orm import Session

from core.actor import Actor
from records.fhir import auditing, people, presenting
from records.fhir.catalogue import KINDS, Kind
from records.fhir.parameters import Filter, Place, Search, TokenValue
from records.fhir.presenting import Resource
from records.fhir.refusals import FhirInteractionUnsupported, FhirResourceNotFound, FhirSearchUnsupported
from records.fhir.service import conditions, reading, registry, watching
from records.fhir.service.listings import LISTINGS
from records.fhir.service.reading import Hit
from records.fhir.trimming import trim
from records.reports.authors import list_authors


@dataclass(frozen=True)
class Found:
    """A page. ``following``: where the next one begins; None: this is the last.

    :ivar total: on all pages, when it was asked for.
    :ivar named: the persons whom the search named by identifiers, as ``patient`` would name them.
    """

    matches: list[Resource]
    included: list[Resource] = field(default_factory=list)
    following: Place | None = None
    total: int | None = None
    named: list[str] = field(default_factory=list)


def get_resource(
    session: Session, actor: Actor, kind: Kind, resource_id: str, *, version: int | None = None
) -> Resource:
    """One resource, as it is now or in one of its versions.

    :raises FhirResourceNotFound: none such that the actor may see.
    :raises FhirInteractionUnsupported: what was asked for is no resource.
    """
    if resource_id[:1] in {"_", "$"}:
        # What would stand here is no id, but an operation that there is not.
        raise FhirInteractionUnsupported
    if kind.name in LISTINGS:
        return _show(session, [reading.get_record(session, actor, kind.name, resource_id, version)])[0]
    return _READERS[kind.name](session, actor, resource_id)


def list_history(session: Session, actor: Actor, kind: Kind, resource_id: str) -> list[Resource]:
    """All versions, the newest first; raises as ``get_resource`` does."""
    return _show(session, reading.list_versions(session, actor, kind.name, resource_id))


def search_resources(session: Session, actor: Actor, kind: Kind, search: Search) -> Found:
    """A page of what the actor may see of a type."""
    if kind.name in LISTINGS:
        return _search_records(session, actor, [kind.name], search)
    found = _SEARCHES[kind.name](session, actor, search)
    return replace(found, matches=[trim(one, search.elements) for one in found.matches])


def collect_everything(
    session: Session, actor: Actor, person_id: str, resource_types: Sequence[str], search: Search, *, with_person: bool
) -> Found:
    """A page of a person's record of these types, newest first.

    :param with_person: the first page begins with him.

    :raises FhirResourceNotFound: nobody whom the actor may see.
    """
    patient = _read_person(session, actor, person_id)
    found = _search_records(session, actor, resource_types, search.for_persons([UUID(patient["id"])]))
    first = [patient] if with_person and search.after is None else []
    return Found([*first, *found.matches], [], found.following)


def show_filed(session: Session, actor: Actor, resource_type: str, resource_id: str, version: int) -> Resource:
    """What the actor's hospital has just filed, or had filed before, as it stands."""
    return _show(session, [reading.get_filed(session, actor, resource_type, resource_id, version)])[0]


def _search_records(session: Session, actor: Actor, resource_types: Sequence[str], search: Search) -> Found:
    search, named = registry.resolve_chains(session, actor, search)
    if search.with_total and not search.of("patient"):
        # Whose records were counted stands in his access log: it has to be said whose they are.
        raise FhirSearchUnsupported(("_total", "Only records of a patient who is named are counted."))
    hits, following = reading.search_records(session, actor, resource_types, search)
    wanted = {one.partition(":")[2] for one in search.includes}
    included = [
        resource
        for names, (included_type, include) in _INCLUDES.items()
        # A token that may not read the type by itself does not get it beside another.
        if wanted & names and actor.can(KINDS[included_type].permission)
        for resource in include(session, actor, hits)
    ]
    if search.with_origins and actor.can(KINDS["Provenance"].permission):
        scene = reading.read_scene(session, hits)
        included += [people.show_origin(hit, scene) for hit in hits if hit.version]
    total = reading.count_records(session, actor, resource_types[0], search) if search.with_total else None
    shown = [trim(one, search.elements) for one in _show(session, hits)]
    return Found(shown, included, following, total, named)


def _show(session: Session, hits: Sequence[Hit]) -> list[Resource]:
    scene = reading.read_scene(session, hits)
    return [presenting.show_resource(hit, scene) for hit in hits]


def _include_persons(session: Session, actor: Actor, hits: Sequence[Hit]) -> list[Resource]:
    roots = set(reading.read_scene(session, hits).persons.values())
    return [people.show_person(registry.get_person(session, actor, one)) for one in sorted(roots)]


def _include_visits(session: Session, actor: Actor, hits: Sequence[Hit]) -> list[Resource]:
    named = {str(hit.rows[0].visit_id) for hit in hits if hit.rows[0].visit_id}
    asked = Search((Filter("_id", tuple(TokenValue(None, one) for one in named)),), count=max(len(named), 1))
    return _show(session, reading.search_records(session, actor, ["Encounter"], asked)[0]) if named else []


def _include_results(session: Session, actor: Actor, hits: Sequence[Hit]) -> list[Resource]:
    return _show(session, reading.list_results(session, actor, hits))


def _include_requests(session: Session, actor: Actor, hits: Sequence[Hit]) -> list[Resource]:
    references = [one for shown in _show(session, hits) for one in shown.get("basedOn", ()) if "reference" in one]
    named = {reference["reference"].partition("/")[2] for reference in references}
    asked = Search((Filter("_id", tuple(TokenValue(None, one) for one in named)),), count=max(len(named), 1))
    return _show(session, reading.search_records(session, actor, ["ServiceRequest"], asked)[0]) if named else []


def _include_staff(session: Session, actor: Actor, hits: Sequence[Hit]) -> list[Resource]:
    authors = [author for hit in hits for author in list_authors(hit.rows[0].authors)]
    named = {author.staff_id for author in authors if author.staff_id}
    return [people.show_practitioner(one) for one in registry.list_staff(session, actor, named)]


def _include_hospitals(session: Session, _actor: Actor, hits: Sequence[Hit]) -> list[Resource]:
    hospitals = reading.read_scene(session, hits).hospitals
    return [people.show_organization(hospitals[one]) for one in sorted(hospitals)]


_Include = Callable[[Session, Actor, Sequence[Hit]], list[Resource]]
_INCLUDES: dict[frozenset[str], tuple[str, _Include]] = {
    frozenset({"patient", "subject"}): ("Patient", _include_persons),
    frozenset({"encounter"}): ("Encounter", _include_visits),
    frozenset({"result"}): ("Observation", _include_results),
    frozenset({"based-on"}): ("ServiceRequest", _include_requests),
    frozenset({"performer"}): ("Organization", _include_hospitals),
    frozenset({"performer", "results-interpreter"}): ("Practitioner", _include_staff),
}


def _read_person(session: Session, actor: Actor, resource_id: str) -> Resource:
    return people.show_person(registry.get_person(session, actor, _id_of(resource_id)))


def _search_persons(session: Session, actor: Actor, search: Search) -> Found:
    return Found([people.show_person(file) for file in registry.search_persons(session, actor, search)])


def _read_hospital(session: Session, _actor: Actor, resource_id: str) -> Resource:
    return people.show_organization(registry.get_hospital(session, _id_of(resource_id)))


def _search_hospitals(session: Session, _actor: Actor, search: Search) -> Found:
    return Found([people.show_organization(one) for one in registry.search_hospitals(session, search)])


def _read_practitioner(session: Session, actor: Actor, resource_id: str) -> Resource:
    return people.show_practitioner(registry.get_practitioner(session, actor, _id_of(resource_id)))


def _search_practitioners(session: Session, actor: Actor, search: Search) -> Found:
    return Found([people.show_practitioner(one) for one in registry.search_practitioners(session, actor, search)])


def _read_grant(session: Session, actor: Actor, resource_id: str) -> Resource:
    asked = Search((Filter("_id", (TokenValue(None, resource_id),)),))
    grants = registry.search_grants(session, actor, asked)
    if not grants:
        raise FhirResourceNotFound
    return people.show_grant(grants[0])


def _search_grants(session: Session, actor: Actor, search: Search) -> Found:
    return Found([people.show_grant(grant) for grant in registry.search_grants(session, actor, search)])


def _read_access(session: Session, actor: Actor, resource_id: str) -> Resource:
    if actor.can(watching.PERMISSION):
        return auditing.show_line(watching.get_line(session, actor, _id_of(resource_id)))
    return auditing.show_access(registry.get_access(session, actor, _id_of(resource_id)))


def _search_access(session: Session, actor: Actor, search: Search) -> Found:
    if actor.can(watching.PERMISSION):
        lines = watching.search_lines(session, actor, search)
        after = Place(lines[-1].at, lines[-1].id) if len(lines) == search.count else None
        return Found([auditing.show_line(line) for line in lines], following=after)
    rows = registry.search_access(session, actor, search)
    page = rows[: search.count]
    following = Place(page[-1].at, page[-1].id) if len(rows) > search.count or len(rows) >= registry.LOG_PAGE else None
    return Found([auditing.show_access(row) for row in page], following=following)


def _read_origin(session: Session, actor: Actor, resource_id: str) -> Resource:
    hit = registry.get_origin(session, actor, resource_id)
    return people.show_origin(hit, reading.read_scene(session, [hit]))


def _search_origins(session: Session, actor: Actor, search: Search) -> Found:
    hits = registry.list_origins(session, actor, search)
    scene = reading.read_scene(session, hits)
    return Found([people.show_origin(hit, scene) for hit in hits])


def _id_of(resource_id: str) -> UUID:
    found = conditions.read_id(resource_id)
    if found is None:
        raise FhirResourceNotFound
    return found


_READERS: dict[str, Callable[[Session, Actor, str], Resource]] = {
    "Patient": _read_person,
    "Organization": _read_hospital,
    "Practitioner": _read_practitioner,
    "Consent": _read_grant,
    "AuditEvent": _read_access,
    "Provenance": _read_origin,
}
_SEARCHES: dict[str, Callable[[Session, Actor, Search], Found]] = {
    "Patient": _search_persons,
    "Organization": _search_hospitals,
    "Practitioner": _search_practitioners,
    "Consent": _search_grants,
    "AuditEvent": _search_access,
    "Provenance": _search_origins,
}
