"""What providers offer."""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import Actor
from payments.models import CreditProduct
from payments.refusals import ProductCodeTaken


@dataclass(frozen=True)
class ProductTerms:
    """The terms of a product.

    :ivar limit_fen: granted to each line that is opened from now on.
    :ivar interest_free_days: 0 to 56.
    :ivar statement_day: day of the month, 1 to 28; ``due_day`` likewise.
    :ivar agreement_text: what the patient agrees to; its hash is kept as the proof of which text it was.
    """

    name: str
    provider: str
    limit_fen: int
    interest_free_days: int
    statement_day: int
    due_day: int
    agreement_version: str
    agreement_text: str


def create_product(session: Session, actor: Actor, *, code: str, terms: ProductTerms) -> UUID:
    """Offer a credit product from now on.

    :raises ProductCodeTaken: the code is in use.
    """
    if session.scalar(select(CreditProduct.id).filter_by(code=code)):
        raise ProductCodeTaken
    product = CreditProduct(
        code=code,
        name=terms.name,
        provider=terms.provider,
        limit_fen=terms.limit_fen,
        interest_free_days=terms.interest_free_days,
        statement_day=terms.statement_day,
        due_day=terms.due_day,
        agreement_version=terms.agreement_version,
        agreement_text_hash=hashlib.sha256(terms.agreement_text.encode()).hexdigest(),
        created_at=clock.now(),
    )
    session.add(product)
    session.flush()
    audit.record_act(session, actor, "payments.product.created", of=("credit_product", product.id))
    return product.id


def list_products(session: Session) -> list[CreditProduct]:
    """The products that are offered now, by code."""
    return list(session.scalars(select(CreditProduct).filter_by(is_offered=True).order_by(CreditProduct.code)))
