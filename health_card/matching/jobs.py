"""After a record was made or corrected: note what it can be found by, and look who may be the same person."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from core import db, outbox
from core.actor import SYSTEM
from core.dispatch import Handler
from health_card.batches import issuing
from health_card.matching.service import finding
from health_card.service.identities import CHANGED_TOPIC

CERTIFICATE_CLAIMED_TOPIC = "health_card.same_certificate_claimed"
PERSON_CLAIMED_TOPIC = "health_card.same_person_claimed"
LOOKED_AT_ONCE = 20


def look_at_person(payload: dict[str, Any]) -> None:
    """``person_id``: whose record was made or corrected."""
    look_at_persons([UUID(payload["person_id"])])


def look_at_persons(person_ids: Iterable[UUID]) -> None:
    """The same for many, for example some lines of a batch."""
    wanted = list(person_ids)
    # Committed before anybody looks: of two records made at the same moment, the later look finds the other.
    with db.transaction() as session:
        finding.note_traits(session, wanted)
    for person_id in wanted:
        with db.transaction() as session:
            finding.record_candidates(session, SYSTEM, person_id=person_id)


def look_at_chunk(payload: dict[str, Any]) -> None:
    """``batch_id``, ``first_line``, ``last_line``: whom a batch gave a card.

    A few now, and the rest is announced anew: a thousand may take longer than the lease of a message.
    """
    lines = {name: payload[name] for name in ("first_line", "last_line")}
    with db.snapshot() as session:
        made = issuing.list_made_cards(session, batch_id=UUID(payload["batch_id"]), **lines)
    look_at_persons(each.person_id for each in made[:LOOKED_AT_ONCE])
    if made[LOOKED_AT_ONCE:]:
        first_line = made[LOOKED_AT_ONCE].line
        key = f"{issuing.CHUNK_MADE_TOPIC}/{payload['batch_id']}/{first_line}"
        with db.transaction() as session:
            rest = payload | {"first_line": first_line}
            outbox.announce(session, issuing.CHUNK_MADE_TOPIC, rest, key=key, wakes=False)


def take_certificate_claim(payload: dict[str, Any]) -> None:
    """``person_ids``: two records; a desk met the certificate of one in the hands of the other."""
    _take_claim(payload, "certificate_claimed")


def take_person_claim(payload: dict[str, Any]) -> None:
    """``person_ids``: two records that a hospital says are one patient's."""
    _take_claim(payload, "patient_number_claimed")


HANDLERS: dict[str, Handler] = {
    CHANGED_TOPIC: look_at_person,
    issuing.CHUNK_MADE_TOPIC: look_at_chunk,
    CERTIFICATE_CLAIMED_TOPIC: take_certificate_claim,
    PERSON_CLAIMED_TOPIC: take_person_claim,
}


def _take_claim(payload: dict[str, Any], code: str) -> None:
    with db.transaction() as session:
        finding.record_claim(session, SYSTEM, person_ids=[UUID(text) for text in payload["person_ids"]], code=code)
