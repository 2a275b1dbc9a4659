"""Printing cards: a holder's own, a visitor's at a desk, and those of a whole batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Select, Subquery, func, select
from sqlalchemy.orm import Session

from core import audit, clock, outbox, storage
from core.actor import Actor, ActorKind
from health_card import codes
from health_card.batches import service as batches
from health_card.batches.models import CardBatch, CardBatchRow
from health_card.desk.service.look_ups import get_seen_document
from health_card.masks import mask_number
from health_card.models import Card, CardState
from health_card.notices.service import tell
from health_card.printing.drawing import CardFace
from health_card.printing.models import CardSheet
from health_card.printing.refusals import NothingToPrint, SheetExpired, SheetNotFound, SheetUnderWay
from health_card.refusals import CardNotFound, CardNotInForce
from health_card.service.demographics import get_plain_demographics
from health_card.service.identities import same_person_ids
from health_card.service.living import living_cards
from health_card.service.persons import held_person_ids

DUE_TOPIC = "health_card.card_sheet_due"
EXPIRED_TOPIC = "health_card.card_sheet_expired"
CARDS_A_SHEET = 500
SHEET_LIFE = timedelta(days=30)


@dataclass(frozen=True)
class SheetCards:
    """What goes onto a sheet: the cards in force; ``skipped`` counts the others."""

    cards: list[tuple[UUID, UUID]]
    faces: list[CardFace]
    skipped: int


def print_card(session: Session, actor: Actor, *, card_id: UUID, issuer: str) -> CardFace:
    """A card of the signed-in login, to be printed with its static code.

    :param issuer: the issuing organisation's code, as codes carry it.
    :raises CardNotFound: not a card of this login.
    :raises CardNotInForce: it is lost, cancelled or not issued.
    """
    held = living_cards(held_person_ids(actor))
    card = _get_printable(session, held.where(Card.id == card_id))
    audit.record_act(session, actor, "health_card.card.printed", subject_id=card.person_id, of=("card", card.id))
    return _face(session, card, issuer)


def print_card_at_desk(session: Session, actor: Actor, *, look_up_id: UUID, card_id: UUID, issuer: str) -> CardFace:
    """As ``print_card``, for the person whose document the desk has seen. He is told.

    :raises LookUpNotFound: no such look-up, or it has run out.
    :raises DocumentNotSeen: no document was verified within it.
    :raises CardNotFound: not a card of this person.
    :raises CardNotInForce: it is lost, cancelled or not issued.
    """
    seen = get_seen_document(session, actor, look_up_id)
    theirs = living_cards(same_person_ids(seen.person_id))
    card = _get_printable(session, theirs.where(Card.id == card_id))
    of = ("card", card.id)
    audit.record_act(session, actor, "health_card.card.printed", subject_id=card.person_id, of=of)
    tell(session, person_id=card.person_id, kind="card_printed", hospital_id=actor.house_id, of=of)
    return _face(session, card, issuer)


def order_sheets(session: Session, actor: Actor, *, batch_id: UUID) -> list[CardSheet]:
    """Have all cards of an ended batch printed, 500 a file; made in the background. Again: the same files.

    :raises BatchNotFound: none such.
    :raises BatchUnderWay: it has not ended.
    :raises BatchResultExpired: it ended more than 30 days ago.
    :raises NothingToPrint: not one line got a card.
    """
    batches.get_ended(session, batch_id)
    session.execute(select(CardBatch.id).where(CardBatch.id == batch_id).with_for_update())
    sheets = list_sheets(session, batch_id=batch_id)
    if sheets:
        return sheets
    now = clock.now()
    for number, (first_line, last_line) in enumerate(_parts(session, batch_id), 1):
        sheet = CardSheet(
            batch_id=batch_id,
            number=number,
            first_line=first_line,
            last_line=last_line,
            requested_by=actor.id,
            requested_at=now,
        )
        session.add(sheet)
        session.flush()
        outbox.announce(session, DUE_TOPIC, {"sheet_id": str(sheet.id)})
    sheets = list_sheets(session, batch_id=batch_id)
    if not sheets:
        raise NothingToPrint
    audit.record_act(
        session, actor, "health_card.batch.printed", of=("card_batch", batch_id), facts={"sheets": len(sheets)}
    )
    return sheets


def list_sheets(session: Session, *, batch_id: UUID) -> list[CardSheet]:
    """The files of a batch, in the order of its list.

    :raises BatchNotFound: none such.
    """
    batches.get_batch(session, batch_id)
    return list(session.scalars(select(CardSheet).filter_by(batch_id=batch_id).order_by(CardSheet.number)))


def find_unmade(session: Session, sheet_id: UUID) -> CardSheet | None:
    """The sheet, when it is still to be made."""
    sheet = session.get_one(CardSheet, sheet_id)
    return sheet if sheet.made_at is None else None


def read_sheet_cards(session: Session, sheet: CardSheet, *, issuer: str) -> SheetCards:
    """What stands on the cards of a sheet, in the order of the list; no card twice.

    :param issuer: the issuing organisation's code, as codes carry it.
    """
    first = _first_lines(sheet.batch_id)
    wanted = (
        select(Card)
        .join(first, first.c.card_id == Card.id)
        .where(first.c.line.between(sheet.first_line, sheet.last_line))
        .order_by(first.c.line)
    )
    found = session.scalars(wanted).all()
    good = [card for card in found if card.state == CardState.NORMAL and card.replaced_at is None]
    faces = [_face(session, card, issuer) for card in good]
    return SheetCards([(card.person_id, card.id) for card in good], faces, len(found) - len(good))


def record_sheet(session: Session, *, sheet_id: UUID, file: storage.Staged, printed: SheetCards) -> None:
    """Keep the file of a sheet, and a row in the audit trail for each card on it. Made already: nothing changes.

    :param file: finished; it is kept when, and only when, the row names it.
    """
    sheet = session.scalars(select(CardSheet).where(CardSheet.id == sheet_id).with_for_update()).one()
    if sheet.made_at is not None:
        return
    now = clock.now()
    sheet.storage_key, sheet.data_key, sheet.size_bytes = storage.keep(file), file.wrapped_key, file.size_bytes
    sheet.cards, sheet.skipped = len(printed.cards), printed.skipped
    sheet.made_at, sheet.expires_at = now, now + SHEET_LIFE
    actor = Actor(ActorKind.STAFF, sheet.requested_by, frozenset())
    acts = (("health_card.card.printed", person_id, ("card", card_id)) for person_id, card_id in printed.cards)
    audit.record_acts(session, actor, acts, facts={"sheet": str(sheet.id)})
    outbox.announce(session, EXPIRED_TOPIC, {"sheet_id": str(sheet.id)}, due_at=sheet.expires_at)


def open_sheet(session: Session, actor: Actor, *, sheet_id: UUID) -> CardSheet:
    """A sheet to be downloaded: ``storage_key`` and ``data_key`` open its file.

    :raises SheetNotFound: none such.
    :raises SheetUnderWay: it is not made yet.
    :raises SheetExpired: it was made more than 30 days ago.
    """
    sheet = session.get(CardSheet, sheet_id)
    if sheet is None:
        raise SheetNotFound
    if sheet.expires_at is None:
        raise SheetUnderWay
    if sheet.data_key is None or sheet.expires_at <= clock.now():
        raise SheetExpired
    facts = {"cards": sheet.cards}
    audit.record_act(session, actor, "health_card.card_sheet.read", of=("card_sheet", sheet.id), facts=facts)
    return sheet


def expire_sheet(session: Session, sheet_id: UUID) -> str | None:
    """Make the file of a sheet unreadable when its time is over; returns where it lies, so that it can be removed."""
    sheet = session.scalars(select(CardSheet).where(CardSheet.id == sheet_id).with_for_update()).one()
    if sheet.expires_at is None or sheet.expires_at > clock.now():
        return None
    sheet.data_key = None
    return sheet.storage_key


def _get_printable(session: Session, wanted: Select[tuple[Card]]) -> Card:
    card = session.scalars(wanted).one_or_none()
    if card is None:
        raise CardNotFound
    if card.state != CardState.NORMAL:
        raise CardNotInForce
    return card


def _face(session: Session, card: Card, issuer: str) -> CardFace:
    person = get_plain_demographics(session, card.person_id)
    number = person.certificate_number
    return CardFace(
        name=person.name,
        certificate_type=person.certificate_type,
        certificate_number=mask_number(number) if number else None,
        card_number=card.number,
        code=codes.write_static(card.number, issuer),
    )


def _parts(session: Session, batch_id: UUID) -> Sequence[tuple[int, int]]:
    """First and last line of each file."""
    first = _first_lines(batch_id)
    part = ((func.row_number().over(order_by=first.c.line) - 1) // CARDS_A_SHEET).label("part")
    numbered = select(first.c.line, part).subquery()
    bounds = select(func.min(numbered.c.line), func.max(numbered.c.line)).group_by(numbered.c.part)
    return session.execute(bounds.order_by(numbered.c.part)).tuples().all()


def _first_lines(batch_id: UUID) -> Subquery:
    """Each card of a batch with the line where it stands first."""
    return (
        select(CardBatchRow.card_id, func.min(CardBatchRow.line).label("line"))
        .where(CardBatchRow.batch_id == batch_id, CardBatchRow.card_id.is_not(None))
        .group_by(CardBatchRow.card_id)
        .subquery()
    )
