"""Finding rows for whoever may see them now, and recording that they were seen."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, literal, select, tuple_
from sqlalchemy.orm import Session

from accounts import service as accounts
from accounts.apps import service as apps
from consent import service as consent
from core.actor import Actor, ActorKind
from health_card import service as health_card
from records.entries.models import RecordEntry
from records.fhir.parameters import Filter, Place, ReferenceValue, Search, TokenValue
from records.fhir.refusals import FhirResourceNotFound
from records.fhir.service import conditions, results
from records.fhir.service.listings import LISTINGS, Listing
from records.fhir.service.results import LineRow
from records.reports.models import Observation, Report

_LATEST_VERSION = 2**31 - 1
# What a scope lets do with a type (SMART App Launch 2).
READ, SEARCH = "r", "s"


@dataclass(frozen=True)
class Hit:
    """A row that the actor may see. ``rows``: what the listing's statement selects. ``version``: None: it has none.

    ``root_id``: the record that stands for the person, where the statement said.
    """

    resource_type: str
    kind: str
    person_id: UUID
    place: Place
    version: int | None
    updated_at: datetime
    rows: tuple[Any, ...]
    root_id: UUID | None = None

    @property
    def resource_id(self) -> str:
        return f"{self.place.id}.{self.place.position}" if self.place.position else str(self.place.id)


@dataclass(frozen=True)
class Scene:
    """What rows refer to: the record that stands for each person, hospitals, results of reports, their components.

    :ivar requests: those that reports answer, by person, hospital, and system and value of their name.
    """

    persons: dict[UUID, UUID]
    hospitals: dict[UUID, accounts.HospitalCard]
    results: dict[tuple[UUID, int], list[int]]
    components: dict[tuple[UUID, int], list[LineRow]]
    requests: dict[tuple[UUID, UUID, str, str], UUID]


def search_records(
    session: Session, actor: Actor, resource_types: Sequence[str], search: Search
) -> tuple[list[Hit], Place | None]:
    """A page of what the actor may see of these types, in one order, and where the next begins.

    Every person whose rows are given, or who is asked for by name, gets a row in his access log.
    """
    found = [
        hit
        for resource_type in resource_types
        for listing in LISTINGS[resource_type]
        for hit in (_list_hits(session, actor, resource_type, listing, search) if search.count else [])
    ]
    found.sort(key=lambda hit: _sort_key(hit.place), reverse=search.is_descending)
    page = found[: search.count]
    _release(session, actor, resource_types, search, page)
    return page, page[-1].place if len(found) > search.count > 0 else None


def count_records(session: Session, actor: Actor, resource_type: str, search: Search) -> int:
    """How many the actor may see of a type now, on all pages together."""
    return sum(
        session.scalar(select(func.count()).select_from(_filtered(actor, resource_type, listing, search).subquery()))
        or 0
        for listing in LISTINGS[resource_type]
    )


def get_record(session: Session, actor: Actor, resource_type: str, resource_id: str, version: int | None = None) -> Hit:
    """One resource, as it is now or in one of its versions.

    :raises FhirResourceNotFound: none such that the actor may see.
    """
    (hit, *_) = list_versions(session, actor, resource_type, resource_id, version=version or 0)
    return hit


def list_versions(
    session: Session, actor: Actor, resource_type: str, resource_id: str, *, version: int | None = None
) -> list[Hit]:
    """All versions of a resource, the newest first.

    :param version: only this one; 0: the current one.
    :raises FhirResourceNotFound: none such that the actor may see.
    """
    if version is not None and version > _LATEST_VERSION:
        raise FhirResourceNotFound
    of_id = Filter("_id", (TokenValue(None, resource_id),))
    for listing in LISTINGS[resource_type]:
        hits = _list_versions(session, actor, resource_type, listing, of_id, version=version)
        if hits:
            newest = hits[0]
            consent.release(
                session,
                actor,
                person_id=newest.person_id,
                action=f"records.{listing.kind}.read",
                of=(listing.kind, newest.place.id),
                shown=[newest.place.id],
                facts={"resource_type": resource_type, "version": newest.version, "versions": len(hits)},
            )
            return hits
    raise FhirResourceNotFound


def get_filed(session: Session, actor: Actor, resource_type: str, resource_id: str, version: int) -> Hit:
    """A version of what the actor's own hospital filed: what it has sent, it may be told again at once."""
    listing = LISTINGS[resource_type][-1]
    table = RecordEntry if listing.kind == "entry" else Report
    own = table.hospital_id == actor.house_id, table.version == version
    named = conditions.by_id(listing.object_id, listing.position)(Filter("_id", (TokenValue(None, resource_id),)))
    row = session.execute(listing.statement.add_columns(listing.updated).where(*own, named)).one()
    return _hit(resource_type, listing, row)


def list_results(session: Session, actor: Actor, hits: Sequence[Hit]) -> list[Hit]:
    """The Observations of reports that were found: parts of what the actor has been shown already."""
    reports = _reports_of(hits)
    if not reports:
        return []
    if not _is_confined(actor):
        return [_report_hit("Observation", found) for found in results.list_lines(session, actor, reports)]
    asked = _readable(actor, "Observation", LISTINGS["Observation"][0], READ)
    of_reports = asked.where(tuple_(Report.id, Report.version).in_(reports))
    ordered = of_reports.order_by(Report.effective_at.desc(), Report.id.desc(), Observation.position)
    return [_hit("Observation", LISTINGS["Observation"][0], row) for row in session.execute(ordered)]


def read_scene(session: Session, hits: Iterable[Hit]) -> Scene:
    """What these hits refer to."""
    shown = list(hits)
    return Scene(
        persons=_list_roots(session, shown),
        hospitals=accounts.list_hospitals(session, {hit.rows[0].hospital_id for hit in shown}),
        results=results.list_positions(session, _reports_of(shown)),
        components=results.list_components(session, _composed(shown)),
        requests=_list_requests(session, shown),
    )


def _list_hits(session: Session, actor: Actor, resource_type: str, listing: Listing, search: Search) -> list[Hit]:
    if listing.kind == "report" and not _is_confined(actor):
        found = results.search_reports(session, actor, search, with_lines=resource_type == "Observation")
        return [_report_hit(resource_type, one, by_update=search.by_update) for one in found]
    statement = _filtered(actor, resource_type, listing, search)
    moment = listing.updated if search.by_update else listing.moment
    position = literal(0) if listing.position is None else -listing.position
    order = (moment, listing.object_id, position)
    if search.after is not None:
        at = tuple_(*map(literal, _sort_key(search.after)))
        statement = statement.where(tuple_(*order) < at if search.is_descending else tuple_(*order) > at)
    # A constant in ORDER BY would be taken for the number of a column.
    ranked = order if listing.position is not None else order[:2]
    statement = statement.order_by(*(one.desc() if search.is_descending else one.asc() for one in ranked))
    rows = session.execute(statement.limit(search.count + 1))
    return [_hit(resource_type, listing, row, by_update=search.by_update) for row in rows]


def _list_versions(
    session: Session, actor: Actor, resource_type: str, listing: Listing, of_id: Filter, *, version: int | None
) -> list[Hit]:
    if listing.version is None and (version or 1) != 1:
        return []
    if listing.kind == "report" and version == 0 and not _is_confined(actor):
        return _list_hits(session, actor, resource_type, listing, Search((of_id,), count=1))
    statement = _readable(actor, resource_type, listing, READ).where(_conditions(listing)["_id"](of_id))
    if listing.is_current is not None and version is not None:
        statement = statement.where(listing.version == version if version else listing.is_current)
    elif listing.is_current is not None:
        statement = statement.order_by(listing.version.desc())
    return [_hit(resource_type, listing, row) for row in session.execute(statement)]


def _is_confined(actor: Actor) -> bool:
    """Whether it sees of what it may see only what scopes name: an app, for which the longer way is taken."""
    return actor.kind is ActorKind.APP


def _filtered(actor: Actor, resource_type: str, listing: Listing, search: Search) -> Select[Any]:
    statement = _readable(actor, resource_type, listing, SEARCH)
    if listing.is_current is not None:
        statement = statement.where(listing.is_current)
    known = _conditions(listing)
    for one in search.filters:
        statement = statement.where(known[one.asks](one))
    return statement


def _readable(actor: Actor, resource_type: str, listing: Listing, verb: str) -> Select[Any]:
    """The rows that the actor may see now; of an app's, those of the categories that its scopes name."""
    readable = consent.is_readable(actor, person_id=listing.person_id, object_id=listing.object_id)
    updated = listing.updated.label("updated")
    statement = listing.statement.add_columns(updated).where(readable)
    if not _is_confined(actor):
        return statement
    categories = apps.find_categories(actor.scopes, resource_type, verb)
    if categories is None:
        return statement
    confined = Filter("category", tuple(TokenValue(None, one) for one in sorted(categories)))
    return statement.where(_conditions(listing)["category"](confined))


def _conditions(listing: Listing) -> dict[str, conditions.Condition]:
    return {
        "_id": conditions.by_id(listing.object_id, listing.position),
        "_lastUpdated": conditions.by_moment(listing.updated),
        "patient": conditions.by_person(listing.person_id),
        "date": conditions.by_moment(listing.moment),
        **listing.conditions,
    }


def _hit(resource_type: str, listing: Listing, row: Any, *, by_update: bool = False) -> Hit:
    *rows, updated_at = row
    first = rows[0]
    moment = updated_at if by_update else getattr(first, listing.moment.key)
    position = rows[1].position if listing.position is not None else 0
    version = None if listing.version is None else first.version
    place = Place(moment, first.id, position)
    return Hit(resource_type, listing.kind, first.person_id, place, version, updated_at, tuple(rows))


def _report_hit(resource_type: str, found: results.FoundRow, *, by_update: bool = False) -> Hit:
    report, line, root_id = found
    moment = report.filed_at if by_update else report.effective_at
    place = Place(moment, report.id, line.position if line else 0)
    rows = (report, line) if line else (report,)
    return Hit(resource_type, "report", report.person_id, place, report.version, report.filed_at, rows, root_id)


def _reports_of(hits: Iterable[Hit]) -> list[tuple[UUID, int]]:
    return [(hit.place.id, hit.version) for hit in hits if hit.resource_type == "DiagnosticReport" and hit.version]


def _composed(hits: Iterable[Hit]) -> list[tuple[UUID, int]]:
    """The reports of which a result among these has components."""
    lines = (hit for hit in hits if hit.resource_type == "Observation" and hit.rows[1].component_count)
    return list(dict.fromkeys((hit.place.id, hit.version) for hit in lines if hit.version))


def _list_requests(session: Session, hits: Iterable[Hit]) -> dict[tuple[UUID, UUID, str, str], UUID]:
    """The requests that reports among these name as their basis, as their hospitals now keep them."""
    reports = [hit.rows[0] for hit in hits if hit.kind == "report" and hit.rows[0].based_on]
    names = {(one.hospital_id, each["system"], each["value"])
             for one in reports for each in one.based_on if "system" in each and "type" not in each}  # fmt: skip
    if not names:
        return {}
    name = RecordEntry.hospital_id, RecordEntry.identifier_system, RecordEntry.identifier_value
    known = select(RecordEntry.id, RecordEntry.person_id, *name).where(
        RecordEntry.resource_type == "ServiceRequest", RecordEntry.is_current, tuple_(*name).in_(names)
    )
    rows = session.execute(known).tuples().all()
    roots = health_card.list_roots(session, {person_id for _, person_id, _, _, _ in rows})
    return {(roots[person_id], hospital_id, system, value): id_ for id_, person_id, hospital_id, system, value in rows}


def _list_roots(session: Session, hits: Iterable[Hit]) -> dict[UUID, UUID]:
    """The record that stands for the person of each."""
    known = {hit.person_id: hit.root_id for hit in hits}
    roots = {person_id: root_id for person_id, root_id in known.items() if root_id}
    unknown = known.keys() - roots.keys()
    return roots | (health_card.list_roots(session, unknown) if unknown else {})


def _sort_key(place: Place) -> tuple[datetime, UUID, int]:
    return place.moment, place.id, -place.position


def _release(
    session: Session, actor: Actor, resource_types: Sequence[str], search: Search, page: Sequence[Hit]
) -> None:
    named = _named_persons(search)
    roots = _list_roots(session, page)
    # Where one person is asked for, what was found is his.
    others = set() if page and len(named) == 1 else set(health_card.list_roots(session, named).values())
    lines: dict[UUID, list[UUID]] = {person_id: [] for person_id in others}
    for hit in page:
        lines.setdefault(roots[hit.person_id], []).append(hit.place.id)
    asked = resource_types[0] if len(resource_types) == 1 else "everything"
    for person_id, shown in lines.items():
        try:
            consent.release(
                session,
                actor,
                person_id=person_id,
                action="records.resource.listed",
                shown=shown,
                facts={"resource_type": asked, "lines": len(shown)},
            )
        except consent.NothingShared:
            # Somebody was named whom the actor may not see: he learns nothing, not even that there is such a person.
            if shown:
                # His rows were found a moment before it was ended.
                raise


def _named_persons(search: Search) -> set[UUID]:
    return {
        found
        for one in search.of("patient")
        for reference in one.values
        if isinstance(reference, ReferenceValue) and (found := conditions.read_id(reference.id))
    }
