"""Filing entries, version by version, and reading one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Text, cast, func, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session, defer

from accounts import service as accounts
from consent import service as consent
from core import audit, clock, exact_json
from core.actor import Actor
from core.ids import new_id
from health_card import service as health_card
from records.entries.incoming import IncomingEntry
from records.entries.models import CATEGORIES, RecordEntry
from records.entries.papers import Document, list_documents
from records.entries.refusals import EntryNotFound, EntryOfAnotherPerson, EntryVersionDiffers
from records.entries.wording import Line, describe
from records.refusals import AttachmentNotFound
from records.releasing import service as releasing
from records.timeline import service as timeline
from records.timeline.service import Placement

_SAID = ("status", "code", "code_system", "name", "occurred_at")


@dataclass(frozen=True)
class DecidedEntry:
    """Which version of which entry this is. ``is_new``: False when nothing is to be written.

    :ivar person_id: all versions of an entry hang on the record that its first version came through.
    """

    entry_id: UUID
    version: int
    is_new: bool
    entry: IncomingEntry
    person_id: UUID
    content: dict[str, Any]


@dataclass(frozen=True)
class EntryView:
    """One version of an entry. ``content``: the resource of FHIR R4."""

    id: UUID
    version: int
    resource_type: str
    category: str
    status: str
    code: str | None
    code_system: str | None
    name: str
    hospital_name: str
    occurred_at: datetime
    content: dict[str, Any]

    @property
    def lines(self) -> list[Line]:
        """What it says beside its name, time and status, for people to read."""
        return describe(self.resource_type, self.content)

    @property
    def documents(self) -> list[Document]:
        """What came inside it."""
        return list_documents(self.resource_type, self.content)


def decide_entries(
    session: Session, actor: Actor, *, person_id: UUID, entries: Sequence[IncomingEntry]
) -> list[DecidedEntry]:
    """Which version each of these becomes, in their order. Others with the same identifiers wait until we commit.

    :raises EntryNotFound: an update of what this hospital has not filed under this identifier.
    :raises EntryVersionDiffers: an update of another version than the current one.
    :raises EntryOfAnotherPerson: the identifier belongs to another person's entry.
    """
    # In one order for everybody, so that two messages about the same entries wait instead of locking each other out.
    order = sorted(range(len(entries)), key=lambda number: (entries[number].resource_type, entries[number].identifier))
    known = {number: _lock_current(session, actor, entries[number]) for number in order}
    ids = [current.id if (current := known[number]) else new_id() for number in range(len(entries))]
    links = {
        entry.full_url: f"{entry.resource_type}/{entry_id}"
        for entry, entry_id in zip(entries, ids, strict=True)
        if entry.full_url
    }
    return [
        _decide(session, person_id, (entry, entry_id), known[number], links)
        for number, (entry, entry_id) in enumerate(zip(entries, ids, strict=True))
    ]


def write_entry(
    session: Session, actor: Actor, decided: DecidedEntry, *, visit_id: UUID | None, message_id: UUID, channel: str
) -> None:
    """Write a decided version, and put it on the timeline."""
    entry = decided.entry
    session.execute(
        update(RecordEntry).where(RecordEntry.id == decided.entry_id, RecordEntry.is_current).values(is_current=False),
        execution_options={"synchronize_session": False},
    )
    row = {name: getattr(entry, name) for name in _SAID} | {
        "id": decided.entry_id,
        "version": decided.version,
        "is_current": True,
        "resource_type": entry.resource_type,
        "hospital_id": actor.house_id,
        "person_id": decided.person_id,
        "visit_id": visit_id,
        "inbound_message_id": message_id,
        "identifier_system": entry.identifier[0],
        "identifier_value": entry.identifier[1],
        "filed_at": clock.now(),
        "channel": channel,
        "content": cast(cast(exact_json.dump(decided.content), Text), JSONB),
    }
    session.execute(insert(RecordEntry).values(row))
    timeline.place_entry(
        session,
        Placement(
            person_id=decided.person_id,
            hospital_id=actor.house_id,
            visit_id=visit_id,
            object_kind="entry",
            object_id=decided.entry_id,
            category=CATEGORIES[entry.resource_type],
            title=entry.name,
            status=entry.status,
            occurred_at=entry.occurred_at,
            version=decided.version,
        ),
    )
    releasing.label_item(session, _item_of(actor, decided, visit_id))
    audit.record_act(
        session,
        actor,
        "records.entry.filed",
        subject_id=decided.person_id,
        of=("entry", decided.entry_id),
        facts={"version": decided.version, "status": entry.status, "resource_type": entry.resource_type},
    )


def _item_of(actor: Actor, decided: DecidedEntry, visit_id: UUID | None) -> releasing.Item:
    entry = decided.entry
    return releasing.Item(
        of=("entry", decided.entry_id),
        version=decided.version,
        person_id=decided.person_id,
        hospital_id=actor.house_id,
        visit_id=visit_id,
        category=CATEGORIES[entry.resource_type],
        code=(entry.code_system, entry.code) if entry.code_system and entry.code else None,
        codes=(),
        names=[entry.name],
    )


def get_entry(session: Session, actor: Actor, entry_id: UUID, *, action: str = "records.entry.read") -> EntryView:
    """The current version of an entry of a person whose records the actor may see now; leaves an access row.

    The patient has then seen it.

    :param action: what is done with it, for the access row.
    :raises EntryNotFound: none such for this actor.
    """
    found = session.execute(
        _select_with_text().where(
            RecordEntry.id == entry_id,
            RecordEntry.is_current,
            consent.is_readable(actor, person_id=RecordEntry.person_id, object_id=RecordEntry.id),
        )
    ).one_or_none()
    if found is None:
        raise EntryNotFound
    entry, content = found
    consent.release(
        session,
        actor,
        person_id=entry.person_id,
        action=action,
        of=("entry", entry.id),
        facts={"version": entry.version},
    )
    timeline.mark_seen(session, actor, object_id=entry.id, version=entry.version)
    return _show(session, entry, content)


def open_document(session: Session, actor: Actor, entry_id: UUID, number: int) -> Document:
    """A document inside the current version of an entry that the actor may see now; leaves an access row.

    :raises EntryNotFound: none such for this actor.
    :raises AttachmentNotFound: it has no document of this number.
    """
    entry = get_entry(session, actor, entry_id, action="records.entry_document.read")
    found = next((each for each in entry.documents if each.number == number), None)
    if found is None:
        raise AttachmentNotFound
    return found


def list_history(
    session: Session, actor: Actor, *, person_id: UUID, until: datetime, after: UUID | None, limit: int
) -> list[EntryView]:
    """The entries of a person as they were at a time, in the order of their ids.

    The caller releases and records the read (``consent.release``); what the actor may not see is not among them.

    :param after: the id of the last entry of the page before.
    """
    current = select(RecordEntry.id).where(
        RecordEntry.person_id.in_(health_card.same_person_ids(person_id)),
        RecordEntry.is_current,
        consent.is_readable(actor, person_id=RecordEntry.person_id, object_id=RecordEntry.id),
    )
    if after is not None:
        current = current.where(RecordEntry.id > after)
    then = (
        _select_with_text()
        .where(RecordEntry.id.in_(current.order_by(RecordEntry.id).limit(limit)), RecordEntry.filed_at <= until)
        .distinct(RecordEntry.id)
        .order_by(RecordEntry.id, RecordEntry.version.desc())
    )
    return [_show(session, entry, content) for entry, content in session.execute(then).tuples()]


def _select_with_text() -> Select[tuple[RecordEntry, str]]:
    """Entries with their content as text: numbers keep their digits."""
    return select(RecordEntry, cast(RecordEntry.content, Text)).options(defer(RecordEntry.content))


def _show(session: Session, entry: RecordEntry, content: str) -> EntryView:
    return EntryView(
        id=entry.id,
        version=entry.version,
        resource_type=entry.resource_type,
        category=CATEGORIES[entry.resource_type],
        status=entry.status,
        code=entry.code,
        code_system=entry.code_system,
        name=entry.name,
        hospital_name=accounts.get_hospital(session, entry.hospital_id).name,
        occurred_at=entry.occurred_at,
        content=exact_json.load(content),
    )


def _lock_current(session: Session, actor: Actor, entry: IncomingEntry) -> RecordEntry | None:
    system, value = entry.identifier
    lock = f"entry/{actor.house_id}/{entry.resource_type}/{system}/{value}"
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(lock, 0))))
    current = session.scalars(
        select(RecordEntry).where(
            RecordEntry.hospital_id == actor.house_id,
            RecordEntry.resource_type == entry.resource_type,
            RecordEntry.identifier_system == system,
            RecordEntry.identifier_value == value,
            RecordEntry.is_current,
        )
    ).one_or_none()
    if entry.target is not None:
        if current is None or not entry.target.is_of(current.id):
            raise EntryNotFound
        if current.version != entry.target.version:
            raise EntryVersionDiffers
    return current


def _decide(
    session: Session,
    person_id: UUID,
    named: tuple[IncomingEntry, UUID],
    current: RecordEntry | None,
    links: Mapping[str, str],
) -> DecidedEntry:
    entry, entry_id = named
    if current is not None and not health_card.is_same_person(session, current.person_id, person_id):
        raise EntryOfAnotherPerson
    owner = current.person_id if current else person_id
    content = _link(entry.content, links) | {entry.subject_element: {"reference": f"Patient/{owner}"}}
    if current is None:
        return DecidedEntry(entry_id, 1, True, entry, owner, content)
    if entry.keeps_existing or _says_the_same(session, current, content):
        return DecidedEntry(entry_id, current.version, False, entry, owner, content)
    return DecidedEntry(entry_id, current.version + 1, True, entry, owner, content)


def _says_the_same(session: Session, current: RecordEntry, content: dict[str, Any]) -> bool:
    kept = session.scalar(
        select(cast(RecordEntry.content, Text)).where(
            RecordEntry.id == current.id, RecordEntry.version == current.version
        )
    )
    # As text: 5.1 and 5.10 are equal numbers, but not the same dose.
    return exact_json.dump(exact_json.load(kept or "null"), sort_keys=True) == exact_json.dump(content, sort_keys=True)


def _link(content: Any, links: Mapping[str, str]) -> Any:
    """The same content, with references within the message led to where they are filed."""
    if isinstance(content, dict):
        return {
            name: links.get(value, value) if name == "reference" and isinstance(value, str) else _link(value, links)
            for name, value in content.items()
        }
    return [_link(value, links) for value in content] if isinstance(content, list) else content
