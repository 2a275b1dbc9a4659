"""One chunk of a batch: read and sealed before the transaction, written by a few statements inside it.

The outcome of a line is that of a registration at a window: the same checks, the same locks, the same refusals.
"""

import secrets
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Text, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA
from sqlalchemy.orm import Session

from core import audit, clock, db, outbox, storage
from core.actor import Actor, ActorKind
from core.ids import new_id
from core.vault import vault
from health_card.batches.models import BatchState, CardBatch, CardBatchRow, RowOutcome
from health_card.batches.reading import Entry, Reader, read_entry
from health_card.models import (
    ApplyChannel,
    Assurance,
    Card,
    CardState,
    CertificateState,
    Person,
    PersonCertificate,
)
from health_card.refusals import PersonDetailsDiffer
from health_card.service.identities import (
    ADDRESS,
    CERTIFICATE,
    NAME,
    PHONE,
    certificate_index,
)
from health_card.service.persons import find_or_issue_card, name_and_phone

CHUNK_ROWS = 1000
CHUNK_MADE_TOPIC = "health_card.batch_chunk_made"
NAMES_DUE_TOPIC = "health_card.batch_names_due"
ENDED_TOPIC = "health_card.batch_ended"

# Everybody who registers one of these certificates waits for us, and we for him; in one order, so that nobody waits
# in a circle. The lock is that of ``identities.lock_certificate``.
_LOCK_CERTIFICATES = text(
    "SELECT pg_advisory_xact_lock(number) FROM ("
    "SELECT DISTINCT hashtextextended(shown, 0) AS number FROM unnest(:shown) AS shown ORDER BY number"
    ") AS ordered"
).bindparams(bindparam("shown", type_=ARRAY(Text())))

# One look into the index a number, whatever the statistics of a table that grows say (OFFSET 0 keeps it a loop):
# a plan that was kept from when the table was small compares every row with every number.
_FIND_OWNERS = text(
    "SELECT sent.number, owner.country, owner.person_id FROM unnest(:indexes) AS sent (number), LATERAL ("
    "SELECT country, person_id FROM person_certificates "
    "WHERE number_index = sent.number AND state <> 'withdrawn' OFFSET 0"
    ") AS owner"
).bindparams(bindparam("indexes", type_=ARRAY(BYTEA())))


@dataclass(frozen=True)
class SealedPerson:
    """A master record and its certificate, ready to be written if the certificate is nobody's yet."""

    person_id: UUID
    person: dict[str, Any]
    certificate: dict[str, Any]


@dataclass(frozen=True)
class Candidate:
    """A line of the list; ``sealed`` is None for one that is refused."""

    entry: Entry
    sealed: SealedPerson | None


@dataclass(frozen=True)
class Chunk:
    """The next lines of a batch, and where the ones after them begin."""

    batch_id: UUID
    offset: int
    candidates: list[Candidate]
    next_offset: int
    next_line: int


class MadeCard(NamedTuple):
    """A line that gave somebody a card."""

    line: int
    person_id: UUID
    card_id: UUID


@dataclass
class _Outcomes:
    """What the transaction will write."""

    persons: list[dict[str, Any]]
    certificates: list[dict[str, Any]]
    cards: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    acts: list[tuple[str, UUID, tuple[str, UUID]]]

    def count(self, outcome: RowOutcome) -> int:
        return sum(1 for row in self.rows if row["outcome"] == outcome)


@dataclass(frozen=True)
class _Holder:
    """Somebody who has this certificate already: from before, or from an earlier line of the same chunk.

    ``known_as``: name and phone, of the record itself and of the one that stands for it after a merge.
    """

    known_as: set[tuple[str, str]]
    person: Person | None = None
    card_id: UUID | None = None


def find_running(session: Session, batch_id: UUID) -> CardBatch | None:
    """The batch, when it is there to be taken further."""
    batch = session.get_one(CardBatch, batch_id)
    return batch if batch.state == BatchState.RUNNING else None


def read_chunk(batch: CardBatch, *, offset: int, line: int) -> Chunk:
    """Read, check and seal the lines from here on. Nothing is written, so nothing need be open.

    :raises FileDamaged: the list is not what was stored.
    """
    assert batch.data_key is not None
    with storage.open_file(batch.storage_key, batch.data_key) as stream:
        reader = Reader(stream, batch.encoding, offset=offset, line=line)
        candidates = [_seal(read_entry(line, batch.columns, cells)) for line, cells in islice(iter(reader), CHUNK_ROWS)]
    return Chunk(batch.id, offset, candidates, reader.offset, reader.line)


def issue_chunk(session: Session, *, chunk: Chunk) -> bool:
    """Register the people of a chunk and give out their cards, in the name of the operator who sent the list.

    :returns: whether it was done. False: the batch was stopped, or somebody else has done this chunk.
    """
    mine = select(CardBatch).where(CardBatch.id == chunk.batch_id).with_for_update()
    batch = session.scalars(mine, execution_options={"populate_existing": True}).one()
    if batch.state != BatchState.RUNNING or batch.next_offset != chunk.offset:
        return False
    outcomes = _decide(session, chunk)
    db.copy_rows(session, Person, outcomes.persons)
    db.copy_rows(session, PersonCertificate, outcomes.certificates)
    db.copy_rows(session, Card, outcomes.cards)
    db.copy_rows(session, CardBatchRow, outcomes.rows)
    actor = Actor(ActorKind.STAFF, batch.created_by, frozenset())
    audit.record_acts(session, actor, outcomes.acts, facts={"batch": str(batch.id)})
    _move_on(session, actor, batch, chunk, outcomes)
    return True


def list_made_cards(session: Session, *, batch_id: UUID, first_line: int, last_line: int) -> list[MadeCard]:
    """Whom these lines of a batch gave a card, for what has to be done about each new person."""
    made = (
        select(CardBatchRow.line, Card.person_id, Card.id)
        .join(Card, Card.id == CardBatchRow.card_id)
        .where(CardBatchRow.batch_id == batch_id, CardBatchRow.line.between(first_line, last_line))
        .where(CardBatchRow.outcome == RowOutcome.MADE)
    )
    return [MadeCard(*row) for row in session.execute(made.order_by(CardBatchRow.line))]


def end_batch(session: Session, batch: CardBatch, state: BatchState) -> None:
    """The list is not needed any more: without its key nobody can read it, and then the file goes."""
    batch.state, batch.ended_at, batch.data_key = state.value, clock.now(), None
    outbox.announce(session, ENDED_TOPIC, {"batch_id": str(batch.id)}, key=f"{ENDED_TOPIC}/{batch.id}")


def _seal(entry: Entry) -> Candidate:
    details = entry.details
    if details is None or details.certificate is None:
        return Candidate(entry, None)
    key, wrapped = vault().new_key()
    person_id, now = new_id(), clock.now()
    person = {
        "id": person_id,
        "root_id": person_id,
        "data_key": wrapped,
        "name_sealed": key.seal(details.name, context=NAME),
        "phone_sealed": key.seal(details.phone, context=PHONE),
        "address_sealed": key.seal(details.address, context=ADDRESS) if details.address else None,
        "sex": details.sex,
        "birth_date": details.birth_date,
        "nation": details.nation,
        "assurance": Assurance.ASSERTED.value,
        "created_at": now,
    }
    certificate = {
        "id": new_id(),
        "person_id": person_id,
        "type": details.certificate.type.value,
        "country": details.certificate.country,
        "number_index": certificate_index(details.certificate),
        "number_sealed": key.seal(details.certificate.number, context=CERTIFICATE),
        "state": CertificateState.CURRENT.value,
        "is_primary": True,
        "added_at": now,
    }
    return Candidate(entry, SealedPerson(person_id, person, certificate))


def _decide(session: Session, chunk: Chunk) -> _Outcomes:
    """Line by line in the order of the list, so that of two lines for one person the second finds the first."""
    indexes = [each.sealed.certificate["number_index"] for each in chunk.candidates if each.sealed]
    session.execute(_LOCK_CERTIFICATES, {"shown": [index.hex() for index in indexes]})
    owners = _find_owners(session, indexes)
    holders = _load_holders(session, {person_id for each in owners.values() for _, person_id in each})
    outcomes = _Outcomes([], [], [], [], [])
    for candidate in chunk.candidates:
        row = {"batch_id": chunk.batch_id, "line": candidate.entry.line}
        outcomes.rows.append(row | _register(session, candidate, owners, holders, outcomes))
    return outcomes


def _find_owners(session: Session, indexes: Sequence[bytes]) -> dict[bytes, list[tuple[str, UUID]]]:
    """Country and person of every certificate with one of these numbers."""
    owners: dict[bytes, list[tuple[str, UUID]]] = defaultdict(list)
    for index, country, person_id in session.execute(_FIND_OWNERS, {"indexes": list(indexes)}):
        owners[index].append((country, person_id))
    return owners


def _load_holders(session: Session, ids: set[UUID]) -> dict[UUID, _Holder]:
    """Records that are there already, locked in one order, with what they are known as and their living cards."""
    mine = select(Person).where(Person.id.in_(ids)).order_by(Person.id).with_for_update()
    persons = {each.id: each for each in session.scalars(mine, execution_options={"populate_existing": True})}
    elsewhere = {each.root_id for each in persons.values()} - ids
    roots = persons | {each.id: each for each in session.scalars(select(Person).where(Person.id.in_(elsewhere)))}
    # A card that is not in force is looked at one by one, as at a window.
    cards = dict(
        session.execute(
            select(Card.person_id, Card.id)
            .where(Card.person_id.in_(ids), Card.replaced_at.is_(None))
            .where(Card.state == CardState.NORMAL)
        )
        .tuples()
        .all()
    )
    return {
        each.id: _Holder({name_and_phone(record) for record in {each, roots[each.root_id]}}, each, cards.get(each.id))
        for each in persons.values()
    }


def _find_owner(known: list[tuple[str, UUID]], country: str) -> UUID | None:
    """As ``identities.find_by_certificate``: a number sent without its country is found when only one has it."""
    found = {person_id for each, person_id in known if not country or each == country}
    exact = {person_id for each, person_id in known if each == country}
    return found.pop() if len(found) == 1 else exact.pop() if exact else None


def _register(
    session: Session,
    candidate: Candidate,
    owners: dict[bytes, list[tuple[str, UUID]]],
    holders: dict[UUID, _Holder],
    outcomes: _Outcomes,
) -> dict[str, Any]:
    entry, sealed = candidate.entry, candidate.sealed
    if sealed is None or entry.details is None:
        return _refused(entry.reason, entry.field)
    sent_as = (entry.details.name, entry.details.phone)
    index, country = sealed.certificate["number_index"], sealed.certificate["country"]
    owner = _find_owner(owners[index], country)
    if owner is None:
        made_id = _make(sealed, entry, outcomes)
        owners[index].append((country, sealed.person_id))
        holders[sealed.person_id] = _Holder({sent_as}, card_id=made_id)
        return _carded(RowOutcome.MADE, made_id)
    holder = holders[owner]
    if sent_as not in holder.known_as:
        return _refused(PersonDetailsDiffer.code)
    outcome, card_id = RowOutcome.EXISTING, holder.card_id
    if card_id is None:
        assert holder.person is not None
        outcome, card_id = _find_or_issue(session, holder.person, entry.channel)
        holders[owner] = replace(holder, card_id=card_id)
    outcomes.acts.append(("health_card.person.registered_again", owner, ("card", card_id)))
    return _carded(outcome, card_id)


def _find_or_issue(session: Session, person: Person, channel: ApplyChannel) -> tuple[RowOutcome, UUID]:
    had = session.scalar(select(Card.id).where(Card.person_id == person.id, Card.replaced_at.is_(None)))
    card = find_or_issue_card(session, person, channel)
    return RowOutcome.EXISTING if had == card.id else RowOutcome.MADE, card.id


def _make(sealed: SealedPerson, entry: Entry, outcomes: _Outcomes) -> UUID:
    card_id = new_id()
    outcomes.persons.append(sealed.person)
    outcomes.certificates.append(sealed.certificate)
    outcomes.cards.append(_new_card(card_id, sealed.person_id, entry.channel))
    outcomes.acts.append(("health_card.person.registered", sealed.person_id, ("card", card_id)))
    return card_id


def _new_card(card_id: UUID, person_id: UUID, channel: ApplyChannel) -> dict[str, Any]:
    return {
        "id": card_id,
        "person_id": person_id,
        "number": secrets.token_hex(32).upper(),
        "state": CardState.NORMAL.value,
        "channel": channel.value,
        "epoch": 0,
        "issued_at": clock.now(),
    }


def _refused(reason: str | None, field: str | None = None) -> dict[str, Any]:
    return {"outcome": RowOutcome.REFUSED.value, "card_id": None, "reason": reason, "field": field}


def _carded(outcome: RowOutcome, card_id: UUID) -> dict[str, Any]:
    return {"outcome": outcome.value, "card_id": card_id, "reason": None, "field": None}


def _move_on(session: Session, actor: Actor, batch: CardBatch, chunk: Chunk, outcomes: _Outcomes) -> None:
    batch.next_offset, batch.next_line = chunk.next_offset, chunk.next_line
    batch.rows_made += outcomes.count(RowOutcome.MADE)
    batch.rows_existing += outcomes.count(RowOutcome.EXISTING)
    batch.rows_refused += outcomes.count(RowOutcome.REFUSED)
    batch.chunks += 1
    batch.moved_at = clock.now()
    lines = [row["line"] for row in outcomes.rows]
    if lines:
        told = {"batch_id": str(batch.id), "chunk": batch.chunks, "first_line": lines[0], "last_line": lines[-1]}
        outbox.announce(session, CHUNK_MADE_TOPIC, told)
        outbox.announce(session, NAMES_DUE_TOPIC, told, wakes=False)
    if batch.rows_done < batch.rows_total:
        return
    end_batch(session, batch, BatchState.DONE)
    facts = {"made": batch.rows_made, "existing": batch.rows_existing, "refused": batch.rows_refused}
    audit.record_act(session, actor, "health_card.batch.ended", of=("card_batch", batch.id), facts=facts)
