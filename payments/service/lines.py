"""Signing up for credit, and what a line stands at."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import Actor
from core.ids import new_id
from health_card import service as health_card
from payments.models import UNDER_WAY, CreditLine, CreditProduct, LineState, Repayment
from payments.refusals import AgreementVersionWrong, LineNotFound, PersonNotConfirmed, ProductNotOffered
from records.visits import service as visits


@dataclass(frozen=True)
class LineView:
    """A line with its product.

    :ivar available_fen: what may still be drawn; see ``measure_available_fen``.
    :ivar payable_fen: drawn, minus the repayments under way.
    :ivar person_name: masked.
    """

    line: CreditLine
    product: CreditProduct
    available_fen: int
    payable_fen: int
    person_name: str


@dataclass(frozen=True)
class Terms:
    """Who signs up for what. ``signed_by``: the person's own login."""

    person_id: UUID
    product_code: str
    agreement_version: str
    signed_by: UUID


def open_line(
    session: Session, actor: Actor, *, product_code: str, agreement_version: str, pin: str
) -> tuple[LineView, bool]:
    """Sign the actor's own person up for a product, confirmed with the PIN; the limit comes from the product.

    However often and however concurrently it is asked, there is one line a person and product.

    :returns: the line, and whether it is new.
    :raises PersonNotConfirmed: the login holds no confirmed person.
    :raises PinNotSet, PinLocked, PinWrong: see ``health_card.check_pin``.
    :raises ProductNotOffered: no such product, or not any more.
    :raises AgreementVersionWrong: neither the version in force nor the one that this line was opened with.
    """
    person_id = _get_own_person(session, actor)
    health_card.check_pin(session, actor, pin=pin)
    terms = Terms(person_id, product_code, agreement_version, signed_by=actor.id)
    return _sign_up(session, actor, terms)


def open_line_at_desk(
    session: Session, actor: Actor, *, visit_id: UUID, product_code: str, agreement_version: str
) -> tuple[LineView, bool]:
    """Sign the patient of a visit up at a desk; he has confirmed it on his own phone, with PIN or tap, good once.

    :returns: the line, and whether it is new.
    :raises VisitNotFound: no such visit at the actor's hospital.
    :raises NotConfirmed: see ``health_card.consume_confirmation``; somebody who acts for him cannot confirm this.
    :raises ProductNotOffered, AgreementVersionWrong: see ``open_line``.
    """
    person_id = visits.get_visit(session, actor, visit_id).person_id
    confirmed = health_card.consume_confirmation(session, actor, purpose="credit", person_id=person_id, by_self=True)
    terms = Terms(person_id, product_code, agreement_version, signed_by=confirmed.login_id)
    return _sign_up(session, actor, terms)


def _sign_up(session: Session, actor: Actor, terms: Terms) -> tuple[LineView, bool]:
    person_id, agreement_version = terms.person_id, terms.agreement_version
    product = session.scalars(select(CreditProduct).filter_by(code=terms.product_code)).one_or_none()
    known = _find_line(session, person_id, product) if product else None
    if product is None or not (product.is_offered or known):
        raise ProductNotOffered
    accepted = {product.agreement_version} | ({known.agreement_version} if known else set())
    if agreement_version not in accepted:
        raise AgreementVersionWrong(current_version=product.agreement_version)
    if known is not None:
        return _view(session, CreditLine.id == known.id)[0], False
    line_id = _insert_line(session, terms, product)
    if line_id is None:
        # Another request opened it at this moment; the insert waited until that one was committed.
        known = _find_line(session, person_id, product)
        assert known is not None
        return _view(session, CreditLine.id == known.id)[0], False
    audit.record_act(
        session,
        actor,
        "payments.line.opened",
        subject_id=person_id,
        of=("credit_line", line_id),
        facts={"product": product.code, "agreement_version": agreement_version, "limit_fen": product.limit_fen},
    )
    return _view(session, CreditLine.id == line_id)[0], True


def list_lines(session: Session, actor: Actor) -> list[LineView]:
    """The lines of the persons whom the actor may act for, oldest first."""
    return _view(session, CreditLine.person_id.in_(health_card.held_person_ids(actor)))


def get_line(session: Session, actor: Actor, *, line_id: UUID) -> LineView:
    """One line of a person whom the actor may act for.

    :raises LineNotFound: none such.
    """
    found = _view(session, CreditLine.id == line_id, CreditLine.person_id.in_(health_card.held_person_ids(actor)))
    if not found:
        raise LineNotFound
    return found[0]


def measure_available_fen(line: CreditLine, lines: Iterable[CreditLine]) -> int:
    """What may still be drawn on a line: two lines of one product, of records found to be one person's, are no double
    credit. Together they draw no more than the larger limit.

    :param lines: all lines of the person, closed ones too.
    """
    alike = [other for other in lines if other.product_id == line.product_id]
    limit_fen = max(other.limit_fen for other in alike if other.state != LineState.CLOSED or other is line)
    used_fen = sum(other.drawn_fen + other.held_fen for other in alike)
    return max(0, min(line.available_fen, limit_fen - used_fen))


def sum_under_way_fen(session: Session, line_id: UUID) -> int:
    """What is being repaid on a line at this moment; exact while the line's row is locked."""
    total = session.scalar(
        select(func.sum(Repayment.amount_fen)).where(Repayment.line_id == line_id, Repayment.state.in_(UNDER_WAY))
    )
    return int(total or 0)


def _view(session: Session, *conditions: ColumnElement[bool]) -> list[LineView]:
    rows = session.execute(
        select(CreditLine, CreditProduct)
        .join(CreditProduct, CreditProduct.id == CreditLine.product_id)
        .where(*conditions)
        .order_by(CreditLine.opened_at, CreditLine.id)
    ).all()
    return [
        LineView(
            line=line,
            product=product,
            available_fen=measure_available_fen(line, _list_alike(session, line)),
            # Overpaid by a payment that came after its repayment had ended: then there is nothing to pay, not less.
            payable_fen=max(0, line.drawn_fen - sum_under_way_fen(session, line.id)),
            person_name=health_card.get_demographics(session, line.person_id).name,
        )
        for line, product in rows
    ]


def _list_alike(session: Session, line: CreditLine) -> list[CreditLine]:
    of_person = CreditLine.person_id.in_(health_card.same_person_ids(line.person_id))
    return list(session.scalars(select(CreditLine).where(of_person, CreditLine.product_id == line.product_id)))


def _get_own_person(session: Session, actor: Actor) -> UUID:
    own = health_card.find_own_person_id(session, actor)
    if own is None:
        raise PersonNotConfirmed
    return own


def _find_line(session: Session, person_id: UUID, product: CreditProduct) -> CreditLine | None:
    mine = select(CreditLine).where(
        CreditLine.person_id.in_(health_card.same_person_ids(person_id)), CreditLine.product_id == product.id
    )
    return session.scalars(mine.order_by(CreditLine.opened_at, CreditLine.id).limit(1)).one_or_none()


def _insert_line(session: Session, terms: Terms, product: CreditProduct) -> UUID | None:
    statement = insert(CreditLine).values(
        id=new_id(),
        person_id=terms.person_id,
        product_id=product.id,
        limit_fen=product.limit_fen,
        drawn_fen=0,
        held_fen=0,
        state=LineState.ACTIVE,
        agreement_version=product.agreement_version,
        agreement_text_hash=product.agreement_text_hash,
        opened_by=terms.signed_by,
        opened_at=clock.now(),
    )
    return session.scalar(statement.on_conflict_do_nothing().returning(CreditLine.id))
