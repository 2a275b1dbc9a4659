"""What is read as FHIR and is no row of records: persons, hospitals, grants, the access log, where things came from."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from core.actor import Actor, ActorKind
from health_card import service as health_card
from records.fhir import systems
from records.fhir.catalogue import KINDS
from records.fhir.parameters import CHAINED, Filter, ReferenceValue, Search
from records.fhir.refusals import FhirResourceNotFound, FhirSearchUnsupported
from records.fhir.service import conditions, reading
from records.fhir.service.listings import LISTINGS
from records.fhir.service.reading import Hit

# Rows that ``consent.list_access`` gives at most.
LOG_PAGE = 50
_KINDS_WITH_VERSIONS = (
    "DiagnosticReport",
    *(name for name in LISTINGS if name not in {"DiagnosticReport", "Observation"}),
)


@dataclass(frozen=True)
class PersonFile:
    """A person as far as the actor may see him. ``person``: whole for himself, otherwise with numbers masked; for
        whom a grant shows a part, the name too.

    :ivar cards: their numbers, for who may act for him.
    :ivar patient_number: that of the actor's hospital, with its id.
    """

    id: UUID
    person: health_card.Demographics | health_card.PlainDemographics
    cards: list[str]
    patient_number: tuple[UUID, str] | None


def get_person(session: Session, actor: Actor, person_id: UUID) -> PersonFile:
    """:raises FhirResourceNotFound: nobody whom the actor may see."""
    roots = health_card.list_roots(session, {person_id})
    if not roots:
        raise FhirResourceNotFound
    try:
        allowed = consent.release(
            session, actor, person_id=person_id, action="records.person.read", of=("person", roots[person_id])
        )
    except consent.NothingShared:
        raise FhirResourceNotFound from None
    is_patient = actor.kind is ActorKind.PATIENT
    is_masked = allowed.purpose == "family" or not allowed.is_whole
    number = health_card.get_patient_number(session, actor, person_id) if actor.hospital_id else None
    return PersonFile(
        id=roots[person_id],
        person=health_card.get_plain_demographics(session, person_id)
        if allowed.purpose == "own"
        else health_card.get_demographics(session, person_id, masked=is_masked),
        cards=health_card.list_card_numbers(session, actor, person_id=person_id) if is_patient else [],
        patient_number=(actor.house_id, number) if number else None,
    )


def search_persons(session: Session, actor: Actor, search: Search) -> list[PersonFile]:
    """The persons whom the actor may see now, by id or by an identifier; at most as many as the page has.

    :raises FhirSearchUnsupported: an identifier of a system by which persons are not found here.
    """
    if search.of("_lastUpdated"):
        raise FhirSearchUnsupported(("_lastUpdated", "It is not known of a Patient."))
    asked = [{conditions.read_id(value.code) for value in one.tokens} for one in search.of("_id")]
    asked += [
        {_find_person(session, actor, value.system, value.code) for value in one.tokens}
        for one in search.of("identifier")
    ]
    if asked:
        found = {person_id for person_id in set.intersection(*asked) if person_id}
    else:
        found = set(session.scalars(consent.readable_person_ids(actor).limit(search.count)))
    roots = sorted(set(health_card.list_roots(session, found).values()))
    files = [_find_file(session, actor, person_id) for person_id in roots[: search.count]]
    return [one for one in files if one is not None]


def resolve_chains(session: Session, actor: Actor, search: Search) -> tuple[Search, list[str]]:
    """The same search with persons where it names them by an identifier.

    :returns: also what ``patient`` stands for each, as a parameter says it; of an identifier of nobody, nobody.
    :raises FhirSearchUnsupported: an identifier of a system by which persons are not found here.
    """
    filters = [one for one in search.filters if one.asks != CHAINED]
    named: list[str] = []
    for one in search.of(CHAINED):
        found = {_find_person(session, actor, value.system, value.code) for value in one.tokens} - {None}
        ids = [str(person_id) for person_id in found] or ["nobody"]
        filters.append(Filter("patient", tuple(ReferenceValue("Patient", person_id) for person_id in ids)))
        named.append(",".join(f"Patient/{person_id}" for person_id in ids))
    return replace(search, filters=tuple(filters)), named


def search_hospitals(session: Session, search: Search) -> list[accounts.HospitalCard]:
    """Hospitals by id and by organisation code; both are public."""
    codes = [value.code for one in search.of("identifier") for value in one.tokens]
    ids = {found for one in search.of("_id") for value in one.tokens if (found := conditions.read_id(value.code))}
    by_code = accounts.find_hospitals_by_code(session, codes) if search.of("identifier") else []
    by_id = list(accounts.list_hospitals(session, ids).values()) if search.of("_id") else by_code
    return [one for one in by_id if not search.of("identifier") or one in by_code]


def get_hospital(session: Session, hospital_id: UUID) -> accounts.HospitalCard:
    """:raises FhirResourceNotFound: none such."""
    found = accounts.list_hospitals(session, {hospital_id})
    if hospital_id not in found:
        raise FhirResourceNotFound
    return found[hospital_id]


def search_practitioners(session: Session, actor: Actor, search: Search) -> list[accounts.Practitioner]:
    """Who works at the actor's hospital. A login knows ids from its access log, and asks for these.

    :raises FhirSearchUnsupported: a login names nobody.
    """
    is_house = actor.hospital_id is not None
    if not is_house and not search.of("_id"):
        raise FhirSearchUnsupported(("_id", "Whose ids stand in the access log can be asked for."))
    named = [{conditions.read_id(value.code) for value in one.tokens} - {None} for one in search.of("_id")]
    ids = {found for found in set.intersection(*named) if found} if named else None
    return accounts.list_practitioners(
        session, hospital_id=actor.hospital_id, ids=ids, limit=search.count, as_patients_see=not is_house
    )


def get_practitioner(session: Session, actor: Actor, staff_id: UUID) -> accounts.Practitioner:
    """:raises FhirResourceNotFound: nobody of a hospital; for a hospital, nobody of its own."""
    told = actor.hospital_id is None
    found = accounts.list_practitioners(
        session, hospital_id=actor.hospital_id, ids={staff_id}, limit=1, as_patients_see=told
    )
    if not found:
        raise FhirResourceNotFound
    return found[0]


def list_staff(session: Session, actor: Actor, staff_ids: Collection[str]) -> list[accounts.Practitioner]:
    """Those of these whom the actor may know: for a hospital, its own."""
    ids = {UUID(one) for one in staff_ids}
    told = actor.hospital_id is None
    return (
        accounts.list_practitioners(
            session, hospital_id=actor.hospital_id, ids=ids, limit=len(ids), as_patients_see=told
        )
        if ids
        else []
    )


def search_grants(session: Session, actor: Actor, search: Search) -> list[consent.GrantView]:
    """The grants of the persons whom a login may act for; of a hospital those by which it sees anything now."""
    is_patient = actor.kind is ActorKind.PATIENT
    grants = consent.list_grants(session, actor) if is_patient else consent.list_received_grants(session, actor)
    for one in search.of("patient"):
        named = {conditions.read_id(value.id) for value in one.references}
        grants = [grant for grant in grants if grant.person_id in named]
    for one in search.of("status"):
        wanted = {value.code for value in one.tokens}
        grants = [grant for grant in grants if ("active" if grant.status == "in_force" else "inactive") in wanted]
    for one in search.of("_id"):
        grants = [grant for grant in grants if str(grant.id) in {value.code for value in one.tokens}]
    return grants[: search.count]


def search_access(session: Session, actor: Actor, search: Search) -> list[consent.AccessRow]:
    """A page of the access log of the persons whom a login may act for, newest first.

    :raises FhirSearchUnsupported: anything else than one ``patient``.
    """
    if actor.kind is not ActorKind.PATIENT:
        return []
    named = [value for one in search.of("patient") for value in one.references]
    if len(named) > 1 or any(one.asks != "patient" for one in search.filters):
        raise FhirSearchUnsupported(("AuditEvent", "Only one patient is known; follow `next` to older ones."))
    before = search.after.id if search.after else None
    if not named:
        return consent.list_access(session, actor, before=before)
    person_id = conditions.read_id(named[0].id)
    wanted = consent.AccessFilter(person_id=person_id)
    return consent.list_access(session, actor, before=before, wanted=wanted) if person_id else []


def get_access(session: Session, actor: Actor, row_id: UUID) -> consent.AccessRow:
    """:raises FhirResourceNotFound: no such row of the access log of a person whom the login may act for."""
    rows = consent.list_access(session, actor, row_id=row_id) if actor.kind is ActorKind.PATIENT else []
    if not rows:
        raise FhirResourceNotFound
    return rows[0]


def list_origins(session: Session, actor: Actor, search: Search) -> list[Hit]:
    """The versions of one resource, each of which a message brought.

    :raises FhirSearchUnsupported: no target.
    """
    targets = [value for one in search.of("target") for value in one.values if isinstance(value, ReferenceValue)]
    if len(targets) != 1 or targets[0].resource_type not in LISTINGS:
        raise FhirSearchUnsupported(("target", "One target of a type with versions is expected: Condition/<id>."))
    (target,) = targets
    assert target.resource_type is not None
    if not actor.can(KINDS[target.resource_type].permission):
        return []
    try:
        return [hit for hit in reading.list_versions(session, actor, target.resource_type, target.id) if hit.version]
    except FhirResourceNotFound:
        return []


def get_origin(session: Session, actor: Actor, resource_id: str) -> Hit:
    """The version that ``<id>.<version>`` names.

    :raises FhirResourceNotFound: none such that the actor may see.
    """
    found, _, version = resource_id.partition(".")
    if not (version.isascii() and version.isdecimal() and 0 < int(version[:9]) < 2**31 and len(version) < 10):
        raise FhirResourceNotFound
    for resource_type in _KINDS_WITH_VERSIONS:
        if not actor.can(KINDS[resource_type].permission):
            continue
        try:
            return reading.get_record(session, actor, resource_type, found, int(version))
        except FhirResourceNotFound:
            continue
    raise FhirResourceNotFound


def _find_file(session: Session, actor: Actor, person_id: UUID) -> PersonFile | None:
    try:
        return get_person(session, actor, person_id)
    except FhirResourceNotFound:
        return None


def _find_person(session: Session, actor: Actor, system: str | None, value: str) -> UUID | None:
    if system == systems.CARD:
        return health_card.find_person(session, actor, card_number=value)
    if system == systems.PATIENT_NUMBER and actor.hospital_id is not None:
        return health_card.find_person(session, actor, patient_number=value)
    raise FhirSearchUnsupported(
        ("identifier", f"{systems.CARD} or {systems.PATIENT_NUMBER} and the value is expected.")
    )
